"""What hears the bulletins in a rehearsal: RTP receivers, and the doubles of an Algo speaker and of Icecast around them."""

import asyncio
import base64
import contextlib
import hashlib
import hmac
import secrets
from collections.abc import Callable
from datetime import datetime
from email.utils import parsedate_to_datetime

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from channels.twin import FaultKind, Trace, TwinState

ALGO_PASSWORD, SOURCE_PASSWORD = "loa-algo-thu", "nguon-icecast-thu"  # noqa: S105 - doubles' own
_SKEW = 30
_LAWS = {0: "ulaw", 8: "alaw"}


class Receiver(asyncio.DatagramProtocol):
    """Keeps what arrives as RTP (RFC 3550): the payload in the order of the sequence numbers, and what was missed."""

    def __init__(self) -> None:
        self.payloads: dict[int, bytes] = {}
        self.kind: int | None = None
        self.streams: set[bytes] = set()

    def datagram_received(self, data: bytes, addr: object) -> None:
        """One packet; what is no RTP of version 2 is left out."""
        if len(data) < 12 or data[0] >> 6 != 2:
            return
        self.kind = data[1] & 0x7F
        self.streams.add(data[8:12])
        self.payloads[int.from_bytes(data[2:4], "big")] = data[12:]

    @property
    def sound(self) -> bytes:
        """The G.711 as it was heard."""
        numbers = sorted(self.payloads)
        gap = max(range(len(numbers)), key=lambda at: (numbers[at] - numbers[at - 1]) % 65_536, default=0)
        return b"".join(self.payloads[number] for number in [*numbers[gap:], *numbers[:gap]])


