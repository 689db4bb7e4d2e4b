"""Credentials that wear out: kept before they are used, never lost between, and never a reason to fall silent."""

import asyncio
import inspect
from datetime import timedelta
from typing import Any, ClassVar

import pytest
from sqlalchemy.exc import OperationalError
from sqlmodel import select

from campaigns import outlets, renewing, views
from campaigns.audit import MACHINE
from campaigns.renewing import renew
from campaigns.states import State
from channels.contract import Capability, ChannelSettings, Reason, Refused, Unknown
from store.tables import AuditEvent, Outlet
from tests.campaigns.conftest import KINDS, House, build_house
from tests.campaigns.scripted import Platform, Scripted

pytestmark = pytest.mark.anyio


class Tokens(ChannelSettings):
    token: str = "cũ"
    secret_fields: ClassVar[tuple[str, ...]] = ("token",)


class Wearing(Scripted):
    kind = "wearing"
    name = "Nền tảng phải gia hạn"
    Settings = Tokens
    capabilities = Scripted.capabilities | {Capability.RENEW}
    answers: ClassVar[list[Any]] = []
    asked: ClassVar[list[str]] = []

    async def renew(self) -> Any:
        self.asked.append(self.settings.token)
        answer = self.answers.pop(0) if self.answers else None
        answer = answer() if callable(answer) else answer
        return await answer if inspect.isawaitable(answer) else answer


@pytest.fixture
def worn(any_store, tmp_path, clock, monkeypatch: pytest.MonkeyPatch) -> House:
    monkeypatch.setitem(KINDS, "wearing", Wearing)
    Wearing.answers.clear()
    Wearing.asked.clear()
    return build_house(any_store, tmp_path, clock, kind="wearing")


def _outlet(house: House) -> Outlet:
    with house.store.read() as session:
        return session.get_one(Outlet, house.outlet.id)


def _token(house: House) -> str:
    return str(house.desk.values(_outlet(house)).get("token"))


async def test_fresh_credentials_are_kept_and_used_from_then_on(worn: House) -> None:
    Wearing.answers.append({"token": "mới"})
    assert await renew(worn.courier()) == 1
    assert await renew(worn.courier()) == 0
    assert (_token(worn), Wearing.asked) == ("mới", ["cũ", "mới"])


async def test_a_refused_renewal_does_not_silence_an_outlet_whose_access_still_works(
    worn: House, platform: Platform, clock
) -> None:
    delivery = worn.planned(clock() + timedelta(hours=1))
    Wearing.answers.append(Reason.UNAUTHORIZED)
    await renew(worn.courier())
    assert (_outlet(worn).state, _outlet(worn).health) == ("open", "unauthorized")
    clock.forward(hours=1)
    await worn.courier().deliver(10)
    assert worn.see(delivery).state == State.SENT


async def test_a_refusal_is_told_once_and_not_asked_for_every_minute(worn: House, clock) -> None:
    Wearing.answers.extend([Reason.UNAUTHORIZED] * 5)
    for _ in range(20):
        await renew(worn.courier())
        clock.forward(minutes=1)
    assert len(Wearing.asked) == 2
    with worn.store.read() as session:
        told = session.exec(select(AuditEvent).where(AuditEvent.action == "outlet.not_renewed")).all()
    assert len(told) == 1


async def test_a_renewal_that_works_again_clears_the_warning(worn: House, clock) -> None:
    Wearing.answers.extend([Reason.UNAUTHORIZED, {"token": "mới"}])
    await renew(worn.courier())
    clock.forward(minutes=15)
    assert await renew(worn.courier()) == 1
    assert _outlet(worn).health == ""


async def test_an_unreachable_platform_changes_nothing(worn: House) -> None:
    Wearing.answers.append(Reason.UNREACHABLE)
    await renew(worn.courier())
    assert (_outlet(worn).state, _outlet(worn).health) == ("open", "")


