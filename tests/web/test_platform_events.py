"""A platform tells of an outlet: proved, kept once, counted, shown; what is forged is counted and tells nothing."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

import web.public
from campaigns import hearing, outlets
from campaigns.counts import Scope
from campaigns.followers import rows
from campaigns.hearing import Told
from campaigns.people import actor_of
from channels import rehearsing
from channels.contract import Event, Heard
from channels.twins import server
from channels.wire import Guard
from channels.zalo.adapter import Zalo
from channels.zalo.events import mac
from channels.zalo.twin_tokens import APP_ID, APP_SECRET, EVENT_SECRET
from store.engine import Store
from store.notices import OutletEvent, OutletHook
from store.tables import Outlet, User, Ward
from tests.campaigns.conftest import build_house
from tests.conftest import FakeClock
from tests.web.conftest import Client, Scene, active_parts
from web.public import hearing as door

pytestmark = pytest.mark.anyio
CITIZEN = "8801234567890123456"


def connected(scene: Scene, platform: rehearsing.Scene | None = None, **changed: Any) -> Outlet:
    place = platform.place if platform else rehearsing.Place(
        account="phuong-ta", twins_url="http://127.0.0.1:9", site_url="http://127.0.0.1:9", site_token="t" * 32, folder=Path("/nowhere"),
    )  # fmt: skip
    values = {**Zalo.rehearsal().settings(place), **changed}
    admin = actor_of(scene.one(User, username="quantri.phuong-ta"))
    with scene.store.write() as session:
        ward_id = scene.one(Ward, slug="phuong-ta").id
        return outlets.connect(session, admin, ward_id, "zalo", "Zalo", values, scene.desk.vault, scene.clock())


@pytest.fixture
async def site(scene: Scene) -> AsyncIterator[httpx.AsyncClient]:
    app = web.public.build(
        scene.store, scene.desk.files, scene.clock, lambda ward: None, "http://site.test", scene.desk.vault
    )
    transport = httpx.ASGITransport(app, client=("203.0.113.5", 4000))
    async with httpx.AsyncClient(transport=transport, base_url="http://site.test") as client:
        yield client


def where(scene: Scene, outlet: Outlet) -> str:
    return hearing.address(scene.desk.vault, "", outlet.id or 0)


def signed(
    scene: Scene, name: str = "follow", key: str = EVENT_SECRET, at: datetime | None = None, **more: Any
) -> dict[str, Any]:
    stamp = str(int((at or scene.clock()).timestamp() * 1000))
    told = {"app_id": APP_ID, "oa_id": "1", "follower": {"id": CITIZEN}, "event_name": name, "timestamp": stamp, **more}
    body = json.dumps(told, ensure_ascii=False).encode()
    return {"content": body, "headers": {"x-zevent-signature": f"mac={mac(APP_ID, body, stamp, key)}"}}


def hook(scene: Scene) -> OutletHook:
    found = scene.one(OutletHook)
    assert isinstance(found, OutletHook)
    return found


# ------------------------------------------------------------------ the door


async def test_an_event_is_kept_once_however_often_it_is_told(scene: Scene, site: httpx.AsyncClient) -> None:
    outlet = connected(scene)
    request = signed(scene)
    answers = [await site.post(where(scene, outlet), **request) for _ in range(3)]
    again = signed(scene, num_retry=2)  # told again with another body, as the ladder does
    answers.append(await site.post(where(scene, outlet), **again))
    assert [one.status_code for one in answers] == [200] * 4
    (event,) = scene.all(OutletEvent)
    assert (event.kind, event.name, event.at, event.times) == ("followed", "follow", scene.clock(), 4)
    assert (hook(scene).taken, hook(scene).repeated, hook(scene).refused) == (1, 3, 0)


async def test_of_a_citizen_nothing_is_kept(
    scene: Scene, site: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    outlet = connected(scene)
    words = {"text": "Tôi ở số 5 ngõ 12", "msg_id": "tin-77"}
    told = signed(scene, "user_send_text", follower=None, sender={"id": CITIZEN}, message=words)
    assert (await site.post(where(scene, outlet), **told)).status_code == 200
    kept = str([one.model_dump() for one in scene.all(OutletEvent)]) + str(hook(scene).model_dump())
    assert "user_send_text" in kept
    for secret in (CITIZEN, "ngõ 12", "tin-77", EVENT_SECRET):
        assert secret not in kept and secret not in caplog.text


@pytest.mark.parametrize("harm", ["body", "signature", "key", "none"])
async def test_a_forged_event_is_refused_counted_and_told_to_nobody(
    scene: Scene, site: httpx.AsyncClient, harm: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    outlet = connected(scene)
    request = signed(scene, key="mot-khoa-khac" if harm == "key" else EVENT_SECRET)
    if harm == "body":
        request["content"] = request["content"].replace(b'"follow"', b'"unfollow"')
    if harm == "signature":
        given = request["headers"]["x-zevent-signature"]
        request["headers"]["x-zevent-signature"] = given[:-1] + ("0" if given[-1] != "0" else "1")
    if harm == "none":
        request["headers"] = {}
    answer = await site.post(where(scene, outlet), **request)
    assert answer.status_code == 403 and answer.json() == {"ok": False}
    assert scene.all(OutletEvent) == [] and hook(scene).refused == 1 and hook(scene).refused_why == "signature"
    assert CITIZEN not in caplog.text


async def test_nobody_guesses_an_address_and_only_events_have_one(scene: Scene, site: httpx.AsyncClient) -> None:
    outlet = connected(scene)
    right = where(scene, outlet)
    other = scene.one(Outlet, kind="telegram", ward_id=outlet.ward_id)
    wrong = [
        right[:-1] + ("0" if right[-1] != "0" else "1"),
        right.replace(f"{outlet.id}-", f"{other.id}-"),
        "/_tin/x",
        where(scene, other),
    ]
    assert [(await site.post(path, **signed(scene))).status_code for path in wrong] == [404] * 4
    assert scene.all(OutletHook) == []


async def test_what_is_too_old_too_large_or_not_an_event_is_not_taken(scene: Scene, site: httpx.AsyncClient) -> None:
    outlet = connected(scene, event_hours=24)
    at = where(scene, outlet)
    day_old = scene.clock() - timedelta(hours=24)
    assert (await site.post(at, **signed(scene, at=day_old))).status_code == 200, "still within the day"
    for moment in (day_old - timedelta(seconds=1), scene.clock() + timedelta(minutes=11)):
        assert (await site.post(at, **signed(scene, at=moment))).status_code == 403
    assert hook(scene).refused_why == "stale"
    full, over = (
        signed(scene, pad="x" * (door.MAX_BODY - len(signed(scene, pad="")["content"]) + more)) for more in (0, 1)
    )
    assert len(full["content"]) == door.MAX_BODY
    assert (await site.post(at, **full)).status_code == 200
    assert (await site.post(at, **over)).status_code == 413
    stamp = str(int(scene.clock().timestamp() * 1000))
    for body in (b'{"timestamp":"' + stamp.encode() + b'"}', b'["timestamp":"' + stamp.encode() + b'"'):
        headers = {"x-zevent-signature": f"mac={mac(APP_ID, body, stamp, EVENT_SECRET)}"}
        assert (await site.post(at, content=body, headers=headers)).status_code == 403
    assert hook(scene).refused_why == "unreadable"


async def test_an_event_of_a_name_that_nobody_knows_does_no_harm(scene: Scene, site: httpx.AsyncClient) -> None:
    outlet = connected(scene)
    assert (await site.post(where(scene, outlet), **signed(scene, "su_kien.moi_2027"))).status_code == 200
    (event,) = scene.all(OutletEvent)
    assert (event.kind, event.name) == ("other", "su_kien.moi_2027")


@pytest.mark.parametrize(
    ("setting", "key", "taken"),
    [("either", APP_SECRET, True), ("either", EVENT_SECRET, True), ("oa", APP_SECRET, False), ("app", APP_SECRET, True), ("app", EVENT_SECRET, False)],
)  # fmt: skip
async def test_both_readings_of_the_key_can_be_set_and_the_page_says_which_fits(
    scene: Scene, site: httpx.AsyncClient, setting: str, key: str, taken: bool
) -> None:
    outlet = connected(scene, event_key=setting)
    answer = await site.post(where(scene, outlet), **signed(scene, key=key))
    assert (answer.status_code == 200) is taken
    if taken:
        assert hook(scene).matched == ("khóa bí mật của OA" if key == EVENT_SECRET else "khóa bí mật của ứng dụng")


async def test_a_timestamp_in_a_citizen_s_words_hides_nothing(scene: Scene, site: httpx.AsyncClient) -> None:
    outlet = connected(scene)
    message = {"text": '"timestamp":"1700000000000" ' * 20, "msg_id": "m1", "timestamp": "1700000000000"}
    told = signed(scene, "user_send_text", message=message)
    assert (await site.post(where(scene, outlet), **told)).status_code == 200


async def test_a_flood_is_slowed_down_and_a_forger_writes_no_more(
    scene: Scene, site: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    outlet = connected(scene)
    forged = signed(scene, key="mot-khoa-khac")
    answers = [(await site.post(where(scene, outlet), **forged)).status_code for _ in range(door.FORGED_PER_MINUTE + 2)]
    assert answers.count(403) == door.FORGED_PER_MINUTE and answers[-2:] == [429, 429]
    assert hook(scene).refused == door.FORGED_PER_MINUTE
    assert (await site.post(where(scene, outlet), **signed(scene))).status_code == 200, "the platform itself is heard"
    scene.clock.forward(seconds=61)
    assert (await site.post(where(scene, outlet), **forged)).status_code == 403
    turnstile = door.Turnstile(3)
    for _ in range(3):
        assert not turnstile.full("a", scene.clock())
        turnstile.count("a", scene.clock())
    assert turnstile.full("a", scene.clock()) and not turnstile.full("b", scene.clock())
    assert not turnstile.full("a", scene.clock.forward(seconds=60))


async def test_what_cannot_be_kept_in_time_is_asked_for_again(
    scene: Scene, site: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(door, "ANSWER_SECONDS", 0.2)
    outlet = connected(scene)
    held = asyncio.Event()

    def hold() -> None:
        with scene.store.write():
            loop.call_soon_threadsafe(held.set)
            import time

            time.sleep(0.6)

    loop = asyncio.get_running_loop()
    holding = asyncio.create_task(asyncio.to_thread(hold))
    await held.wait()
    begun = loop.time()
    answer = await site.post(where(scene, outlet), **signed(scene))
    assert answer.status_code == 503 and loop.time() - begun < 0.5
    await holding
    assert (await site.post(where(scene, outlet), **signed(scene))).status_code == 200
    assert len(scene.all(OutletEvent)) == 1


async def test_many_at_once_are_each_kept_once_on_both_databases(
    any_store: Store, tmp_path: Path, clock: FakeClock
) -> None:
    settings = {"token": "1:a", "chat_id": "@phuong_le_thanh_nghi"}
    house = build_house(any_store, tmp_path, clock, "telegram", settings)
    outlet_id, ward_id = house.outlet.id or 0, house.ward.id or 0
    events = [Event(key=f"k{number % 40}", name="follow", kind="followed", at=clock()) for number in range(120)]
    told = [Told(outlet_id, ward_id, Heard(events=(one,)), clock()) for one in events]

    def put(part: list[Told]) -> int:
        with any_store.write() as session:
            return sum(hearing.keep(session, part))

    fresh = await asyncio.gather(*(asyncio.to_thread(put, told[start::4]) for start in range(4)))
    assert sum(fresh) == 40
    with any_store.read() as session:
        found = hearing.followed(session, None, clock() - timedelta(days=1), clock() + timedelta(days=1))
        assert found == {(outlet_id, "followed"): (40, clock())}
        (row,) = rows(session, Scope(ward_id, clock() - timedelta(days=1), clock() + timedelta(days=1)))
        assert (row.value, row.name, row.label, row.taken_at) == (40, "Người theo dõi mới", "measured", clock())
        assert (
            rows(session, Scope(house.neighbour_ward.id, clock() - timedelta(days=1), clock() + timedelta(days=1)))
            == []
        )
    clock.forward(days=91)
    with any_store.write() as session:
        session.add(OutletEvent(ward_id=ward_id, outlet_id=outlet_id, key="x", name="seen", kind="seen", at=clock(), heard_at=clock() - timedelta(days=91)))  # fmt: skip
        session.flush()
        assert hearing.forget(session, clock()) == 1, "followers stay for the reports"


# ------------------------------------------------------------------ with the twin, over real HTTP


@pytest.fixture
def platform(tmp_path: Path, scene: Scene) -> Iterator[rehearsing.Scene]:
    (tmp_path / "twins").mkdir()
    with rehearsing.stage(tmp_path / "twins", {"zalo": Zalo}, account="phuong-ta") as made:
        made.clock.fixed = scene.clock()
        scene.desk.wire.guard = Guard(frozenset({made.place.twins_url.partition("//")[2]}))
        yield made


@pytest.mark.parametrize(("signs_with", "stamp_in"), [("oa", "body"), ("app", "header")])
async def test_the_twin_tells_of_followers_until_it_is_answered(
    scene: Scene, platform: rehearsing.Scene, visitor: Client, signs_with: str, stamp_in: str
) -> None:
    outlet = connected(scene, platform, event_time=stamp_in)
    app = web.public.build(
        scene.store, scene.desk.files, scene.clock, lambda ward: None, "http://site.test", scene.desk.vault
    )
    twin = f"{platform.place.twins_url}/zalo"
    async with _served(app) as base, httpx.AsyncClient() as citizens:
        url = f"{base}{where(scene, outlet)}"
        await citizens.put(
            f"{twin}/webhook/phuong-ta",
            json={"url": base + "/_tin/nham", "signs_with": signs_with, "stamp_in": stamp_in},
        )
        refused = await citizens.post(f"{twin}/oa/phuong-ta/follow")
        assert refused.json() == {"status": 404}, "an address mistyped in the developer console"
        await citizens.put(
            f"{twin}/webhook/phuong-ta", json={"url": url, "signs_with": signs_with, "stamp_in": stamp_in}
        )
        platform.forward(31)
        scene.clock.forward(seconds=31)
        assert (await citizens.post(f"{twin}/webhook/phuong-ta/tick")).json() == {"statuses": [200]}
        assert (await citizens.post(f"{twin}/oa/phuong-ta/unfollow")).json() == {"status": 200}
        told_again = await citizens.post(f"{twin}/webhook/phuong-ta/tick?everything=1")
        assert told_again.json() == {"statuses": [200, 200]}
    assert sorted(one.kind for one in scene.all(OutletEvent)) == ["followed", "unfollowed"]
    async with visitor("quantri.phuong-ta") as client:
        page = (await client.get(f"/quan-tri/kenh/{outlet.id}")).text
    assert active_parts(page) == [] and "+1 theo dõi mới, −1 bỏ theo dõi" in page
    assert "2 lần báo lại, không tính thêm" in page and "khóa bí mật" in page
    async with visitor("duyet.phuong-ta") as client:
        assert "/_tin/" not in (await client.get(f"/quan-tri/kenh/{outlet.id}")).text, (
            "the address is the administrator's"
        )


async def test_a_silent_address_is_given_up_after_the_ladder(scene: Scene, platform: rehearsing.Scene) -> None:
    twin = f"{platform.place.twins_url}/zalo/webhook/phuong-ta"
    async with httpx.AsyncClient() as citizens:
        await citizens.put(twin, json={"url": "http://127.0.0.1:9/_tin/x"})
        await citizens.post(f"{platform.place.twins_url}/zalo/oa/phuong-ta/follow")
        tries = 1
        for wait in (30, 300, 900, 1800, 3600):
            platform.forward(wait)
            tries += len((await citizens.post(f"{twin}/tick")).json()["statuses"])
        assert tries == 6 and (await citizens.get(twin)).json()["hook"]["off"] is True


class _served:  # noqa: N801 - a context, read as a word
    def __init__(self, app: Starlette) -> None:
        self.app = app

    async def __aenter__(self) -> str:
        import socket

        self.socket = socket.create_server(("127.0.0.1", 0))
        self.server = server(self.app)
        self.task = asyncio.create_task(asyncio.to_thread(self.server.run, [self.socket]))
        while not self.server.started:
            await asyncio.sleep(0.01)
        return f"http://127.0.0.1:{self.socket.getsockname()[1]}"

    async def __aexit__(self, *_: object) -> None:
        self.server.should_exit = self.server.force_exit = True
        await self.task
        self.socket.close()


def test_the_moment_of_an_event_is_read_in_seconds_and_milliseconds() -> None:
    from channels.zalo.events import Told as ZaloTold

    for stamp in ("1763859600", "1763859600000"):
        assert ZaloTold(event_name="follow", timestamp=stamp).at == datetime(2025, 11, 23, 1, 0, tzinfo=UTC)
