"""R13, the clone: a copied data folder starts in safe mode and sends nothing; its console works; a person lets it send."""

import shutil
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from sqlmodel import select

from campaigns import instance
from campaigns.audit import verify
from campaigns.people import Forbidden, Mistake
from store.engine import Store
from store.tables import AuditEvent, Delivery, Instance
from tests.campaigns import scripted
from tests.campaigns.conftest import House, build_house, platform
from tests.chaos import evidence
from web.app import build

pytestmark = pytest.mark.anyio
assert platform  # the scripted platform is the only channel here


def _as_if_in(folder: Path, house: House) -> House:
    return House(**{**house.__dict__, "store": Store(f"sqlite:///{folder / 'lantoa.db'}")})


async def test_a_copied_folder_sends_nothing_until_a_person_confirms(tmp_path: Path, clock, store: Store) -> None:
    first = tmp_path / "may-chinh"
    first.mkdir()
    store.close()
    shutil.copy(tmp_path / "lantoa.db", first / "lantoa.db")
    live = build_house(Store(f"sqlite:///{first / 'lantoa.db'}"), first, clock)
    assert instance.at_start(live.store, first, clock()) == ""
    post = live.planned(clock() + timedelta(minutes=1))
    live.store.close()
    shutil.copytree(first, tmp_path / "ban-sao")

    clone = _as_if_in(tmp_path / "ban-sao", live)
    clock.forward(minutes=2)
    assert "sao chép" in instance.at_start(clone.store, tmp_path / "ban-sao", clock())
    assert [await clone.courier("sao").deliver(10) for _ in range(3)] == [0, 0, 0]
    assert (scripted.PLATFORM.posts, clone.see(post).state) == ([], "due")

    live = _as_if_in(first, live)
    assert instance.at_start(live.store, first, clock()) == "", "the live one goes on undisturbed"
    await live.courier("chính").deliver(10)
    assert scripted.PLATFORM.copies(post.key) == 1

    await _the_console_says_so(clone)
    with clone.store.write() as session:
        with pytest.raises(Forbidden):
            instance.confirm(session, clone.editor, tmp_path / "ban-sao", clock())
        instance.confirm(session, clone.admin, tmp_path / "ban-sao", clock())
    assert instance.at_start(clone.store, tmp_path / "ban-sao", clock()) == ""
    await clone.courier("sao").deliver(10)
    assert clone.see(post).state == "sent"
    with clone.store.read() as session:
        told = session.exec(select(AuditEvent.ward_id, AuditEvent.action).where(AuditEvent.subject == "instance")).all()
        assert sorted(told) == [(ward, f"instance.{what}") for ward in (1, 2) for what in ("confirmed", "safe_mode")]
        assert verify(session, 1) > 0
    evidence.say(
        "R13-clone", 0, {"sent_by_the_clone_in_safe_mode": 0, "sent_by_the_live_one": 1}, "the clone kept silent"
    )
    clone.store.close()
    live.store.close()


async def _the_console_says_so(clone: House) -> None:
    """Signing in works, every page says why nothing is sent, and only whoever manages may confirm."""
    from campaigns.people import hash_password
    from store.tables import User

    with clone.store.write() as session:
        for user in session.exec(select(User)).all():
            user.password_hash = hash_password("mat-khau-thu-nghiem")
            session.add(user)
    app = build(clone.store, clone.desk)
    for name, status in (("quantri", 200), ("bientap", 403)):
        transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        headers = {"sec-fetch-site": "same-origin"}
        async with httpx.AsyncClient(transport=transport, base_url="http://may", headers=headers) as client:
            signed = await client.post(
                "/quan-tri/dang-nhap", data={"username": name, "password": "mat-khau-thu-nghiem"}
            )
            assert signed.status_code == 303
            for page in ("/quan-tri", "/quan-tri/luot-dang", "/quan-tri/soan"):
                shown = await client.get(page)
                assert (shown.status_code, "Đang ở chế độ an toàn: chưa gửi gì." in shown.text) == (200, True), page
            assert ("Xem và xác nhận" in shown.text) == (name == "quantri")
            asked = await client.get("/quan-tri/ban-van-hanh")
            assert asked.status_code == status
            if status == 200:
                assert "Đây là bản đang vận hành thật" in asked.text
            else:
                assert (await client.post("/quan-tri/ban-van-hanh")).status_code == 403


async def test_an_admin_confirms_in_the_console(tmp_path: Path, clock, store: Store) -> None:
    house = build_house(store, tmp_path, clock)
    instance.at_start(store, tmp_path / "noi-khac", clock())
    assert instance.at_start(store, tmp_path, clock()) != ""
    from campaigns.people import hash_password
    from store.tables import User

    with store.write() as session:
        admin = session.exec(select(User).where(User.username == "quantri")).one()
        admin.password_hash = hash_password("mat-khau-thu-nghiem")
        session.add(admin)
    app = build(store, house.desk)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(
        transport=transport, base_url="http://may", headers={"sec-fetch-site": "same-origin"}
    ) as client:
        await client.post("/quan-tri/dang-nhap", data={"username": "quantri", "password": "mat-khau-thu-nghiem"})
        done = await client.post("/quan-tri/ban-van-hanh", follow_redirects=True)
        assert (done.status_code, "chưa gửi gì" in done.text) == (200, False)
        assert "Đã xác nhận đây là bản đang vận hành thật" in done.text
        assert (await client.post("/quan-tri/ban-van-hanh")).status_code == 400, "there is nothing left to confirm"
    with store.read() as session:
        assert session.get_one(Instance, 1).home == instance.home(tmp_path)
        assert session.exec(select(Delivery)).all() == []


def test_home_tells_machines_and_folders_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "lien-ket").symlink_to(tmp_path / "a")
    here = instance.home(tmp_path / "a")
    assert here == instance.home(tmp_path / "lien-ket") != instance.home(tmp_path / "b")
    (tmp_path / "machine-id").write_text("máy khác\n")
    monkeypatch.setattr(instance, "MACHINE_ID", tmp_path / "machine-id")
    other = instance.home(tmp_path / "a")
    monkeypatch.setattr(instance, "MACHINE_ID", tmp_path / "không-có")
    assert len({here, other, instance.home(tmp_path / "a")}) == 3


def test_a_machine_that_is_confirmed_already_needs_no_word(store: Store, tmp_path: Path, clock) -> None:
    house = build_house(store, tmp_path, clock)
    instance.at_start(store, tmp_path, clock())
    with store.write() as session, pytest.raises(Mistake, match="không cần xác nhận"):
        instance.confirm(session, house.admin, tmp_path, clock())
