"""The doctor tells of every outlet what the console tells; a test publication keeps its laws on both databases."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from sqlmodel import col, select

from campaigns import connecting, doctoring, outlets, trying
from campaigns.audit import MACHINE, verify
from campaigns.doctoring import Finding, Patient
from campaigns.people import Mistake
from campaigns.trying import Asked
from channels.contract import EMPTY, Found, Published, Reason
from store.tables import AuditEvent, Outlet
from tests.campaigns.conftest import House
from tests.campaigns.scripted import Scripted

pytestmark = pytest.mark.anyio


def _patient(house: House, tmp_path: Path) -> Patient:
    return Patient(house.store, house.desk, tmp_path, tmp_path, daemon_here=False, now=house.desk.now())


def _answers(monkeypatch: pytest.MonkeyPatch, told: Any) -> None:
    async def health(self: Scripted) -> Reason | None:
        if isinstance(told, Exception):
            raise told
        if told == "silent":
            await asyncio.sleep(60)
        return told  # type: ignore[no-any-return]

    monkeypatch.setattr(Scripted, "health", health)
    monkeypatch.setattr(doctoring, "HEALTH_SECONDS", 0.05)


async def _findings(house: House, tmp_path: Path, network: bool = True) -> list[Finding]:
    return await doctoring.outlets(_patient(house, tmp_path), network)


async def test_the_doctor_says_of_an_outlet_what_the_console_says(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cases: list[tuple[Any, bool, str, str]] = [
        (None, True, "Kết nối tốt", ""),
        (Reason.UNAUTHORIZED, False, "Mất quyền truy cập", "Lấy mã mới"),
        (Reason.UNREACHABLE, False, "Không kết nối được", "đường mạng"),
        (RuntimeError("hỏng"), False, "Không kiểm tra được", "báo người quản trị"),
        ("silent", False, "không trả lời", "đường mạng"),
    ]
    for told, well, said, advice in cases:
        _answers(monkeypatch, told)
        [found] = await _findings(house, tmp_path)
        assert found.well is well and said in found.said and advice in found.advice, told
    _answers(monkeypatch, Reason.FORBIDDEN)
    monkeypatch.setattr(Scripted, "advice", lambda self, reason: f"Lời riêng của kênh về {reason}.")
    [found] = await _findings(house, tmp_path)
    assert found.advice == "Lời riêng của kênh về forbidden."


async def test_a_paused_a_resting_and_a_worn_out_outlet_are_told_without_the_network(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _answers(monkeypatch, None)
    assert await _findings(house, tmp_path, network=False) == []
    monkeypatch.setattr(Scripted, "wearing", classmethod(lambda cls, settings, now: "Hãy cấp quyền lại."))
    for network in (True, False):
        [found] = await _findings(house, tmp_path, network)
        assert (found.well, found.said, found.advice) == (False, "quyền truy cập sắp hết hạn", "Hãy cấp quyền lại.")
    with house.store.write() as session:
        session.get_one(Outlet, house.outlet.id).failures = 7
    [found] = await _findings(house, tmp_path)
    assert not found.well and "7 lần lỗi liên tiếp" in found.said
    with house.store.write() as session:
        connecting.pause(
            session, house.approver, session.get_one(Outlet, house.outlet.id), "Đổi người", house.desk.now()
        )
    [found] = await _findings(house, tmp_path)
    assert not found.well and "đang tạm dừng (Đổi người)" in found.said and "Mở lại kênh" in found.advice


async def test_a_trial_is_made_once_however_many_ask_and_the_log_holds(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[str] = []

    async def publish(self: Scripted, message: Any, *_: Any) -> Published:
        with house.store.read() as session:
            newest = session.exec(select(AuditEvent).order_by(col(AuditEvent.id).desc())).first()
            assert newest is not None and newest.action == "outlet.trial_wire", (
                "the intent stands before the first byte"
            )
        shown.append(message.key)
        return Published(remote_id="1")

    async def find(self: Scripted, *_: Any) -> Found:
        return Found(verdict="out", remote_id="1")

    async def stage(self: Scripted, *_: Any) -> Any:
        return EMPTY

    for verb in (publish, find, stage):
        monkeypatch.setattr(Scripted, verb.__name__, verb)
    where = house.store, house.desk, house.approver, house.ward.id or 0, house.outlet.id or 0
    asked = [trying.publish(*where, Asked(1, understood=True)) for _ in range(4)]
    made = await asyncio.gather(*asked, return_exceptions=True)
    told = [one for one in made if isinstance(one, trying.Trial)]
    assert len(told) == len(shown) == 1 and sum(isinstance(one, Mistake) for one in made) == 3, made
    assert [step.name for step in told[0].steps] == ["prepare", "publish", "find", "withdraw"]
    assert told[0].left == "yes", "this platform takes nothing down"
    with house.store.read() as session:
        assert verify(session, house.ward.id or 0)
        assert session.get_one(Outlet, house.outlet.id).health == "ok"
    with house.store.write() as session:
        outlets.pause(session, MACHINE, session.get_one(Outlet, house.outlet.id), "x", house.desk.now())
    with pytest.raises(Mistake, match="tạm dừng"):
        await trying.publish(*where[:2], house.admin, *where[3:], Asked(2, understood=True))
