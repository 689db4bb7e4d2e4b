"""«Từ điển đọc»: the editor proposes, the approver confirms, the approved post keeps its readings, the neighbour stays out."""

from datetime import timedelta

import pytest
from sqlmodel import select

from campaigns import approving, composing, dictionary, drafting
from campaigns.audit import Actor
from campaigns.drafting import DraftReading
from campaigns.people import Forbidden, Mistake
from content.speech import Manner
from store.tables import AuditEvent, DictionaryEntry, Post, Variant, Ward
from tests.campaigns.conftest import House

HOUR = timedelta(hours=1)


def _put(house: House, by: Actor, written: str = "NVQ", spoken: str = "nhà văn quán") -> DictionaryEntry:
    with house.store.write() as session:
        return dictionary.put(session, by, session.get_one(Ward, house.ward.id), written, spoken, house.desk.now())


def _manner(house: House, post: Post | None = None) -> Manner:
    with house.store.read() as session:
        held = session.get_one(Post, post.id) if post else None
        return dictionary.manner(session, session.get_one(Ward, house.ward.id), held)


def _told(house: House) -> list[str]:
    with house.store.read() as session:
        wanted = select(AuditEvent.action).where(AuditEvent.subject == "dictionary_entry").order_by(AuditEvent.number)  # type: ignore[arg-type]
        return list(session.exec(wanted).all())


def test_what_an_editor_proposes_is_read_at_once_and_flagged_until_the_approver_confirms(house: House) -> None:
    entry = _put(house, house.editor)
    assert _manner(house) == Manner("north", (("NVQ", "nhà văn quán"),), frozenset({"NVQ"}))
    with house.store.write() as session:
        held, ward = session.get_one(DictionaryEntry, entry.id), session.get_one(Ward, house.ward.id)
        with pytest.raises(Forbidden):
            dictionary.confirm(session, house.editor, ward, held, house.desk.now())
        with pytest.raises(Forbidden):
            dictionary.confirm(session, house.neighbour, ward, held, house.desk.now())
        dictionary.confirm(session, house.approver, ward, held, house.desk.now())
    assert _manner(house).unsure == frozenset()
    assert _told(house) == ["dictionary.put", "dictionary.confirmed"]


def test_only_who_approves_changes_or_removes_what_is_confirmed(house: House) -> None:
    entry = _put(house, house.approver)
    assert entry.state == "confirmed"
    with pytest.raises(Mistake, match="người duyệt"):
        _put(house, house.editor, spoken="nhà văn quận")
    with house.store.write() as session, pytest.raises(Mistake, match="người duyệt"):
        held = session.get_one(DictionaryEntry, entry.id)
        dictionary.remove(session, house.editor, session.get_one(Ward, house.ward.id), held, house.desk.now())
    changed = _put(house, house.approver, spoken="nhà văn quận")
    assert dict(_manner(house).words) == {"NVQ": "nhà văn quận"}
    with house.store.write() as session:
        held = session.get_one(DictionaryEntry, changed.id)
        dictionary.remove(session, house.approver, session.get_one(Ward, house.ward.id), held, house.desk.now())
    assert _manner(house).words == ()
    assert _told(house) == ["dictionary.put", "dictionary.put", "dictionary.removed"]


def test_an_editor_may_take_back_a_proposal_but_not_another_s(house: House) -> None:
    other = Actor(house.admin.user_id, "khác", "editor", house.ward.id)
    entry = _put(house, house.editor)
    with house.store.write() as session:
        held, ward = session.get_one(DictionaryEntry, entry.id), session.get_one(Ward, house.ward.id)
        with pytest.raises(Mistake, match="người khác đề nghị"):
            dictionary.remove(session, other, ward, held, house.desk.now())
        dictionary.remove(session, house.editor, ward, held, house.desk.now())
        with pytest.raises(Mistake, match="tải lại"):
            dictionary.remove(session, house.editor, ward, held, house.desk.now())


