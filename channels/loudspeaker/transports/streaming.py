"""The ways on which this program itself sends the sound as it is heard: Icecast and RTP."""

import asyncio
from pathlib import Path
from typing import Any, ClassVar, Literal
from urllib.parse import urlencode, urlsplit

from channels.contract import Message, Outcome, Reason, Tools
from channels.loudspeaker import studio
from channels.loudspeaker.settings import LoudspeakerSettings
from channels.loudspeaker.transports.airings import Writer
from channels.loudspeaker.transports.icecast import IcecastLine
from channels.loudspeaker.transports.live import Stream, air
from channels.loudspeaker.transports.on_air import OnAir, Ready
from channels.loudspeaker.transports.rtp import RATE, RtpLine
from channels.loudspeaker.transports.ways import IcecastWay, Law, RtpWay, by_address, endpoint
from channels.wire import REFUSED, Silence
from content.audio import telephone, untagged

BYTES_A_SECOND = 16_000


class Icecast(OnAir):
    """A source client for each mount that the clusters name."""

    label: ClassVar[Literal["measured", "estimated"]] = "measured"
    source: ClassVar[str] = "số giây máy chủ Icecast đã nhận, theo nhật ký phát; không tính máy nào đang nghe"

    def __init__(self, settings: LoudspeakerSettings, tools: Tools, way: IcecastWay) -> None:
        super().__init__(settings, tools)
        self.way = way

    def load(self, sound: Path) -> bytes:
        """The MP3's frames."""
        return untagged(sound.read_bytes())

    async def start(self, ready: Ready, writer: Writer) -> Outcome:
        """Be let in at every mount, then play."""
        seconds = len(ready.sound) / BYTES_A_SECOND
        mounts = self._mounts().items()
        streams = [Stream(names, self._line(address, ready.sound, seconds)) for address, names in mounts]
        return await air(streams, writer, ready.leave, self.tools.now, seconds)

    async def probe(self) -> Reason | None:
        """Ask the server about each mount with the source's password: it must answer, and not with 401."""
        found = [await self._asked(address) for address in self._mounts()]
        return next((reason for reason in found if reason), None)

    async def _asked(self, address: str) -> Reason | None:
        parts = urlsplit(address)
        query = urlencode({"mount": parts.path or "/", "mode": "kiem-tra"})
        seen = await self.tools.wire.call(
            "GET",
            f"{parts.scheme}://{parts.netloc}/admin/metadata?{query}",
            auth=(self.way.user, self.way.password.get_secret_value()),
        )
        if isinstance(seen, Silence):
            return Reason.MISCONFIGURED if seen.kind == REFUSED else Reason.UNREACHABLE
        return Reason.UNAUTHORIZED if seen.status in (401, 403) else None

    def _mounts(self) -> dict[str, tuple[str, ...]]:
        return by_address(self.settings.places)

    def _line(self, address: str, sound: bytes, seconds: float) -> IcecastLine:
        secret = self.way.password.get_secret_value()
        name = f"Truyền thanh {self.settings.ward}"
        return IcecastLine(address, self.way.user, secret, name, sound, seconds, self.tools.wire.guard)


class Rtp(OnAir):
    """One RTP stream for each address that the clusters name, all from the same G.711."""

    def __init__(self, settings: LoudspeakerSettings, tools: Tools, way: RtpWay) -> None:
        super().__init__(settings, tools)
        self.way = way

    async def prepare(self, message: Message, sound: Path, take: studio.Take) -> dict[str, Any] | Outcome:
        """Code the sound as G.711 beforehand; found again when it is already made."""
        await asyncio.get_running_loop().run_in_executor(studio.STUDIO, coded, sound, self.way.law)
        return {}

    def load(self, sound: Path) -> bytes:
        """The G.711 that staging made, made now where it is gone."""
        return coded(sound, self.way.law).read_bytes()

    async def start(self, ready: Ready, writer: Writer) -> Outcome:
        """Send to every address, each by its own thread."""
        addresses = by_address(self.settings.places).items()
        streams = [Stream(names, self._line(address, ready.sound)) for address, names in addresses]
        return await air(streams, writer, ready.leave, self.tools.now, len(ready.sound) / RATE)

    async def probe(self) -> Reason | None:
        """Whether there is a way to every address; that a loudspeaker listens there is not known."""
        addresses = by_address(self.settings.places)
        found = [await asyncio.to_thread(self._line(address, b"").reach) for address in addresses]
        return next((reason for reason in found if reason), None)

    def _line(self, address: str, sound: bytes) -> RtpLine:
        host, port = endpoint(address)
        way = self.way
        return RtpLine(host, port, sound, way.law, way.ttl, way.interface, self.tools.wire.guard)


def coded(sound: Path, law: Law) -> Path:
    """The G.711 of a sound, kept beside it and made once; raises AudioMistake or OSError."""
    path = sound.with_suffix(f".{law}")
    if not path.exists():
        fresh = path.with_name(f"{path.name}.moi")
        fresh.write_bytes(telephone(sound, law))
        fresh.replace(path)
    return path
