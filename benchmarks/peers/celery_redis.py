"""Celery on Redis, 16 threads in one worker, a row for each delivery."""

import os
import sys
import tempfile
import threading
import time

from celery import Celery

from benchmarks.peers.work import Record, post


def main() -> None:
    """Enqueue all, then drain; prints deliveries per second."""
    sink, number, redis = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    with tempfile.TemporaryDirectory() as folder:
        app = Celery("bench", broker=f"{redis}/1")
        app.conf.update(
            task_ignore_result=True,
            worker_redirect_stdouts=False,
            worker_prefetch_multiplier=16,
            broker_connection_retry_on_startup=True,
        )
        record = Record(f"{folder}/sent.db")

        @app.task(name="deliver", acks_late=True)
        def deliver(key: str) -> None:
            record.keep(key, post(sink, key))

        def watch() -> None:
            while record.count() < number:
                time.sleep(0.005)
            print("rate", number / (time.perf_counter() - started), flush=True)
            os._exit(0)

        started = time.perf_counter()
        for n in range(number):
            deliver.delay(f"celery{n}")
        threading.Thread(target=watch, daemon=True).start()
        app.worker_main(["worker", "--pool=threads", "--concurrency=16", "--loglevel=ERROR", "--without-gossip", "--without-mingle"])  # fmt: skip


if __name__ == "__main__":
    main()
