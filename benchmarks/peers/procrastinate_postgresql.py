"""Procrastinate on PostgreSQL, one job per delivery, 64 at once with aiohttp, a row for each delivery."""

import asyncio
import sys
import time

import aiohttp
from procrastinate import App, PsycopgConnector
from psycopg_pool import AsyncConnectionPool

from benchmarks.peers.work import FILLING


async def run(sink: str, number: int, url: str) -> float:
    """Enqueue all, then drain; gives deliveries per second."""
    app = App(connector=PsycopgConnector(conninfo=url))
    async with (
        app.open_async(),
        AsyncConnectionPool(url, max_size=8, open=False) as pool,
        aiohttp.ClientSession() as client,
    ):
        await app.schema_manager.apply_schema_async()
        async with pool.connection() as connection:
            await connection.execute("create table sent (key text primary key, remote_id text)")

        @app.task(name="deliver")
        async def deliver(key: str) -> None:
            async with client.post(f"{sink}/take", json={"key": key, "text": FILLING}) as answer:
                found = await answer.json()
            async with pool.connection() as connection:
                await connection.execute("insert into sent values (%s, %s)", (key, found["id"]))

        started = time.perf_counter()
        for n in range(number):
            await deliver.defer_async(key=f"procrastinate{n}")
        await app.run_worker_async(concurrency=64, wait=False, install_signal_handlers=False, delete_jobs="always")
        took = time.perf_counter() - started
        async with pool.connection() as connection:
            kept = await (await connection.execute("select count(*) from sent")).fetchone()
    if kept is None or kept[0] != number:
        raise RuntimeError(f"{kept} of {number}")
    return number / took


if __name__ == "__main__":
    print("rate", asyncio.run(run(sys.argv[1], int(sys.argv[2]), sys.argv[3])))
