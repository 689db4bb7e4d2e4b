"""R10: a single-use refresh token under eight workers, under ``kill -9`` at every point of the exchange, and unanswered."""

import asyncio
import fcntl
import json
import os
import signal
import threading
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, ClassVar

import pytest
from sqlmodel import select

from campaigns import outlets, views
from campaigns.delivering import Courier
from campaigns.renewing import CLAIM_IS_OLD_AFTER, renew
from campaigns.states import State
from channels.contract import Capability, ChannelSettings, Outcome, Reason, Refused, Unknown
from store import points
from store.engine import Store
from store.tables import Outlet, Ward
from tests.campaigns.conftest import KINDS, House, build_house
from tests.campaigns.conftest import platform as platform
from tests.campaigns.scripted import Scripted
from tests.chaos.evidence import say

SEED = 10
LIFE = timedelta(hours=25)
EXCHANGED = "twin:exchanged"
POINTS = {
    "renewing:before": "renewed",
    "renewing:after": "renewed",
    "renew:asked": "renewed",
    EXCHANGED: "told",
    "renew:before": "told",
    "renew:after": "kept",
}
"""Where the process dies, and what its follower must come to: the pair renewed, a person told, or nothing to do."""


class Pair(ChannelSettings):
    """A pair of tokens that wears out."""

    twin: str = ""
    token: str = "0"
    access: str = "0"
    renew_at: datetime | None = None
    secret_fields: ClassVar[tuple[str, ...]] = ("token", "access")


class SingleUse(Scripted):
    """A platform whose refresh token is good for one exchange; each access token is good for ``LIFE``."""

    kind = "singleuse"
    name = "Nền tảng mã dùng một lần"
    Settings = Pair
    spacing_seconds: ClassVar[int] = 0
    capabilities = Scripted.capabilities | {Capability.RENEW}
    loses: ClassVar[list[bool]] = []

    def renewal_due(self) -> bool:
        return self.settings.renew_at is None or self.tools.now() >= self.settings.renew_at

    async def renew(self) -> Any:
        if not self.renewal_due():
            return None
        fresh = await asyncio.to_thread(exchange, Path(self.settings.twin), self.settings.token, self.tools.now())
        points.passing(EXCHANGED)
        if fresh is None:
            return Reason.UNAUTHORIZED
        if self.loses and self.loses.pop():
            return Unknown(detail="mất câu trả lời")
        renew_at = (self.tools.now() + LIFE * 0.75).isoformat()
        return {"token": fresh, "access": fresh, "renew_at": renew_at}

    async def publish(self, *what: Any) -> Outcome:
        if not valid(Path(self.settings.twin), self.settings.access, self.tools.now()):
            return Refused(reason=Reason.UNAUTHORIZED, detail="Mã truy cập hết hạn.")
        return await super().publish(*what)


def found(path: Path, now: datetime) -> None:
    """A twin with its first pair."""
    path.write_text(json.dumps({"live": "0", "asked": [], "granted": 0, "until": {"0": (now + LIFE).isoformat()}}))


def exchange(path: Path, token: str, now: datetime) -> str | None:
    """A new pair for the one live refresh token; None for one that is spent. A moment's work, as at a real platform."""
    with path.open("r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        kept = json.load(file)
        kept["asked"].append(token)
        granted = token == kept["live"]
        if granted:
            kept["granted"] += 1
            kept["live"] = str(kept["granted"])
            kept["until"][kept["live"]] = (now + LIFE).isoformat()
        file.seek(0)
        file.write(json.dumps(kept))
        file.truncate()
    time.sleep(0.05)
    return str(kept["live"]) if granted else None


def twin(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text()))


def valid(path: Path, access: str, now: datetime) -> bool:
    until = twin(path)["until"].get(access)
    return until is not None and now < datetime.fromisoformat(until)


@pytest.fixture
def worn(any_store: Store, tmp_path: Path, clock, platform, monkeypatch: pytest.MonkeyPatch) -> House:
    monkeypatch.setitem(KINDS, "singleuse", SingleUse)
    SingleUse.loses.clear()
    house = build_house(any_store, tmp_path, clock, kind="singleuse")
    _begin_again(house)
    return house


def _begin_again(house: House) -> Path:
    path = Path(house.desk.files.folder).parent / "twin.json"
    found(path, house.desk.now())
    with house.store.write() as session:
        row = session.get_one(Outlet, house.outlet.id)
        outlets.put_settings(row, SingleUse, {"twin": str(path), "token": "0", "access": "0"}, house.desk.vault)
        row.health, row.health_at, row.renewing, row.renewing_at = "", None, "", None
        session.add(row)
    return path


def _row(house: House) -> Outlet:
    with house.store.read() as session:
        return session.get_one(Outlet, house.outlet.id)


