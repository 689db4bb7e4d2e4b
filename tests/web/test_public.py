"""The public site as citizens, feed readers, messengers and publishers meet it: over HTTP."""

import hashlib
import io
import json
import re
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, date, datetime
from email.utils import parsedate_to_datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import feedparser
import httpx
import pytest
from PIL import Image
from sqlmodel import select
from starlette.applications import Starlette

from campaigns import visits
from campaigns.visits import VisitCounter, by_hand, shortened
from store.engine import Store
from store.files import Files
from store.tables import Article, Campaign, DayCount, Delivery, Outlet, Post, ShortLink, User, Ward
from web import assets
from web.public import build

pytestmark = pytest.mark.anyio

BASE = "https://phuong.example"
TOKENS = {"le-thanh-nghi": "khoa-le-thanh-nghi-1", "dong-hai": "khoa-dong-hai-123456"}
PHONE = "Mozilla/5.0 (Linux; Android 9; SM-J415F) AppleWebKit/537.36 Chrome/120.0 Mobile Safari/537.36"
START = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path / "files")


@pytest.fixture
def app(store: Store, files: Files, clock: Any) -> Iterator[Starlette]:
    with store.write() as session:
        for slug, name in (("le-thanh-nghi", "phường Lê Thanh Nghị"), ("dong-hai", "phường Đông Hải")):
            centre = f"Trung tâm Phục vụ hành chính công {name}"
            session.add(Ward(slug=slug, name=name, centre=centre, created_at=START))
    made = build(store, files, clock, TOKENS.get, BASE)
    yield made
    made.state.site.visits.close()


@pytest.fixture
async def citizen(app: Starlette, anyio_backend: str) -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(app, client=("203.0.113.7", 4000))
    async with httpx.AsyncClient(transport=transport, base_url=BASE, headers={"user-agent": PHONE}) as client:
        yield client


def article(**changes: Any) -> dict[str, Any]:
    return {
        "slug": "2026/nop-ho-so-truc-tuyen-1a2b3c4d",
        "title": "Nộp hồ sơ trực tuyến toàn trình",
        "summary": "Không phải đến Trung tâm.",
        "html": "<p>Từ ngày <strong>01/12/2026</strong>, hộ kinh doanh nộp hồ sơ qua mạng.</p>",
        "topics": ["Dịch vụ công trực tuyến"],
        "source": {"name": "Quyết định số 1380/QĐ-UBND", "url": "https://haiphong.gov.vn/qd"},
        "published_at": START.isoformat(),
    } | changes


async def put(
    client: httpx.AsyncClient, key: str, ward: str = "le-thanh-nghi", token: str = "", **changes: Any
) -> httpx.Response:
    headers = {"authorization": f"Bearer {token or TOKENS[ward]}"}
    return await client.put(f"/_publish/{ward}/{key}", json=article(**changes), headers=headers)


def signed(ward: str = "le-thanh-nghi") -> dict[str, str]:
    return {"authorization": f"Bearer {TOKENS[ward]}"}


def picture_bytes() -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (1200, 630), (11, 79, 108)).save(out, "JPEG")
    return out.getvalue()


async def bring(client: httpx.AsyncClient, data: bytes, sha256: str = "") -> httpx.Response:
    sha256 = sha256 or hashlib.sha256(data).hexdigest()
    return await client.put(f"/_publish/le-thanh-nghi/_tep/{sha256}", content=data, headers=signed())


# Publishing


async def test_the_same_key_twice_is_one_article(citizen: httpx.AsyncClient, store: Store) -> None:
    first, again = await put(citizen, "k1"), await put(citizen, "k1")
    assert (first.status_code, again.status_code) == (201, 200)
    assert (first.json()["created"], again.json()["created"]) == (True, False)
    assert first.json()["url"] == again.json()["url"] == f"{BASE}/le-thanh-nghi/2026/nop-ho-so-truc-tuyen-1a2b3c4d"
    with store.read() as session:
        assert len(session.exec(select(Article)).all()) == 1


async def test_other_words_under_a_key_correct_the_article_at_its_old_address(
    citizen: httpx.AsyncClient, clock: Any
) -> None:
    first = await put(citizen, "k1")
    clock.forward(hours=2)
    later = START.replace(hour=3).isoformat()
    changed = await put(
        citizen, "k1", title="Đính chính: nộp hồ sơ", slug="2026/dia-chi-khac-1a2b3c4d", published_at=later
    )
    assert changed.status_code == 200
    assert changed.json()["url"] == first.json()["url"]
    assert changed.json()["published_at"] == START.isoformat()
    assert changed.json()["updated_at"] == later
    page = (await citizen.get(first.json()["url"])).text
    assert "Đính chính: nộp hồ sơ" in page
    assert "Cập nhật" in page and "10h00" in page


