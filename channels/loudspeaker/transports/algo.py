"""Algo IP speakers: told by REST to listen on a port, then sent the bulletin as RTP, then told to stop listening.

Authentication, https://docs.algosolutions.com/docs/restful-api-guide.md (read 2026-11-22): Standard (HMAC-SHA256, the
clocks within 30 seconds of each other) or Basic. The guide's own list of commands has no upload of a file, so a bulletin
is streamed; ``/api/controls/rx/start`` and ``/rx/stop`` are known from other people's clients (firmware 5.3.4 and later)
and were not tried on a real device. Only RTP makes a sound: a lost answer of the REST side was heard by nobody.
"""

import asyncio
import base64
import hashlib
import hmac
import secrets
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from channels.contract import Message, Outcome, Reason, Tools
from channels.loudspeaker import studio
from channels.loudspeaker.settings import LoudspeakerSettings
from channels.loudspeaker.transports.airings import Heard, Writer
from channels.loudspeaker.transports.lines import NotBegun
from channels.loudspeaker.transports.live import WORTH_WAITING, Stream, air, not_begun
from channels.loudspeaker.transports.on_air import OnAir, Ready
from channels.loudspeaker.transports.rtp import RATE, RtpLine
from channels.loudspeaker.transports.streaming import coded
from channels.loudspeaker.transports.ways import AlgoWay, by_address, web_endpoint
from channels.wire import REFUSED, Seen, Silence, as_json

ABOUT, LISTEN, STOP_LISTENING = "/api/info/about", "/api/controls/rx/start", "/api/controls/rx/stop"


class Complaint(BaseModel):
    """What a device says when it refuses."""

    error: str = ""


class Algo(OnAir):
    """Every device listens for the time of one bulletin."""

    def __init__(self, settings: LoudspeakerSettings, tools: Tools, way: AlgoWay) -> None:
        super().__init__(settings, tools)
        self.way = way

    async def prepare(self, message: Message, sound: Path, take: studio.Take) -> dict[str, Any] | Outcome:
        """Code the sound as G.711 beforehand."""
        await asyncio.get_running_loop().run_in_executor(studio.STUDIO, coded, sound, self.way.law)
        return {}

    def load(self, sound: Path) -> bytes:
        """The G.711 that staging made, made now where it is gone."""
        return coded(sound, self.way.law).read_bytes()

    async def start(self, ready: Ready, writer: Writer) -> Outcome:
        """Have the devices listen, then send to those that do."""
        devices = by_address(self.settings.places)
        found = await asyncio.gather(*(self._listen(address) for address in devices))
        troubles = [(names, one) for names, one in zip(devices.values(), found, strict=True) if one]
        for names, trouble in troubles:
            self._note(writer, names, trouble)
        hearing = {address: devices[address] for address, one in zip(devices, found, strict=True) if one is None}
        # Whose answer was lost may listen all the same; it is told to stop with the others.
        told = [
            address for address, one in zip(devices, found, strict=True) if one is None or one.reason in WORTH_WAITING
        ]

        async def enough() -> None:
            await asyncio.gather(*(self._call(address, STOP_LISTENING, {}) for address in told))

        if not hearing:
            writer.forget()
            await enough()
            return not_begun(troubles)
        streams = [Stream(names, self._line(address, ready.sound)) for address, names in hearing.items()]
        return await air(streams, writer, ready.leave, self.tools.now, len(ready.sound) / RATE, enough)

    async def probe(self) -> Reason | None:
        """Whether every device tells about itself."""
        addresses = by_address(self.settings.places)
        found = await asyncio.gather(*(self._call(address, ABOUT) for address in addresses))
        troubles = (_trouble(seen) for seen in found)
        return next((trouble.reason for trouble in troubles if trouble), None)

    async def _listen(self, address: str) -> NotBegun | None:
        return _trouble(await self._call(address, LISTEN, {"port": str(self.way.rtp_port)}))

    async def _call(self, address: str, path: str, body: dict[str, str] | None = None) -> Seen:
        content = as_json(body).encode() if body is not None else b""
        method = "POST" if body is not None else "GET"
        headers = self._basic() if self.way.auth == "basic" else self._signed(method, path, content)
        return await self.tools.wire.call(method, address.rstrip("/") + path, headers=headers, content=content or None)

    def _basic(self) -> dict[str, str]:
        pair = base64.b64encode(f"admin:{self.way.password.get_secret_value()}".encode()).decode()
        return {"Authorization": f"Basic {pair}", "Content-Type": "application/json"}

    def _signed(self, method: str, path: str, content: bytes) -> dict[str, str]:
        nonce = str(secrets.randbelow(2**31))
        return signed(self.way.password.get_secret_value(), method, path, content, self.tools.now(), nonce)

    def _line(self, address: str, sound: bytes) -> RtpLine:
        host, _ = web_endpoint(address)
        return RtpLine(host, self.way.rtp_port, sound, self.way.law, 1, "", self.tools.wire.guard)

    def _note(self, writer: Writer, names: tuple[str, ...], trouble: NotBegun) -> None:
        for name in names:
            writer.note(Heard(at=self.tools.now(), cluster=name, state="failed", detail=trouble.detail))


def signed(password: str, method: str, path: str, content: bytes, now: datetime, nonce: str) -> dict[str, str]:
    """The headers of the Standard way for one request."""
    kind = "application/json"
    about = (
        {"Content-MD5": hashlib.md5(content, usedforsecurity=False).hexdigest(), "Content-Type": kind}
        if content
        else {}
    )
    mark = signature(password, method, path, tuple(about.values()), int(now.timestamp()), nonce)
    date = format_datetime(now.astimezone(UTC), usegmt=True)
    return {"Authorization": f"hmac admin:{nonce}:{mark}", "Date": date, **about}


def signature(password: str, method: str, path: str, about: tuple[str, ...], seconds: int, nonce: str) -> str:
    """HMAC-SHA256 over method, path, the body's MD5 and type where there is a body, the Unix time and the nonce, in hex."""
    text = ":".join([method, path, *about, str(seconds), nonce])
    return hmac.new(password.encode(), text.encode(), hashlib.sha256).hexdigest()


def _trouble(seen: Seen) -> NotBegun | None:
    if isinstance(seen, Silence):
        refused = seen.kind == REFUSED
        detail = "địa chỉ loa chưa được phép trong network.allow" if refused else "không kết nối được với loa"
        return NotBegun(Reason.MISCONFIGURED if refused else Reason.UNREACHABLE, detail)
    if seen.status in (401, 403):
        return NotBegun(Reason.UNAUTHORIZED, "loa Algo không nhận mật khẩu, hoặc giờ của loa lệch quá 30 giây")
    if seen.status == 404:
        return NotBegun(Reason.MISCONFIGURED, "loa Algo chưa bật RESTful API, hoặc phần mềm của loa cũ hơn 5.3.4")
    if seen.status in (200, 204):
        return None
    said = seen.read(Complaint)
    why = f": {said.error[:100]}" if said and said.error else ""
    reason = Reason.REJECTED if 400 <= seen.status < 500 else Reason.BUSY
    return NotBegun(reason, f"loa Algo trả lời HTTP {seen.status}{why}")
