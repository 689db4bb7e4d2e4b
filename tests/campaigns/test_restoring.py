"""A backup that is brought back sends nothing blind: what may be out is looked up, or put before a person."""

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update
from sqlmodel import col, select

from campaigns import moves, restoring
from campaigns.audit import verify
from campaigns.bringing_back import CannotBringBack, bring_back
from campaigns.drilling import drill
from campaigns.planning import plan
from campaigns.states import Move, State
from channels.contract import Capability, Reason
from store import archives, backups, copies, moving
from store.backups import Place
from store.engine import Store
from store.tables import Attempt, AuditEvent, Delivery, Instance, Outlet, Recipient, Ward, Worker
from tests.campaigns import scripted
from tests.campaigns.conftest import House, build_house

pytestmark = pytest.mark.anyio


@pytest.fixture
def blind_house(any_store: Store, tmp_path: Path, clock) -> House:
    return build_house(any_store, tmp_path, clock, kind="blind")


def _place(tmp_path: Path, name: str = "data") -> Place:
    return Place(tmp_path / name, tmp_path / name / "khoa-bi-mat")


def _settle(house: House) -> restoring.Settled:
    with house.store.write() as session:
        return restoring.settle(session, house.desk.now())


async def test_what_went_out_after_the_backup_is_adopted_and_not_sent_again(
    house: House, clock, tmp_path: Path
) -> None:
    posts = [house.planned(clock() + timedelta(minutes=number), body=f"Tin số {number}.") for number in range(3)]
    future = house.planned(clock() + timedelta(days=1), body="Tin ngày mai.")
    made = backups.make(house.store, _place(tmp_path), tmp_path / "sao-luu", clock(), "0")
    for _ in posts:
        clock.forward(minutes=2)
        await house.courier().deliver(10)
    assert [house.see(one).state for one in posts] == ["sent"] * 3

    clock.forward(hours=6)
    house.store.close()
    brought = bring_back(house.store.url, _place(tmp_path), made, (), clock(), replace=True)
    assert (brought.settled.looked_up, brought.settled.for_people) == (3, 0)
    assert [house.see(one).state for one in posts] == ["unknown"] * 3
    assert [house.see(one).wire_at for one in posts] == [one.due_at for one in posts]
    assert house.see(future).state == "due"
    for _ in range(4):
        clock.forward(minutes=1)
        await house.courier("two").deliver(10)
        await house.courier("two").look(10)
    assert [(house.see(one).state, house.see(one).adopted) for one in posts] == [("sent", True)] * 3
    assert [scripted.PLATFORM.copies(one.key) for one in posts] == [1, 1, 1]
    with house.store.read() as session:
        me = session.get_one(Instance, 1)
        assert (me.epoch, me.restored_at) == (2, clock.at - timedelta(minutes=4))
        assert verify(session, house.ward.id or 0) > 0
        told = session.exec(select(AuditEvent.action).where(AuditEvent.action == "instance.restored")).all()
        assert len(told) == 2, "every ward is told"


async def test_on_a_blind_channel_a_person_decides(blind_house: House, clock) -> None:
    house = blind_house
    past, future = (
        house.planned(clock() + timedelta(minutes=1)),
        house.planned(clock() + timedelta(days=1), body="Mai."),
    )
    clock.forward(minutes=2)
    assert _settle(house) == restoring.Settled(0, 1, ())
    assert (house.see(past).state, house.see(future).state) == ("needs_human", "due")
    assert "xem trên kênh" in house.see(past).detail
    clock.forward(minutes=5)
    await house.courier().deliver(10)
    await house.courier().look(10)
    assert scripted.PLATFORM.posts == []
    with house.store.read() as session:
        told = session.exec(
            select(AuditEvent.action).where(AuditEvent.subject_id == str(past.id)).order_by(AuditEvent.id)
        )
        assert told.all()[-2:] == ["delivery.unknown", "delivery.needs_human"]


