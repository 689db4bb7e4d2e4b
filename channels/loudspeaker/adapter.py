"""The ward's loudspeakers: a document becomes a script, a sound, and a programme that is heard.

How it reaches the loudspeakers is chosen in the settings (``transports``): a folder that somebody plays from, written
once per key (class A), or a way that plays at once, of which a lost answer is known to nobody (class D).
"""

import asyncio
from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

from channels.contract import (
    EMPTY,
    Aired,
    Airs,
    Capability,
    Certainty,
    Channel,
    Deferred,
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
    Reason,
    Refused,
    Sound,
    Tools,
)
from channels.loudspeaker import studio
from channels.loudspeaker.refusal import LOST_RECORDING, NO_SOUND, ONLY_PREVIEW, ONLY_RECORDED, UNPLUGGED, not_written
from channels.loudspeaker.script import script
from channels.loudspeaker.settings import LoudspeakerSettings
from channels.loudspeaker.transports.advice import advice
from channels.loudspeaker.transports.choice import transport
from channels.loudspeaker.transports.folder import Folder, health, plugged
from channels.loudspeaker.transports.ways import airs, certainty_of
from channels.loudspeaker.validate import facts, problems
from channels.twin import Rehearsal
from content.audio import AudioMistake
from content.document import Document
from content.speech import Region
from content.text import squeeze
from content.voice import VoiceMistake


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
    other_certainties: ClassVar[frozenset[Certainty]] = frozenset({Certainty.BLIND})
    limits: ClassVar[Limits] = Limits(
        source="https://vtv.vn (Hà Nội: mỗi buổi phát không quá 15 phút); quy chế của từng đài đặt trong thiết lập kênh"
    )
    Settings: ClassVar[type[LoudspeakerSettings]] = LoudspeakerSettings
    settle_seconds: ClassVar[int] = 1
    spacing_seconds: ClassVar[int] = 0
    grassroots_kind: ClassVar[str] = Grassroots.STATION
    unit: ClassVar[str] = "lượt phát"

    settings: LoudspeakerSettings

    def __init__(self, settings: Any, tools: Tools) -> None:
        super().__init__(settings, tools)
        self.transport = transport(self.settings, tools)

    @classmethod
    def certainty_of(cls, settings: Mapping[str, Any]) -> Certainty:
        """The folder is keyed; whatever plays at once is heard, and cannot be asked about."""
        return certainty_of(settings.get("transport", "folder"))

    @classmethod
    def airs(cls, settings: Mapping[str, Any]) -> Airs:
        """The chosen way and its clusters; only what this program plays is known without a person."""
        return airs(settings)

    @classmethod
    def rehearsal(cls) -> Rehearsal:
        """The folder is real in a rehearsal too; there is no twin."""
        from channels.loudspeaker.rehearsal import LoudspeakerRehearsal

        return LoudspeakerRehearsal(cls.kind)

    def render(self, document: Document, key: str, pictures: tuple[Picture, ...] = ()) -> Message:
        """The announcer's script: opening, title, body, source and closing as read aloud; no links, no hashtags.

        ``extra`` holds ``seconds`` and ``length`` (estimated), ``doubts`` (pieces whose reading is not sure),
        ``syllables`` (of title and body), ``region`` and ``reading`` (what is written and how it is read).
        """
        said = document.for_channel(self.kind)
        made = script(said, self.settings.said_opening, self.settings.said_closing)
        part = Part(body=made.text, format="script", title=squeeze(said.title))
        return Message(kind=self.kind, key=key, parts=(part,), extra=facts(made, said.manner.region))

    def validate(self, message: Message) -> list[Problem]:
        """Nothing to read, longer than a slot, too short to be heard, readings to be checked, nothing that may go on air."""
        refused = self._soundless(message.extra.get("recording"))
        unheard = [Problem(level="error", text=refused.detail)] if refused else []
        return unheard + problems(message, self.settings.max_minutes)

    async def stage(self, message: Message, part: int, handle: Handle = EMPTY) -> Handle | Outcome:
        """Make the sound and bring it as near to the loudspeakers as nobody can hear; found again when it is there."""
        if not plugged(self.settings):
            return UNPLUGGED
        recording = message.extra.get("recording")
        if refused := self._soundless(recording):
            return refused
        if not self.settings.voice and not recording:
            return EMPTY
        try:
            take = await asyncio.get_running_loop().run_in_executor(studio.STUDIO, self._record, message, part)
            return await self._prepared(message, take)
        except (VoiceMistake, AudioMistake) as error:
            if error.temporary:
                return Deferred(reason=Reason.BUSY, detail=str(error))
            return Refused(reason=Reason.BAD_MEDIA, detail=str(error))
        except OSError as error:
            return not_written(error) if plugged(self.settings) else UNPLUGGED

    async def publish(self, message: Message, part: int, handle: Handle, earlier: tuple[str, ...]) -> Outcome:
        """List the programme in its day, or begin to play it."""
        return await self.transport.publish(message, part, handle)

    async def find(self, message: Message, part: int, handle: Handle, since: datetime) -> Found:
        """Whether it is listed, or what the record of its airing tells."""
        return await self.transport.find(message, handle)

    async def measure(self, remote_id: str) -> Measure:
        """Air time and clusters, each with how it is known."""
        return await self.transport.measure(remote_id)

    async def sound(self, message: Message, remote_id: str) -> Sound | None:
        """The sound that was made for it, from its programme or from what was prepared."""
        recording = message.extra.get("recording")
        said = message.parts[0]
        return await asyncio.to_thread(
            studio.heard, self.settings.folder, message.key, said.body, said.title, _region(message), remote_id,
            self.tools.shelf.read(str(recording)) if recording else None,
        )  # fmt: skip

    async def aired(self, remote_id: str) -> Aired | None:
        """What the record of its airing tells; nothing of a folder, which a person plays."""
        return await self.transport.aired(remote_id)

    async def withdraw(self, remote_id: str) -> Outcome:
        """Take it out of the play-list, or stop playing."""
        return await self.transport.withdraw(remote_id)

    def fixed(self, message: Message) -> str:
        """What was heard was heard."""
        return (
            "Bản tin đã phát thì bà con đã nghe, không sửa được. Hãy soạn bản tin đính chính và phát vào giờ gần nhất; "
            "bản tin còn trong danh sách phát thì gỡ ra rồi lên lịch bản đúng."
        )

    async def health(self) -> Reason | None:
        """Whether the folder can be used, and what plays can be reached."""
        return await asyncio.to_thread(health, self.settings) or await self.transport.probe()

    def advice(self, reason: Reason) -> str:
        """What to do about it, in the words of the way that was chosen."""
        return advice(self.settings, reason)

    def _soundless(self, recording: object) -> Refused | None:
        if recording:
            return None
        if self.settings.recorded_only:
            return Refused(reason=Reason.BAD_MEDIA, detail=ONLY_RECORDED)
        if self.settings.transport == "folder":
            return None
        if not self.settings.voice:
            return Refused(reason=Reason.BAD_MEDIA, detail=NO_SOUND)
        return None if self.settings.preview_on_air else Refused(reason=Reason.BAD_MEDIA, detail=ONLY_PREVIEW)

    async def _prepared(self, message: Message, take: studio.Take) -> Handle | Outcome:
        if isinstance(self.transport, Folder):
            return Handle(data=take.model_dump())
        sound = studio.where(self.settings.folder, take)
        prepared = await self.transport.prepare(message, sound, take)
        return Handle(data={"take": take.model_dump(), **prepared}) if isinstance(prepared, dict) else prepared

    def _record(self, message: Message, part: int) -> studio.Take:
        said = message.parts[part]
        return studio.record(
            self.settings.folder,
            message.key,
            said.body,
            said.title,
            f"Đài truyền thanh {self.settings.ward}",
            _region(message),
            self.tools.now(),
            self._kept(message),
        )

    def _kept(self, message: Message) -> studio.Recorded | None:
        recording = message.extra.get("recording")
        if not recording:
            return None
        try:
            return studio.Recorded(self.tools.shelf.read(str(recording)), levelled="recorded" in message.extra)
        except FileNotFoundError as error:
            raise AudioMistake(LOST_RECORDING) from error


def _region(message: Message) -> Region:
    return "south" if message.extra.get("region") == "south" else "north"
