"""The twins as a program of their own: ``python -m channels.twins_program --port 8010 --state FILE``.

It lives as long as whoever started it: when its standard input closes, it stops.
"""

import argparse
import asyncio
import sys
from pathlib import Path

from channels.twins import build, open_state, server


async def serve(port: int, state: Path) -> None:
    """Serve the twins until standard input closes."""
    kept = open_state(state)
    app = build(kept, f"http://127.0.0.1:{port}")
    served = server(app, port=port)
    watching = asyncio.create_task(_until_alone(served))
    await served.serve()
    watching.cancel()
    for twin in app.state.twins.values():
        twin.close()
    kept.close()


async def _until_alone(served: object) -> None:
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    await reader.read()
    served.should_exit = True  # type: ignore[attr-defined]


def main() -> None:
    """Read the arguments and serve."""
    reader = argparse.ArgumentParser(description=__doc__)
    reader.add_argument("--port", type=int, required=True)
    reader.add_argument("--state", type=Path, required=True)
    given = reader.parse_args()
    asyncio.run(serve(given.port, given.state))


if __name__ == "__main__":
    main()
