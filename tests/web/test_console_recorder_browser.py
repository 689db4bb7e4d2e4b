"""The recorder in a real browser with a made-up microphone: record, take again, listen, save; by keyboard alone."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from content.audio import measure
from store.recordings import Recording
from tests.announcers import made, voice
from tests.web.conftest import Scene
from tests.web.test_console_browser import CHROMIUM, Watched, house

__all__ = ["house"]

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")
PATIENCE = 30_000


@pytest.fixture(scope="module")
def microphone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser that hears the announcer over and over."""
    said = tmp_path_factory.mktemp("micro") / "announcer.wav"
    said.write_bytes(made("wav", "-i", "pipe:0", "-ar", "48000", given=voice()))
    options = ["--no-sandbox", "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
               f"--use-file-for-fake-audio-capture={said}"]  # fmt: skip
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=options)
        yield browser
        browser.close()


def opened(watched: Watched, address: str) -> tuple[Page, int]:
    watched.go("/quan-tri/soan/moi")
    page = watched.page
    page.fill("#f-title", "Họp dân")
    page.fill("#f-body", "Mời bà con họp lúc 19h30 tối nay tại nhà văn hóa số ba để bàn việc làm đường.")
    page.wait_for_url("**/quan-tri/bai/*/soan", timeout=PATIENCE)
    post = int(page.url.split("/bai/")[1].split("/")[0])
    watched.go(f"/quan-tri/bai/{post}")
    page.get_by_role("link", name="Thu âm").first.click()
    expect(page.locator("h1")).to_have_text("Thu âm")
    return page, post


def test_the_announcer_records_takes_again_and_saves_by_keyboard(microphone: Browser, house: tuple[Scene, str]) -> None:
    scene, address = house
    watched = Watched(microphone, address, "bientap.phuong-ta", 1440)
    page, post = opened(watched, address)
    state = page.locator("[data-state]")
    expect(page.locator(".recorder__words")).to_contain_text("mười chín giờ ba mươi phút")
    _take(page, 1.5)
    expect(state).to_contain_text("chưa lưu")
    expect(page.locator("[data-take]")).to_be_focused()
    lasted = _take(page, 4.0)
    assert page.evaluate(
        "!document.querySelector('[data-take]').hidden && document.querySelector('[data-take]').duration > 0"
    )
    page.locator("[data-save]").focus()
    page.keyboard.press("Enter")
    expect(page.locator(".recorder__kept")).to_contain_text("Bản thu đang dùng", timeout=PATIENCE)
    expect(page.locator("body")).to_contain_text("Đã lưu bản thu.")
    row = scene.one(Recording, post_id=post)
    heard = measure(scene.desk.files.read(row.sha256))
    assert row.heard_seconds == pytest.approx(lasted, abs=0.6), "the second take, whole"
    assert heard.seconds == pytest.approx(row.heard_seconds, abs=1.2), "but for the silence at its ends"
    assert heard.integrated == pytest.approx(-16, abs=1) and heard.true_peak <= -1
    assert page.evaluate("document.documentElement.scrollWidth") == 1440, "nothing sticks out"
    assert watched.noted == []
    watched.context.close()


def _take(page: Page, seconds: float) -> float:
    """Record for so long with the keyboard; gives how long it really was."""
    page.locator("[data-start]").focus()
    page.keyboard.press("Enter")
    expect(page.locator("[data-stop]")).to_be_focused(timeout=PATIENCE)
    begun = page.evaluate("performance.now()")
    page.wait_for_timeout(seconds * 1000)
    assert page.evaluate("Number(document.querySelector('[data-level]').value)") > -60, "the meter hears something"
    page.keyboard.press("Enter")
    ended = page.evaluate("performance.now()")
    expect(page.locator("[data-save]")).to_be_visible()
    return float(ended - begun) / 1000


def test_a_take_that_cannot_be_saved_stays_in_the_page(microphone: Browser, house: tuple[Scene, str]) -> None:
    scene, address = house
    watched = Watched(microphone, address, "bientap.phuong-ta", 390)
    page, post = opened(watched, address)
    _take(page, 1.5)
    page.route("**/quan-tri/thu-am", lambda route: route.abort())
    page.locator("[data-save]").click()
    expect(page.locator("[data-wrong]")).to_contain_text("Bản thu vẫn còn trong trang này", timeout=PATIENCE)
    page.unroute("**/quan-tri/thu-am")
    page.locator("[data-save]").click()
    expect(page.locator(".recorder__kept")).to_contain_text("Bản thu đang dùng", timeout=PATIENCE)
    assert scene.one(Recording, post_id=post) is not None
    assert page.evaluate("document.documentElement.scrollWidth") == 390, "nothing sticks out"
    watched.context.close()


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("NotAllowedError", "cho phép «Micrô»"),
        ("NotFoundError", "chưa có micrô"),
        ("NotReadableError", "chương trình khác"),
    ],
)
def test_without_a_microphone_it_says_what_to_do_and_offers_the_upload(
    microphone: Browser, house: tuple[Scene, str], error: str, words: str
) -> None:
    _, address = house
    watched = Watched(microphone, address, "bientap.phuong-ta", 1440)
    page, _ = opened(watched, address)
    page.evaluate(
        "error => { navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException('', error)); }", error
    )
    page.locator("[data-start]").click()
    expect(page.locator("[data-wrong]")).to_contain_text(words)
    expect(page.get_by_label("Tệp tiếng")).to_be_visible()
    watched.context.close()
