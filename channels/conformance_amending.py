"""What every channel that amends (``Capability.AMEND``) must keep: the new words, in the place of the old, and nowhere else."""

from collections.abc import AsyncIterator
from typing import ClassVar

from channels.conformance_steps import AMENDED_WORDS, Steps, amended, promise
from channels.contract import (
    EMPTY,
    Capability,
    Channel,
    Correction,
    Deferred,
    Message,
    Outcome,
    Pending,
    Published,
    Reason,
    Refused,
    Unknown,
)
from channels.rehearsing import Scene
from channels.twin import FaultKind


class Amending(Steps):
    """The part of the suite about corrections. ``amend_path`` is part of the path of the amending call, where it is another."""

    amend_path: ClassVar[str] = ""

    def message(self, channel: Channel, scene: Scene, number: int = 1) -> Message:
        """What is sent first."""
        raise NotImplementedError

    def amended_message(self, channel: Channel, scene: Scene, first: Message, number: int = 1) -> Message:
        """What takes its place: other words, the same key and pictures."""
        made = channel.render(amended(number), first.key, first.parts[0].pictures)
        return made.model_copy(update={"correction": Correction(note="Sai ngày làm việc", at=scene.clock())})

    async def test_an_amended_post_says_the_new_words_and_only_those(self, scene: Scene) -> None:
        """Amended, twice even: one copy, under the same id, with the new words and its marker."""
        if not self._amends():
            return
        async with self._open(scene) as channel:
            first, remote_id = await self._out(channel, scene)
            made = self.amended_message(channel, scene, first)
            for _ in range(2):
                outcome = await self._amended(channel, scene, made, remote_id)
                promise(
                    isinstance(outcome, Published) and outcome.remote_id == remote_id,
                    f"amend() must be Published under the id it was given, also the second time; it said {outcome!r}",
                )
                await self._says_the_new(scene, first)
            await self._found_by_either(channel, scene, (first, made))

    async def test_a_lost_amendment_may_be_repeated(self, scene: Scene) -> None:
        """The line broke, or the answer was lost: Unknown; repeated, the new words stand, once."""
        if not self._amends():
            return
        faults: tuple[FaultKind, ...] = ("drop_before", "drop_after", "error_after", "garbage")
        for number, fault in enumerate(faults, 50):
            async with self._open(scene) as channel:
                first, remote_id = await self._out(channel, scene, number)
                made = self.amended_message(channel, scene, first, number)
                outcome = await self._faulty(fault, channel, scene, made, remote_id)
                promise(
                    isinstance(outcome, Unknown),
                    f"{fault} while amending: amend() must be Unknown, it said {outcome!r}",
                )
                again = await self._amended(channel, scene, made, remote_id)
                promise(
                    isinstance(again, Published), f"after {fault} amend() must be repeatable; the second said {again!r}"
                )
                await self._says_the_new(scene, first)

    async def test_a_refused_amendment_changes_nothing(self, scene: Scene) -> None:
        """Too fast: deferred with a time. Refused, dead token: a person must act. Nobody listens: deferred."""
        if not self._amends():
            return
        async with self._open(scene) as channel:
            first, remote_id = await self._out(channel, scene)
            made = self.amended_message(channel, scene, first)
            limited = await self._faulty("rate_limit", channel, scene, made, remote_id)
            promise(
                isinstance(limited, Deferred) and limited.reason is Reason.RATE_LIMITED and limited.retry_at,
                f"«too fast»: amend() must be Deferred(RATE_LIMITED) with retry_at, it said {limited!r}",
            )
            refused = await self._faulty("refuse", channel, scene, made, remote_id)
            promise(isinstance(refused, Refused), f"refused: amend() must be Refused, it said {refused!r}")
            expired = await self._faulty("expire_token", channel, scene, made, remote_id)
            promise(
                isinstance(expired, Refused) and expired.reason is Reason.UNAUTHORIZED,
                f"the token is dead: amend() must be Refused(UNAUTHORIZED), it said {expired!r}",
            )
            with scene.elsewhere() as nowhere:
                async with self._open(nowhere) as deaf:
                    unheard = await deaf.amend(made, 0, remote_id)
            promise(isinstance(unheard, Deferred), f"nobody listened: amend() must be Deferred, it said {unheard!r}")
            copy = await self._one_copy(scene, first)
            promise(AMENDED_WORDS not in copy.text, "what was refused must not be seen")

    async def test_what_is_gone_is_never_made_anew(self, scene: Scene) -> None:
        """Taken down meanwhile: amend() is Refused, and citizens still see nothing."""
        if not self._amends() or Capability.WITHDRAW not in self.channel.capabilities:
            return
        async with self._open(scene) as channel:
            first, remote_id = await self._out(channel, scene)
            await channel.withdraw(remote_id)
            outcome = await channel.amend(self.amended_message(channel, scene, first), 0, remote_id)
            promise(isinstance(outcome, Refused), f"the post is gone: amend() must be Refused, it said {outcome!r}")
            promise(not await self._copies(scene, first), "amend() brought a post back that had been taken down")

    async def test_who_cannot_amend_says_what_to_do(self, scene: Scene) -> None:
        """``fixed()`` is empty exactly where a post can be amended."""
        async with self._open(scene) as channel:
            said = channel.fixed(self.message(channel, scene))
            promise(
                bool(said) is not self._amends(),
                f"fixed() must say what to do instead exactly where amend() cannot; it said {said!r}",
            )

    async def _found_by_either(self, channel: Channel, scene: Scene, messages: tuple[Message, ...]) -> None:
        """The first message and the amended one are both asked for: a platform may know a post by its words or by its name."""
        if Capability.FIND not in channel.capabilities:
            return
        found = [await self._settled(channel, scene, message, EMPTY) for message in messages]
        promise(
            any(one.verdict == "out" for one in found),
            f"an amended post is out: find() of the first or of the amended message must be «out», they said {found!r}",
        )

    def _amends(self) -> bool:
        return Capability.AMEND in self.channel.capabilities

    async def _out(self, channel: Channel, scene: Scene, number: int = 1) -> tuple[Message, str]:
        first = self.message(channel, scene, number)
        sent = await self._sent(channel, scene, first)
        promise(isinstance(sent, Published), f"a post without any trouble must be Published; publish() said {sent!r}")
        return first, getattr(sent, "remote_id", "")

    async def _amended(self, channel: Channel, scene: Scene, made: Message, remote_id: str) -> Outcome:
        outcome = await channel.amend(made, 0, remote_id)
        for _ in range(5):
            if not isinstance(outcome, Pending):
                break
            scene.forward(max(1.0, (outcome.retry_at - scene.clock()).total_seconds()) if outcome.retry_at else 1.0)
            outcome = await channel.amend(made, 0, remote_id)
        return outcome

    async def _faulty(self, fault: FaultKind, channel: Channel, scene: Scene, made: Message, remote_id: str) -> Outcome:
        await scene.order(channel.kind, fault, self.amend_path or self.visible_path)
        return await channel.amend(made, 0, remote_id)

    async def _amend_outcomes(self, channel: Channel, scene: Scene) -> AsyncIterator[object]:
        if not self._amends():
            return
        first, remote_id = await self._out(channel, scene, 60)
        made = self.amended_message(channel, scene, first, 60)
        faults: tuple[FaultKind, ...] = ("refuse", "expire_token", "drop_after", "garbage")
        for fault in faults:
            yield await self._faulty(fault, channel, scene, made, remote_id)

    async def _says_the_new(self, scene: Scene, first: Message) -> None:
        copy = await self._one_copy(scene, first)
        promise(AMENDED_WORDS in copy.text, f"citizens must read the amended words; they read: {copy.text!r}")