async def test_the_same_words_again_later_change_nothing(citizen: httpx.AsyncClient, clock: Any) -> None:
    await put(citizen, "k1")
    clock.forward(hours=2)
    again = await put(citizen, "k1", published_at=clock().isoformat())
    assert again.json()["updated_at"] == START.isoformat()
    assert "Cập nhật" not in (await citizen.get(again.json()["url"])).text


async def test_a_neighbours_token_opens_nothing(citizen: httpx.AsyncClient) -> None:
    await put(citizen, "k1")
    neighbour = {"authorization": f"Bearer {TOKENS['dong-hai']}"}
    address = "/_publish/le-thanh-nghi/k1"
    answers = [
        await put(citizen, "k2", token=TOKENS["dong-hai"], slug="2026/khac"),
        await citizen.get(address, headers=neighbour),
        await citizen.get(f"{address}/visits", headers=neighbour),
        await citizen.delete(address, headers=neighbour),
        await citizen.get("/_publish/le-thanh-nghi", headers=neighbour),
        await citizen.put(f"/_publish/le-thanh-nghi/_tep/{'0' * 64}", content=b"x", headers=neighbour),
    ]
    assert {answer.status_code for answer in answers} == {401}
    assert all(answer.json()["error"]["code"] == "unauthorized" for answer in answers)
    assert (await citizen.get(address, headers=signed())).json()["withdrawn_at"] is None


@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer ", "Basic khoa-le-thanh-nghi-1", "khoa-le-thanh-nghi-1", "Bearer khóa-sai"]
)
async def test_no_token_no_entry(citizen: httpx.AsyncClient, header: str) -> None:
    answer = await citizen.get("/_publish/le-thanh-nghi", headers={"authorization": header.encode()})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_a_ward_without_a_token_cannot_be_published_to(citizen: httpx.AsyncClient) -> None:
    answer = await citizen.get("/_publish/khong-co", headers={"authorization": "Bearer "})
    assert answer.status_code == 401


async def test_one_wards_key_cannot_touch_the_neighbours_article(citizen: httpx.AsyncClient) -> None:
    await put(citizen, "k1")
    taken = await put(citizen, "k1", ward="dong-hai", title="Chiếm chỗ")
    assert (taken.status_code, taken.json()["error"]["code"]) == (409, "address_taken")
    assert (await citizen.delete("/_publish/dong-hai/k1", headers=signed("dong-hai"))).status_code == 404
    assert (await citizen.get("/le-thanh-nghi/2026/nop-ho-so-truc-tuyen-1a2b3c4d")).status_code == 200
    assert (await citizen.get("/dong-hai/2026/nop-ho-so-truc-tuyen-1a2b3c4d")).status_code == 404


async def test_two_articles_cannot_share_an_address(citizen: httpx.AsyncClient) -> None:
    await put(citizen, "k1")
    assert (await put(citizen, "k2")).json()["error"]["code"] == "address_taken"


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"title": "  "}, "title"),
        ({"slug": "../../quan-tri"}, "slug"),
        ({"html": ""}, "html"),
        ({"published_at": "2026-11-23T08:00:00"}, "published_at"),
        ({"source": {"name": "x", "url": "javascript:alert(1)"}}, "source.url"),
        ({"topics": ["x" * 81]}, "topics.0"),
        ({"ward_id": 2}, "ward_id"),
    ],
)
async def test_a_bad_article_is_refused_naming_the_place(
    citizen: httpx.AsyncClient, changes: dict[str, Any], place: str
) -> None:
    answer = await put(citizen, "k1", **changes)
    assert answer.status_code == 422
    assert answer.json()["error"]["message"] == f"Bài gửi lên chưa đúng ở: {place}."


async def test_too_much_is_refused(citizen: httpx.AsyncClient) -> None:
    answer = await put(citizen, "k1", html="<p>" + "a" * 600_000)
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "too_large")


async def test_what_is_no_json_is_refused(citizen: httpx.AsyncClient) -> None:
    answer = await citizen.put("/_publish/le-thanh-nghi/k1", content=b"{", headers=signed())
    assert answer.status_code == 422


async def test_withdrawn_is_gone_everywhere_and_stays_gone(citizen: httpx.AsyncClient) -> None:
    url = (await put(citizen, "k1")).json()["url"]
    for _ in range(2):
        answer = await citizen.delete("/_publish/le-thanh-nghi/k1", headers=signed())
        assert (answer.status_code, answer.json()["withdrawn_at"]) == (200, START.isoformat())
    page = await citizen.get(url)
    assert page.status_code == 410
    assert "Bài đã được gỡ" in page.text and "Nộp hồ sơ trực tuyến" not in page.text
    for address in (
        "/le-thanh-nghi/",
        "/le-thanh-nghi/rss.xml",
        "/le-thanh-nghi/sitemap.xml",
        "/le-thanh-nghi/tim-kiem?q=nop",
    ):
        assert "nop-ho-so" not in (await citizen.get(address)).text
    back = await put(citizen, "k1")
    assert (back.status_code, back.json()["error"]["code"]) == (410, "withdrawn")


