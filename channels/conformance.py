"""What every channel must keep, ours and other people's; it goes through the public verbs against the channel's twin.

Subclass it in a test module, name the channel and the path of its visible call, give the tests a ``scene`` (from
``channels.rehearsing.stage``) and run the async methods, with pytest and anyio for example; or let
``python -m channels.conforming KIND --visible PATH`` do all of that. A method returns when the promise is kept and
raises AssertionError, with a sentence that says what was expected and what came, when it is not. What is demanded, verb
by verb: docs/channels/contract.md.
"""

import logging
import unicodedata
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from inspect import getfile
from pathlib import Path
from typing import ClassVar, get_args

from pydantic import SecretStr, ValidationError

from channels import pages
from channels.conformance_amending import Amending
from channels.conformance_clips import Clips
from channels.conformance_steps import document as document
from channels.conformance_steps import promise as promise
from channels.contract import (
    EMPTY,
    Capability,
    Certainty,
    Channel,
    Deferred,
    Handle,
    Message,
    Pending,
    Published,
    Reason,
    Refused,
    Unknown,
)
from channels.rehearsing import Scene
from channels.twin import FaultKind

_VERBS = {
    Capability.VIDEO: "render_clip",
    Capability.PIN: "pin",
    Capability.STAGE: "stage",
    Capability.FIND: "find",
    Capability.MEASURE: "measure",
    Capability.WITHDRAW: "withdraw",
    Capability.AMEND: "amend",
    Capability.RENEW: "renew",
    Capability.FAN_OUT: "send",
    Capability.RETURNS: "returns",
    Capability.EVENTS: "heard",
}


