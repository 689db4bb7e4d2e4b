"""A loopback sink: an HTTP server in a process of its own that counts what it was sent, and how often twice."""

import argparse
import contextlib
import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from urllib.request import urlopen

from aiohttp import web


def main() -> None:
    """Serve until killed: POST /take with a JSON ``key``; GET /stats; POST /forget."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    seen: dict[str, int] = {}

    async def take(request: web.Request) -> web.Response:
        key = json.loads(await request.read())["key"]
        seen[key] = seen.get(key, 0) + 1
        return web.json_response({"id": key})

    async def stats(_: web.Request) -> web.Response:
        return web.json_response({"distinct": len(seen), "requests": sum(seen.values())})

    async def forget(_: web.Request) -> web.Response:
        seen.clear()
        return web.json_response({})

    app = web.Application()
    app.add_routes([web.post("/take", take), web.get("/stats", stats), web.post("/forget", forget)])
    web.run_app(app, host="127.0.0.1", port=parser.parse_args().port, print=None, access_log=None)


@contextlib.contextmanager
def sink() -> Iterator[str]:
    """The address of a running sink."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.sink", "--port", str(port)])
    address = f"http://127.0.0.1:{port}"
    try:
        for _ in range(200):
            with contextlib.suppress(OSError), urlopen(f"{address}/stats", timeout=1):
                break
            time.sleep(0.05)
        yield address
    finally:
        process.terminate()
        process.wait(10)


def prove(address: str, wanted: int) -> None:
    """Raise unless the sink got exactly ``wanted`` different deliveries, each once; then let it forget them."""
    with urlopen(f"{address}/stats", timeout=5) as answer:
        stats = json.load(answer)
    if stats != {"distinct": wanted, "requests": wanted}:
        raise RuntimeError(f"the sink got {stats}, wanted {wanted} once each: the row does not count")
    with urlopen(f"{address}/forget", data=b"", timeout=5):
        pass


if __name__ == "__main__":
    main()