async def test_the_listing_tells_everything_in_pages(citizen: httpx.AsyncClient) -> None:
    for number in range(5):
        await put(
            citizen, f"k{number}", slug=f"2026/bai-{number}", published_at=START.replace(minute=number).isoformat()
        )
    seen: list[str] = []
    following: int | None = 0
    while following is not None:
        body = (await citizen.get(f"/_publish/le-thanh-nghi?offset={following}&limit=2", headers=signed())).json()
        seen += [row["key"] for row in body["articles"]]
        following = body["next"]
    assert seen == ["k0", "k1", "k2", "k3", "k4"]


# Pictures


async def test_a_picture_is_brought_once_and_served_for_good(citizen: httpx.AsyncClient) -> None:
    data = picture_bytes()
    first, again = await bring(citizen, data), await bring(citizen, data)
    assert (first.status_code, again.status_code) == (201, 200)
    answer = await citizen.get(f"/tep/{hashlib.sha256(data).hexdigest()}")
    assert answer.content == data
    assert answer.headers["content-type"] == "image/jpeg"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in answer.headers["content-security-policy"]
    assert "immutable" in answer.headers["cache-control"]


@pytest.mark.parametrize(
    "data", [b"<svg onload='alert(1)'/>", b"GIF89a<script>", b"\xff\xd8\xff<html>", b"%PDF-1.7", b""]
)
async def test_what_is_no_picture_is_refused(citizen: httpx.AsyncClient, files: Files, data: bytes) -> None:
    answer = await bring(citizen, data)
    assert (answer.status_code, answer.json()["error"]["code"]) == (422, "bad_media")
    assert not files.path(hashlib.sha256(data).hexdigest()).exists()


async def test_a_picture_of_another_hash_or_too_heavy_is_refused(citizen: httpx.AsyncClient) -> None:
    assert (await bring(citizen, picture_bytes(), "0" * 64)).json()["error"]["code"] == "bad_media"
    assert (await bring(citizen, b"\xff\xd8\xff" + b"0" * 5_000_000)).status_code == 413


async def test_an_article_waits_for_its_picture(citizen: httpx.AsyncClient) -> None:
    data = picture_bytes()
    picture = {
        "sha256": hashlib.sha256(data).hexdigest(),
        "mime": "image/jpeg",
        "width": 1200,
        "height": 630,
        "alt": "Thẻ",
    }
    early = await put(citizen, "k1", picture=picture)
    assert (early.status_code, early.json()["error"]["code"]) == (422, "picture_missing")
    await bring(citizen, data)
    assert (await put(citizen, "k1", picture=picture)).status_code == 201


@pytest.mark.parametrize("name", ["0" * 64, "..%2f..%2fetc%2fpasswd", "....//", "%00", "a" * 63, "A" * 64, "tệp"])
async def test_unknown_files_are_not_found(citizen: httpx.AsyncClient, name: str) -> None:
    assert (await citizen.get(f"/tep/{name}")).status_code == 404


async def test_files_of_other_kinds_are_not_served(citizen: httpx.AsyncClient, files: Files) -> None:
    assert (await citizen.get(f"/tep/{files.put(b'<html><script>alert(1)</script>')}")).status_code == 404


# What citizens read


async def test_the_front_page_shows_the_newest_first(citizen: httpx.AsyncClient) -> None:
    for number in range(15):
        at = START.replace(minute=number).isoformat()
        await put(
            citizen, f"k{number}", slug=f"2026/bai-{number}", title=f"Bài số {number} của phường", published_at=at
        )
    page = (await citizen.get("/le-thanh-nghi/")).text
    shown = [int(number) for number in re.findall(r"Bài số (\d+) của phường", page)]
    assert shown == list(range(14, 4, -1))
    second = (await citizen.get("/le-thanh-nghi/tat-ca?trang=2")).text
    assert re.findall(r"Bài số (\d+) của phường", second) == ["2", "1", "0"]
    assert 'rel="prev"' in second and 'rel="next"' not in second
    for wrong in ("3", "0", "-1", "x", "99999999999", "²"):
        assert (await citizen.get("/le-thanh-nghi/tat-ca", params={"trang": wrong})).status_code == 404


async def test_wards_are_apart(citizen: httpx.AsyncClient) -> None:
    await put(citizen, "k1", title="Chỉ của Lê Thanh Nghị")
    for address in (
        "/dong-hai/",
        "/dong-hai/tat-ca",
        "/dong-hai/rss.xml",
        "/dong-hai/sitemap.xml",
        "/dong-hai/tim-kiem?q=chi",
    ):
        answer = await citizen.get(address)
        assert answer.status_code == 200
        assert "Chỉ của" not in answer.text.replace("Chỉ của bạn", "")
    assert (await citizen.get("/dong-hai/chu-de/dich-vu-cong-truc-tuyen")).status_code == 404


