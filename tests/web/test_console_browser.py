"""Journeys through the console in a real browser; skipped where no Chromium is installed."""

import os
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect, sync_playwright

from campaigns import drafting
from store.tables import Post
from tests.conftest import FakeClock
from tests.web.conftest import NOW, PASSWORD, Scene, make_scene

CHROMIUM = os.environ.get("LANTOA_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip
HOSTILE = "\"'><script>alert(1)</script><img src=x onerror=alert(2)><svg onload=alert(3)>[x](javascript:alert(4))"


expect.set_options(timeout=20_000)  # a busy machine is slow, not wrong

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield opened
        opened.close()


@pytest.fixture
def house(cast_database: Path, tmp_path: Path) -> Iterator[tuple[Scene, str]]:
    """The application on a real port."""
    scene = make_scene(cast_database, tmp_path, FakeClock(NOW), rehearsal=True)
    server = uvicorn.Server(uvicorn.Config(scene.app, port=0, log_level="error", lifespan="off"))
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.02)
    port = server.servers[0].sockets[0].getsockname()[1]
    yield scene, f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join()
    scene.store.close()


class Watched:
    """A person's browser in which every dialog, script error and breach of the policy is noted."""

    def __init__(self, browser: Browser, address: str, username: str, width: int = 1440) -> None:
        self.context: BrowserContext = browser.new_context(viewport={"width": width, "height": 900}, locale="vi-VN")
        self.page: Page = self.context.new_page()
        self.address = address
        self.noted: list[str] = []
        self.page.on("dialog", lambda dialog: (self.noted.append(f"dialog {dialog.message}"), dialog.dismiss()))
        self.page.on("pageerror", lambda error: self.noted.append(f"error {error}"))
        self.page.on("console", lambda message: self._note(message.text))
        self.go("/quan-tri/dang-nhap")
        self.page.fill("#username", username)
        self.page.fill("#password", PASSWORD)
        self.page.click("text=Đăng nhập >> nth=-1")
        expect(self.page.locator("h1")).to_have_text("Hôm nay")

    def _note(self, text: str) -> None:
        if "Content Security Policy" in text or "Refused" in text:
            self.noted.append(text)

    def go(self, path: str) -> None:
        self.page.goto(self.address + path)

    def go_without_waiting(self, path: str) -> None:
        self.page.goto(self.address + path, wait_until="commit")


def test_an_editor_composes_and_an_approver_approves(browser: Browser, house: tuple[Scene, str]) -> None:
    scene, address = house
    editor = Watched(browser, address, "bientap.phuong-ta")
    page = editor.page
    page.click(".side >> text=Soạn tin")
    page.click("text=Lịch tiếp dân")
    page.fill("#f-field-noi", "đình làng Đông")
    expect(page.locator("#previews")).to_contain_text("Phường tiếp 12 người tại đình làng Đông")  # 12 is lent
    expect(page.locator("#saved")).to_contain_text("Đã lưu 8h00")
    page.wait_for_url("**/quan-tri/bai/*/soan")
    page.fill("#f-field-so_nguoi", "mười")
    expect(page.locator("#previews")).to_contain_text("phải là số")
    page.fill("#f-field-so_nguoi", "25")
    page.click("text=Kiểm tra & gửi duyệt")
    expect(page.locator("h1")).to_have_text("Kiểm tra lần cuối")
    page.click(".handover button")
    expect(page.locator("main")).to_contain_text("Đã gửi duyệt")
    assert page.locator("form[action$='/duyet']").count() == 0
    posts = scene.all(Post)
    assert [(post.state, post.fields["noi"]) for post in posts] == [("submitted", "đình làng Đông")]

    approver = Watched(browser, address, "duyet.phuong-ta")
    approver.page.click(".side >> text=Chờ duyệt")
    approver.page.click("text=Lịch tiếp dân ở đình làng Đông")
    approver.page.click("form[action$='/duyet'] button")
    expect(approver.page.locator("main")).to_contain_text("Đã duyệt")
    assert scene.all(Post)[0].state == "approved"

    neighbour = Watched(browser, address, "duyet.phuong-ben")
    neighbour.go(f"/quan-tri/bai/{posts[0].id}")
    expect(neighbour.page.locator("h1")).to_have_text("Không tìm thấy")
    _sign_out_for_good(editor)
    assert editor.noted + approver.noted + neighbour.noted == []


def test_what_is_typed_before_the_scripts_have_come_is_previewed_and_kept(
    browser: Browser, house: tuple[Scene, str]
) -> None:
    scene, address = house
    editor = Watched(browser, address, "bientap.phuong-ta")
    page = editor.page
    held: list[Route] = []
    page.route(re.compile(r"htmx[^/]*\.js"), lambda route: held.append(route))
    editor.go_without_waiting("/quan-tri/soan/moi")
    page.fill("#f-title", "Họp dân tối nay")
    assert held, "the scripts have not come yet"
    held[0].continue_()
    expect(page.locator("#previews")).to_contain_text("Họp dân tối nay")
    expect(page.locator("#saved")).to_contain_text("Đã lưu")
    assert [post.title for post in scene.all(Post)] == ["Họp dân tối nay"]
    editor.context.close()


