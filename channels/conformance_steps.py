"""The steps of which the conformance suite is made: send, lose, settle, count copies."""

import asyncio
import unicodedata
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from hashlib import sha256
from typing import ClassVar

from channels.contract import Capability, Channel, Found, Handle, Message, Outcome, Pending, Published, Reason
from channels.rehearsing import Scene
from channels.twin import FaultKind, Trace
from content.document import Document, Source, read

_BODY = "Bộ phận Một cửa **làm việc cả sáng thứ Bảy**.\n\n- Nộp hồ sơ trực tuyến\n- Nhận kết quả tại nhà"


AMENDED_WORDS = "chỉ làm việc sáng thứ Bảy"
"""What stands in the amended document and not in the first one."""

_AMENDED = _BODY.replace("làm việc cả sáng thứ Bảy", AMENDED_WORDS)


def promise(kept: object, broken: str) -> None:
    """Raise AssertionError with what was broken, unless the promise was kept."""
    if not kept:
        raise AssertionError(broken)


def document(number: int) -> Document:
    """A short text with a link of its own, written in NFD as some keyboards do."""
    _, blocks = read(_BODY)
    return Document(
        title=unicodedata.normalize("NFD", f"Thông báo số {number} của phường"),
        summary=unicodedata.normalize("NFD", "Lịch làm việc mới của Bộ phận Một cửa."),
        blocks=blocks,
        link=f"https://lantoa.example/{number}abc",
        source=Source("Ủy ban nhân dân phường"),
        hashtags=("#HảiPhòng",),
    )


def amended(number: int) -> Document:
    """The same text, put right: another title and other words in its body."""
    _, blocks = read(_AMENDED)
    title = unicodedata.normalize("NFD", f"Thông báo số {number} của phường (đã đính chính)")
    return replace(document(number), title=title, blocks=blocks)


class Steps:
    """What the suite does with a channel; ``visible_path`` is part of the path of the one visible call."""

    channel: ClassVar[type[Channel]]
    visible_path: ClassVar[str]
    recipient: ClassVar[str] = "ba.con@example.org"

    async def _step(self, channel: Channel, message: Message, handle: Handle | Outcome) -> Outcome:
        """The one visible step: to everybody at once, or, where the channel fans out, to one recipient."""
        if Capability.FAN_OUT in channel.capabilities:
            return await channel.send(message, self.recipient, sha256(message.key.encode()).hexdigest()[:32])
        return await channel.publish(message, 0, _ready(handle), ())

    @asynccontextmanager
    async def _open(self, scene: Scene, timeout: float = 5) -> AsyncIterator[Channel]:
        wire = scene.wire(timeout)
        try:
            yield scene.channel(self.channel.kind, wire)
        finally:
            await wire.close()

    async def _renewed(self, channel: Channel, scene: Scene) -> Channel:
        changed = await channel.renew()
        promise(not isinstance(changed, Reason), f"renew() must give fresh settings or None here; it gave {changed!r}")
        settings = {**channel.rehearsal().settings(scene.place), **(changed or {})}  # type: ignore[dict-item]
        return self.channel(self.channel.Settings.model_validate(settings), channel.tools)

    async def _staged(self, channel: Channel, scene: Scene, message: Message) -> Handle | Outcome:
        staged = await channel.stage(message, 0)
        for _ in range(10):
            if not isinstance(staged, Pending):
                break
            scene.forward(max(1.0, (staged.retry_at - scene.clock()).total_seconds()) if staged.retry_at else 1.0)
            staged = await channel.stage(message, 0, staged.handle)
        return staged

    async def _sent(self, channel: Channel, scene: Scene, message: Message) -> Outcome:
        handle = await self._staged(channel, scene, message)
        promise(isinstance(handle, Handle), f"stage() must end with a Handle; it ended with {handle!r}")
        outcome = await self._step(channel, message, handle)
        if not isinstance(outcome, Pending):
            return outcome
        found = await self._settled(channel, scene, message, outcome.handle)
        promise(
            found.verdict == "out" and found.remote_id,
            f"publish() was Pending: find() must then be «out» with an id, it said {found!r}",
        )
        return Published(remote_id=str(found.remote_id), url=found.url)

    async def _under(self, fault: FaultKind, channel: Channel, scene: Scene, message: Message) -> Outcome:
        return (await self._lost(fault, channel, scene, message))[1]

    async def _lost(self, fault: FaultKind, channel: Channel, scene: Scene, message: Message) -> tuple[Handle, Outcome]:
        handle = _ready(await self._staged(channel, scene, message))
        await scene.order(channel.kind, fault, self.visible_path)
        return handle, await self._step(channel, message, handle)

    async def _settled(self, channel: Channel, scene: Scene, message: Message, handle: Handle) -> Found:
        since = scene.clock()
        scene.forward(channel.settle_seconds)
        return await channel.find(message, 0, handle, since)

    async def _found_out(self, channel: Channel, scene: Scene, message: Message, handle: Handle) -> None:
        copy = await self._one_copy(scene, message)
        if Capability.FIND in channel.capabilities:
            found = await self._settled(channel, scene, message, handle)
            promise(found.verdict == "out", f"the post is out: find() must be «out», it said {found!r}")
            promise(
                found.remote_id == copy.remote_id,
                f"find() gave the id {found.remote_id!r}, and the platform holds {copy.remote_id!r}",
            )

    async def _until_visible(self, scene: Scene, message: Message) -> None:
        for _ in range(100):
            if await self._copies(scene, message):
                return
            await asyncio.sleep(0.1)

    async def _one_copy(self, scene: Scene, message: Message) -> Trace:
        copies = await self._copies(scene, message)
        promise(len(copies) == 1, f"citizens must see exactly one copy; they see {len(copies)}")
        return copies[0]

    async def _copies(self, scene: Scene, message: Message) -> list[Trace]:
        return [trace for trace in await scene.traces(self.channel.kind) if message.parts[0].marker in trace.text]


def _ready(handle: Handle | Outcome) -> Handle:
    promise(isinstance(handle, Handle), f"stage() must end with a Handle; it ended with {handle!r}")
    assert isinstance(handle, Handle)  # noqa: S101 - for the type checker
    return handle
