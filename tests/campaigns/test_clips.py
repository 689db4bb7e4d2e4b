"""A post with a video: made once, frozen with the approval, carried where it can be, said where it cannot; and the pin."""

import hashlib
import os
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import pytest
from sqlmodel import select

from campaigns import approving, clips, drafting
from campaigns.people import Forbidden, Mistake
from campaigns.states import State
from channels.contract import (
    Capability,
    Clip,
    ClipLimits,
    Limits,
    Message,
    Outcome,
    PictureSpec,
    Published,
    Reason,
    Refused,
    Unknown,
)
from content.document import Document
from store import clips as tables
from store.engine import Store
from store.tables import Attempt
from tests.campaigns.conftest import KINDS, House, build_house
from tests.campaigns.scripted import PLATFORM, Lost, Platform, Scripted
from tests.filming import film

pytestmark = pytest.mark.anyio
HOUR = timedelta(hours=1)
PINS: list[Any] = []
PINNED: list[str] = []


class Filming(Scripted):
    """A platform that carries videos and pins."""

    kind = "filming"
    name = "Nền tảng có video"
    capabilities = Scripted.capabilities | {Capability.VIDEO, Capability.PIN}
    limits: ClassVar[Limits] = Limits(text=200, video=ClipLimits(max_bytes=50_000_000), source="https://example.org")

    def render_clip(self, document: Document, key: str, clip: Clip, pictures: tuple[Any, ...] = ()) -> Message:
        said = self.render(document, key)
        return said.model_copy(update={"parts": (said.parts[0].model_copy(update={"clip": clip}),)})

    async def pin(self, remote_id: str) -> Outcome:
        PINNED.append(remote_id)
        answer = PINS.pop(0) if PINS else Published(remote_id=remote_id)
        if isinstance(answer, Exception):
            raise answer
        return answer  # type: ignore[no-any-return]


class Stills(Scripted):
    """A platform that takes one picture and no video."""

    kind = "stills"
    limits: ClassVar[Limits] = Limits(text=200, picture=PictureSpec(max_side=200), source="https://example.org")

    def render(self, document: Document, key: str, pictures: tuple[Any, ...] = ()) -> Message:
        said = super().render(document, key)
        return said.model_copy(update={"parts": (said.parts[0].model_copy(update={"pictures": pictures}),)})


@pytest.fixture(autouse=True)
def channels(monkeypatch: pytest.MonkeyPatch, platform: Platform) -> Iterator[None]:
    kinds = {**KINDS, "filming": Filming, "stills": Stills}
    monkeypatch.setattr("channels.registry.installed", lambda: kinds)
    PINS.clear()
    PINNED.clear()
    yield


@pytest.fixture
def house(store: Store, tmp_path: Path, clock: Callable[[], datetime]) -> House:
    return build_house(store, tmp_path, clock, "filming")


def taken(house: House, data: bytes | None = None, by: Any = None, ward_id: int = 0) -> tables.Clip:
    data = film(1) if data is None else data
    place = clips.waiting_place(house.desk.files, house.desk.now())
    place.write_bytes(data)
    with house.store.write() as session:
        ward = ward_id or house.ward.id or 0
        original = hashlib.sha256(data).hexdigest()
        return clips.take(
            session, by or house.editor, ward, house.desk.files, place, original, "a.mp4", house.desk.now()
        )


def made(house: House, data: bytes | None = None) -> tables.Clip:
    row = taken(house, data)
    clips.work(house.store, house.desk.files, row.id or 0, house.desk.now())
    with house.store.read() as session:
        return session.get_one(tables.Clip, row.id)


def waiting(house: House) -> list[Path]:
    return list(clips.waiting_place(house.desk.files, house.desk.now()).parent.iterdir())