async def test_every_state_of_the_past_is_put_in_doubt_and_nothing_else(house: House, clock) -> None:
    steps = {"due": (), "held": ("held",), "prepared": ("prepared",), "wire": ("prepared", "wire"), "missed": ("missed",),
             "cancelled": ("cancelled",), "sent": ("prepared", "wire", "sent"), "failed": ("prepared", "failed"),
             "needs_human": ("prepared", "wire", "unknown", "needs_human"), "backing off": ()}  # fmt: skip
    rows = {}
    for number, (state, path) in enumerate(steps.items()):
        rows[state] = house.planned(clock() + timedelta(minutes=1 + number), body=f"Tin {state}.")
        with house.store.write() as session:
            row = session.get_one(Delivery, rows[state].id)
            for step in path:
                moves.apply_all(session, [(row, Move(State(step), row.next_at))], clock())
            if state == "wire":
                row.wire_at = clock() + timedelta(seconds=90)
                session.add(Attempt(ward_id=row.ward_id, delivery_id=row.id or 0, fence=0, part=0, verb="publish", started_at=clock()))  # fmt: skip
            if state == "backing off":
                row.next_at = clock() + timedelta(hours=9)
            session.add(row)
    fence = house.see(rows["wire"]).fence
    clock.forward(hours=1)
    assert _settle(house).looked_up == 5
    found = {state: house.see(row).state for state, row in rows.items()}
    doubted = dict.fromkeys(("due", "held", "prepared", "wire", "backing off"), "unknown")
    assert found == {state: doubted.get(state, state) for state in steps}
    assert house.see(rows["wire"]).fence == fence + 1, "an old answer must not be written any more"
    assert house.see(rows["wire"]).wire_at == clock() - timedelta(hours=1) + timedelta(seconds=90)
    with house.store.read() as session:
        assert session.exec(select(Attempt.outcome)).all() == ["restore"]


async def test_recipients_who_may_have_got_it_are_unknown(house: House, clock) -> None:
    row = house.planned(clock() + timedelta(minutes=1))
    with house.store.write() as session:
        for number, state in enumerate(("waiting", "wire", "sent")):
            one = Recipient(ward_id=row.ward_id, delivery_id=row.id, address=f"a{number}@x.vn", next_at=clock())
            session.add(one)
            session.flush()
            for step in {"waiting": (), "wire": ("wire",), "sent": ("wire", "sent")}[state]:
                one.state = step
                session.add(one)
                session.flush()
    clock.forward(minutes=2)
    _settle(house)
    with house.store.read() as session:
        assert session.exec(select(Recipient.state).order_by(Recipient.address)).all() == ["unknown", "unknown", "sent"]


async def test_spent_credentials_workers_and_sign_ins_do_not_survive(
    house: House, clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scripted.Scripted, "capabilities", scripted.Scripted.capabilities | {Capability.RENEW})
    with house.store.write() as session:
        session.add(Worker(epoch="cũ", host="máy", pid=1, started_at=clock(), seen_at=clock()))
    assert _settle(house).to_reconnect == ("Kênh thử",)
    with house.store.read() as session:
        assert session.get_one(Worker, "cũ").stopped_at == clock()
        outlet = session.get_one(Outlet, house.outlet.id)
        assert (outlet.state, outlet.health, outlet.health_at) == ("open", Reason.UNAUTHORIZED, clock())
        assert session.exec(select(AuditEvent).where(AuditEvent.action == "outlet.reauth_check")).one()


async def test_data_in_use_is_not_overwritten_and_with_replace_set_aside(house: House, clock, tmp_path: Path) -> None:
    made = backups.make(house.store, _place(tmp_path), tmp_path / "sao-luu", clock(), "0")
    with house.store.write() as session:
        session.add(Ward(slug="moi", name="phường mới", centre="c", created_at=clock()))
    with pytest.raises(CannotBringBack, match="--replace"):
        bring_back(house.store.url, _place(tmp_path), made, (), clock())
    house.store.close()
    aside = bring_back(house.store.url, _place(tmp_path), made, (), clock(), replace=True).database_aside
    with house.store.read() as session:
        assert session.exec(select(Ward).where(Ward.slug == "moi")).first() is None
        if house.store.dialect == "postgresql":
            assert session.connection().exec_driver_sql(f"select count(*) from {aside}.ward").scalar() == 3
    if house.store.dialect == "sqlite":
        before = Store(f"sqlite:///{tmp_path / aside}")
        with before.read() as session:
            assert session.exec(select(Ward).where(Ward.slug == "moi")).one()
        before.close()


