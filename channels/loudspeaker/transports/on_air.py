"""What all ways that play at once have in common: the record before the first byte, and what it tells afterwards."""

import asyncio
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any, ClassVar, Literal
from zoneinfo import ZoneInfo

from channels.contract import (
    AIR_SECONDS,
    Aired,
    Deferred,
    Figure,
    Found,
    Handle,
    Measure,
    Message,
    Outcome,
    Published,
    Reached,
    Reason,
    Refused,
    Tools,
    Unknown,
)
from channels.loudspeaker import days, studio
from channels.loudspeaker.refusal import error_name, not_written
from channels.loudspeaker.settings import LoudspeakerSettings
from channels.loudspeaker.transports import airings
from channels.loudspeaker.transports.airings import Airing, Begun, Writer
from channels.wire import may_leave
from content.audio import AudioMistake

LOST = "Tệp âm thanh chuẩn bị trước không còn; chương trình sẽ tự làm lại."
NO_RECORD = "Không có nhật ký phát của bản tin này: chưa thấy bắt đầu phát."
OVER = "Bản tin đã phát xong; lời đã phát ra loa không rút lại được. Nếu cần, hãy phát bản tin đính chính."
STOPPING = "Đã yêu cầu dừng phát, chưa thấy loa im."
CUT = "chương trình dừng khi đang phát"
_STOP_STEPS = 40
_AGAIN = timedelta(seconds=3)
_ID = re.compile(airings.RECORD_ID)


@dataclass(frozen=True)
class Ready:
    """A programme about to be heard: its sound as ``load`` gave it, what staging left, and whether it may still leave."""

    message: Message
    sound: bytes = field(repr=False)
    take: studio.Take
    handle: dict[str, Any]
    leave: Callable[[], bool] = field(repr=False)