async def test_topics_have_pages(citizen: httpx.AsyncClient) -> None:
    await put(citizen, "k1")
    await put(citizen, "k2", slug="2026/khac", title="Ngày hội STEM", topics=["Giáo dục sáng tạo"])
    page = (await citizen.get("/le-thanh-nghi/chu-de/giao-duc-sang-tao")).text
    assert "Ngày hội STEM" in page and "Nộp hồ sơ" not in page
    assert (await citizen.get("/le-thanh-nghi/chu-de/khong-co")).status_code == 404


@pytest.mark.parametrize(
    "query", ["học bổng", "hoc bong", "HỌC BỔNG", "bong  hoc", "ho\u0323c bo\u0302\u0309ng", "tre"]
)
async def test_search_knows_words_with_and_without_diacritics(citizen: httpx.AsyncClient, query: str) -> None:
    await put(citizen, "k1", title="Trao học bổng cho trẻ em")
    await put(citizen, "k2", slug="2026/khac", title="Phân loại rác tại nguồn", summary="", topics=[])
    page = (await citizen.get("/le-thanh-nghi/tim-kiem", params={"q": query})).text
    assert "Trao học bổng" in page and "Phân loại rác" not in page


async def test_search_puts_the_right_spelling_and_titles_first(citizen: httpx.AsyncClient) -> None:
    await put(citizen, "k1", slug="2026/a", title="Ba mà", published_at=START.replace(minute=3).isoformat())
    await put(
        citizen,
        "k2",
        slug="2026/b",
        title="Khác",
        html="<p>có má trong bài</p>",
        published_at=START.replace(minute=2).isoformat(),
    )
    await put(citizen, "k3", slug="2026/c", title="Bà má", published_at=START.isoformat())
    page = (await citizen.get("/le-thanh-nghi/tim-kiem?q=má")).text
    assert re.findall(r'class="headline" href="[^"]*">([^<]+)<', page) == ["Bà má", "Khác", "Ba mà"]


async def test_searching_for_nothing_finds_nothing(citizen: httpx.AsyncClient) -> None:
    await put(citizen, "k1")
    assert 'class="card"' not in (await citizen.get("/le-thanh-nghi/tim-kiem?q=+")).text
    assert "Không có bài nào" in (await citizen.get("/le-thanh-nghi/tim-kiem?q=zzz")).text


async def test_pages_that_are_not_there(citizen: httpx.AsyncClient) -> None:
    for address in (
        "/khong-co/",
        "/le-thanh-nghi/2026/khong-co",
        "/le-thanh-nghi/gi-do",
        "/s/khongco",
        "/a/b/c/d",
        "/%2f%2fevil.example",
    ):
        answer = await citizen.get(address)
        assert answer.status_code == 404
        assert "Không tìm thấy trang" in answer.text
        assert "location" not in answer.headers
    assert (await citizen.post("/le-thanh-nghi/")).status_code == 405


async def test_the_wards_are_listed_and_the_last_slash_is_added(citizen: httpx.AsyncClient) -> None:
    assert "Phường Đông Hải" in (await citizen.get("/")).text
    answer = await citizen.get("/dong-hai")
    assert (answer.status_code, answer.headers["location"]) == (308, "/dong-hai/")


async def test_every_page_carries_the_same_protection(citizen: httpx.AsyncClient) -> None:
    url = (await put(citizen, "k1")).json()["url"]
    for address in (
        "/",
        "/le-thanh-nghi/",
        url,
        "/le-thanh-nghi/tim-kiem?q=x",
        "/le-thanh-nghi/gioi-thieu",
        "/khong-co",
        "/le-thanh-nghi/rss.xml",
    ):
        headers = (await citizen.get(address)).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "strict-origin-when-cross-origin"
        assert "set-cookie" not in headers


async def test_pages_bring_nothing_from_elsewhere_and_can_be_walked_without_a_mouse(citizen: httpx.AsyncClient) -> None:
    url = (await put(citizen, "k1")).json()["url"]
    for address in ("/le-thanh-nghi/", url, "/le-thanh-nghi/gioi-thieu"):
        page = (await citizen.get(address)).text
        loaded = re.findall(r'<(?:img|script|iframe|source)[^>]*\ssrc="([^"]+)"', page) + re.findall(
            r'rel="(?:stylesheet|preload|icon)"[^>]*href="([^"]+)"', page
        )
        assert loaded and all(one.startswith(("/static/", "/tep/")) for one in loaded)
        for one in loaded:
            assert (await citizen.get(one)).status_code == 200
        assert '<html lang="vi">' in page and 'href="#noi-dung"' in page and 'id="noi-dung"' in page
        assert len(re.findall(r"<h1[ >]", page)) == len(re.findall(r"<main[ >]", page)) == 1
        assert all("alt=" in image for image in re.findall(r"<img[^>]*>", page))
        assert not re.findall(r"\son\w+=|\sstyle=|<style|<script(?! type=\"application/ld\+json\")", page)


