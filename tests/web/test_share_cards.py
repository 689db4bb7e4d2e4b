"""Pages that are passed on in a messenger: each has a picture, drawn once, in bounded room."""

import asyncio
import io
import json
import re
import threading
import time
from dataclasses import replace
from datetime import date
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image
from starlette.applications import Starlette

from content.cards import Card, draw
from store.engine import Store
from store.tables import Campaign
from tests.web.test_public import BASE, START, app, article, citizen, files, put, signed  # noqa: F401 - fixtures
from tests.web.test_public_events import SLUG, invited
from web.public.card_shelf import CardShelf, TooMany
from web.public.share_cards import ShareCards

pytestmark = pytest.mark.anyio

WARD = f"{BASE}/le-thanh-nghi"


def tags(page: str) -> dict[str, str]:
    return dict(re.findall(r'<meta (?:property|name)="([^"]+)" content="([^"]*)">', page))


def linked(page: str) -> Any:
    return json.loads(re.findall(r'<script type="application/ld\+json">(.*?)</script>', page)[0])


async def every_page(citizen: httpx.AsyncClient) -> dict[str, str]:  # noqa: F811
    said = (await put(citizen, "k1")).json()["url"]
    pages = {"article": said, "front": f"{WARD}/", "topic": f"{WARD}/chu-de/dich-vu-cong-truc-tuyen"}
    pages |= {"events": f"{WARD}/su-kien", "heard": f"{WARD}/phat-thanh", "all": f"{WARD}/tat-ca"}
    return pages | {"about": f"{WARD}/gioi-thieu", "wards": f"{BASE}/"}


async def test_every_page_without_a_picture_is_passed_on_with_a_card(citizen: httpx.AsyncClient) -> None:  # noqa: F811
    drawn: dict[str, bytes] = {}
    for name, address in (await every_page(citizen)).items():
        said = tags((await citizen.get(address)).text)
        assert said["og:image"].startswith(f"{BASE}/_anh/"), name
        assert said["twitter:image"] == said["og:image"] and said["twitter:card"] == "summary_large_image", name
        assert (said["og:image:width"], said["og:image:height"]) == ("1200", "630"), name
        assert said["og:image:alt"].startswith("Ảnh bìa: ") and said["twitter:image:alt"] == said["og:image:alt"], name
        assert said["og:title"] and said["description"] == said["og:description"], name
        answer = await citizen.get(said["og:image"])
        assert (answer.status_code, answer.headers["content-type"]) == (200, said["og:image:type"]), name
        picture = Image.open(io.BytesIO(answer.content))
        assert (picture.format, picture.size) == ("JPEG", (1200, 630)), name
        drawn[name] = answer.content
    assert drawn["all"] == drawn["about"] == drawn["front"]  # the site's own card
    assert len(set(drawn.values())) == len(drawn) - 2


async def test_the_card_speaks_in_the_look_of_the_ward_s_campaign(
    citizen: httpx.AsyncClient,  # noqa: F811
    store: Store,
) -> None:
    with store.write() as session:
        session.add(
            Campaign(
                ward_id=1, slug="cd", name="Hải Phòng đổi mới", hashtag="#HaiPhong", starts_on=date(2026, 1, 1),
                created_at=START,
            )
        )  # fmt: skip
    said = tags((await citizen.get((await put(citizen, "k1")).json()["url"])).text)
    wanted = Card(
        title="Nộp hồ sơ trực tuyến toàn trình", topic="Dịch vụ công trực tuyến", ward="Phường Lê Thanh Nghị",
        campaign="Hải Phòng đổi mới", hashtag="#HaiPhong",
    )  # fmt: skip
    assert (await citizen.get(said["og:image"])).content == draw(wanted, "wide")
    assert said["og:image:alt"] == "Ảnh bìa: Nộp hồ sơ trực tuyến toàn trình"


async def test_search_machines_are_told_of_the_same_picture(citizen: httpx.AsyncClient) -> None:  # noqa: F811
    pages = await every_page(citizen)
    for name in ("article", "front", "topic", "events", "heard"):
        page = (await citizen.get(pages[name])).text
        image = linked(page)["image"]
        assert (image["@type"], image["url"]) == ("ImageObject", tags(page)["og:image"]), name
        assert (image["width"], image["height"]) == (1200, 630), name


async def test_an_invitation_s_card_says_when_and_where(citizen: httpx.AsyncClient) -> None:  # noqa: F811
    await invited(citizen)
    page = (await citizen.get(f"{WARD}/{SLUG}")).text
    said = tags(page)
    news, event = linked(page)
    assert event["image"] == news["image"]["url"] == said["og:image"]
    wanted = Card(
        title=said["og:title"], topic="Dịch vụ công trực tuyến", ward="Phường Lê Thanh Nghị", theme="event",
        date="12/12/2026, 8h30", place=event["location"]["name"],
    )  # fmt: skip
    assert (await citizen.get(said["og:image"])).content == draw(wanted, "wide")


