"""One video on every channel, through the twins: from the upload to what a citizen sees, or what is said instead."""

import hashlib
from datetime import timedelta

import pytest

from campaigns import clips, composing, drafting
from campaigns.demo import Cast
from campaigns.drafting import Draft
from campaigns.outlets import Desk
from campaigns.timetable import local
from channels.clips import takes
from channels.contract import Capability
from channels.registry import kinds
from channels.twin import Place
from store.clips import Clip
from store.engine import Store

# ruff: noqa: F811 - fixtures that are named by their parameters
from tests.filming import film
from tests.test_four_photos import WARD, _out, cast, desk, place, ports  # noqa: F401

pytestmark = pytest.mark.anyio

CARRYING = {"telegram", "facebook", "website", "wordpress", "webhook"}
HOLDING = {"telegram", "facebook", "wordpress"}
"""The platforms whose twins keep the very file that they were given; others are given an address."""


async def test_a_video_reaches_every_channel_that_carries_it_and_a_picture_the_others(
    store: Store, desk: Desk, cast: Cast, place: Place
) -> None:
    row = _made(store, desk, cast, film(4, "540x960"))
    data = desk.files.read(row.sha256)
    with store.write() as session:
        post = drafting.save(session, cast.editor, cast.ward, _draft(desk, cast, row), desk.now())
        assert drafting.submit(session, cast.editor, post, cast.ward, desk, desk.now()) == []
        around = composing.scene(session, post)
    said = {one.outlet.kind: one.clip for one in drafting.shown(around, desk)}
    assert {kind for kind, words in said.items() if words.startswith("Đăng video 0:04")} == CARRYING
    assert set(said) == set(kinds()) and all(said.values())
    for outlet in cast.outlets:
        kind, speaker = outlet.kind, desk.channel(outlet)
        link = None if composing.is_home(speaker) else f"{desk.files.public_url}/s/a1b2c3d4e5"
        message = composing.message(around, outlet, speaker, "a1b2c3d4e5", link, desk.files)
        message = message.model_copy(update={"due_at": desk.now()})
        clip = message.parts[0].clip
        assert (clip is not None) == (kind in CARRYING) == (takes(speaker.limits, "video") is not None), kind
        assert message.pin == (Capability.PIN in speaker.capabilities), kind
        if clip is None and speaker.limits.picture:
            assert [one.alt for one in message.parts[0].pictures] == ["Bà con nộp hồ sơ trên điện thoại."], kind
        if Capability.FAN_OUT in speaker.capabilities:
            continue
        await _out(kind, speaker, message, desk)
        traces = await speaker.rehearsal().traces(place, desk.wire)
        shown = [trace for trace in traces if trace.account in (place.account, WARD)]
        assert len(shown) == len(message.parts), kind
        if kind in HOLDING:
            assert data in [file.read_bytes() for file in shown[0].files], kind


def _made(store: Store, desk: Desk, cast: Cast, upload: bytes) -> Clip:
    waiting = clips.waiting_place(desk.files, desk.now())
    waiting.write_bytes(upload)
    with store.write() as session:
        original, ward_id = hashlib.sha256(upload).hexdigest(), cast.ward.id or 0
        row = clips.take(session, cast.editor, ward_id, desk.files, waiting, original, "a.mp4", desk.now())
    clips.work(store, desk.files, row.id or 0, desk.now())
    with store.read() as session:
        return session.get_one(Clip, row.id)


def _draft(desk: Desk, cast: Cast, row: Clip) -> Draft:
    at = local(desk.now() + timedelta(hours=2), cast.ward.zone)
    return Draft(
        campaign_id=cast.campaign.id or 0,
        title="Ngày hội chuyển đổi số",
        body="Bà con nộp hồ sơ trên điện thoại, cán bộ phường cầm tay chỉ việc.",
        day=f"{at:%d/%m/%Y}",
        clock=f"{at:%Hh%M}",
        clip_id=row.id,
        clip_about="Bà con nộp hồ sơ trên điện thoại.",
        pin=True,
        outlet_ids=[outlet.id or 0 for outlet in cast.outlets],
    )