PAYLOADS = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "</script><script>alert(1)</script>",
    "</title><svg onload=alert(1)>",
    "]]><x xmlns='http://www.w3.org/1999/xhtml' onclick='alert(1)'/>",
    "{{ 7*7 }}{% raw %}",
    "\u2028<!--<script>",
    "\x00\x08\x0b\ufffe ký tự lạ",
]


@pytest.mark.parametrize("payload", PAYLOADS)
async def test_hostile_words_stay_words(citizen: httpx.AsyncClient, payload: str) -> None:
    kept = "".join(letter for letter in payload if letter not in "\x00\x08\x0b\ufffe")
    said = await put(
        citizen, "k1", title=f"T {payload}", summary=f"S {payload}", topics=[f"C {payload}"],
        html=f"<p>{payload}</p><p onclick=alert(1)>x</p><a href='javascript:alert(1)'>y</a>", source={"name": f"N {payload}"},
    )  # fmt: skip
    url = said.json()["url"]
    search = f"/le-thanh-nghi/tim-kiem?{httpx.QueryParams({'q': payload})}"
    for address in ("/le-thanh-nghi/", url, "/le-thanh-nghi/tat-ca", search):
        tree = _Tree((await citizen.get(address)).text)
        assert set(tree.tags) <= ELEMENTS
        assert not [name for name in tree.attributes if name.startswith("on") or name in ("style", "srcdoc")]
        assert all(value.startswith(("https://", "/", "#", "?")) for value in tree.addresses)
        assert tree.scripts == (1 if address in (url, "/le-thanh-nghi/") else 0)
    data = json.loads(
        re.findall(r'<script type="application/ld\+json">(.*?)</script>', (await citizen.get(url)).text, re.DOTALL)[0]
    )
    assert data["headline"] == " ".join(f"T {kept}".split())
    rss = ElementTree.fromstring((await citizen.get("/le-thanh-nghi/rss.xml")).content)
    assert rss.findtext("channel/item/title") == " ".join(f"T {kept}".split())
    ElementTree.fromstring((await citizen.get("/le-thanh-nghi/atom.xml")).content)
    ElementTree.fromstring((await citizen.get("/le-thanh-nghi/sitemap.xml")).content)


ELEMENTS = {
    "html", "head", "meta", "title", "link", "script", "body", "a", "header", "div", "img", "span", "b", "small", "nav",
    "ul", "li", "form", "input", "button", "svg", "path", "main", "article", "ol", "h1", "h2", "h3", "p", "time", "figure",
    "footer", "section", "strong",
}  # fmt: skip