async def test_a_video_is_made_once_and_only_our_own_is_kept(house: House, clock) -> None:
    row = made(house)
    assert (row.state, row.kind, row.width, row.height) == ("ready", "video", 320, 180)
    assert house.desk.files.read(row.sha256) != film(1) and house.desk.files.read(row.poster)[:3] == b"\xff\xd8\xff"
    assert waiting(house) == [], "what was uploaded is gone once it is made"
    again = taken(house)
    assert (again.id, again.state, again.sha256) == (row.id, "ready", row.sha256) and waiting(house) == []


async def test_what_cannot_be_made_says_why_and_may_be_sent_again(house: House, clock) -> None:
    broken = film(2, "320x180", "mp4", "-movflags", "+faststart")
    row = made(house, broken[: len(broken) // 2])
    assert row.state == "failed" and "bị hỏng" in row.trouble and waiting(house) == []
    assert taken(house, broken[: len(broken) // 2]).state == "working"


async def test_what_broke_off_a_day_ago_is_cleared_away(house: House, clock) -> None:
    left, fresh = (clips.waiting_place(house.desk.files, clock()) for _ in range(2))
    for path, age in ((left, 90_000), (fresh, 60)):
        path.write_bytes(b"x")
        os.utime(path, (clock().timestamp() - age,) * 2)
    clips.waiting_place(house.desk.files, clock())
    assert waiting(house) == [fresh]


async def test_what_was_left_in_the_middle_is_begun_again_and_never_twice_at_once(house: House, clock) -> None:
    row = taken(house)
    assert clips.is_lost(row, clock())
    with house.store.write() as session:
        session.get_one(tables.Clip, row.id).started_at = clock()
    clips.work(house.store, house.desk.files, row.id or 0, clock())
    with house.store.read() as session:
        left = session.get_one(tables.Clip, row.id)
    assert left.state == "working" and not clips.is_lost(left, clock()), "somebody else is at it"
    clock.forward(minutes=46)
    assert clips.is_lost(left, clock())
    clips.work(house.store, house.desk.files, row.id or 0, clock())
    with house.store.read() as session:
        assert session.get_one(tables.Clip, row.id).state == "ready"


async def test_a_neighbour_neither_adds_nor_uses_it(house: House, clock) -> None:
    row = made(house)
    with pytest.raises(Forbidden):
        taken(house, by=house.neighbour)
    assert waiting(house) == []
    with house.store.write() as session, pytest.raises(Mistake, match="không có trong phường"):
        other = house.draft(clock() + HOUR, clip_id=row.id, outlet_ids=[], campaign_id=house.campaign.id)
        session.get_one(tables.Clip, row.id).ward_id = house.neighbour_ward.id or 0
        drafting.save(session, house.editor, house.ward, other, clock())


async def test_a_post_waits_until_its_video_is_made(house: House, clock) -> None:
    row = taken(house)
    with house.store.write() as session:
        post = drafting.save(session, house.editor, house.ward, house.draft(clock() + HOUR, clip_id=row.id), clock())
        (problem,) = drafting.submit(session, house.editor, post, house.ward, house.desk, clock())
    assert problem.field == "clip" and "chưa xử lý xong" in problem.text


async def test_an_approval_is_bound_to_the_video_its_words_and_the_pin(house: House, clock) -> None:
    one, other = made(house), made(house, film(2))
    digests = set()
    with house.store.write() as session:
        post = drafting.save(session, house.editor, house.ward, house.draft(clock() + HOUR), clock())
        digests.add(approving.digest_of(session, post))
        for changed in (
            {"clip_id": one.id}, {"clip_id": other.id}, {"clip_id": other.id, "clip_about": "Bà con nộp hồ sơ"},
            {"clip_id": other.id, "clip_about": "Bà con nộp hồ sơ", "pin": True},
        ):  # fmt: skip
            drafting.save(session, house.editor, house.ward, house.draft(clock() + HOUR, **changed), clock(), post)
            digests.add(approving.digest_of(session, post))
        kept = drafting.draft_of(session, post, house.ward)
    assert len(digests) == 5
    assert (kept.clip_id, kept.clip_about, kept.pin) == (other.id, "Bà con nộp hồ sơ", True)


async def test_the_frozen_message_carries_the_video_that_was_approved(any_store, tmp_path, clock) -> None:
    house = build_house(any_store, tmp_path, clock, "filming")
    row = made(house)
    delivery = house.planned(clock() + HOUR, clip_id=row.id, clip_about="Bà con nộp hồ sơ trên điện thoại.")
    clock.forward(hours=1)
    await house.courier().deliver(10)
    seen = house.see(delivery)
    clip = Message.model_validate(seen.message).parts[0].clip
    assert seen.state == State.SENT and clip is not None
    assert (clip.sha256, clip.size, clip.about) == (row.sha256, row.size, "Bà con nộp hồ sơ trên điện thoại.")
    assert clip.poster and clip.poster.alt == clip.about


async def test_a_channel_without_videos_shows_a_picture_of_it_and_says_so(store, tmp_path, clock) -> None:
    house = build_house(store, tmp_path, clock, "stills")
    row = made(house)
    draft = house.draft(clock() + HOUR, clip_id=row.id, pin=True)
    with house.store.read() as session:
        around = drafting.imagined(session, house.editor, house.ward, draft, clock())
    (preview,) = drafting.shown(around, house.desk)
    assert preview.message and preview.message.parts[0].clip is None and not preview.message.pin
    (frame,) = preview.message.parts[0].pictures
    assert (frame.width, frame.height) == (200, 112)
    assert preview.clip == "Kênh này không đăng video; người đọc thấy một hình của video và bấm liên kết để xem."
    assert preview.pin == "Kênh này không ghim bài được."


async def attempts(house: House, delivery: Any) -> list[tuple[str, str, str]]:
    with house.store.read() as session:
        rows = session.exec(select(Attempt).where(Attempt.delivery_id == delivery.id).order_by(Attempt.id)).all()
    return [(row.verb, row.outcome, row.detail) for row in rows]


async def test_a_post_is_pinned_once_it_is_out(house: House, clock) -> None:
    delivery = house.planned(clock() + HOUR, pin=True)
    clock.forward(hours=1)
    await house.courier().deliver(10)
    assert await attempts(house, delivery) == [("publish", "published", ""), ("pin", "published", "")]
    assert [f"{delivery.key}/0"] == PINNED


@pytest.mark.parametrize(
    "answer",
    [Refused(reason=Reason.FORBIDDEN, detail="không có quyền ghim"), Unknown(detail="mất câu trả lời"), RuntimeError()],
)
async def test_whatever_comes_of_the_pin_the_post_is_out_once(house: House, clock, answer: Any) -> None:
    PINS.append(answer)
    delivery = house.planned(clock() + HOUR, pin=True)
    clock.forward(hours=1)
    courier = house.courier()
    await courier.deliver(10)
    await courier.look(10)
    seen = house.see(delivery)
    assert (seen.state, seen.reason, PLATFORM.copies(delivery.key)) == (State.SENT, "", 1)
    (_, pin) = await attempts(house, delivery)
    assert pin[0] == "pin" and pin[1] in ("refused", "unknown") and pin[2]


async def test_a_post_that_was_found_again_is_pinned_too(house: House, clock) -> None:
    PLATFORM.answers = [Lost(Unknown(detail="mất câu trả lời"))]
    delivery = house.planned(clock() + HOUR, pin=True)
    clock.forward(hours=1)
    courier = house.courier()
    await courier.deliver(10)
    assert PINNED == []
    clock.forward(seconds=25)
    await courier.look(10)
    assert [f"{delivery.key}/0"] == PINNED and house.see(delivery).state == State.SENT


async def test_nothing_is_pinned_that_nobody_asked_for(house: House, clock) -> None:
    house.planned(clock() + HOUR)
    clock.forward(hours=1)
    await house.courier().deliver(10)
    assert PINNED == []