class Conformance(Clips, Amending):
    """The suite. ``visible_path`` is part of the path of the one visible call, ``stage_path`` of a hidden one."""

    stage_path: ClassVar[str] = ""

    def message(self, channel: Channel, scene: Scene, number: int = 1) -> Message:
        """What is sent: the document, with a picture where the channel takes one."""
        pictures = (scene.picture(),) if Capability.PHOTO in channel.capabilities else ()
        return channel.render(document(number), f"khoa-{number}", pictures)

    async def test_rendering_is_pure_and_composed(self, scene: Scene) -> None:
        """The same words twice, in NFC, with the marker in the text."""
        async with self._open(scene) as channel:
            message = self.message(channel, scene)
            promise(
                message == self.message(channel, scene),
                "render() must be pure: the same document, key and pictures gave two different messages",
            )
            text = message.model_dump_json()
            promise(
                unicodedata.is_normalized("NFC", text),
                "render() must compose its text (content.text.nfc): it is not NFC",
            )
            part = message.parts[0]
            promise(
                part.marker and part.marker in part.body,
                f"part.marker must be set and stand in part.body, so that a lost post can be found: {part.marker!r}",
            )
            errors = [problem.text for problem in channel.validate(message) if problem.level == "error"]
            promise(not errors, f"validate() must find no error in a short plain post; it found: {errors}")

    async def test_limits_hold_to_the_character(self, scene: Scene) -> None:
        """At the limit nothing is wrong with the field, one character over it is."""
        async with self._open(scene) as channel:
            message = self.message(channel, scene)
            for field, limit in self.edges(channel):
                promise(
                    field not in _errors(channel, _filled(message, field, limit)),
                    f"validate() must accept a {field} of exactly {limit} characters, as limits say; it found an error there",
                )
                promise(
                    field in _errors(channel, _filled(message, field, limit + 1)),
                    f"validate() must report an error in «{field}» at {limit + 1} characters, one over the limit; it did not",
                )

    def edges(self, channel: Channel) -> Iterator[tuple[str, int]]:
        """Fields of a part and their limits in characters."""
        limits = channel.limits
        for field, limit in (("title", limits.title), ("summary", limits.summary), ("body", limits.text)):
            if limit is not None:
                yield field, limit

    async def test_claims_are_true(self, scene: Scene) -> None:
        """A capability is claimed exactly where the verb is real."""
        for capability, verb in _VERBS.items():
            real = getattr(self.channel, verb) is not getattr(Channel, verb)
            claimed = capability in self.channel.capabilities
            promise(real or not claimed, f"capabilities claim {capability!s}, but {verb}() is not written")
            promise(claimed or not real, f"{verb}() is written, but capabilities do not claim {capability!s}")
        limits, able = self.channel.limits, self.channel.capabilities
        promise(
            (limits.video is not None) == (Capability.VIDEO in able),
            "limits.video must be there exactly where capabilities claim video",
        )
        promise(limits.audio is None or Capability.AUDIO in able, "limits.audio is there, but audio is not claimed")

    async def test_its_folder_is_whole(self, scene: Scene) -> None:
        """Beside the class lie the icon and the preview, and the preview draws a message."""
        folder = Path(getfile(self.channel)).parent
        for name in ("icon.svg", "preview.html"):
            promise((folder / name).is_file(), f"{name} must lie beside the class, in the wheel too: {folder}")
        async with self._open(scene) as channel:
            drawn = pages.card(folder, self.message(channel, scene), None)
            promise("<" in drawn, "preview.html must draw the message")

    async def test_every_secret_is_named(self, scene: Scene) -> None:
        """What is typed as a secret is sealed, because ``secret_fields`` names it."""
        fields, named = self.channel.Settings.model_fields, set(self.channel.Settings.secret_fields)
        typed = {name for name, field in fields.items() if SecretStr in (field.annotation, *get_args(field.annotation))}
        promise(typed <= named, f"secret_fields must name every SecretStr; it forgets {sorted(typed - named)}")
        promise(named <= set(fields), f"secret_fields names what Settings does not have: {sorted(named - set(fields))}")

    async def test_a_post_goes_out_once_and_is_found(self, scene: Scene) -> None:
        """Published means visible, once, with the id that a look-up finds."""
        async with self._open(scene) as channel:
            message = self.message(channel, scene)
            outcome = await self._sent(channel, scene, message)
            promise(
                isinstance(outcome, Published),
                f"a post without any trouble must be Published; publish() said {outcome!r}",
            )
            await self._one_copy(scene, message)
            await self._found_out(channel, scene, message, EMPTY)

    async def test_figures_are_labelled(self, scene: Scene) -> None:
        """A day later there are figures, each with its formula."""
        if Capability.MEASURE not in self.channel.capabilities:
            return
        async with self._open(scene) as channel:
            outcome = await self._sent(channel, scene, self.message(channel, scene))
            promise(
                isinstance(outcome, Published),
                f"a post without any trouble must be Published; publish() said {outcome!r}",
            )
            scene.forward(86_400)
            measure = await (await self._renewed(channel, scene)).measure(outcome.remote_id)  # type: ignore[union-attr]
            promise(
                measure.figures and measure.reason is None,
                f"measure() must give figures a day later, as claimed; it gave {measure!r}",
            )
            promise(
                all(figure.formula and figure.value >= 0 for figure in measure.figures),
                "every figure needs a formula that says how it came about, and is never below zero",
            )

    async def test_a_withdrawn_post_is_gone(self, scene: Scene) -> None:
        """Withdrawn means that citizens no longer see it."""
        if Capability.WITHDRAW not in self.channel.capabilities:
            return
        async with self._open(scene) as channel:
            message = self.message(channel, scene)
            sent = await self._sent(channel, scene, message)
            gone = await channel.withdraw(sent.remote_id)  # type: ignore[union-attr]
            promise(
                isinstance(gone, Published),
                f"withdraw() must answer Published with the id that is gone; it said {gone!r}",
            )
            promise(
                not await self._copies(scene, message),
                "withdraw() said that the post is gone, and citizens still see it",
            )

    async def test_nothing_left_is_deferred(self, scene: Scene) -> None:
        """Nobody listens: both steps say that surely nothing went out."""
        async with self._open(scene) as channel:
            message = self.message(channel, scene)
            handle = await self._staged(channel, scene, message)
            promise(isinstance(handle, Handle), f"stage() must end with a Handle; it ended with {handle!r}")
            with scene.elsewhere() as nowhere:
                async with self._open(nowhere) as deaf:
                    outcome = await self._step(deaf, message, handle)
                    promise(
                        _deferred(outcome, Reason.UNREACHABLE),
                        f"nobody listened, so no byte left: publish() must be Deferred(UNREACHABLE), it said {outcome!r}",
                    )
                    promise(await deaf.health() == Reason.UNREACHABLE, "nobody listens: health() must say UNREACHABLE")
                    staged = await deaf.stage(message, 0)
                    promise(
                        staged == EMPTY or isinstance(staged, Handle) or _deferred(staged, Reason.UNREACHABLE),
                        f"nobody listened: stage() must be Deferred(UNREACHABLE) or nothing at all, it said {staged!r}",
                    )

    async def test_documented_refusals(self, scene: Scene) -> None:
        """Too fast: deferred with a time. Refused and dead token: a person must act. Nothing is out."""
        async with self._open(scene) as channel:
            message = self.message(channel, scene)
            limited = await self._under("rate_limit", channel, scene, message)
            promise(
                _deferred(limited, Reason.RATE_LIMITED),
                f"the platform said «too fast»: publish() must be Deferred(RATE_LIMITED), it said {limited!r}",
            )
            again = getattr(limited, "retry_at", None)
            promise(again and again > scene.clock(), "Deferred(RATE_LIMITED) must carry retry_at, a moment to come")
            refused = await self._under("refuse", channel, scene, message)
            promise(
                isinstance(refused, Refused),
                f"the platform documentedly refused: publish() must be Refused, it said {refused!r}",
            )
            expired = await self._under("expire_token", channel, scene, message)
            promise(
                isinstance(expired, Refused) and expired.reason is Reason.UNAUTHORIZED,
                f"the token is dead: publish() must be Refused(UNAUTHORIZED), it said {expired!r}",
            )
            promise(not await self._copies(scene, message), "the twin must not show what it refused")

    async def test_a_lost_request_is_unknown_and_found_absent(self, scene: Scene) -> None:
        """The line broke before the platform acted: Unknown, and the look-up never says «out»."""
        async with self._open(scene) as channel:
            await self._sent(channel, scene, self.message(channel, scene, 7))
            message = self.message(channel, scene)
            handle, outcome = await self._lost("drop_before", channel, scene, message)
            promise(
                isinstance(outcome, Unknown),
                f"the line broke after bytes had left: publish() must be Unknown, it said {outcome!r}",
            )
            promise(not await self._copies(scene, message), "the twin must not act when the line breaks before it")
            if Capability.FIND in channel.capabilities:
                found = await self._settled(channel, scene, message, handle)
                promise(found.verdict == "absent", f"the post is not there: find() must be «absent», it said {found!r}")

    async def test_lost_answers_are_unknown_and_found_out(self, scene: Scene) -> None:
        """The platform acted, its answer was lost or unreadable: Unknown, one copy, and the look-up finds it."""
        faults: tuple[FaultKind, ...] = ("drop_after", "error_after", "garbage")
        for number, fault in enumerate(faults, 10):
            async with self._open(scene) as channel:
                message = self.message(channel, scene, number)
                handle, outcome = await self._lost(fault, channel, scene, message)
                promise(
                    isinstance(outcome, Unknown),
                    f"the platform acted and its answer was lost ({fault}): publish() must be Unknown, it said {outcome!r}",
                )
                await self._found_out(channel, scene, message, handle)

    async def test_a_late_answer_is_unknown_and_found_out(self, scene: Scene) -> None:
        """The platform took longer than we waited: the same."""
        async with self._open(scene) as channel:
            message = self.message(channel, scene)
            handle = await self._staged(channel, scene, message)
            async with self._open(scene, timeout=0.4) as hasty:
                await scene.order(channel.kind, "slow", self.visible_path, seconds=1.2)
                outcome = await self._step(hasty, message, handle)
            promise(
                isinstance(outcome, Unknown),
                f"the answer came later than we waited: publish() must be Unknown, it said {outcome!r}",
            )
            await self._until_visible(scene, message)
            await self._found_out(channel, scene, message, handle)  # type: ignore[arg-type]

    async def test_staging_may_fail_and_be_done_again(self, scene: Scene) -> None:
        """What goes wrong where nobody can see is never «unknown»; done again, there is one visible copy."""
        if Capability.STAGE not in self.channel.capabilities:
            return
        faults: tuple[FaultKind, ...] = ("drop_before", "drop_after", "error_after", "garbage", "rate_limit")
        async with self._open(scene) as channel:
            message = self.message(channel, scene)
            for fault in faults:
                await scene.order(channel.kind, fault, self.stage_path)
                staged = await channel.stage(message, 0)
                promise(
                    isinstance(staged, Deferred | Pending),
                    f"{fault} where nobody can see: stage() must be Deferred or Pending, it said {staged!r}",
                )
            promise(
                not await self._copies(scene, message), "stage() must stay invisible, and citizens see the post already"
            )
            promise(
                isinstance(await self._sent(channel, scene, message), Published),
                "after failed stage() calls the post must still go out",
            )
            await self._one_copy(scene, message)

    async def test_repeating_is_harmless_where_promised(self, scene: Scene) -> None:
        """Class A and B: the same visible step twice leaves one copy."""
        async with self._open(scene) as channel:
            if channel.promise not in (Certainty.KEYED, Certainty.STAGED):
                return
            message = self.message(channel, scene)
            handle = await self._staged(channel, scene, message)
            for _ in range(2):
                await self._step(channel, message, handle)
            await self._one_copy(scene, message)

    async def test_secrets_stay_secret(self, scene: Scene) -> None:
        """No secret in settings' words, outcomes, logs or complaints about settings."""
        given = self.channel.rehearsal().settings(scene.place)
        secrets = [str(given[name]) for name in self.channel.Settings.secret_fields if given.get(name)]
        with _listening() as lines:
            async with self._open(scene) as channel:
                lines += [repr(channel.settings), str(channel.settings), repr(channel)]
                lines += [repr(outcome) async for outcome in self._outcomes(channel, scene)]
            lines.append(_complaint(self.channel, given))
        text = "\n".join(lines)
        promise(
            secrets or not self.channel.Settings.secret_fields,
            "the rehearsal's settings must fill the secret_fields, so that the suite can look for them",
        )
        promise(
            not [secret for secret in secrets if secret in text],
            "a secret stands in a log, a repr or an outcome: use SecretStr or repr=False, and never put settings into words",
        )

    async def _outcomes(self, channel: Channel, scene: Scene) -> AsyncIterator[object]:
        faults: tuple[FaultKind, ...] = ("refuse", "expire_token", "drop_after", "error_after", "garbage")
        for number, fault in enumerate(faults, 30):
            yield await self._under(fault, channel, scene, self.message(channel, scene, number))
        async for outcome in self._amend_outcomes(channel, scene):
            yield outcome
        yield await channel.health()
        with scene.elsewhere() as nowhere:
            async with self._open(nowhere) as deaf:
                yield await deaf.stage(self.message(deaf, scene), 0)
                yield await deaf.health()


def _errors(channel: Channel, message: Message) -> list[str]:
    return [problem.field for problem in channel.validate(message) if problem.level == "error"]


def _filled(message: Message, field: str, count: int) -> Message:
    part = message.parts[0].model_copy(update={field: "ở" * count})
    return message.model_copy(update={"parts": (part,)})


def _deferred(outcome: object, reason: Reason) -> bool:
    return isinstance(outcome, Deferred) and outcome.reason is reason


def _complaint(channel: type[Channel], given: dict[str, object]) -> str:
    try:
        channel.Settings.model_validate({**given, "khong_co_muc_nay": 1})
    except ValidationError as error:
        return str(error)
    raise AssertionError('Settings must refuse unknown keys (extra="forbid", as ChannelSettings does)')


@contextmanager
def _listening() -> Iterator[list[str]]:
    lines: list[str] = []

    class Ear(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(record.getMessage())

    ear, root = Ear(level=logging.DEBUG), logging.getLogger()
    before = root.level
    root.addHandler(ear)
    root.setLevel(logging.DEBUG)
    try:
        yield lines
    finally:
        root.removeHandler(ear)
        root.setLevel(before)
