"""The ward's loudspeakers: each delivery becomes a programme in the day's folder, once per key (class A).

The folder is what a play-out system, a network share or a person with a memory stick takes the day from; the
programme, its script as read aloud and the play-list are written whole or not at all. Which loudspeakers played is
not known here: air time is an estimate and clusters are what the settings declare.
"""

import asyncio
import os
import shutil
from datetime import datetime, timedelta
from pathlib import Path
from typing import ClassVar
from zoneinfo import ZoneInfo

from channels.contract import (
    AIR_SECONDS,
    EMPTY,
    Capability,
    Certainty,
    Channel,
    Deferred,
    Figure,
    Found,
    Grassroots,
    Handle,
    Limits,
    Measure,
    Message,
    Outcome,
    Part,
    Picture,
    Problem,
    Published,
    Reason,
    Refused,
)
from channels.loudspeaker import days, studio
from channels.loudspeaker.days import Card
from channels.loudspeaker.refusal import error_name, not_written
from channels.loudspeaker.script import script
from channels.loudspeaker.settings import LoudspeakerSettings
from channels.loudspeaker.validate import facts, problems
from channels.twin import Rehearsal
from content.audio import AudioMistake
from content.document import Document
from content.speech import default_lexicon, seconds
from content.text import squeeze
from content.voice import VoiceMistake

_ROOM = 50_000_000
_LATE = timedelta(minutes=5)
_PREVIEW = "bản nghe thử, giọng tổng hợp"
_LIVE = "chưa có, phát thanh viên đọc trực tiếp theo kịch bản"


