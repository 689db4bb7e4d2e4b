"""Zalo and Facebook keep what every channel must keep."""

from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest

from channels.conformance import Conformance
from channels.contract import (
    EMPTY,
    Capability,
    Channel,
    Deferred,
    Found,
    Handle,
    Message,
    Outcome,
    Picture,
    Problem,
    Reason,
    Unknown,
)
from channels.facebook.adapter import Facebook
from channels.rehearsing import stage
from channels.zalo.adapter import Zalo
from content.document import Document

pytestmark = pytest.mark.anyio


class TestZalo(Conformance):
    channel = Zalo
    visible_path = "/v2.0/article/update"
    stage_path = "/v2.0/article/create"


class TestFacebook(Conformance):
    channel = Facebook
    visible_path = "/feed"
    amend_path = "_122"
    stage_path = "/photos"


# A suite that cannot fail proves nothing: each of these breaks one promise, and the suite says so.


class _RetryingOnAnyError(Facebook):
    """Says «surely not out» where nobody can know."""

    async def publish(self, message: Message, part: int, handle: Handle, earlier: tuple[str, ...]) -> Outcome:
        outcome = await super().publish(message, part, handle, earlier)
        return Deferred(reason=Reason.BUSY) if isinstance(outcome, Unknown) else outcome


class _PostingTwice(Facebook):
    """Tries again by itself when the answer is lost."""

    async def publish(self, message: Message, part: int, handle: Handle, earlier: tuple[str, ...]) -> Outcome:
        outcome = await super().publish(message, part, handle, earlier)
        again = await self.stage(message, part) if isinstance(outcome, Unknown) else EMPTY
        return (
            await super().publish(message, part, again, earlier)
            if isinstance(again, Handle) and again != EMPTY
            else outcome
        )


class _TrustingAnEmptyList(Facebook):
    """Takes a look-up that cannot tell for one that found nothing, and one that found it likewise."""

    async def find(self, message: Message, part: int, handle: Handle, since: datetime) -> Found:
        return Found(verdict="absent")


class _ShowingTooEarly(Zalo):
    """Makes the article visible while it is being prepared."""

    async def stage(self, message: Message, part: int, handle: Handle = EMPTY) -> Handle | Outcome:
        staged = await super().stage(message, part, handle)
        if isinstance(staged, Handle):
            await super().publish(message, part, staged, ())
        return staged


class _UncertainWhereNobodySees(Zalo):
    """Calls a failed preparation unknown."""

    async def stage(self, message: Message, part: int, handle: Handle = EMPTY) -> Handle | Outcome:
        staged = await super().stage(message, part, handle)
        return Unknown() if isinstance(staged, Deferred) else staged


class _ClaimingTooMuch(Facebook):
    capabilities = Facebook.capabilities | {Capability.RENEW}


class _LettingLongTitlesBy(Zalo):
    def validate(self, message: Message) -> list[Problem]:
        return []


class _LettingHeavyVideosBy(Facebook):
    def validate(self, message: Message) -> list[Problem]:
        return [one for one in super().validate(message) if one.field != "clip"]


class _ClaimingVideosOnly(Zalo):
    capabilities = Zalo.capabilities | {Capability.VIDEO}


class _LosingTheMarker(Facebook):
    def render(self, document: Document, key: str, pictures: tuple[Picture, ...] = ()) -> Message:
        return super().render(replace(document, link=None), key, pictures)


class _Talkative(Facebook):
    """Puts its settings into words."""

    async def publish(self, message: Message, part: int, handle: Handle, earlier: tuple[str, ...]) -> Outcome:
        return Unknown(detail=f"token {self.settings.page_token.get_secret_value()}")


_BROKEN = [
    (_LettingHeavyVideosBy, "test_limits_of_a_clip_hold_to_the_byte_and_the_second"),
    (_ClaimingVideosOnly, "test_claims_are_true"),
    (_RetryingOnAnyError, "test_lost_answers_are_unknown_and_found_out"),
    (_RetryingOnAnyError, "test_a_late_answer_is_unknown_and_found_out"),
    (_PostingTwice, "test_lost_answers_are_unknown_and_found_out"),
    (_TrustingAnEmptyList, "test_a_post_goes_out_once_and_is_found"),
    (_ShowingTooEarly, "test_documented_refusals"),
    (_UncertainWhereNobodySees, "test_staging_may_fail_and_be_done_again"),
    (_ClaimingTooMuch, "test_claims_are_true"),
    (_LettingLongTitlesBy, "test_limits_hold_to_the_character"),
    (_LosingTheMarker, "test_rendering_is_pure_and_composed"),
    (_Talkative, "test_secrets_stay_secret"),
]


@pytest.mark.parametrize(("broken", "promise"), _BROKEN)
async def test_a_broken_channel_is_found_out(broken: type[Channel], promise: str, tmp_path: Path) -> None:
    suite = TestZalo() if issubclass(broken, Zalo) else TestFacebook()
    suite.channel = broken  # type: ignore[misc]
    with stage(tmp_path, {broken.kind: broken}) as scene, pytest.raises(AssertionError):
        await getattr(suite, promise)(scene)
