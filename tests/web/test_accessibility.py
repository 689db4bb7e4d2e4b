"""Every public page and the console's main pages, held to WCAG 2.1 A and AA by axe-core in a real browser.

https://github.com/dequelabs/axe-core (MPL-2.0, a development dependency in package.json).
"""

import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import uvicorn
from playwright.sync_api import Browser, Page

from campaigns import articles
from campaigns.articles import NewArticle
from store.tables import Broadcast, Ward
from tests.web import furnished
from tests.web.conftest import PASSWORD, Scene
from tests.web.test_console_browser import CHROMIUM, browser, house  # noqa: F401 - fixtures
from web.assets import NODE_MODULES
from web.public import build

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")

AXE = (NODE_MODULES / "axe-core" / "axe.min.js").read_text("utf-8")
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]
GRAVE = ("serious", "critical")
SLUG = "2026/ngay-hoi-1a2b3c4d"
PUBLIC = (
    "/", "/phuong-ta/", f"/phuong-ta/{SLUG}", "/phuong-ta/tat-ca", "/phuong-ta/tim-kiem?q=ngay+hoi", "/phuong-ta/tim-kiem?q=khong",
    "/phuong-ta/chu-de/su-kien", "/phuong-ta/su-kien", "/phuong-ta/phat-thanh", "/phuong-ta/gioi-thieu",
    "/phuong-ta/nhan-ban-tin", "/phuong-ta/khong-co-trang-nay",
)  # fmt: skip


def furnish(scene: Scene) -> list[str]:
    """Something on every public page; the addresses that carry a number."""
    now = scene.clock()
    ward = scene.one(Ward, slug="phuong-ta")
    heard = furnished.delivery(scene, "sent", kind="loudspeaker")
    event = {
        "name": "Ngày hội", "starts_at": (now + timedelta(days=9)).isoformat(), "ends_at": None, "place": "nhà văn hóa",
    }  # fmt: skip
    with scene.store.write() as session:
        for number, (slug, told) in enumerate(((SLUG, event), ("2026/tin-khac-2b3c4d5e", None))):
            new = NewArticle(
                slug=slug, title=f"Mời dự ngày hội số {number}", html="<p>Mời bà con.</p><h2>Chương trình</h2><ul><li>Một</li></ul>",
                published_at=now, summary="Ngày hội của phường.", topics=("Sự kiện",), source_name="Ủy ban nhân dân phường",
                source_url="https://haiphong.gov.vn/qd", event=told,
            )  # fmt: skip
            articles.publish(session, ward.id or 0, f"k{number}", new, now)
        session.add(
            Broadcast(
                delivery_id=heard.id or 0, ward_id=ward.id or 0, title="Lịch tiếp dân", transcript="Kính thưa bà con.\nXin hết.",
                sha256="0" * 64, seconds=61, synthetic=True, aired_at=now,
            )
        )  # fmt: skip
    return [f"/phuong-ta/phat-thanh/{heard.id}"]


def grave(page: Page, address: str) -> list[str]:
    """What axe-core finds seriously wrong on a page, as «page: rule: element»."""
    answer = page.goto(address)
    assert answer is not None and (answer.ok or address.endswith("/khong-co-trang-nay")), address
    page.evaluate(AXE)
    found: list[dict[str, Any]] = page.evaluate(
        "rules => axe.run(document, {runOnly: rules, resultTypes: ['violations']}).then(found => found.violations)",
        RULES,
    )
    path = "/" + address.split("/", 3)[3]
    return [
        f"{path}: {one['id']} ({one['help']}): {node['html'][:160]}"
        for one in found
        if one["impact"] in GRAVE
        for node in one["nodes"][:3]
    ]


@pytest.fixture
def site(house: tuple[Scene, str]) -> Iterator[tuple[Scene, str]]:  # noqa: F811
    """The public site of the same wards on a port of its own."""
    scene, _ = house
    app = build(scene.store, scene.desk.files, scene.clock, {}.get, "https://phuong.example", scene.desk.vault)
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    yield scene, f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join()


@pytest.mark.parametrize("width", [390, 1440])
def test_citizens_meet_no_barrier(browser: Browser, site: tuple[Scene, str], width: int) -> None:  # noqa: F811
    scene, address = site
    numbered = furnish(scene)
    page = browser.new_context(viewport={"width": width, "height": 900}, locale="vi-VN").new_page()
    assert [one for path in (*PUBLIC, *numbered) for one in grave(page, address + path)] == []


def test_staff_meet_no_barrier(browser: Browser, house: tuple[Scene, str]) -> None:  # noqa: F811
    scene, address = house
    waiting, sent = furnished.delivery(scene, "needs_human"), furnished.delivery(scene, "sent")
    rule = furnished.rule(scene, "approved")
    furnished.feed(scene, "Tin Hai Phong", ["Phường mở ngày hội"])
    page = browser.new_context(viewport={"width": 1440, "height": 900}, locale="vi-VN").new_page()
    found = grave(page, f"{address}/quan-tri/dang-nhap")
    page.fill("#username", "quantri.phuong-ta")
    page.fill("#password", PASSWORD)
    page.click("text=Đăng nhập >> nth=-1")
    page.wait_for_selector("nav a")
    links = page.eval_on_selector_all("nav a[href^='/quan-tri']", "all => all.map(one => one.getAttribute('href'))")
    menu = sorted({link.split("#")[0] for link in links if "dang-xuat" not in link})
    assert len(menu) > 8, menu
    deep = [
        f"/quan-tri/bai/{sent.post_id}", f"/quan-tri/bai/{sent.post_id}/soan", f"/quan-tri/luot-dang/{waiting.id}",
        f"/quan-tri/kenh/{sent.outlet_id}", f"/quan-tri/kenh/{sent.outlet_id}/dang-thu", f"/quan-tri/thuong-ky/{rule.id}",
        "/quan-tri/soan/moi",
    ]  # fmt: skip
    found += [one for path in (*menu, *deep) for one in grave(page, address + path)]
    assert not found, "\n".join(found)
