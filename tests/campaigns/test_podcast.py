"""The ward's bulletins as a podcast: what directories require is there, and every sound that is named can be fetched."""

import io
import re
from pathlib import Path

import feedparser
import pytest
from PIL import Image

from campaigns import broadcasts
from campaigns.states import State
from channels.loudspeaker import studio
from channels.loudspeaker.adapter import Loudspeaker
from store.engine import Store
from store.tables import Delivery
from tests.campaigns.conftest import House, build_house
from tests.campaigns.test_broadcasts import aired, citizen
from tests.channels.air import short
from tests.conftest import FakeClock

pytestmark = pytest.mark.anyio
FEED = "/le-thanh-nghi/phat-thanh.xml"
#: https://podcasters.apple.com/support/823-podcast-requirements
REQUIRED = ("title", "description", "itunes:image", "language", "itunes:category", "itunes:explicit", "itunes:owner")


@pytest.fixture
def house(any_store: Store, tmp_path: Path, clock: FakeClock, monkeypatch: pytest.MonkeyPatch) -> House:
    monkeypatch.setattr("channels.registry.installed", lambda: {"loudspeaker": Loudspeaker})
    monkeypatch.setattr(studio, "speak", lambda *_: b"")
    monkeypatch.setattr(studio, "programme", lambda *_, **__: short())
    return build_house(any_store, tmp_path, clock, "loudspeaker", {"folder": str(tmp_path / "loa")})


async def test_the_feed_has_what_directories_require(house: House, clock: FakeClock) -> None:
    delivery = await aired(house, clock)
    await broadcasts.archive(house.courier())
    async with citizen(house) as client:
        answer = await client.get(FEED)
        assert answer.status_code == 200 and answer.headers["content-type"].startswith("application/rss+xml")
        assert [tag for tag in REQUIRED if f"<{tag}" not in answer.text] == []
        read = feedparser.parse(answer.content)
        assert not read.bozo and read.feed.title == "Bản tin phát thanh phường Lê Thanh Nghị"
        [episode] = read.entries
        [sound] = episode.enclosures
        assert (sound.type, int(sound.length)) == ("audio/mpeg", len(short().mp3)) and sound.href.endswith(".mp3")
        assert int(episode.itunes_duration) == round(short().seconds) and str(delivery.id) in episode.id
        whole = await client.get(sound.href)
        assert whole.content == short().mp3 and whole.headers["content-type"] == "audio/mpeg"
        part = await client.get(sound.href, headers={"range": "bytes=0-9"})
        assert part.status_code == 206 and len(part.content) == 10
        assert (await client.head(sound.href)).headers["content-length"] == sound.length
        listed = (await client.get("/le-thanh-nghi/phat-thanh")).text
        assert re.search(r'<link rel="alternate" type="application/rss\+xml"[^>]*href="[^"]*/phat-thanh\.xml"', listed)
        cover = await client.get(read.feed.image.href)
    with Image.open(io.BytesIO(cover.content)) as image:
        assert image.format == "JPEG" and image.mode == "RGB" and image.width == image.height
        assert 1400 <= image.width <= 3000


async def test_what_was_taken_down_leaves_the_podcast(house: House, clock: FakeClock) -> None:
    delivery = await aired(house, clock)
    await broadcasts.archive(house.courier())
    with house.store.write() as session:
        session.get_one(Delivery, delivery.id).state = State.WITHDRAWING
    async with citizen(house) as client:
        assert feedparser.parse((await client.get(FEED)).content).entries == []
        assert (await client.get(f"/le-thanh-nghi/phat-thanh/{delivery.id}.mp3")).status_code == 404