class _Tree(HTMLParser):
    """What a page is made of, as a parser sees it."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[str] = []
        self.addresses: list[str] = []
        self.scripts = 0
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.attributes += [name for name, _ in attrs]
        self.addresses += [value or "" for name, value in attrs if name in ("href", "src", "action")]
        self.scripts += tag == "script"


# What machines read


async def test_an_article_tells_how_it_wants_to_be_shared(citizen: httpx.AsyncClient) -> None:
    data = picture_bytes()
    await bring(citizen, data)
    sha256 = hashlib.sha256(data).hexdigest()
    picture = {"sha256": sha256, "mime": "image/jpeg", "width": 1200, "height": 630, "alt": "Thẻ «Nộp hồ sơ»"}
    url = (await put(citizen, "k1", picture=picture)).json()["url"]
    page = (await citizen.get(url)).text
    tags = dict(re.findall(r'<meta (?:property|name)="([^"]+)" content="([^"]*)">', page))
    assert tags["og:type"] == "article"
    assert tags["og:locale"] == "vi_VN"
    assert tags["og:url"] == url
    assert tags["og:title"] == "Nộp hồ sơ trực tuyến toàn trình"
    assert tags["og:description"] == tags["description"] == "Không phải đến Trung tâm."
    assert tags["og:image"] == f"{BASE}/tep/{sha256}"
    assert (tags["og:image:width"], tags["og:image:height"]) == ("1200", "630")
    assert tags["twitter:card"] == "summary_large_image"
    assert f'<link rel="canonical" href="{url}">' in page
    data_in_page = json.loads(re.findall(r'<script type="application/ld\+json">(.*?)</script>', page)[0])
    assert data_in_page["@type"] == "NewsArticle"
    assert data_in_page["datePublished"] == "2026-11-23T01:00:00+00:00"
    assert data_in_page["image"]["url"] == f"{BASE}/tep/{sha256}"


@pytest.mark.parametrize("name", ["rss.xml", "atom.xml"])
async def test_feeds_are_what_feed_readers_expect(citizen: httpx.AsyncClient, name: str) -> None:
    for number in range(3):
        await put(
            citizen,
            f"k{number}",
            slug=f"2026/bai-{number}",
            title=f"Bài & số <{number}>",
            published_at=START.replace(minute=number).isoformat(),
        )
    answer = await citizen.get(f"/le-thanh-nghi/{name}")
    assert answer.headers["content-type"].startswith(f"application/{name.removesuffix('.xml')}+xml")
    feed = feedparser.parse(answer.content)
    assert not feed.bozo
    assert feed.version == {"rss.xml": "rss20", "atom.xml": "atom10"}[name]
    assert feed.feed.title == "Phường Lê Thanh Nghị"
    assert [link.href for link in feed.feed.links if link.rel == "self"] == [f"{BASE}/le-thanh-nghi/{name}"]
    assert [entry.link for entry in feed.entries] == [f"{BASE}/le-thanh-nghi/2026/bai-{number}" for number in (2, 1, 0)]
    first = feed.entries[0]
    assert first.id == "tag:phuong.example,2026-11-23:le-thanh-nghi/k2"
    assert first.published_parsed[:5] == (2026, 11, 23, 1, 2)
    assert first.tags[0].term == "Dịch vụ công trực tuyến"
    assert "<strong>01/12/2026</strong>" in first.content[0].value


async def test_feeds_have_every_required_element(citizen: httpx.AsyncClient) -> None:
    await put(citizen, "k1")
    rss = ElementTree.fromstring((await citizen.get("/le-thanh-nghi/rss.xml")).content)
    assert rss.attrib["version"] == "2.0"
    assert all(rss.findtext(f"channel/{name}") for name in ("title", "link", "description"))
    guid = rss.find("channel/item/guid")
    assert guid is not None and guid.attrib["isPermaLink"] == "false"
    moment = parsedate_to_datetime(rss.findtext("channel/item/pubDate") or "")
    assert moment == START and moment.utcoffset().total_seconds() == 7 * 3600  # type: ignore[union-attr]
    atom = ElementTree.fromstring((await citizen.get("/le-thanh-nghi/atom.xml")).content)
    space = "{http://www.w3.org/2005/Atom}"
    for parent in (atom, atom.find(f"{space}entry")):
        assert parent is not None
        assert all(parent.findtext(f"{space}{name}") for name in ("id", "title", "updated"))
    assert atom.findtext(f"{space}author/{space}name")
    assert datetime.fromisoformat(atom.findtext(f"{space}updated") or "").tzinfo


async def test_the_json_feed_keeps_version_1_1(citizen: httpx.AsyncClient) -> None:
    await put(citizen, "k1")
    answer = await citizen.get("/le-thanh-nghi/feed.json")
    assert answer.headers["content-type"].startswith("application/feed+json")
    feed = answer.json()
    assert feed["version"] == "https://jsonfeed.org/version/1.1"
    assert feed["title"] and feed["feed_url"] == f"{BASE}/le-thanh-nghi/feed.json"
    allowed = {
        "id",
        "url",
        "external_url",
        "title",
        "content_html",
        "summary",
        "image",
        "date_published",
        "date_modified",
        "tags",
    }
    for item in feed["items"]:
        assert item["id"] and item["content_html"] and set(item) <= allowed
        assert isinstance(item["tags"], list)
        assert datetime.fromisoformat(item["date_published"]).tzinfo


async def test_an_empty_ward_has_valid_feeds_too(citizen: httpx.AsyncClient) -> None:
    for name in ("rss.xml", "atom.xml"):
        assert not feedparser.parse((await citizen.get(f"/dong-hai/{name}")).content).bozo
    assert (await citizen.get("/dong-hai/feed.json")).json()["items"] == []
    assert "Trang chưa có bài nào" in (await citizen.get("/dong-hai/")).text


async def test_maps_for_search_machines(citizen: httpx.AsyncClient) -> None:
    url = (await put(citizen, "k1")).json()["url"]
    space = "{http://www.sitemaps.org/schemas/sitemap/0.9}"
    robots = (await citizen.get("/robots.txt")).text
    assert f"Sitemap: {BASE}/sitemap.xml" in robots and "Disallow: /quan-tri" in robots
    index = ElementTree.fromstring((await citizen.get("/sitemap.xml")).content)
    maps = [found.text or "" for found in index.iter(f"{space}loc")]
    assert f"{BASE}/le-thanh-nghi/sitemap.xml" in maps and len(maps) == 2
    sitemap = ElementTree.fromstring((await citizen.get(f"{BASE}/le-thanh-nghi/sitemap.xml")).content)
    places = [found.text or "" for found in sitemap.iter(f"{space}loc")]
    assert url in places
    for place in places:
        assert (await citizen.get(place)).status_code == 200


# Fresh or known


@pytest.mark.parametrize(
    "address",
    [
        "/le-thanh-nghi/",
        "/le-thanh-nghi/2026/nop-ho-so-truc-tuyen-1a2b3c4d",
        "/le-thanh-nghi/rss.xml",
        "/le-thanh-nghi/feed.json",
    ],
)
async def test_what_is_known_is_not_sent_again(citizen: httpx.AsyncClient, clock: Any, address: str) -> None:
    await put(citizen, "k1")
    first = await citizen.get(address)
    known = await citizen.get(address, headers={"if-none-match": f'"khac", {first.headers["etag"]}'})
    assert (known.status_code, known.content) == (304, b"")
    assert known.headers["etag"] == first.headers["etag"]
    clock.forward(hours=1)
    await put(citizen, "k1", title="Tiêu đề mới")
    changed = await citizen.get(address, headers={"if-none-match": first.headers["etag"]})
    assert changed.status_code == 200 and "Tiêu đề mới" in changed.text


async def test_feeds_know_when_they_changed(citizen: httpx.AsyncClient, clock: Any) -> None:
    await put(citizen, "k1")
    first = await citizen.get("/le-thanh-nghi/rss.xml")
    assert parsedate_to_datetime(first.headers["last-modified"]) == START
    since = {"if-modified-since": first.headers["last-modified"]}
    assert (await citizen.get("/le-thanh-nghi/rss.xml", headers=since)).status_code == 304
    assert (
        await citizen.get("/le-thanh-nghi/rss.xml", headers={"if-modified-since": "hôm qua".encode()})
    ).status_code == 200
    clock.forward(minutes=1)
    await citizen.delete("/_publish/le-thanh-nghi/k1", headers=signed())
    assert (await citizen.get("/le-thanh-nghi/rss.xml", headers=since)).status_code == 200


async def test_pages_are_small_on_the_line(citizen: httpx.AsyncClient) -> None:
    await put(citizen, "k1")
    zipped = await citizen.get("/le-thanh-nghi/", headers={"accept-encoding": "gzip"})
    plain = await citizen.get("/le-thanh-nghi/", headers={"accept-encoding": "identity"})
    assert zipped.headers["content-encoding"] == "gzip" and "content-encoding" not in plain.headers
    assert zipped.text == plain.text
    style = await citizen.get(assets.url("site.css"))
    assert len(style.content) < 12_288
    assert "immutable" in style.headers["cache-control"]
    assert "asset:" not in style.text


@pytest.mark.parametrize("name", ["site.css", "site.0000000000.css", "..%2fapp.py", "app.py", "package.json"])
async def test_only_named_assets_under_their_hash_are_served(citizen: httpx.AsyncClient, name: str) -> None:
    assert (await citizen.get(f"/static/{name}")).status_code == 404


# Counting


def counted(app: Starlette, store: Store, kind: str, subject: str) -> tuple[int, int]:
    app.state.site.visits.flush()
    with store.read() as session:
        rows = session.exec(select(DayCount).where(DayCount.kind == kind, DayCount.subject == subject)).all()
    return sum(row.raw for row in rows), sum(row.people for row in rows)


async def test_a_reader_counts_once_in_half_an_hour(
    citizen: httpx.AsyncClient, app: Starlette, store: Store, clock: Any
) -> None:
    url = (await put(citizen, "k1")).json()["url"]
    for minutes in (0, 10, 19):
        clock.forward(minutes=minutes)
        await citizen.get(url)
    assert counted(app, store, "article", "k1") == (3, 1)
    clock.forward(minutes=1)
    await citizen.get(url)
    assert counted(app, store, "article", "k1") == (4, 2)
    await citizen.get(url, headers={"user-agent": PHONE.replace("SM-J415F", "Redmi 9A")})
    figures = await citizen.get("/_publish/le-thanh-nghi/k1/visits", headers=signed())
    assert figures.json() == {"key": "k1", "raw": 5, "people": 3}


async def test_machines_previews_and_head_are_not_readers(
    citizen: httpx.AsyncClient, app: Starlette, store: Store
) -> None:
    url = (await put(citizen, "k1")).json()["url"]
    for agent in (
        "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)", "TelegramBot (like TwitterBot)", "Twitterbot/1.0",
        "ZaloBot/1.0", "WhatsApp/2.23.20.0", "Mozilla/5.0 (compatible; Googlebot/2.1)", "SkypeUriPreview Preview/0.5",
        "curl/8.4.0", "python-httpx/0.28", "LanToa/1.0", "",
    ):  # fmt: skip
        await citizen.get(url, headers={"user-agent": agent})
    await citizen.head(url)
    await citizen.get(url, headers={"sec-purpose": "prefetch;prerender"})
    await citizen.get(url, headers={"purpose": "prefetch"})
    await citizen.get("/le-thanh-nghi/2026/khong-co")
    assert counted(app, store, "article", "k1") == (0, 0)


@pytest.mark.parametrize(
    "agent",
    [
        "Mozilla/5.0 (Linux; Android 12) Zalo android/23090500",
        "Mozilla/5.0 (iPhone) [FBAN/FBIOS;FBAV/443.0]",
        "Telegram-Android/10.9",
        "Mozilla/5.0 (Linux; Android 10; CUBOT X30) Chrome/119",
    ],
)
def test_the_browsers_inside_messengers_are_people(agent: str) -> None:
    assert by_hand("GET", agent, "")
    assert not by_hand("POST", agent, "")


def test_addresses_are_shortened_before_anything_is_done_with_them() -> None:
    assert shortened("203.0.113.77") == "203.0.113.0/24"
    assert shortened("2001:db8:1:2:3:4:5:6") == "2001:db8:1:2::/64"
    assert shortened("testclient") == "testclient"


def short(store: Store, code: str, target: str) -> None:
    with store.write() as session:
        ward = session.exec(select(Ward).where(Ward.slug == "le-thanh-nghi")).one()
        assert ward.id is not None
        delivery = session.exec(select(Delivery)).first() or _delivery(session, ward.id)
        assert delivery.id is not None
        session.add(ShortLink(code=code, ward_id=ward.id, delivery_id=delivery.id, target=target, created_at=START))


def _delivery(session: Any, ward: int) -> Delivery:
    def kept(row: Any) -> int:
        session.add(row)
        session.flush()
        return int(row.id)

    author = kept(User(ward_id=ward, username="lan", name="Lan", role="editor", password_hash="x", created_at=START))
    campaign = kept(Campaign(ward_id=ward, slug="c", name="c", starts_on=date(2026, 1, 1), created_at=START))
    outlet = kept(Outlet(ward_id=ward, kind="zalo", name="z", created_at=START))
    post = kept(
        Post(ward_id=ward, campaign_id=campaign, title="t", author_id=author, created_at=START, updated_at=START)
    )
    made = Delivery(
        key="d", ward_id=ward, post_id=post, outlet_id=outlet, due_at=START, expires_at=START, approved_digest="x",
        next_at=START, created_at=START, updated_at=START,
    )  # fmt: skip
    kept(made)
    return made


async def test_a_short_link_leads_to_its_target_and_counts(
    citizen: httpx.AsyncClient, app: Starlette, store: Store
) -> None:
    short(store, "abc234", f"{BASE}/le-thanh-nghi/2026/x")
    for _ in range(3):
        answer = await citizen.get("/s/abc234?next=https://evil.example")
        assert (answer.status_code, answer.headers["location"]) == (302, f"{BASE}/le-thanh-nghi/2026/x")
        assert answer.headers["cache-control"] == "no-store"
    assert (await citizen.head("/s/abc234")).status_code == 302
    assert (await citizen.get("/s/abc234", headers={"user-agent": "facebookexternalhit/1.1"})).status_code == 302
    assert counted(app, store, "link", "abc234") == (3, 1)


@pytest.mark.parametrize(
    "target",
    [
        "//evil.example",
        "javascript:alert(1)",
        "/quan-tri",
        "https:evil",
        "https://a.example@evil.example/",
        "https://a.example\\@evil",
        "https://a.example/\r\nX: y",
        "data:text/html,x",
        "",
    ],
)
async def test_a_bad_target_leads_nowhere(citizen: httpx.AsyncClient, store: Store, target: str) -> None:
    short(store, "xau", target)
    answer = await citizen.get("/s/xau")
    assert answer.status_code == 404 and "location" not in answer.headers


@pytest.mark.parametrize(
    "code",
    [
        "//evil.example",
        "%2f%2fevil.example",
        "https:%2f%2fevil.example",
        "\\evil.example",
        "%0d%0aLocation:x",
        "a" * 33,
    ],
)
async def test_a_made_up_code_leads_nowhere(citizen: httpx.AsyncClient, code: str) -> None:
    answer = await citizen.get(f"/s/{code}")
    assert answer.status_code == 404 and "location" not in answer.headers


def test_counts_outlive_a_database_that_fails(any_store: Store, clock: Any, tmp_path: Path) -> None:
    with any_store.write() as session:
        session.add(Ward(slug="w", name="w", centre="w", created_at=START))
    counter = VisitCounter(any_store, delay=3600)
    seen = visits.Visit("article", "k", 1, date(2026, 11, 23), "203.0.113.7", PHONE)
    counter.note(seen, clock())
    engine, empty = any_store.engine, Store(f"sqlite:///{tmp_path}/trong.db")
    any_store.engine = empty.engine
    counter.flush()
    any_store.engine = engine
    empty.close()
    counter.note(seen, clock())
    counter.close()
    with any_store.read() as session:
        assert visits.total(session, 1, "article", "k") == visits.Count(raw=2, people=1)
    counter.note(visits.Visit("article", "k", 1, date(2026, 11, 23), "198.51.100.1", PHONE), clock())
    counter.flush()
    with any_store.read() as session:
        assert visits.total(session, 1, "article", "k") == visits.Count(raw=3, people=2)
