"""The reading in a real browser: a word mended in one click, and an own reading that keeps itself while the post is typed."""

import pytest
from playwright.sync_api import Browser, expect

from tests.web.conftest import Scene
from tests.web.test_console_browser import CHROMIUM, Watched, browser, house

__all__ = ["browser", "house"]

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")

OWN = "Họp dân.\nMời bà con họp lúc mười chín giờ ba mươi phút tối nay."


@pytest.mark.parametrize("width", [1440, 390])
def test_a_word_is_mended_and_an_own_reading_is_kept(browser: Browser, house: tuple[Scene, str], width: int) -> None:
    scene, address = house
    editor = Watched(browser, address, "bientap.phuong-ta", width)
    editor.go("/quan-tri/soan/moi")
    page = editor.page
    page.fill("#f-title", "Họp dân")
    page.fill("#f-body", "Họp lúc 19h30 tại XQZT, mời bà con đến dự.")
    reading = page.locator("section.reading")
    expect(reading).to_contain_text("mười chín giờ ba mươi phút")
    word = reading.locator("li", has_text="XQZT")
    word.locator("input[type=text], input:not([type])").fill("nhà văn quán")
    word.get_by_role("button", name="Lưu vào từ điển").click()
    expect(page.locator("#told")).to_contain_text("Đã lưu «XQZT» đọc là «nhà văn quán»")
    expect(reading).to_contain_text("tại nhà văn quán, mời bà con")
    page.locator(".reading__own summary").click()
    page.locator(".reading__own textarea").fill(OWN)
    page.fill("#f-summary", "Tối nay họp dân")
    expect(reading).to_contain_text("Đã sửa tay")
    expect(page.locator(".reading__own textarea")).to_have_value(OWN)
    expect(page.locator("#told")).to_contain_text("Đã lưu «XQZT»")  # a refresh of the previews leaves it
    with page.expect_navigation():
        page.get_by_role("button", name="Lưu lời đọc").click()
    expect(page.locator(".reading__own textarea")).to_have_value(OWN)
    assert page.evaluate("document.documentElement.scrollWidth") == width, "nothing sticks out"
    assert editor.noted == []
    editor.context.close()
