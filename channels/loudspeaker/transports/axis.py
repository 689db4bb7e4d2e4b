"""Axis network speakers: the bulletin is uploaded beforehand as a media clip, and played at its second.

VAPIX Media clip API, https://developer.axis.com/vapix/audio-systems/media-clip-api (read 2026-11-22): digest
authentication; ``mediaclip.cgi?action=upload|play|stop|remove`` answers ``OK`` and ``name=value``; clips are listed by
``param.cgi?action=list&group=MediaClip``; at most ``MaxGroups`` clips (10) of ``MaxUploadSize`` MB (1.5) where the device
says nothing else. A device cannot be asked whether it is still playing.
"""

import asyncio
import re
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar

from pydantic import BaseModel, ValidationError

from channels.contract import Deferred, Handle, Message, Outcome, Pending, Published, Reason, Refused, Tools, Unknown
from channels.loudspeaker import studio
from channels.loudspeaker.days import ending
from channels.loudspeaker.settings import LoudspeakerSettings
from channels.loudspeaker.transports import airings
from channels.loudspeaker.transports.airings import Airing, Heard, State, Writer, record_id
from channels.loudspeaker.transports.lines import NotBegun
from channels.loudspeaker.transports.live import AFTERWARDS, not_begun
from channels.loudspeaker.transports.on_air import OnAir, Ready
from channels.loudspeaker.transports.ways import AxisWay, by_address
from channels.seen import after_answer, after_silence, invisible
from channels.wire import Answer, Seen, digest
from content.audio import AudioMistake, lighter

OURS = "lantoa-"
KILOBITS = (128, 64, 32)
DEFAULT_MEGABYTES = 1.5
DEFAULT_CLIPS = 10
_CLIP = re.compile(r"root\.mediaclip\.m(\d+)\.name", re.IGNORECASE)

Trouble = Deferred | Refused | Unknown


class Said(BaseModel):
    """A plain-text answer: ``OK`` or an error in the first line, then ``name=value``, names in small letters."""

    ok: bool
    values: dict[str, str]

    @classmethod
    def read(cls, answer: Answer) -> "Said":
        """Read the answer; what is no ``name=value`` is left out."""
        lines = [line.strip() for line in answer.text.splitlines() if line.strip()]
        pairs = (line.partition("=") for line in lines)
        values = {name.strip().lower(): value.strip() for name, sign, value in pairs if sign}
        return cls(ok=bool(lines) and lines[0] == "OK", values=values)


class Clips(BaseModel):
    """What a device holds and takes: clip numbers by name, room for so many clips of so many bytes."""

    names: dict[str, int]
    most: int = DEFAULT_CLIPS
    megabytes: float = DEFAULT_MEGABYTES

    @classmethod
    def read(cls, values: Mapping[str, str]) -> "Clips":
        """From ``root.MediaClip.M0.Name=…`` and the two limits; raises ValidationError."""
        found = {values[key]: int(at[1]) for key in values if (at := _CLIP.fullmatch(key))}
        limits = {
            "most": values.get("root.mediaclip.maxgroups"),
            "megabytes": values.get("root.mediaclip.maxuploadsize"),
        }
        return cls.model_validate({"names": found, **{name: value for name, value in limits.items() if value}})