class Ears:
    """The receivers by device, and what each heard."""

    def __init__(
        self, state: TwinState, now: Callable[[], datetime], ordered: Callable[[FaultKind, str], bool]
    ) -> None:
        self.state, self.now, self.ordered = state, now, ordered
        self._open: dict[str, tuple[asyncio.DatagramTransport, Receiver]] = {}
        self._mounts: set[str] = set()

    def routes(self) -> list[BaseRoute]:
        """Algo's REST, a plain receiver, and the mounts."""
        return [
            Route("/algo/{device}/api/info/about", self.about, methods=["GET"]),
            Route("/algo/{device}/api/controls/rx/start", self.listen, methods=["POST"]),
            Route("/algo/{device}/api/controls/rx/stop", self.enough, methods=["POST"]),
            Route("/rtp/{device}", self.receive, methods=["PUT", "DELETE"]),
            Route("/icecast/admin/metadata", self.metadata, methods=["GET"]),
            Route("/icecast/{device}", self.source, methods=["PUT"]),
            Route("/icecast/{device}", self.hear, methods=["GET"]),
        ]

    def heard(self) -> list[Trace]:
        """Every bulletin of which sound arrived."""
        return [
            Trace(
                account=row["device"], remote_id=id, at=row["at"], text=f"{row['way']} {row['bytes']} byte",
                title=row["way"], files=(self.state.file(row["file"]),),
            )
            for id, row in self.state.all("ears-heard")
        ]  # fmt: skip

    def close(self) -> None:
        """Close the receivers."""
        for transport, _ in self._open.values():
            with contextlib.suppress(RuntimeError):  # the server's loop is over already
                transport.close()
        self._open.clear()

    async def about(self, request: Request) -> Response:
        """What the device tells of itself."""
        return await self._refused(request) or JSONResponse({"Product Name": "8180G2", "Firmware": "5.4"})

    async def listen(self, request: Request) -> Response:
        """``rx/start``: RTP is heard at the port that was named."""
        if refused := await self._refused(request):
            return refused
        port = (await request.json()).get("port", "")
        if not str(port).isdecimal():
            return JSONResponse({"error": "port is required"}, 400)
        await self._begin(request.path_params["device"], int(port))
        return Response(status_code=200)

    async def enough(self, request: Request) -> Response:
        """``rx/stop``."""
        if refused := await self._refused(request):
            return refused
        self._end(request.path_params["device"], "algo")
        return Response(status_code=200)

    async def receive(self, request: Request) -> Response:
        """A plain receiver on a free port: PUT opens it and tells the port, DELETE closes it and keeps what it heard."""
        device = request.path_params["device"]
        if request.method == "DELETE":
            self._end(device, "rtp")
            return Response(status_code=204)
        return JSONResponse({"port": await self._begin(device, 0)}, 201)

    async def metadata(self, request: Request) -> Response:
        """The source's password is asked for; nothing is changed."""
        return PlainTextResponse("unknown command", 400) if self._is_source(request) else _unauthorized()

    async def source(self, request: Request) -> Response:
        """A source: one at a time on a mount, heard as long as it sends."""
        mount = request.path_params["device"]
        if not self._is_source(request) or self.ordered("expire_token", request.url.path):
            return _unauthorized()
        if mount in self._mounts or self.ordered("refuse", request.url.path):
            return PlainTextResponse("Mountpoint in use", 403)
        self._mounts.add(mount)
        heard = bytearray()
        try:
            async for piece in request.stream():
                heard += piece
        finally:
            self._mounts.discard(mount)
            self._keep(mount, "icecast", bytes(heard), "mp3")
        return Response(status_code=200)

    async def hear(self, request: Request) -> Response:
        """The last bulletin of a mount."""
        rows = [row for _, row in self.state.all("ears-heard") if row["device"] == request.path_params["device"]]
        if not rows:
            return Response("no source", 404)
        return Response(self.state.file(rows[-1]["file"]).read_bytes(), media_type="audio/mpeg")

    async def _begin(self, device: str, port: int) -> int:
        if device not in self._open:
            loop = asyncio.get_running_loop()
            self._open[device] = await loop.create_datagram_endpoint(Receiver, local_addr=("127.0.0.1", port))
        opened: int = self._open[device][0].get_extra_info("sockname")[1]
        return opened

    def _end(self, device: str, way: str) -> None:
        if device not in self._open:
            return
        transport, receiver = self._open.pop(device)
        transport.close()
        self._keep(device, way, receiver.sound, _LAWS.get(receiver.kind or 0, "bin"))

    def _keep(self, device: str, way: str, sound: bytes, ending: str) -> None:
        if not sound:
            return
        number = self.state.next("ears-heard")
        name = f"{way}-{number}.{ending}"
        self.state.keep(name, sound)
        row = {"device": device, "way": way, "bytes": len(sound), "at": self.now().isoformat(), "file": name}
        self.state.put("ears-heard", str(number), row)

    async def _refused(self, request: Request) -> Response | None:
        if not await self._signed(request) or self.ordered("expire_token", request.url.path):
            return JSONResponse({"error": "Unauthorized"}, 401)
        return JSONResponse({"error": "refused"}, 400) if self.ordered("refuse", request.url.path) else None

    async def _signed(self, request: Request) -> bool:
        given, body = request.headers.get("authorization", ""), await request.body()
        if given == _basic("admin", ALGO_PASSWORD):
            return True
        if not given.startswith("hmac admin:") or given.count(":") != 2:
            return False
        _, nonce, mark = given.split(":")
        moment = parsedate_to_datetime(request.headers.get("date", "Thu, 01 Jan 1970 00:00:00 GMT"))
        path = request.url.path.partition(f"/algo/{request.path_params['device']}")[2]
        kind, digest = request.headers.get("content-type", ""), request.headers.get("content-md5", "")
        right = hashlib.md5(body, usedforsecurity=False).hexdigest()
        text = ":".join([request.method, path, *([digest, kind] if body else []), str(int(moment.timestamp())), nonce])
        wanted = hmac.new(ALGO_PASSWORD.encode(), text.encode(), hashlib.sha256).hexdigest()
        in_time = abs((moment - self.now()).total_seconds()) < _SKEW
        return in_time and (not body or digest == right) and secrets.compare_digest(wanted, mark)

    def _is_source(self, request: Request) -> bool:
        return request.headers.get("authorization", "") == _basic("source", SOURCE_PASSWORD)


def _basic(user: str, password: str) -> str:
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"


def _unauthorized() -> Response:
    return Response("Authentication Required", 401, {"www-authenticate": 'Basic realm="Icecast2 Server"'})
