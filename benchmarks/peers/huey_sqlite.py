"""Huey on SQLite with fsync, 16 threads, a row for each delivery."""

import sys
import tempfile
import time

from huey import SqliteHuey

from benchmarks.peers.work import Record, post


def main() -> None:
    """Enqueue all, then drain; prints deliveries per second."""
    sink, number = sys.argv[1], int(sys.argv[2])
    with tempfile.TemporaryDirectory() as folder:
        huey = SqliteHuey(filename=f"{folder}/huey.db", fsync=True, results=False)
        record = Record(f"{folder}/sent.db")

        @huey.task()
        def deliver(key: str) -> None:
            record.keep(key, post(sink, key))

        started = time.perf_counter()
        for n in range(number):
            deliver(f"huey{n}")
        consumer = huey.create_consumer(workers=16, periodic=False, initial_delay=0.01, backoff=1.0, max_delay=0.01)
        consumer.start()
        while record.count() < number:
            time.sleep(0.005)
        print("rate", number / (time.perf_counter() - started), flush=True)
        consumer.stop(graceful=False)


if __name__ == "__main__":
    main()
