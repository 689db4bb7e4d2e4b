"""Apprise: one notify per recipient, 16 threads, a row for each delivery."""

import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

import apprise

from benchmarks.peers.work import FILLING, Record


def main() -> None:
    """Notify all; prints deliveries per second."""
    sink, number = sys.argv[1], int(sys.argv[2])
    target = sink.replace("http://", "json://") + "/take"
    with tempfile.TemporaryDirectory() as folder:
        record = Record(f"{folder}/sent.db")

        def deliver(n: int) -> None:
            one = apprise.Apprise()
            one.add(f"{target}?:key=apprise{n}")
            if not one.notify(title="Tin", body=FILLING):
                raise RuntimeError("not sent")
            record.keep(f"apprise{n}", "")

        started = time.perf_counter()
        with ThreadPoolExecutor(16) as pool:
            list(pool.map(deliver, range(number)))
        print("rate", number / (time.perf_counter() - started))


if __name__ == "__main__":
    main()
