"""An Axis network speaker's double: digest authentication, media clips with their limits, playing and stopping.

https://developer.axis.com/vapix/audio-systems/media-clip-api (read 2026-11-22). A device whose name begins with «C» says
``Uploaded=`` with a capital, as some firmware does.
"""

import hashlib
import re
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from channels.twin import FaultKind, Trace, TwinState

USER, PASSWORD = "root", "loa-axis-thu"  # noqa: S105 - a double's own
MOST_CLIPS, MOST_BYTES = 10, 1_500_000
_REALM = "AXIS_ACCC8E000001"
_BYTES_A_SECOND = 16_000
_PAIR = re.compile(r'(\w+)=(?:"([^"]*)"|([^\s,]+))')


class AxisTwin:
    """Every device of the rehearsal; ``ordered`` says whether a misbehaviour is due."""

    def __init__(
        self, state: TwinState, now: Callable[[], datetime], ordered: Callable[[FaultKind, str], bool]
    ) -> None:
        self.state, self.now, self.ordered = state, now, ordered
        self._nonce, self._strange = secrets.token_hex(8), 0

    def routes(self) -> list[BaseRoute]:
        """The two programs of a device that we use."""
        clips = "/axis/{device}/axis-cgi/mediaclip.cgi"
        return [
            Route(clips, self.clip, methods=["GET", "POST"]),
            Route("/axis/{device}/axis-cgi/param.cgi", self.parameters, methods=["GET"]),
        ]

    def heard(self) -> list[Trace]:
        """What was played to its end, or plays now; what was stopped is not heard any more."""
        return [
            Trace(account=row["device"], remote_id=id, at=row["at"], text=row["name"], title=row["name"])
            for id, row in self.state.all("axis-heard")
            if not row["stopped"]
        ]

    async def parameters(self, request: Request) -> Response:
        """``action=list&group=MediaClip``."""
        if refused := self._refused(request):
            return refused
        device = request.path_params["device"]
        rows = [(id.rpartition(":")[2], row) for id, row in self.state.all("axis-clip") if row["device"] == device]
        lines = [f"root.MediaClip.M{number}.Name={row['name']}" for number, row in rows]
        return PlainTextResponse("\n".join([f"root.MediaClip.MaxGroups={MOST_CLIPS}", *lines]) + "\n")

    async def clip(self, request: Request) -> Response:
        """Upload, play, stop or remove a clip."""
        if refused := self._refused(request):
            return refused
        action = request.query_params.get("action", "")
        if action == "upload" and request.method == "POST":
            return await self._upload(request)
        verbs = {"play": self._play, "stop": self._stop, "remove": self._remove}
        return verbs[action](request) if action in verbs else _bad("unknown action")

    async def _upload(self, request: Request) -> Response:
        device, name = request.path_params["device"], request.query_params.get("name", "")
        async with request.form() as form:
            file = form.get("file")
            content = await file.read() if isinstance(file, UploadFile) else b""
        taken = {int(id.rpartition(":")[2]) for id, row in self.state.all("axis-clip") if row["device"] == device}
        if not content or len(content) > MOST_BYTES:
            return _bad("file too large")
        if len(taken) >= MOST_CLIPS:
            return _bad("too many clips")
        number = next(one for one in range(MOST_CLIPS) if one not in taken)
        self.state.keep(f"axis-{hashlib.sha256(device.encode()).hexdigest()[:8]}-{number}.mp3", content)
        self.state.put("axis-clip", f"{device}:{number}", {"device": device, "name": name, "bytes": len(content)})
        word = "Uploaded" if device.startswith("C") else "uploaded"
        return PlainTextResponse(f"OK\n{word}={number}\n")

    def _play(self, request: Request) -> Response:
        device, number = request.path_params["device"], request.query_params.get("clip", "")
        clip = self.state.get("axis-clip", f"{device}:{number}")
        if clip is None:
            return _bad("no such clip")
        id = str(self.state.next("axis-heard"))
        until = self.now() + timedelta(seconds=clip["bytes"] / _BYTES_A_SECOND)
        told = {"device": device, "name": clip["name"], "at": self.now().isoformat(), "until": until.isoformat()}
        self.state.put("axis-heard", id, {**told, "stopped": False})
        return PlainTextResponse(f"OK\nplaying={number}\n")

    def _stop(self, request: Request) -> Response:
        for id, row in self.state.all("axis-heard"):
            plays = row["device"] == request.path_params["device"] and datetime.fromisoformat(row["until"]) > self.now()
            if plays:
                self.state.put("axis-heard", id, {**row, "stopped": True})
        return PlainTextResponse("OK\nstopping\n")

    def _remove(self, request: Request) -> Response:
        id = f"{request.path_params['device']}:{request.query_params.get('clip', '')}"
        if self.state.get("axis-clip", id) is None:
            return _bad("no such clip")
        self.state.remove("axis-clip", id)
        return PlainTextResponse("OK\n")

    def _refused(self, request: Request) -> Response | None:
        if self.ordered("expire_token", request.url.path):
            self._strange = 2  # the password is wrong, also when it is answered to a fresh challenge
        self._strange -= (strange := self._strange > 0)
        if strange or not self._known(request):
            challenge = f'Digest realm="{_REALM}", nonce="{self._nonce}", algorithm=MD5, qop="auth"'
            return Response("Unauthorized", 401, {"www-authenticate": challenge})
        if self.ordered("rate_limit", request.url.path):
            return Response("Too many requests", 429)
        return _bad("refused") if self.ordered("refuse", request.url.path) else None

    def _known(self, request: Request) -> bool:
        """RFC 7616, 3.4.1 with MD5 and qop=auth."""
        scheme, _, rest = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "digest":
            return False
        given = {name: quoted or bare for name, quoted, bare in _PAIR.findall(rest)}
        mine = _md5(f"{USER}:{_REALM}:{PASSWORD}")
        asked = _md5(f"{request.method}:{given.get('uri', '')}")
        middle = ":".join(given.get(name, "") for name in ("nonce", "nc", "cnonce", "qop"))
        right = given.get("nonce") == self._nonce and given.get("username") == USER
        return right and secrets.compare_digest(_md5(f"{mine}:{middle}:{asked}"), given.get("response", ""))


def _md5(text: str) -> str:
    return hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def _bad(why: str) -> Response:
    return PlainTextResponse(f"Error: {why}\n", 400)
