"""A whole bulletin through a real mail server: approved, sent to each reader once, returned letters suspend, one click ends it."""

import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import select

from campaigns import outlets, readers, recipients, returning, subscribing
from campaigns.outlets import Desk
from campaigns.subscribing import Place
from channels.email.adapter import Email
from channels.wire import Guard, Wire
from store.engine import Store
from store.tables import Delivery, Subscriber
from tests.campaigns import scripted
from tests.campaigns.conftest import House, build_house
from tests.channels.mail_server import DOMAIN, MailServer, running
from tests.conftest import FakeClock

pytestmark = pytest.mark.anyio


@pytest.fixture
def server(self_signed_file: Path) -> Iterator[MailServer]:
    with tempfile.TemporaryDirectory(prefix="lantoa-mail-", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)
        with running(Path(name), self_signed_file) as made:
            yield made


@pytest.fixture
def house(
    store: Store,
    tmp_path: Path,
    clock: FakeClock,
    server: MailServer,
    self_signed_file: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> House:
    known = {"scripted": scripted.Scripted, "email": Email}
    monkeypatch.setattr("channels.registry.installed", lambda: known)
    made = build_house(store, tmp_path, clock)
    wire = Wire(Guard(frozenset({f"localhost:{server.port}"})), timeout=10)
    made.desk = Desk(wire, made.desk.files, made.desk.vault, clock)
    values = {
        "smtp_host": "localhost", "smtp_port": server.port, "ca_file": str(self_signed_file), "sender": f"bantin@{DOMAIN}",
        "sender_name": "Phường Lê Thanh Nghị", "bounce_address": f"tra-lai@{DOMAIN}", "returns": "maildir",
        "maildir": str(server.box("tra-lai")),
    }  # fmt: skip
    with store.write() as session:
        made.outlet = outlets.connect(
            session, made.admin, made.ward.id or 0, "email", "Bản tin", values, made.desk.vault, clock()
        )
    return made


async def test_a_bulletin_reaches_each_once_and_a_dead_mailbox_is_suspended(
    house: House, server: MailServer, clock: FakeClock
) -> None:
    place = Place(house.outlet, house.desk.vault)
    names = [f"{name}@{DOMAIN}" for name in ("co-hoa", "bac-nam", "khong-co")]
    with house.store.write() as session:
        taken = readers.take(session, house.admin, place, names, "Phiếu đăng ký ngày 12/11/2026", clock())
    assert taken.new == 3
    for number, (reached, suspended) in enumerate(((3, False), (3, True), (2, True)), 1):
        delivery = house.planned(clock() + timedelta(hours=1), title=f"Tin số {number}")
        clock.forward(hours=1)
        assert await house.courier().deliver(10) == 1
        seen = house.see(delivery)
        assert seen.state == "sent", seen.detail
        with house.store.read() as session:
            assert recipients.tally(session, delivery.id or 0) == recipients.Tally(sent=reached)
        if reached == 3:
            server.wait("tra-lai")
            assert await returning.collect(house.courier()) == 1
        with house.store.read() as session:
            gone = session.exec(select(Subscriber).where(Subscriber.address == names[2])).one()
        assert (gone.state == "suspended") is suspended
    got = server.wait("co-hoa", 3)
    assert [str(letter["Subject"]) for letter in got] == ["Tin số 1", "Tin số 2", "Tin số 3"]
    assert len(server.wait("bac-nam", 3)) == 3
    _leave(house, str(got[-1]["List-Unsubscribe"]))
    delivery = house.planned(clock() + timedelta(hours=1), title="Tin số 4")
    clock.forward(hours=1)
    await house.courier().deliver(10)
    with house.store.read() as session:
        assert recipients.tally(session, delivery.id or 0) == recipients.Tally(sent=1)
        kept = session.exec(select(Delivery)).all()
    assert len(kept) == 4
    await house.desk.wire.close()


def _leave(house: House, header: str) -> None:
    """What the page behind the letter's own address does."""
    code = header.partition(">")[0].rpartition("/")[2]
    with house.store.write() as session:
        row = subscribing.by_code(session, code, locking=True)
        assert row is not None
        assert row.address == f"co-hoa@{DOMAIN}"
        assert subscribing.leave(session, row, subscribing.CITIZEN, "trang", house.desk.now())
