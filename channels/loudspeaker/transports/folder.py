"""The folder or the memory stick: a programme stands whole in its day and in the play-list, once per key (class A).

Whoever plays it (a play-out system, a person) takes it from there, so air time is an estimate. A stick that is pulled
out loses nothing: what was not wholly written is written again when it is back.
"""

import asyncio
import os
import shutil
from datetime import datetime, timedelta
from pathlib import Path
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
    Reason,
    Refused,
    Tools,
)
from channels.loudspeaker import days, studio
from channels.loudspeaker.days import Card
from channels.loudspeaker.refusal import UNPLUGGED, error_name, not_written
from channels.loudspeaker.settings import LoudspeakerSettings
from content.speech import seconds

_ROOM = 50_000_000
_LATE = timedelta(minutes=5)
_PREVIEW = "bản nghe thử, giọng tổng hợp"
_RECORDED = "bản thu"
_LIVE = "chưa có, phát thanh viên đọc trực tiếp theo kịch bản"


class Folder:
    """Programmes and play-lists in one folder."""

    def __init__(self, settings: LoudspeakerSettings, tools: Tools) -> None:
        self.settings, self.tools = settings, tools

    async def publish(self, message: Message, part: int, handle: Handle) -> Outcome:
        """Write the programme into its day and list it; the same key again finds it already there."""
        return await asyncio.to_thread(self._publish, message, part, handle)

    async def find(self, message: Message, handle: Handle) -> Found:
        """Whether the key's programme stands in its day and in the play-list."""
        return await asyncio.to_thread(self._find, message)

    async def measure(self, remote_id: str) -> Measure:
        """Planned air time from the sound's measured length, and the clusters that the settings declare."""
        return await asyncio.to_thread(self._measure, remote_id)

    async def aired(self, remote_id: str) -> Aired | None:
        """Nothing: whoever plays it tells of it."""
        return None

    async def withdraw(self, remote_id: str) -> Outcome:
        """Take the programme out of the play-list; it is kept in ``da-go``."""
        return await asyncio.to_thread(self._withdraw, remote_id)

    async def probe(self) -> Reason | None:
        """Whether the folder can be written and has room."""
        return await asyncio.to_thread(health, self.settings)

    def _publish(self, message: Message, part: int, handle: Handle) -> Outcome:
        folder = self.settings.folder
        if not plugged(self.settings):
            return UNPLUGGED
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
            return not_written(error) if plugged(self.settings) else UNPLUGGED

    def _put(self, message: Message, part: int, handle: Handle, id: str) -> Outcome:
        folder, take = self.settings.folder, studio.take_of(handle.data.get("take", handle.data))
        sound = studio.whole(folder, take) if take else None
        written = (folder / id / days.CARD).exists()
        if (take or self.settings.voice) and sound is None and not written:
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
            sound=_LIVE if take is None else _PREVIEW if take.synthetic else _RECORDED,
            synthetic=take is not None and take.synthetic,
            loudness=take.loudness if take else None,
            sha256=take.sha256 if take else None,
            clusters=self.settings.cluster_names,
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
        if not plugged(self.settings):
            return Found(verdict="unclear", detail=UNPLUGGED.detail)
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
        if not plugged(self.settings):
            return UNPLUGGED
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


def health(settings: LoudspeakerSettings) -> Reason | None:
    """Why the folder cannot be used now: no stick, a path that is no folder, no right to write, no room; or None."""
    if not plugged(settings):
        return Reason.UNREACHABLE
    try:
        settings.folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(settings.folder).free
    except OSError:
        return Reason.MISCONFIGURED
    if not os.access(settings.folder, os.W_OK | os.X_OK):
        return Reason.FORBIDDEN
    return Reason.QUOTA if free < _ROOM else None


def plugged(settings: LoudspeakerSettings) -> bool:
    """Whether the stick is there: without it the same path would be a folder of this machine's own disk."""
    if not settings.removable:
        return True
    places = [settings.folder, *settings.folder.parents]
    return any(place.is_mount() for place in places if place != place.parent)