async def test_a_backup_that_lacks_rows_changes_nothing(house: House, clock, tmp_path: Path, monkeypatch) -> None:
    real = copies.take

    def short(store: Store, into: Path) -> copies.Copy:
        taken = real(store, into)
        return copies.Copy(taken.path, taken.database, taken.schema, taken.instance, taken.epoch, {**taken.counts, "ward": 9})  # fmt: skip

    monkeypatch.setattr(copies, "take", short)
    made = backups.make(house.store, _place(tmp_path), tmp_path / "sao-luu", clock(), "0")
    held = _content(house.store)
    house.store.close()
    with pytest.raises(CannotBringBack, match="bảng: ward"):
        bring_back(house.store.url, _place(tmp_path), made, (), clock(), replace=True)
    assert _content(house.store) == held
    left = [path.name for path in (tmp_path / "data").rglob("*") if path.name.startswith(".dang")]
    assert left == []


async def test_a_live_worker_elsewhere_keeps_a_restore_away(house: House, clock, tmp_path: Path) -> None:
    if house.store.dialect == "sqlite":
        pytest.skip("the folder's lock tells, on SQLite")
    made = backups.make(house.store, _place(tmp_path), tmp_path / "sao-luu", clock(), "0")
    with house.store.write() as session:
        session.add(Worker(epoch="kia", role="worker", host="may-hai", pid=1, started_at=clock(), seen_at=clock()))
    with pytest.raises(CannotBringBack, match="may-hai"):
        bring_back(house.store.url, _place(tmp_path), made, (), clock(), replace=True)


async def test_the_drill_proves_the_newest_backup_and_touches_nothing(house: House, clock, tmp_path: Path) -> None:
    house.planned(clock() + timedelta(minutes=1))
    place, out = _place(tmp_path), tmp_path / "sao-luu"
    with pytest.raises(CannotBringBack, match="lantoa backup"):
        drill(house.store, place, out, (), clock())
    backups.make(house.store, place, out, clock(), "0")
    clock.forward(days=1)
    proof = drill(house.store, place, out, (), clock())
    assert proof.rows > 20
    with house.store.read() as session:
        me = session.get_one(Instance, 1)
        assert (me.proved_restore_at, me.epoch, me.restored_at) == (clock(), 1, None)
        assert session.exec(select(Delivery.state)).all() == ["due"]
    newest = backups.make(house.store, place, out, clock(), "0")
    newest.write_bytes(newest.read_bytes()[:-50])
    clock.forward(days=1)
    with pytest.raises(archives.BadArchive):
        drill(house.store, place, out, (), clock())
    with house.store.read() as session:
        assert session.get_one(Instance, 1).proved_restore_at == clock() - timedelta(days=1), (
            "a failed drill proves nothing"
        )


def _content(store: Store) -> dict[str, moving.Content]:
    with store.engine.connect() as connection:
        return {table.name: moving.content(table, connection) for table in moving.tables()}


async def test_a_post_planned_anew_after_a_restore_is_not_sent_blind(house: House, clock, tmp_path: Path) -> None:
    """Approved before the backup, planned and sent after it: the restored program plans it a second time."""
    post = house.approved(clock() + timedelta(minutes=5))
    made = backups.make(house.store, _place(tmp_path), tmp_path / "sao-luu", clock(), "0")
    clock.forward(minutes=6)
    _plan(house)
    await house.courier().deliver(10)
    assert len(scripted.PLATFORM.posts) == 1
    clock.forward(minutes=30)
    house.store.close()
    bring_back(house.store.url, _place(tmp_path), made, (), clock(), replace=True)
    for _ in range(5):
        _plan(house)
        await house.courier("two").deliver(10)
        await house.courier("two").look(10)
        clock.forward(minutes=1)
    assert len(scripted.PLATFORM.posts) == 1
    with house.store.read() as session:
        assert session.exec(select(Delivery.state).where(Delivery.post_id == post.id)).all() == ["sent"]


def _plan(house: House) -> None:
    with house.store.write() as session:
        plan(session, house.desk.now(), timedelta(days=8))


async def test_a_broken_chain_is_not_brought_back(store: Store, tmp_path: Path, clock) -> None:
    house = build_house(store, tmp_path, clock)
    with store.engine.execution_options(lantoa_write=True).begin() as connection:
        connection.exec_driver_sql("drop trigger audit_event_only_grows")
        connection.execute(update(AuditEvent).where(col(AuditEvent.number) == 1).values(actor="kẻ gian"))
    from campaigns.audit import BrokenChain

    made = backups.make(house.store, _place(tmp_path), tmp_path / "sao-luu", clock(), "0")
    with pytest.raises(BrokenChain):
        bring_back(f"sqlite:///{tmp_path}/khac.db", _place(tmp_path, "khac"), made, (), clock())
    assert not (tmp_path / "khac.db").exists()
