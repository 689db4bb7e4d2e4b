"""Dramatiq on Redis, 16 threads in one worker, a row for each delivery."""

import sys
import tempfile
import time

import dramatiq
from dramatiq.brokers.redis import RedisBroker

from benchmarks.peers.work import Record, post


def main() -> None:
    """Enqueue all, then drain; prints deliveries per second."""
    sink, number, redis = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    with tempfile.TemporaryDirectory() as folder:
        broker = RedisBroker(url=f"{redis}/2")
        dramatiq.set_broker(broker)
        record = Record(f"{folder}/sent.db")

        @dramatiq.actor
        def deliver(key: str) -> None:
            record.keep(key, post(sink, key))

        started = time.perf_counter()
        for n in range(number):
            deliver.send(f"dramatiq{n}")
        worker = dramatiq.Worker(broker, worker_threads=16, worker_timeout=100)
        worker.start()
        while record.count() < number:
            time.sleep(0.005)
        print("rate", number / (time.perf_counter() - started), flush=True)
        worker.stop()


if __name__ == "__main__":
    main()