def _sign_out_for_good(editor: Watched) -> None:
    cookies = editor.context.cookies()
    editor.page.click(".person summary")
    editor.page.click("text=Đăng xuất")
    expect(editor.page.locator("h1")).to_have_text("Đăng nhập")
    editor.context.add_cookies(cookies)  # type: ignore[arg-type]
    editor.go("/quan-tri/bai")
    expect(editor.page.locator("h1")).to_have_text("Đăng nhập")


@pytest.mark.parametrize(
    ("careful", "kept"), [(True, 1), (False, 2)], ids=["as it is", "without the page's own script"]
)
def test_a_draft_handed_over_while_it_is_being_kept_is_kept_once(
    browser: Browser, house: tuple[Scene, str], monkeypatch: pytest.MonkeyPatch, careful: bool, kept: int
) -> None:
    scene, address = house
    save = drafting.save

    def slowly_at_first(*given: Any, **named: Any) -> Post:
        monkeypatch.setattr(drafting, "save", save)
        time.sleep(3)
        return save(*given, **named)

    editor = Watched(browser, address, "bientap.phuong-ta")
    if not careful:
        editor.page.route("**/console.*.js", lambda route: route.abort())
    monkeypatch.setattr(drafting, "save", slowly_at_first)
    editor.go("/quan-tri/soan/moi?mau=lich-tiep-dan&vi_du=1")
    editor.page.fill("#f-field-noi", "sân vận động")
    expect(editor.page.locator("#keeper.htmx-request")).to_be_attached()
    editor.page.click("text=Kiểm tra & gửi duyệt")
    expect(editor.page.locator("h1")).to_have_text("Kiểm tra lần cuối", timeout=20_000)
    _until(lambda: len(scene.all(Post)) >= kept)
    assert len(scene.all(Post)) == kept


def _until(true: Callable[[], bool]) -> None:
    for _ in range(100):
        if true():
            return
        time.sleep(0.1)


def test_the_sheet_works_without_javascript_and_on_a_phone(browser: Browser, house: tuple[Scene, str]) -> None:
    scene, address = house
    context = browser.new_context(viewport={"width": 390, "height": 844}, java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{address}/quan-tri/soan/moi?mau=lich-tiep-dan&vi_du=1")
    page.fill("#username", "bientap.phuong-ta")
    page.fill("#password", PASSWORD)
    page.click("button[type=submit]")
    page.fill("#f-field-noi", "nhà văn hóa số 7")
    page.click("button:has-text('Xem trước')")
    expect(page.locator("#previews")).to_contain_text("nhà văn hóa số 7")
    page.click("text=Kiểm tra & gửi duyệt")
    page.click(".handover button")
    expect(page.locator("main")).to_contain_text("Đã gửi duyệt")
    for path in (
        "",
        "/lich",
        "/lich?xem=thang",
        "/soan",
        "/bai",
        "/cho-duyet",
        "/tai-khoan",
        f"/bai/{scene.all(Post)[0].id}",
    ):
        page.goto(f"{address}/quan-tri{path}")
        box = page.locator("main").bounding_box()
        assert box is not None
        assert box["width"] <= 390, path


def test_hostile_words_stay_words(browser: Browser, house: tuple[Scene, str]) -> None:
    scene, address = house
    editor = Watched(browser, address, "bientap.phuong-ta")
    editor.go("/quan-tri/soan/moi")
    page = editor.page
    page.fill("#f-title", HOSTILE)
    page.fill("#f-body", HOSTILE)
    page.fill("#f-summary", HOSTILE)
    page.fill("#f-card_words", HOSTILE)
    for folded in page.locator("details.block").all():
        folded.evaluate("part => { part.open = true }")
    for area in page.locator("textarea[name^='own.']").all():
        area.fill(HOSTILE)
    page.fill("#f-source_name", HOSTILE)
    expect(page.locator("#saved")).to_contain_text("Đã lưu")
    expect(page.locator("#previews")).to_contain_text("alert(1)")
    post_id = scene.all(Post)[0].id
    for path in (f"/bai/{post_id}", f"/bai/{post_id}/soan", f"/bai/{post_id}/gui", "/bai", "/lich", ""):
        editor.go(f"/quan-tri{path}")
        assert page.locator("main img[src='x']").count() == 0
        assert page.locator("main svg[onload]").count() == 0
    assert editor.noted == []
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=x onerror=alert(5)>')")
    page.wait_for_timeout(300)
    assert any("Content Security Policy" in line for line in editor.noted)  # the watch itself is awake
    assert not any("dialog" in line for line in editor.noted)
