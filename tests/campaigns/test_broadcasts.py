"""What the loudspeakers said is kept for everybody to hear again and to read, and only as long as it stands."""

from pathlib import Path

import httpx
import pytest
from sqlmodel import select

from campaigns import broadcasts
from campaigns.states import State
from channels.loudspeaker import studio
from channels.loudspeaker.adapter import Loudspeaker
from store.engine import Store
from store.tables import Broadcast, Delivery
from tests.campaigns.conftest import House, build_house
from tests.channels.air import short
from tests.conftest import FakeClock
from web.public import build

pytestmark = pytest.mark.anyio


@pytest.fixture
def house(any_store: Store, tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> House:
    monkeypatch.setattr("channels.registry.installed", lambda: {"loudspeaker": Loudspeaker})
    monkeypatch.setattr(studio, "speak", lambda *_: b"")
    monkeypatch.setattr(studio, "programme", lambda *_, **__: short())
    return build_house(any_store, tmp_path, clock, "loudspeaker", {"folder": str(tmp_path / "loa")})


async def aired(house: House, clock: FakeClock) -> Delivery:
    """A bulletin that went to the loudspeakers at its hour."""
    delivery = house.planned(clock.forward(minutes=5))
    assert await house.courier().deliver(10) == 1
    told = house.see(delivery)
    assert told.state == State.SENT
    return told


def citizen(house: House) -> httpx.AsyncClient:
    site = build(house.store, house.desk.files, house.desk.now, {}.get, "https://phuong.example")
    return httpx.AsyncClient(transport=httpx.ASGITransport(site), base_url="https://phuong.example")


async def test_a_bulletin_can_be_heard_again_and_read(house: House, clock: FakeClock) -> None:
    delivery = await aired(house, clock)
    assert await broadcasts.archive(house.courier()) == 1
    assert await broadcasts.archive(house.courier()) == 0, "kept once"
    async with citizen(house) as client:
        listed = (await client.get("/le-thanh-nghi/phat-thanh")).text
        assert f"/le-thanh-nghi/phat-thanh/{delivery.id}" in listed and "Nhắc nộp hồ sơ" in listed
        answer = await client.get(f"/le-thanh-nghi/phat-thanh/{delivery.id}")
        page = answer.text
        assert "Bà con nhớ nộp hồ sơ trực tuyến." in page and '"@type": "AudioObject"' in page
        source = page.partition('<audio class="player" controls preload="none" src="')[2].partition('"')[0]
        sound = await client.get(source, headers={"range": "bytes=0-9"})
        assert sound.headers["content-type"] == "audio/mpeg" and sound.status_code == 206
        assert (await client.get(source)).content == short().mp3
        assert "media-src 'self'" in answer.headers["content-security-policy"]
        assert f"/phat-thanh/{delivery.id}" in (await client.get("/le-thanh-nghi/sitemap.xml")).text
        assert (await client.get(f"/dong-hai/phat-thanh/{delivery.id}")).status_code == 404


async def test_what_was_taken_down_is_no_longer_there(house: House, clock: FakeClock) -> None:
    delivery = await aired(house, clock)
    await broadcasts.archive(house.courier())
    with house.store.write() as session:
        row = session.get_one(Delivery, delivery.id)
        row.state = State.WITHDRAWING
    async with citizen(house) as client:
        assert (await client.get(f"/le-thanh-nghi/phat-thanh/{delivery.id}")).status_code == 404
        assert "Chưa có bản tin nào được lưu" in (await client.get("/le-thanh-nghi/phat-thanh")).text


async def test_a_sound_that_is_gone_leaves_the_words(house: House, clock: FakeClock, tmp_path: Path) -> None:
    delivery = await aired(house, clock)
    for sound in (tmp_path / "loa").glob("????-??-??/*/ban-tin.mp3"):
        sound.unlink()
    assert await broadcasts.archive(house.courier()) == 1
    with house.store.read() as session:
        assert session.exec(select(Broadcast)).one().sha256 == ""
    async with citizen(house) as client:
        page = (await client.get(f"/le-thanh-nghi/phat-thanh/{delivery.id}")).text
    assert "<audio" not in page and "Bà con nhớ nộp hồ sơ trực tuyến." in page
