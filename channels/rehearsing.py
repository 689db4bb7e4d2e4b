"""A small stage for one test or one trial: the twins and a shelf of media, served on loopback in a thread.

Used by the conformance suite; a package outside this tree can use it for its own channel in the same way.
"""

import hashlib
import io
import socket
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

from PIL import Image
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route

from channels.contract import Channel, Picture, Tools
from channels.twin import Fault, FaultKind, Place, Trace, TwinState, side_door
from channels.twins import TwinClock, build, server
from channels.wire import Answer, Guard, Wire

START = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)


@dataclass
class MemoryShelf:
    """Media in memory, served at ``base_url``."""

    base_url: str
    files: dict[str, tuple[bytes, str]] = field(default_factory=dict)

    def add(self, content: bytes, mime: str) -> str:
        """Store a file; its sha256."""
        sha256 = hashlib.sha256(content).hexdigest()
        self.files[sha256] = (content, mime)
        return sha256

    def read(self, sha256: str) -> bytes:
        """The bytes of a file; raises FileNotFoundError."""
        if sha256 not in self.files:
            raise FileNotFoundError(sha256)
        return self.files[sha256][0]

    def url(self, sha256: str) -> str:
        """Where a platform can fetch it."""
        return f"{self.base_url}/{sha256}"

    async def answer(self, request: Request) -> Response:
        """A file over HTTP."""
        content, mime = self.files.get(request.path_params["sha256"], (b"", ""))
        return Response(content, 200, media_type=mime) if mime else Response("not found", 404)


@dataclass
class Scene:
    """Where a channel is tried: a place with its twins, a shelf, and a clock that moves only when told to."""

    place: Place
    shelf: MemoryShelf
    clock: TwinClock
    channels: Mapping[str, type[Channel]]

    @contextmanager
    def elsewhere(self) -> Iterator["Scene"]:
        """The same scene with twins at a port where nobody listens."""
        with socket.socket() as closed:
            closed.bind(("127.0.0.1", 0))
            place = self.place.model_copy(update={"twins_url": f"http://127.0.0.1:{closed.getsockname()[1]}"})
            yield Scene(place, self.shelf, self.clock, self.channels)

    def forward(self, seconds: float) -> None:
        """Let time go by, for the channel and for the twins."""
        self.clock.fixed = self.clock() + timedelta(seconds=seconds)

    def wire(self, timeout: float = 5) -> Wire:
        """A client that may talk to this scene's own addresses."""
        hosts = {url.partition("//")[2].partition("/")[0] for url in (self.place.twins_url, self.place.site_url)}
        beside = ":".join(str(part) for part in side_door(self.place.twins_url))
        return Wire(guard=Guard(frozenset({*hosts, beside})), timeout=timeout)

    def tools(self, wire: Wire) -> Tools:
        """What a channel is given."""
        return Tools(wire=wire, shelf=self.shelf, now=self.clock)

    def channel(self, kind: str, wire: Wire) -> Channel:
        """The channel of a kind with this place's settings."""
        made = self.channels[kind]
        settings = made.Settings.model_validate(made.rehearsal().settings(self.place))
        return made(settings, self.tools(wire))

    def picture(self, size: tuple[int, int] = (1200, 630)) -> Picture:
        """A JPEG on the shelf."""
        file = io.BytesIO()
        Image.linear_gradient("L").resize(size).convert("RGB").save(file, "JPEG")
        sha256 = self.shelf.add(file.getvalue(), "image/jpeg")
        return Picture(sha256=sha256, mime="image/jpeg", width=size[0], height=size[1], alt="Dải màu để thử")

    async def order(self, kind: str, fault: FaultKind, path: str = "", times: int = 1, seconds: float = 0) -> None:
        """Order a misbehaviour from a twin; raises RuntimeError where it is not taken."""
        wanted = Fault(kind=fault, path=path, times=times, seconds=seconds)
        wire = self.wire()
        seen = await wire.call("POST", f"{self.place.twins_url}/_control/{kind}/faults", json=wanted.model_dump())
        await wire.close()
        if not isinstance(seen, Answer) or seen.status != 201:
            raise RuntimeError(f"twin {kind} does not take the fault {fault}: {seen}")

    async def forget(self, kind: str) -> None:
        """Take back the misbehaviours that are still due."""
        wire = self.wire()
        await wire.call("DELETE", f"{self.place.twins_url}/_control/{kind}/faults")
        await wire.close()

    async def traces(self, kind: str) -> list[Trace]:
        """What citizens can see on this platform now."""
        wire = self.wire()
        try:
            return await self.channels[kind].rehearsal().traces(self.place, wire)
        finally:
            await wire.close()


@contextmanager
def stage(folder: Path, channels: Mapping[str, type[Channel]], account: str = "Phường Đông Hải") -> Iterator[Scene]:
    """The scene, served until the end of the block; state and files lie in ``folder``."""
    listening = socket.create_server(("127.0.0.1", 0))
    url = f"http://127.0.0.1:{listening.getsockname()[1]}"
    shelf = MemoryShelf(f"{url}/media")
    clock = TwinClock()
    clock.fixed = START
    state = TwinState(folder / "twins.db")
    twins = build(state, url, clock, channels=channels)
    app = Starlette(routes=[Route("/media/{sha256}", shelf.answer), Mount("/", app=twins)])
    place = Place(account=account, twins_url=url, site_url=url, site_token="rehearsal", folder=folder)  # noqa: S106
    with _serving(app, listening):
        yield Scene(place, shelf, clock, channels)
    for twin in twins.state.twins.values():
        twin.close()
    state.close()


@contextmanager
def _serving(app: Starlette, listening: socket.socket) -> Iterator[None]:
    running = server(app)
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    while not running.started and thread.is_alive():
        time.sleep(0.01)
    try:
        yield
    finally:
        running.should_exit = True
        running.force_exit = True
        thread.join(timeout=10)
        listening.close()