def test_an_approved_post_keeps_the_readings_of_its_approval(house: House, clock) -> None:
    _put(house, house.approver)
    clock.forward(seconds=60)
    post = house.approved(house.desk.now() + HOUR)
    clock.forward(seconds=60)
    _put(house, house.approver, spoken="nhà văn quận")
    _put(house, house.approver, "TDX", "tổ dân xã")
    assert _manner(house, post).words == (("NVQ", "nhà văn quán"),)
    assert dict(_manner(house).words) == {"NVQ": "nhà văn quận", "TDX": "tổ dân xã"}
    with house.store.read() as session:
        held = session.get_one(Post, post.id)
        assert composing.scene(session, held).manner.words == (("NVQ", "nhà văn quán"),)
        assert approving.digest_of(session, held) == held.digest


@pytest.mark.parametrize(
    ("written", "spoken", "words"),
    [
        ("", "nhà", "cả chữ viết và lời đọc"),
        ("NVQ", "nhà số 5", "bằng chữ"),
        ("có", "co", "tiếng Việt thông thường"),
        ("2026", "hai không hai sáu", "một số"),
        ("…", "ba chấm", "ít nhất một chữ"),
        ("N" * 61, "nhà", "dài nhất 60"),
    ],
)
def test_what_would_spoil_every_text_is_refused_with_the_way_out(
    house: House, written: str, spoken: str, words: str
) -> None:
    with pytest.raises(Mistake, match=words):
        _put(house, house.approver, written, spoken)


def test_a_neighbour_neither_sees_nor_writes(house: House) -> None:
    _put(house, house.approver)
    with pytest.raises(Forbidden):
        _put(house, house.neighbour, "TDX", "tổ dân xã")
    with house.store.read() as session:
        neighbour = session.get_one(Ward, house.neighbour_ward.id)
        assert dictionary.rows(session, neighbour.id or 0) == []
        assert dictionary.manner(session, neighbour) == Manner()
        assert [row.entry.written for row in dictionary.rows(session, house.ward.id or 0, "nha van")] == ["NVQ"]
        assert dictionary.rows(session, house.ward.id or 0, "bóng") == []


def test_the_region_is_the_administrator_s_to_choose(house: House) -> None:
    with house.store.write() as session:
        ward = session.get_one(Ward, house.ward.id)
        with pytest.raises(Forbidden):
            dictionary.set_region(session, house.approver, ward, "south", house.desk.now())
        with pytest.raises(Mistake):
            dictionary.set_region(session, house.admin, ward, "west", house.desk.now())
        dictionary.set_region(session, house.admin, ward, "south", house.desk.now())
    assert _manner(house).region == "south"


def test_an_own_reading_is_kept_with_the_post_and_its_change_undoes_the_approval(house: House) -> None:
    id = house.outlet.id or 0
    own = {id: DraftReading(text="Bà con nhớ nộp.\r\n  Hồ sơ ", of="abc")}
    post = house.approved(house.desk.now() + HOUR, readings=own)
    with house.store.write() as session:
        held = session.get_one(Post, post.id)
        kept = drafting.draft_of(session, held, house.ward)
        assert kept.readings == {id: DraftReading(text="Bà con nhớ nộp.\nHồ sơ", of="abc")}
        made = composing.document(composing.scene(session, held), session.get_one(type(house.outlet), id))
        assert (made.spoken, made.spoken_of) == ("Bà con nhớ nộp.\nHồ sơ", "abc")
        drafting.save(session, house.editor, house.ward, kept, house.desk.now(), held)
        assert held.state == "approved", "nothing changed"
        without = kept.model_copy(update={"readings": {}})
        drafting.save(session, house.editor, house.ward, without, house.desk.now(), held)
        assert held.state == "draft"
        assert session.exec(select(Variant.reading).where(Variant.post_id == held.id)).all() == [None]


def test_an_own_reading_is_part_of_what_is_approved(house: House) -> None:
    post = house.approved(house.desk.now() + HOUR, readings={house.outlet.id: DraftReading(text="Một.", of="a")})
    with house.store.write() as session:
        held = session.get_one(Post, post.id)
        variant = session.exec(select(Variant).where(Variant.post_id == held.id)).one()
        variant.reading = "Hai."
        session.add(variant)
        session.flush()
        assert approving.digest_of(session, held) != held.digest