async def test_who_connected_anew_meanwhile_is_not_overwritten(worn: House, clock) -> None:
    def somebody_connects() -> dict[str, str]:
        with worn.store.write() as session:
            outlet = session.get_one(Outlet, worn.outlet.id)
            outlets.put_settings(outlet, Wearing, {"token": "người nhập"}, worn.desk.vault)
            session.add(outlet)
        return {"token": "máy gia hạn"}

    Wearing.answers.append(somebody_connects)
    assert await renew(worn.courier()) == 0
    assert _token(worn) == "người nhập"


async def test_a_database_that_is_busy_for_a_moment_loses_no_credentials(
    worn: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(renewing, "RECORD_AGAIN_AFTER", (0.0, 0.0))
    real, refusals = outlets.renew, [1]

    def once_busy(*what: Any) -> bool:
        if refusals:
            refusals.pop()
            raise OperationalError("update outlet", {}, OSError("database is locked"))
        return real(*what)

    monkeypatch.setattr(outlets, "renew", once_busy)
    Wearing.answers.append({"token": "mới"})
    assert await renew(worn.courier()) == 1
    assert (_token(worn), Wearing.asked) == ("mới", ["cũ"])


async def test_what_is_not_due_is_neither_asked_nor_claimed(worn: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Wearing, "renewal_due", lambda self: False)
    assert await renew(worn.courier()) == 0
    assert (Wearing.asked, _outlet(worn).renewing_at) == ([], None)


async def test_of_eight_that_want_to_renew_at_once_one_asks(worn: House) -> None:
    async def slowly(_: Any) -> dict[str, str]:
        await asyncio.sleep(0.2)
        return {"token": "mới"}

    Wearing.answers.append(lambda: slowly(None))
    couriers = [worn.courier(f"tiến trình {number}") for number in range(8)]
    assert sum(await asyncio.gather(*(renew(courier) for courier in couriers))) == 1
    assert (_token(worn), Wearing.asked, _outlet(worn).renewing) == ("mới", ["cũ"], "")


async def test_a_lost_answer_is_asked_once_more_with_the_old_pair(worn: House) -> None:
    Wearing.answers.extend([Unknown(), {"token": "mới"}])
    assert await renew(worn.courier()) == 1
    assert (_token(worn), Wearing.asked, _outlet(worn).health) == ("mới", ["cũ", "cũ"], "")


async def test_when_the_old_pair_is_spent_a_person_is_told_and_sending_goes_on(
    worn: House, platform: Platform, clock
) -> None:
    delivery = worn.planned(clock() + timedelta(hours=1))
    Wearing.answers.extend([Unknown(), Reason.UNAUTHORIZED])
    assert await renew(worn.courier()) == 0
    with worn.store.read() as session:
        assert [one.name for one in views.today(session, worn.ward, clock()).worn] == ["Kênh thử"]
        assert not views.today(session, worn.ward, clock()).well
    clock.forward(hours=1)
    await worn.courier().deliver(10)
    assert (worn.see(delivery).state, _outlet(worn).state) == (State.SENT, "open")


async def test_a_platform_that_does_not_answer_at_all_condemns_nobody(worn: House) -> None:
    Wearing.answers.extend([Unknown(), Unknown()])
    assert await renew(worn.courier()) == 0
    assert (_outlet(worn).health, _outlet(worn).renewing) == ("", "")


async def test_a_refusal_after_somebody_else_has_renewed_condemns_nobody(worn: House) -> None:
    def somebody_renews() -> Reason:
        with worn.store.write() as session:
            outlet = session.get_one(Outlet, worn.outlet.id)
            outlets.put_settings(outlet, Wearing, {"token": "của tiến trình khác"}, worn.desk.vault)
            session.add(outlet)
        return Reason.UNAUTHORIZED

    Wearing.answers.append(somebody_renews)
    await renew(worn.courier())
    assert (_outlet(worn).health, _token(worn)) == ("", "của tiến trình khác")


async def test_old_access_refused_while_it_was_being_renewed_pauses_nothing(
    worn: House, clock, platform: Platform
) -> None:
    delivery = worn.planned(clock() + timedelta(hours=1))
    clock.forward(hours=1)

    def renewed_meanwhile() -> None:
        platform.before_publish = None
        with worn.store.write() as session:
            outlet = session.get_one(Outlet, worn.outlet.id)
            outlets.renew(session, outlet.id or 0, outlet.secrets, {"token": "mới"}, worn.desk.vault, clock())

    platform.before_publish = renewed_meanwhile
    platform.answers = [Refused(reason=Reason.UNAUTHORIZED, detail="Mã truy cập hết hạn.")]
    courier = worn.courier()
    await courier.deliver(10)
    assert (_outlet(worn).state, worn.see(delivery).state) == ("open", State.DUE)
    clock.forward(seconds=5)
    await courier.deliver(10)
    assert (worn.see(delivery).state, platform.copies(delivery.key)) == (State.SENT, 1)


async def test_who_dies_while_renewing_is_followed_when_its_claim_is_old(worn: House, clock) -> None:
    with worn.store.write() as session:
        outlet = session.get_one(Outlet, worn.outlet.id)
        outlet.renewing, outlet.renewing_at = "đã chết", clock()
        session.add(outlet)
    Wearing.answers.append({"token": "mới"})
    clock.forward(seconds=89)
    assert (await renew(worn.courier()), Wearing.asked) == (0, [])
    clock.forward(seconds=2)
    assert await renew(worn.courier()) == 1


async def test_one_outlet_that_breaks_keeps_no_other_from_being_renewed(worn: House, clock) -> None:
    def breaks() -> None:
        raise ZeroDivisionError

    with worn.store.write() as session:
        outlets.connect(session, worn.admin, worn.ward.id or 0, "wearing", "Kênh hai", {}, worn.desk.vault, clock())
        gone = outlets.connect(
            session, worn.admin, worn.ward.id or 0, "wearing", "Kênh ba", {}, worn.desk.vault, clock()
        )
        gone.kind = "gone"
    Wearing.answers.extend([breaks, {"token": "mới"}])
    assert await renew(worn.courier()) == 1


async def test_a_paused_outlets_credentials_are_kept_alive_until_the_platform_says_no(worn: House, clock) -> None:
    with worn.store.write() as session:
        outlets.pause(session, MACHINE, session.get_one(Outlet, worn.outlet.id), "Bảo trì.", clock())
    Wearing.answers.extend([{"token": "mới"}, Reason.UNAUTHORIZED])
    assert await renew(worn.courier()) == 1, "a token that ends while nobody looks would be lost"
    assert (_token(worn), _outlet(worn).state) == ("mới", "paused")
    await renew(worn.courier())
    clock.forward(days=2)
    await renew(worn.courier())
    assert Wearing.asked == ["cũ", "mới"], "whoever was refused waits for a person"


async def test_an_answer_that_no_database_takes_is_kept_in_hand_and_written_later(
    worn: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(renewing, "RECORD_AGAIN_AFTER", (0.0,))
    real, refusals = outlets.renew, [1] * 4

    def long_away(*what: Any) -> bool:
        if refusals:
            refusals.pop()
            raise OperationalError("update outlet", {}, OSError("the disk is full"))
        return real(*what)

    monkeypatch.setattr(outlets, "renew", long_away)
    Wearing.answers.extend([{"token": "mới"}, Reason.UNAUTHORIZED])
    courier = worn.courier()
    assert [await renew(courier), _token(worn)] == [0, "None"]
    assert [await renew(courier), _token(worn)] == [0, "None"]
    assert [await renew(courier), _token(worn)] == [1, "mới"]
    assert Wearing.asked[0] == "cũ"
    assert "cũ" not in Wearing.asked[1:], "the old pair is spent: nobody asks with it again"