class OnAir:
    """One way that plays at once. A way gives ``start``; it may give ``prepare``, ``silence`` and ``probe``."""

    label: ClassVar[Literal["measured", "estimated"]] = "estimated"
    source: ClassVar[str] = "số giây đã gửi ra loa theo nhật ký phát; loa không gửi hồi âm"

    def __init__(self, settings: LoudspeakerSettings, tools: Tools) -> None:
        self.settings, self.tools = settings, tools

    async def prepare(self, message: Message, sound: Path, take: studio.Take) -> dict[str, Any] | Outcome:
        """Everything that nobody can hear yet; what it gives is kept with the delivery."""
        return {}

    def load(self, sound: Path) -> bytes:
        """What is sent, from the MP3 on the disk; raises AudioMistake or OSError. Nothing where devices hold it already."""
        return b""

    async def start(self, ready: Ready, writer: Writer) -> Outcome:
        """Begin to play; Pending while it lasts."""
        raise NotImplementedError

    async def silence(self, airing: Airing) -> Outcome | None:
        """Have devices that play by themselves stop; None where nothing plays but what this program sends."""
        return None

    async def probe(self) -> Reason | None:
        """Whether what plays can be reached."""
        return None

    async def publish(self, message: Message, part: int, handle: Handle) -> Outcome:
        """Write the record, then begin; the airing goes on by itself."""
        leave, folder = may_leave.get(), self.settings.folder
        take = studio.take_of(handle.data.get("take"))
        try:
            sound = await asyncio.to_thread(studio.whole, folder, take) if take else None
            if take is None or sound is None:
                return Deferred(reason=Reason.BUSY, detail=LOST)
            loaded = await asyncio.to_thread(self.load, sound)
            writer = await asyncio.to_thread(self._begin, message, part, take)
        except AudioMistake as error:
            return Deferred(reason=Reason.BUSY, detail=str(error))
        except OSError as error:
            return not_written(error)
        if writer is None:
            return Unknown(detail="Bản tin này đang được phát dở ở một tiến trình khác; không phát chồng lên.")
        return await self.start(Ready(message, loaded, take, handle.data, leave), writer)

    async def find(self, message: Message, handle: Handle) -> Found:
        """What the record tells: heard to the end somewhere, still playing, cut short, or never begun."""
        try:
            airing = await asyncio.to_thread(self._recorded, message, handle)
        except OSError as error:
            return Found(verdict="unclear", detail=f"Không đọc được nhật ký phát ({error_name(error)}).")
        return self._told(airing) if airing else Found(verdict="absent", detail=NO_RECORD)

    async def measure(self, remote_id: str) -> Measure:
        """How long and at how many clusters it was heard, as far as this way can know."""
        airing = await self._of(remote_id)
        if airing is None:
            return Measure(reason=Reason.NOT_FOUND, detail="Không thấy nhật ký phát của bản tin này.")
        played, cut = airing.of("played"), airing.of("stopped", "failed")
        longest = max((airing.heard(name) for name in airing.begun.clusters), default=0)
        counts = {"Cụm loa đã phát": played, "Cụm loa không phát trọn": cut, "Cụm loa chưa rõ": airing.of("unknown")}
        told = "theo nhật ký phát từng cụm loa của lượt này"
        return Measure(
            figures=(
                Figure(name=AIR_SECONDS, value=longest, label=self.label, formula=self.source),
                *(Figure(name=name, value=len(at), label="estimated", formula=told) for name, at in counts.items()),
            )
        )

    async def withdraw(self, remote_id: str) -> Outcome:
        """Stop playing; what was heard already cannot be taken back."""
        airing = await self._of(remote_id)
        if airing is None:
            return Refused(reason=Reason.NOT_FOUND, detail="Không thấy nhật ký phát của bản tin này.")
        if airing.of("stopped"):
            return Published(remote_id=remote_id)
        if (told := await self.silence(airing)) is not None:
            return told
        if not airing.playing:
            return Refused(reason=Reason.REJECTED, detail=OVER)
        try:
            await asyncio.to_thread(airings.ask_to_stop, self.settings.folder, remote_id)
        except OSError as error:
            return not_written(error)
        return await self._silent(remote_id)

    async def aired(self, remote_id: str) -> Aired | None:
        """What the record tells."""
        airing = await self._of(remote_id)
        return account(airing) if airing else None

    def goes_on(self, airing: Airing) -> bool:
        """Whether devices still play what they were given, by the programme's length."""
        return False

    async def _silent(self, remote_id: str) -> Outcome:
        # The thread that plays may live in another process: its record is all that can be watched.
        for _ in range(_STOP_STEPS):
            airing = await self._of(remote_id)
            if airing is None or not airing.playing:
                return Published(remote_id=remote_id)
            await asyncio.sleep(0.1)
        return Unknown(detail=STOPPING)

    async def _of(self, remote_id: str) -> Airing | None:
        if not _ID.fullmatch(remote_id):
            return None
        try:
            return await asyncio.to_thread(airings.read, self.settings.folder, remote_id)
        except OSError:
            return None

    def _begin(self, message: Message, part: int, take: studio.Take) -> Writer | None:
        now = self.tools.now()
        day = f"{now.astimezone(ZoneInfo(self.settings.time_zone)):%Y-%m-%d}"
        begun = Begun(
            at=now,
            key=message.key,
            title=message.parts[part].title,
            transport=self.settings.transport,
            seconds=take.seconds,
            clusters=self.settings.cluster_names,
            where={place.name: place.address for place in self.settings.places},
        )
        with days.locked(self.settings.folder):
            return airings.begin(self.settings.folder, days.ending(message.key), day, begun)

    def _recorded(self, message: Message, handle: Handle) -> Airing | None:
        folder, id = self.settings.folder, handle.data.get("airing")
        if not folder.is_dir():
            raise NotADirectoryError(folder)
        if isinstance(id, str) and _ID.fullmatch(id):
            return airings.read(folder, id)
        found = airings.records(folder, days.ending(message.key))
        return airings.read(folder, airings.record_id(found[-1])) if found else None

    def _told(self, airing: Airing) -> Found:
        whole, furthest = airing.begun.seconds, max(map(airing.heard, airing.begun.clusters), default=0)
        why = " ".join(f"{reason}." for reason in airing.reasons())
        if airing.playing or self.goes_on(airing):
            again = max(self.tools.now(), airing.begun.at + timedelta(seconds=whole)) + _AGAIN
            return Found(verdict="unclear", detail=f"Đang phát dở: tới giây {furthest}/{whole}.", again_at=again)
        aired = account(airing)
        if not airing.ended:
            return Found(
                verdict="unclear",
                aired=aired,
                detail=f"Bị ngắt giữa chừng: chương trình dừng khi đang phát, sau giây {furthest}/{whole}. "
                "Phần đã phát không rút lại được; hãy chọn phát lại từ đầu hay thôi.",
            )
        played = airing.of("played")
        if played or airing.of("stopped"):
            said = (
                f"Đã phát ở {len(played)}/{len(airing.begun.clusters)} cụm loa." if played else "Đã dừng theo yêu cầu."
            )
            return Found(verdict="out", remote_id=airing.id, detail=f"{said} {why}".strip(), aired=aired)
        return Found(verdict="unclear", detail=f"Chưa cụm loa nào phát trọn bản tin. {why}".strip(), aired=aired)


def account(airing: Airing) -> Aired:
    """The airing for the log book («Sổ phát thanh»); what was cut short with its process is unknown from there on."""
    names = airing.begun.clusters
    return Aired(
        record=airing.id,
        began_at=airing.began,
        ended_at=airing.until,
        seconds=airing.begun.seconds,
        whole=airing.ended,
        clusters=tuple(_reached(airing, name) for name in names),
    )


def _reached(airing: Airing, name: str) -> Reached:
    state, detail = airing.state(name), airing.clusters[name].detail if name in airing.clusters else ""
    if state == "playing":  # nobody wrote how it ended
        return Reached(name=name, state="unknown", seconds=airing.heard(name), detail=detail or CUT)
    return Reached(name=name, state=state, seconds=airing.heard(name), detail=detail)
