"""The announcer records: the approval is of that very file, a new one needs a new approval, and it is what goes on air."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import DBAPIError
from sqlmodel import delete, select, update

from campaigns import approving, drafting, histories, planning, takes
from campaigns.approving import Changed
from campaigns.people import Forbidden, Mistake
from campaigns.takes import Made
from channels.loudspeaker.adapter import Loudspeaker
from content.audio import measure
from content.recordings import Levelled, RecordingMistake
from content.speech import mark
from store.engine import Store
from store.recordings import PostRecording, Recording
from store.tables import Delivery, Post
from tests.announcers import spoken
from tests.campaigns.conftest import House, build_house

DUE = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
FIGURES = Levelled(b"", 9.8, -16.1, -2.2, -20.0, -4.0, 11.0)


@pytest.fixture
def loud(any_store: Store, tmp_path: Path, clock: Callable[[], datetime], monkeypatch: pytest.MonkeyPatch) -> House:
    """A ward whose one outlet is a loudspeaker that airs nothing but recordings."""
    return _ward(any_store, tmp_path, clock, monkeypatch)


def _ward(store: Store, tmp_path: Path, clock: Any, monkeypatch: pytest.MonkeyPatch) -> House:
    monkeypatch.setattr("channels.registry.installed", lambda: {"loudspeaker": Loudspeaker})
    folder = tmp_path / "loa"
    folder.mkdir()
    settings = {"folder": str(folder), "ward": "phường Lê Thanh Nghị", "recorded_only": True}
    return build_house(store, tmp_path, clock, "loudspeaker", settings)


def drafted(house: House) -> Post:
    with house.store.write() as session:
        return drafting.save(session, house.editor, house.ward, house.draft(DUE), house.desk.now())


def recorded(house: House, post: Post, sound: bytes = b"ban thu mot", by: Any = None) -> Recording:
    made = Made(house.desk.files.put(sound), len(sound), FIGURES)
    with house.store.write() as session:
        mine = session.get_one(Post, post.id)
        (preview,) = drafting.previews(session, mine, house.desk)
        assert preview.message is not None
        of = mark(preview.message.extra["reading"]["spoken"])
        drafting.reopen(session, by or house.editor, mine, house.desk.now())
        return takes.keep(
            session, by or house.editor, mine, [house.outlet.id or 0], of, made, "a.webm", house.desk.now()
        )


def submitted(house: House, post: Post) -> list[str]:
    with house.store.write() as session:
        mine = session.get_one(Post, post.id)
        return [
            one.text for one in drafting.submit(session, house.editor, mine, house.ward, house.desk, house.desk.now())
        ]


def digest(house: House, post: Post) -> str:
    with house.store.read() as session:
        return approving.digest_of(session, session.get_one(Post, post.id))


def approved(house: House, post: Post, seen: str) -> Post:
    with house.store.write() as session:
        mine = session.get_one(Post, post.id)
        approving.approve(session, house.approver, mine, seen, house.desk.now())
        return mine


def test_without_a_recording_nothing_is_submitted_and_with_one_the_approval_is_of_it(loud: House) -> None:
    post = drafted(loud)
    assert any("chỉ phát bản thu" in words for words in submitted(loud, post))
    before = digest(loud, post)
    row = recorded(loud, post)
    assert digest(loud, post) != before
    assert submitted(loud, post) == []
    seen = digest(loud, post)
    assert approved(loud, post, seen).digest == seen
    with loud.store.read() as session:
        told = histories.snapshot(session, session.get_one(Post, post.id))
    assert row.sha256[:12] in str(told["recordings"])


def test_a_new_recording_after_approval_needs_a_new_approval(loud: House) -> None:
    post = drafted(loud)
    recorded(loud, post)
    submitted(loud, post)
    first = digest(loud, post)
    approved(loud, post, first)
    with loud.store.write() as session:
        planning.plan_post(session, session.get_one(Post, post.id), loud.desk.now())
    recorded(loud, post, b"ban thu hai")
    with loud.store.read() as session:
        again = session.get_one(Post, post.id)
        assert (again.state, again.digest, again.approver_id) == ("draft", "", None)
        assert {one.state for one in session.exec(select(Delivery)).all()} == {"cancelled"}
        assert len(session.exec(select(Recording)).all()) == 2, "the one before stays on record"
    assert submitted(loud, post) == []
    with pytest.raises(Changed):
        approved(loud, post, first)
    approved(loud, post, digest(loud, post))


def test_whoever_recorded_does_not_approve(loud: House) -> None:
    post = drafted(loud)
    recorded(loud, post, by=loud.approver)
    submitted(loud, post)
    with pytest.raises(Mistake, match="Người thu âm không được tự duyệt"):
        approved(loud, post, digest(loud, post))


def test_other_words_than_those_read_are_told_until_somebody_listened(loud: House) -> None:
    post = drafted(loud)
    recorded(loud, post)
    with loud.store.write() as session:
        mine = session.get_one(Post, post.id)
        changed = loud.draft(DUE, body="Bà con nhớ nộp hồ sơ trực tuyến trước ngày 30/11.")
        drafting.save(session, loud.editor, loud.ward, changed, loud.desk.now(), mine)
    assert any("Lời đọc đã đổi sau khi thu âm" in words for words in submitted(loud, post))
    with loud.store.write() as session:
        mine = session.get_one(Post, post.id)
        (preview,) = drafting.previews(session, mine, loud.desk)
        assert preview.message is not None and preview.message.extra["recorded"]["stale"]
        of = mark(preview.message.extra["reading"]["spoken"])
        takes.still_right(session, loud.editor, mine, [loud.outlet.id or 0], of, loud.desk.now())
    assert submitted(loud, post) == []


def test_a_recording_is_never_changed_or_taken_away(loud: House) -> None:
    recorded(loud, drafted(loud))
    with pytest.raises(DBAPIError), loud.store.write() as session:
        session.exec(update(Recording).values(sha256="0" * 64))
    with pytest.raises(DBAPIError), loud.store.write() as session:
        row = session.exec(select(Recording)).one()
        session.exec(delete(PostRecording))
        session.delete(row)


def test_the_neighbour_records_nothing_here(loud: House, tmp_path: Path) -> None:
    post = drafted(loud)
    with pytest.raises(Forbidden):
        recorded(loud, post, by=loud.neighbour)
    upload = tmp_path / "tai-len"
    upload.write_bytes(spoken("ogg"))
    with pytest.raises(Forbidden):
        takes.make(loud.neighbour, loud.ward.id or 0, loud.desk.files, upload)
    assert not upload.exists()


@pytest.mark.anyio
async def test_what_was_approved_is_what_goes_on_air(
    store: Store, tmp_path: Path, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    house = _ward(store, tmp_path, clock, monkeypatch)
    upload = tmp_path / "tai-len"
    upload.write_bytes(b"<html>")
    with pytest.raises(RecordingMistake):
        takes.make(house.editor, house.ward.id or 0, house.desk.files, upload)
    upload.write_bytes(spoken("webm"))
    made = takes.make(house.editor, house.ward.id or 0, house.desk.files, upload)
    post = drafted(house)
    row = recorded(house, post, house.desk.files.read(made.sha256))
    assert row.sha256 == made.sha256
    submitted(house, post)
    approved(house, post, digest(house, post))
    with house.store.write() as session:
        planning.plan_post(session, session.get_one(Post, post.id), house.desk.now())
        delivery = session.exec(select(Delivery)).one()
    clock.at = DUE
    assert await house.courier().deliver(10) == 1
    sent = house.see(delivery)
    assert sent.state == "sent", (sent.reason, sent.detail)
    assert sent.message is not None and sent.message["extra"]["recording"] == made.sha256
    heard = (tmp_path / "loa" / sent.remote_ids[0] / "ban-tin.mp3").read_bytes()
    figures = measure(heard)
    assert figures.integrated == pytest.approx(-16, abs=1) and figures.true_peak <= -1
    assert figures.seconds > made.levelled.seconds + 3, "chimes around it"
    assert '"bản thu"' in (tmp_path / "loa" / sent.remote_ids[0] / "thong-tin.json").read_text("utf-8")