class Axis(OnAir):
    """Every device gets the clip while it is staged, and the word to play it at the hour."""

    source: ClassVar[str] = "thời lượng tệp đã nạp × loa đã nhận lệnh phát; loa không báo đã phát hết"

    def __init__(self, settings: LoudspeakerSettings, tools: Tools, way: AxisWay) -> None:
        super().__init__(settings, tools)
        self.way = way
        self._known: dict[str, Any] = {}

    async def prepare(self, message: Message, sound: Path, take: studio.Take) -> dict[str, Any] | Outcome:
        """Upload the clip to every device; those that cannot be reached are left out and told of."""
        due = (message.due_at or self.tools.now()).strftime("%Y%m%d%H%M")
        name = f"{OURS}{due}-{ending(message.key)}-{take.sha256[:8]}"
        addresses = list(self._devices())
        found = await asyncio.gather(*(self._put(address, name, sound) for address in addresses))
        clips = {address: clip for address, clip in zip(addresses, found, strict=True) if isinstance(clip, int)}
        if clips:
            return {"clips": clips}
        troubles = [invisible(one) for one in found if not isinstance(one, int)]
        return next((one for one in troubles if isinstance(one, Deferred)), troubles[0])

    async def start(self, ready: Ready, writer: Writer) -> Outcome:
        """Tell every device that holds the clip to play it."""
        clips: dict[str, Any] = ready.handle.get("clips", {})
        devices = self._devices()
        found = await asyncio.gather(*(self._play(address, clips.get(address)) for address in devices))
        told = list(zip(devices.values(), found, strict=True))
        for names, trouble in told:
            self._note(writer, names, trouble, ready.take.seconds)
        return self._outcome(writer, told, ready.take.seconds)

    async def silence(self, airing: Airing) -> Outcome | None:
        """Stop every device that was told to play, while it still does."""
        if not self.goes_on(airing):
            return None
        devices = {airing.begun.where.get(name, ""): name for name in airing.of("played", "unknown")}
        found = await asyncio.gather(*(self._ask(address, "stop", visible=True) for address in devices if address))
        troubles = [one for one in found if not isinstance(one, Said)]
        if troubles:
            return troubles[0]
        for name in airing.of("played", "unknown"):
            heard = Heard(at=self.tools.now(), cluster=name, state="stopped", seconds=self._so_far(airing))
            await asyncio.to_thread(airings.add, self.settings.folder, airing.id, heard)
        return Published(remote_id=airing.id)

    async def probe(self) -> Reason | None:
        """Whether every device lists its clips to us."""
        found = await asyncio.gather(*(self._clips(address) for address in self._devices()))
        return next((_reason(one) for one in found if not isinstance(one, Clips)), None)

    def goes_on(self, airing: Airing) -> bool:
        """By the programme's length."""
        return self.tools.now() < airing.begun.at + timedelta(seconds=airing.begun.seconds) and bool(
            airing.of("played", "unknown")
        )

    def _so_far(self, airing: Airing) -> int:
        return round((self.tools.now() - airing.begun.at).total_seconds())

    def _devices(self) -> dict[str, tuple[str, ...]]:
        return by_address(self.settings.places)

    async def _put(self, address: str, name: str, sound: Path) -> int | Trouble:
        clips = await self._clips(address)
        if not isinstance(clips, Clips):
            return clips
        if name in clips.names:
            return clips.names[name]
        await self._make_room(address, clips)
        try:
            mp3 = await asyncio.to_thread(_fitting, sound, int(clips.megabytes * 1_000_000))
        except AudioMistake as error:
            return Refused(reason=Reason.BAD_MEDIA, detail=str(error))
        said = await self._ask(
            address, "upload", {"media": "audio", "name": name}, files={"file": (f"{name}.mp3", mp3, "audio/mpeg")}
        )
        if not isinstance(said, Said):
            return said
        clip = said.values.get("uploaded") or said.values.get("replaced") or ""
        return int(clip) if clip.isdecimal() else Unknown(detail="loa không cho biết số của tệp vừa nạp")

    async def _make_room(self, address: str, clips: Clips) -> None:
        """Take away our own clips whose hour is long over, when the device is full."""
        ours = sorted(name for name in clips.names if name.startswith(OURS))
        over = f"{OURS}{(self.tools.now() - timedelta(hours=2)):%Y%m%d%H%M}"
        if len(clips.names) >= clips.most and ours and ours[0] < over:
            await self._ask(address, "remove", {"clip": str(clips.names[ours[0]])})

    async def _play(self, address: str, clip: object) -> Trouble | None:
        if not isinstance(clip, int):
            return Deferred(reason=Reason.UNREACHABLE, detail="chưa nạp được bản tin vào loa trước giờ phát")
        given = {"clip": str(clip), "repeat": "0", "volume": str(self.way.volume)}
        said = await self._ask(address, "play", given, visible=True)
        return None if isinstance(said, Said) else said

    async def _clips(self, address: str) -> Clips | Trouble:
        seen = await self._call(
            "GET", f"{address.rstrip('/')}/axis-cgi/param.cgi", {"action": "list", "group": "MediaClip"}
        )
        if not isinstance(seen, Answer) or seen.status != 200:
            return self._trouble(seen)
        try:
            return Clips.read(Said.read(seen).values)
        except ValidationError:
            return Unknown(detail="loa trả lời danh sách tệp không đọc được")

    async def _ask(
        self, address: str, action: str, given: Mapping[str, str] | None = None, visible: bool = False, **more: Any
    ) -> Said | Trouble:
        method = "POST" if more else "GET"
        url = f"{address.rstrip('/')}/axis-cgi/mediaclip.cgi"
        seen = await self._call(method, url, {"action": action, **(given or {})}, visible=visible, **more)
        if isinstance(seen, Answer) and seen.status == 200 and (said := Said.read(seen)).ok:
            return said
        return self._trouble(seen)

    async def _call(self, method: str, url: str, params: Mapping[str, str], visible: bool = False, **more: Any) -> Seen:
        # One for each device: once challenged it answers at once, so that the order to play is a single request.
        device = url.partition("/axis-cgi/")[0]
        auth = self._known.setdefault(device, digest(self.way.user, self.way.password.get_secret_value()))
        return await self.tools.wire.call(method, url, visible=visible, params=params, auth=auth, **more)

    def _trouble(self, seen: Seen) -> Trouble:
        if not isinstance(seen, Answer):
            return after_silence(seen)
        if seen.status in (401, 403):
            return Refused(reason=Reason.UNAUTHORIZED, detail="loa Axis không nhận tên đăng nhập, mật khẩu này")
        if seen.status == 400:
            return Refused(reason=Reason.REJECTED, detail="loa Axis từ chối lệnh (HTTP 400)")
        return after_answer(seen, self.tools.now())

    def _note(self, writer: Writer, names: tuple[str, ...], trouble: Trouble | None, seconds: int) -> None:
        state: State = "played" if trouble is None else "unknown" if isinstance(trouble, Unknown) else "failed"
        heard, detail = (0, trouble.detail.rstrip(".")) if trouble else (seconds, "")
        for name in names:
            writer.note(Heard(at=self.tools.now(), cluster=name, state=state, seconds=heard, detail=detail))

    def _outcome(self, writer: Writer, told: list[tuple[tuple[str, ...], Trouble | None]], seconds: int) -> Outcome:
        troubles = [(names, trouble) for names, trouble in told if trouble is not None]
        if len(troubles) == len(told) and not any(isinstance(trouble, Unknown) for _, trouble in troubles):
            writer.forget()
            return _nowhere(troubles)
        writer.end(self.tools.now())
        id = record_id(writer.path)
        if len(troubles) == len(told):
            doubtful = next(trouble for _, trouble in troubles if isinstance(trouble, Unknown))
            return Unknown(detail=doubtful.detail)
        ends = self.tools.now() + timedelta(seconds=seconds) + AFTERWARDS
        return Pending(handle=Handle(data={"airing": id}, remote_id=id), retry_at=ends)


def _nowhere(troubles: list[tuple[tuple[str, ...], Trouble]]) -> Deferred | Refused:
    """Nobody plays it: worth another try, at the hour that a device named, where one of them is."""
    told = not_begun([(names, NotBegun(_reason(one), one.detail.rstrip("."))) for names, one in troubles])
    later = next((one for _, one in troubles if isinstance(one, Deferred)), None)
    return told if later is None else later.model_copy(update={"detail": told.detail})


def _reason(trouble: Trouble) -> Reason:
    return Reason.BUSY if isinstance(trouble, Unknown) else trouble.reason


def _fitting(sound: Path, most: int) -> bytes:
    """The MP3 as good as the device has room for; raises AudioMistake."""
    for kilobits in KILOBITS:
        mp3 = sound.read_bytes() if kilobits == KILOBITS[0] else lighter(sound, kilobits)
        if len(mp3) <= most:
            return mp3
    raise AudioMistake("Bản tin quá dài so với chỗ chứa của loa Axis; hãy rút gọn, hoặc phát qua Icecast hay RTP.")