def _told(house: House) -> bool:
    with house.store.read() as session:
        ward = session.exec(select(Ward).where(Ward.id == house.ward.id)).one()
        return [one.id for one in views.today(session, ward, house.desk.now()).worn] == [house.outlet.id]


def _falsely_dead(house: House, path: Path) -> bool:
    row = _row(house)
    return row.health == "unauthorized" and house.desk.values(row)["token"] == twin(path)["live"]


async def _sends(house: House) -> bool:
    due = house.desk.now() + timedelta(minutes=1)
    delivery = house.planned(due)
    house.desk.now.forward(minutes=1)  # type: ignore[attr-defined]
    await house.courier("gửi").deliver(10)
    return house.see(delivery).state == State.SENT


def _in_threads(house: House, number: int) -> int:
    """So many processes' worth of renewing at one moment: each with connections and an event loop of its own."""
    together, kept = threading.Barrier(number), []

    def one(place: int) -> None:
        mine = Store(house.store.url)
        together.wait()
        kept.append(asyncio.run(renew(Courier(mine, house.desk, f"luồng {place}", Random(place)))))
        mine.close()

    threads = [threading.Thread(target=one, args=(place,)) for place in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return sum(kept)


def _killed(house: House, at: str) -> None:
    """A forked process renews and dies by SIGKILL when it passes the point."""
    child = os.fork()
    if child == 0:
        try:
            points.listen = _killer(at)
            mine = Store(house.store.url)
            asyncio.run(renew(Courier(mine, house.desk, f"chết ở {at}", Random(SEED))))
        finally:
            os._exit(9)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), f"it never passed {at}"


def _killer(at: str) -> Callable[[str], None]:
    def passing(name: str) -> None:
        if name == at:
            os.kill(os.getpid(), signal.SIGKILL)

    return passing


@pytest.mark.anyio
async def test_r10_a_token_that_expires_in_a_campaign_is_renewed_once_by_eight(worn: House, clock) -> None:
    path, sent = Path(_row(worn).settings["twin"]), 0
    for expiry in range(1, 4):
        if worn.store.dialect == "postgresql":
            kept = await asyncio.to_thread(_in_threads, worn, 8)
        else:
            kept = sum(await asyncio.gather(*(renew(worn.courier(f"việc {number}")) for number in range(8))))
        assert (kept, len(twin(path)["asked"])) == (1, expiry), "exactly one exchange for each expiry"
        sent += await _sends(worn)
        clock.forward(hours=19)
    assert (sent, _row(worn).state, _falsely_dead(worn, path)) == (3, "open", False)
    counts = {"workers": 8, "expiries": 3, "exchanges": len(twin(path)["asked"]), "sent": sent, "false_dead": 0}
    say(f"R10-race-{worn.store.dialect}", SEED, counts, "one exchange for each expiry, none spoiled")


@pytest.mark.anyio
async def test_r10_killed_at_every_point_of_the_exchange(worn: House, clock) -> None:
    ends, false_dead = {}, 0
    await asyncio.to_thread(worn.store.engine.dispose)
    for at, wanted in POINTS.items():
        path = _begin_again(worn)
        worn.store.engine.dispose()
        _killed(worn, at)
        before = len(twin(path)["asked"])
        clock.forward(seconds=CLAIM_IS_OLD_AFTER.total_seconds() + 1)
        renewed = await renew(worn.courier("kế tiếp"))
        ends[at] = "renewed" if renewed else "told" if _told(worn) else "kept"
        assert ends[at] == wanted, (at, twin(path), _row(worn))
        assert len(twin(path)["asked"]) - before == (0 if wanted == "kept" else 1)
        assert await _sends(worn), f"after a kill at {at} nothing was sent any more"
        assert _row(worn).state == "open"
        false_dead += _falsely_dead(worn, path)
    assert false_dead == 0
    counts = {"kills": len(POINTS), **{at.replace(":", "_"): end for at, end in ends.items()}, "false_dead": false_dead}
    say(f"R10-kills-{worn.store.dialect}", SEED, counts, "every kill is settled by machine or told to a person")


@pytest.mark.anyio
async def test_r10_a_lost_answer_is_told_within_a_minute_while_sending_goes_on(worn: House, clock) -> None:
    path, began = Path(_row(worn).settings["twin"]), time.monotonic()
    SingleUse.loses.append(True)
    assert await renew(worn.courier()) == 0
    seconds = time.monotonic() - began
    assert (_told(worn), twin(path)["asked"]) == (True, ["0", "0"]), "asked once more with the old pair, then told"
    assert seconds <= 60
    sent = [await _sends(worn) for _ in range(3)]
    assert (sent, _row(worn).state, _falsely_dead(worn, path)) == ([True] * 3, "open", False)
    counts = {"seconds_until_told": seconds, "sent_afterwards": 3, "false_dead": 0}
    say(f"R10-lost-{worn.store.dialect}", SEED, counts, "a person is told at once; the outlet goes on sending")
