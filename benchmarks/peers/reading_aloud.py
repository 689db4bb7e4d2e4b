"""Vietnamese lines read aloud by another package, as it is, warm: ``reading_aloud.py sea|hamster TIMES`` with the lines as JSON on standard input.

Prints the readings and the CPU seconds of TIMES runs over all of them.
"""

import json
import re
import sys
import time
from collections.abc import Callable


def sea() -> Callable[[str], str]:
    """sea-g2p 0.10: ``Normalizer(lang="vi")``; its marks around English words are taken off."""
    from sea_g2p import Normalizer

    reader = Normalizer(lang="vi")
    return lambda line: re.sub(r"</?en>", "", reader.normalize(line))


def hamster() -> Callable[[str], str]:
    """g2p-hamster 0.2.8: the readable string of its first stage."""
    from g2p_hamster.t0.pipeline import normalize

    return lambda line: str(normalize(line)["read_string"])


def main() -> None:
    """Read everything once to be warm, then as often as asked."""
    read = {"sea": sea, "hamster": hamster}[sys.argv[1]]()
    lines = json.load(sys.stdin)
    readings = [read(line) for line in lines]
    began = time.process_time()
    for _ in range(int(sys.argv[2])):
        for line in lines:
            read(line)
    print(json.dumps({"readings": readings, "seconds": time.process_time() - began}, ensure_ascii=False))


if __name__ == "__main__":
    main()