async def test_other_words_have_another_address_and_the_old_one_leads_there(
    citizen: httpx.AsyncClient,  # noqa: F811
) -> None:
    url = (await put(citizen, "k1")).json()["url"]
    before = tags((await citizen.get(url)).text)["og:image"]
    await put(citizen, "k1", title="Đính chính: nộp hồ sơ")
    after = tags((await citizen.get(url)).text)["og:image"]
    assert before != after
    led = await citizen.get(before)
    assert (led.status_code, f"{BASE}{led.headers['location']}") == (302, after)
    await citizen.delete("/_publish/le-thanh-nghi/k1", headers=signed())
    assert (await citizen.get(after)).status_code == 404


@pytest.mark.parametrize("title", ["🎉🎉", "x" * 300, "«Đổi mới» & <sáng tạo>"])
async def test_no_title_is_without_a_card(citizen: httpx.AsyncClient, title: str) -> None:  # noqa: F811
    page = (await citizen.get((await put(citizen, "k1", title=title)).json()["url"])).text
    answer = await citizen.get(tags(page)["og:image"])
    assert Image.open(io.BytesIO(answer.content)).size == (1200, 630)


@pytest.mark.parametrize(
    "place", ["", "khong-co", "chu-de/khong-co", "2026/khong-co", "phat-thanh/9", "phat-thanh/x", "../../khoa-bi-mat"]
)
async def test_what_is_no_page_has_no_card(citizen: httpx.AsyncClient, place: str) -> None:  # noqa: F811
    assert (await citizen.get(f"/_anh/le-thanh-nghi/{place}/{'0' * 16}.jpg")).status_code == 404
    assert (await citizen.get(f"/_anh/khong-co/trang-chu/{'0' * 16}.jpg")).status_code == 404


class Painter:
    """Counts what it draws, slowly, and notices two drawings at the same time."""

    def __init__(self, size: int = 1000) -> None:
        self.drawn: list[str] = []
        self.together, self.most, self.size = 0, 0, size
        self._lock = threading.Lock()

    def __call__(self, card: Card) -> bytes:
        with self._lock:
            self.together += 1
            self.most = max(self.most, self.together)
        time.sleep(0.03)
        with self._lock:
            self.together -= 1
            self.drawn.append(card.title)
        return card.title.encode().ljust(self.size, b".")


async def test_a_burst_of_requests_draws_a_card_once(app: Starlette, citizen: httpx.AsyncClient) -> None:  # noqa: F811
    painter = Painter()
    cards = next(
        part for route in app.routes if isinstance(part := getattr(getattr(route, "endpoint", None), "__self__", None), ShareCards)
    )  # fmt: skip
    cards.shelf.paint = painter
    address = tags((await citizen.get((await put(citizen, "k1")).json()["url"])).text)["og:image"]
    answers = await asyncio.gather(*(citizen.get(address) for _ in range(40)))
    assert {(answer.status_code, len(answer.content)) for answer in answers} == {(200, 1000)}
    assert len(painter.drawn) == 1
    cards.shelf = replace(cards.shelf, _drawing={})  # another life of the program finds it on disk
    assert (await citizen.get(address)).status_code == 200
    assert len(painter.drawn) == 1


async def test_different_cards_are_drawn_one_after_the_other_and_too_many_are_sent_away(tmp_path: Path) -> None:
    painter = Painter()
    shelf = CardShelf(tmp_path / "the", most_waiting=3, paint=painter)
    asked = [shelf.give(f"m{number}", Card(title=f"Bài {number}")) for number in range(4)]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert sum(isinstance(answer, TooMany) for answer in answers) == 1
    assert (len(painter.drawn), painter.most) == (3, 1)


async def test_who_leaves_does_not_take_the_card_from_the_others(tmp_path: Path) -> None:
    shelf = CardShelf(tmp_path / "the", paint=Painter())
    first = asyncio.ensure_future(shelf.give("m", Card(title="Bài")))
    second = asyncio.ensure_future(shelf.give("m", Card(title="Bài")))
    await asyncio.sleep(0.01)
    first.cancel()
    assert (await second).startswith("Bài".encode())


async def test_the_cards_never_take_more_room_than_they_may(tmp_path: Path) -> None:
    painter = Painter(size=1000)
    shelf = CardShelf(tmp_path / "the", most_bytes=3500, paint=painter)
    for number in range(6):
        await shelf.give(f"m{number}", Card(title=f"Bài {number}"))
        await shelf.give("m0", Card(title="Bài 0"))  # what is asked for again stays
    kept = sorted(path.name for path in (tmp_path / "the").iterdir())
    assert sum(path.stat().st_size for path in (tmp_path / "the").iterdir()) <= 3500
    assert "m0.jpg" in kept and "m5.jpg" in kept and "m1.jpg" not in kept
    assert painter.drawn.count("Bài 0") == 1


async def test_a_full_disk_costs_no_picture(tmp_path: Path) -> None:
    (tmp_path / "the").write_text("no folder can be made here")
    shelf = CardShelf(tmp_path / "the" / "con", paint=partial(draw, shape="wide"))
    with pytest.raises(NotADirectoryError):
        (tmp_path / "the" / "con").mkdir()
    assert Image.open(io.BytesIO(await shelf.give("m", Card(title="Bài")))).size == (1200, 630)
