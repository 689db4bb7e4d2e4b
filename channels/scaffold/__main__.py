"""``make channel kind=…``: write a new channel into the tree one stands in."""

import argparse
import sys
from pathlib import Path

from channels.scaffold.making import CannotMake, make


def main() -> None:
    """Read the arguments, write the files and name them; ends with 2 and a sentence where it cannot."""
    reader = argparse.ArgumentParser(prog="python -m channels.scaffold", description=__doc__)
    reader.add_argument("kind", help="lower-case letters and digits, for example bangtin")
    reader.add_argument("--name", default="", help="what people call the platform; the kind where it is left out")
    reader.add_argument("--day", required=True, help="the day that is written into the page, 22/11/2026")
    reader.add_argument("--tree", type=Path, default=Path.cwd(), help="the source tree")
    given = reader.parse_args()
    try:
        made = make(given.tree, given.kind, given.name, given.day)
    except CannotMake as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(2) from error
    sys.stdout.write("".join(f"{path.relative_to(given.tree)}\n" for path in made))


if __name__ == "__main__":
    main()