class Loudspeaker(Channel):
    """One ward's loudspeakers."""

    kind: ClassVar[str] = "loudspeaker"
    name: ClassVar[str] = "Truyền thanh"
    capabilities: ClassVar[frozenset[Capability]] = frozenset(
        {
            Capability.TEXT,
            Capability.AUDIO,
            Capability.STAGE,
            Capability.FIND,
            Capability.MEASURE,
            Capability.WITHDRAW,
        }
    )
    certainty: ClassVar[Certainty] = Certainty.KEYED
    limits: ClassVar[Limits] = Limits(
        source="https://vtv.vn (Hà Nội: mỗi buổi phát không quá 15 phút); quy chế của từng đài đặt trong thiết lập kênh"
    )
    Settings: ClassVar[type[LoudspeakerSettings]] = LoudspeakerSettings
    settle_seconds: ClassVar[int] = 1
    spacing_seconds: ClassVar[int] = 0
    grassroots_kind: ClassVar[str] = Grassroots.STATION
    unit: ClassVar[str] = "lượt phát"

    settings: LoudspeakerSettings

    @classmethod
    def rehearsal(cls) -> Rehearsal:
        """The folder is real in a rehearsal too; there is no twin."""
        from channels.loudspeaker.rehearsal import LoudspeakerRehearsal

        return LoudspeakerRehearsal(cls.kind)

    def render(self, document: Document, key: str, pictures: tuple[Picture, ...] = ()) -> Message:
        """The announcer's script: opening, title, body, source and closing as read aloud; no links, no hashtags.

        ``extra`` holds ``seconds`` and ``length`` (estimated), ``doubts`` (pieces whose reading is not sure) and
        ``syllables`` (of title and body).
        """
        lexicon = default_lexicon().more(self.settings.words)
        said = document.for_channel(self.kind)
        frame = (self.settings.said_opening, self.settings.said_closing)
        whole, body = script(said, *frame, lexicon, self.settings.region)
        part = Part(body=whole.text, format="script", title=squeeze(document.for_channel(self.kind).title))
        return Message(kind=self.kind, key=key, parts=(part,), extra=facts(whole, body))

    def validate(self, message: Message) -> list[Problem]:
        """Nothing to read, longer than a slot, too short to be heard, readings to be checked."""
        return problems(message, self.settings.max_minutes)

    async def stage(self, message: Message, part: int, handle: Handle = EMPTY) -> Handle | Outcome:
        """Make the sound; slow, done on the studio's own threads, found again when it is already made."""
        if not self.settings.voice:
            return EMPTY
        try:
            take = await asyncio.get_running_loop().run_in_executor(studio.STUDIO, self._record, message, part)
        except (VoiceMistake, AudioMistake) as error:
            if error.temporary:
                return Deferred(reason=Reason.BUSY, detail=str(error))
            return Refused(reason=Reason.BAD_MEDIA, detail=str(error))
        except OSError as error:
            return not_written(error)
        return Handle(data=take.model_dump())

    async def publish(self, message: Message, part: int, handle: Handle, earlier: tuple[str, ...]) -> Outcome:
        """Write the programme into its day and list it; the same key again finds it already there."""
        return await asyncio.to_thread(self._publish, message, part, handle)

    async def find(self, message: Message, part: int, handle: Handle, since: datetime) -> Found:
        """Whether the key's programme stands in its day and in the play-list."""
        return await asyncio.to_thread(self._find, message)

    async def measure(self, remote_id: str) -> Measure:
        """Planned air time from the sound's measured length, and the clusters that the settings declare."""
        return await asyncio.to_thread(self._measure, remote_id)

    async def withdraw(self, remote_id: str) -> Outcome:
        """Take the programme out of the play-list; it is kept in ``da-go``."""
        return await asyncio.to_thread(self._withdraw, remote_id)

    async def health(self) -> Reason | None:
        """Whether the folder can be written and has room."""
        return await asyncio.to_thread(self._health)

    def _record(self, message: Message, part: int) -> studio.Take:
        said = message.parts[part]
        station = f"Đài truyền thanh {self.settings.ward}"
        return studio.record(
            self.settings.folder,
            message.key,
            said.body,
            said.title,
            station,
            self.settings.region,
            self.tools.now(),
        )

    def _publish(self, message: Message, part: int, handle: Handle) -> Outcome:
        folder = self.settings.folder
        try:
            with days.locked(folder):
                id = self._id(message)
                if days.taken_down(folder, id).exists():
                    return Refused(
                        reason=Reason.REJECTED,
                        detail="Bản tin này đã được gỡ khỏi danh sách phát; hãy lập lượt phát mới.",
                    )
                return self._put(message, part, handle, id)
        except OSError as error:
            return not_written(error)

    def _put(self, message: Message, part: int, handle: Handle, id: str) -> Outcome:
        folder, take = self.settings.folder, studio.take_of(handle.data)
        sound = studio.whole(folder, take) if take else None
        written = (folder / id / days.CARD).exists()
        if self.settings.voice and sound is None and not written:
            return Deferred(
                reason=Reason.BUSY,
                detail="Tệp âm thanh chuẩn bị trước không còn; chương trình sẽ tự làm lại.",
            )
        card = self._card(message, part, take if sound else None)
        files = {
            days.SCRIPT: f"{message.parts[part].body}\n".encode(),
            days.CARD: (card.model_dump_json(by_alias=True, indent=2) + "\n").encode(),
        }
        days.put(folder, id, files, sound)
        if take:
            studio.forget(folder, take)
        return Published(remote_id=id)

    def _card(self, message: Message, part: int, take: studio.Take | None) -> Card:
        said = message.parts[part]
        zone = ZoneInfo(self.settings.time_zone)
        return Card(
            key=message.key,
            title=said.title,
            due=self._slot(message),
            written=self.tools.now().astimezone(zone),
            seconds=take.seconds if take else round(seconds(said.body)),
            sound=_PREVIEW if take else _LIVE,
            synthetic=take is not None,
            loudness=take.loudness if take else None,
            sha256=take.sha256 if take else None,
            clusters=self.settings.clusters,
        )

    def _id(self, message: Message) -> str:
        known = days.known(self.settings.folder, message.key)
        return known or days.remote_id(self._slot(message), message.parts[0].title, message.key)

    def _slot(self, message: Message) -> datetime:
        """The hour under which it is listed: its own, or now when that has passed, so that it is still played."""
        now = self.tools.now()
        late = message.due_at is None or now > message.due_at + _LATE
        return (now if late else message.due_at or now).astimezone(ZoneInfo(self.settings.time_zone))

    def _find(self, message: Message) -> Found:
        folder, id = self.settings.folder, self._id(message)
        try:
            if days.listed(folder, id):
                return Found(verdict="out", remote_id=id)
            if days.taken_down(folder, id).exists():
                return Found(verdict="out", remote_id=id, detail="Bản tin đã được gỡ khỏi danh sách phát.")
        except OSError as error:
            return Found(verdict="unclear", detail=f"Không đọc được thư mục chương trình ({error_name(error)}).")
        return Found(verdict="absent")

    def _measure(self, remote_id: str) -> Measure:
        path = self._inside(remote_id)
        card = path and (days.read_card(path) or days.read_card(days.taken_down(self.settings.folder, remote_id)))
        if not card:
            return Measure(reason=Reason.NOT_FOUND, detail="Không thấy chương trình này trong thư mục.")
        source = (
            "thời lượng đo được của tệp âm thanh" if card.sha256 else "thời lượng ước tính theo số tiếng của kịch bản"
        )
        air = Figure(
            name=AIR_SECONDS,
            value=card.seconds,
            label="estimated",
            formula=f"{source} × 1 lượt phát theo lịch; chưa có xác nhận từ cụm loa",
        )
        clusters = Figure(
            name="Cụm loa",
            value=len(card.clusters),
            label="declared",
            formula="số cụm loa khai trong thiết lập kênh",
        )
        return Measure(figures=(air, clusters) if card.clusters else (air,))

    def _withdraw(self, remote_id: str) -> Outcome:
        folder = self.settings.folder
        if self._inside(remote_id) is None:
            return Refused(reason=Reason.NOT_FOUND, detail="Mã chương trình không hợp lệ.")
        try:
            with days.locked(folder):
                if days.taken_down(folder, remote_id).exists():
                    days.list_day(folder / Path(remote_id).parent)
                else:
                    days.take_down(folder, remote_id)
        except FileNotFoundError:
            return Refused(
                reason=Reason.NOT_FOUND,
                detail="Không thấy chương trình này trong thư mục; có thể đã được chuyển đi.",
            )
        except OSError as error:
            return not_written(error)
        return Published(remote_id=remote_id)

    def _inside(self, remote_id: str) -> Path | None:
        return self.settings.folder / remote_id if days.PROGRAMME_ID.fullmatch(remote_id) else None

    def _health(self) -> Reason | None:
        folder = self.settings.folder
        try:
            folder.mkdir(parents=True, exist_ok=True)
            free = shutil.disk_usage(folder).free
        except OSError:
            return Reason.MISCONFIGURED
        if not os.access(folder, os.W_OK | os.X_OK):
            return Reason.FORBIDDEN
        return Reason.QUOTA if free < _ROOM else None
