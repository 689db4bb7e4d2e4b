"""The README's pictures: starts the demo on free ports in an empty folder, walks its pages, and photographs them.

Run by hand with ``.venv/bin/python docs/screenshots.py`` where Chromium is installed; writes ``docs/pictures/*.png``.
"""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
PICTURES = ROOT / "docs" / "pictures"
PASSWORD = "hoa-phuong-do-2026"  # noqa: S105 - the demo's own
TEMPLATE = "lich-ho-tro-tai-diem"
FIRST_DELIVERY = 75
ARGUMENTS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
]  # fmt: skip


def main() -> None:
    """Photograph every page that the README shows."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    folder = tempfile.TemporaryDirectory(prefix="lantoa-anh-")
    with folder as name, demo(Path(name)) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        post = _desktop(browser, address)
        _phone(browser, address, post)
        browser.close()
    print(f"{len(list(PICTURES.glob('*.png')))} pictures in {PICTURES}")  # noqa: T201


@contextmanager
def demo(folder: Path) -> Iterator[str]:
    """The address of a running demo that lives as long as the block."""
    port, twins = _free_port(), _free_port()
    address = f"http://127.0.0.1:{port}"
    settings = {
        "LANTOA_FOLDER": str(folder / "data"), "LANTOA_WEB__PORT": str(port), "LANTOA_WEB__PUBLIC_URL": address,
        "LANTOA_TWINS__PORT": str(twins),
    }  # fmt: skip
    command = [str(Path(sys.executable).with_name("lantoa")), "demo"]
    process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, **settings}, stdout=subprocess.DEVNULL)
    try:
        _wait_until_it_answers(address, process)
        yield address
    finally:
        process.terminate()
        process.wait(30)


def _wait_until_it_answers(address: str, process: subprocess.Popen[bytes]) -> None:
    for _ in range(240):
        if process.poll() is not None:
            raise SystemExit("The demo ended by itself.")
        try:
            with urlopen(f"{address}/quan-tri/dang-nhap", timeout=2):  # noqa: S310 - our own address
                return
        except (URLError, OSError):
            time.sleep(0.5)
    raise SystemExit("The demo does not answer.")


def _desktop(browser: Browser, address: str) -> str:
    page = browser.new_context(
        viewport={"width": 1440, "height": 900}, locale="vi-VN", device_scale_factor=1
    ).new_page()
    page.goto(f"{address}/quan-tri/dang-nhap")
    shoot(page, "dang-nhap")
    sign_in(page, address, "bientap.ltn")
    page.goto(f"{address}/quan-tri/soan")
    shoot(page, "chon-mau")
    page.goto(f"{address}/quan-tri/soan/moi?mau={TEMPLATE}&vi_du=1")
    shoot(page, "soan-tin")
    page.click("text=Kiểm tra & gửi duyệt")
    page.wait_for_selector(".handover")
    shoot(page, "kiem-tra")
    page.click(".handover button")
    page.wait_for_selector(".timeline")
    post = page.url.removeprefix(address)
    sign_in(page, address, "duyet.ltn")
    for path, name in (("/quan-tri/cho-duyet", "cho-duyet"), (post, "duyet"), ("/quan-tri/lich", "lich")):
        page.goto(address + path)
        shoot(page, name)
    _wait_for_a_delivery(page, address)
    shoot(page, "hom-nay")
    page.click(".agenda__item:has(.tone-good) .agenda__title")
    shoot(page, "luot-dang-cua-bai")
    page.goto(f"{address}/le-thanh-nghi/")
    shoot(page, "trang-cong-khai")
    return post


def _phone(browser: Browser, address: str, post: str) -> None:
    page = browser.new_context(viewport={"width": 390, "height": 844}, locale="vi-VN", device_scale_factor=2).new_page()
    sign_in(page, address, "duyet.ltn")
    for path, name in (
        ("/quan-tri", "hom-nay"), ("/quan-tri/lich", "lich"), (f"/quan-tri/soan/moi?mau={TEMPLATE}&vi_du=1", "soan-tin"), (post, "duyet"),
    ):  # fmt: skip
        page.goto(address + path)
        shoot(page, f"{name}-dien-thoai")


def sign_in(page: Page, address: str, username: str) -> None:
    """Sign in as somebody of the demo's cast."""
    page.context.clear_cookies()
    page.goto(f"{address}/quan-tri/dang-nhap")
    page.fill("#username", username)
    page.fill("#password", PASSWORD)
    page.click("main button[type=submit]")
    page.wait_for_selector(".work__head")


def _wait_for_a_delivery(page: Page, address: str) -> None:
    for _ in range(FIRST_DELIVERY):
        page.goto(f"{address}/quan-tri")
        if page.locator(".agenda__item .tone-good").count():
            return
        page.wait_for_timeout(1000)
    raise SystemExit("Nothing went out within the time that the demo promises.")


def shoot(page: Page, name: str) -> None:
    """Photograph what is on the screen as ``docs/pictures/<name>.png``."""
    page.evaluate("document.fonts.ready")
    page.wait_for_timeout(250)
    path = PICTURES / f"{name}.png"
    page.screenshot(path=path)
    _lighten(path)


def _lighten(path: Path) -> None:
    """256 colours are enough for a screen, and a third of the bytes."""
    with Image.open(path) as picture:
        picture.convert("RGB").quantize(256, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE).save(
            path, optimize=True
        )


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def chromium() -> str:
    """Where Chromium is; raises SystemExit where there is none."""
    found = os.environ.get("LANTOA_CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
    if found is None:
        raise SystemExit("Chromium is needed for the pictures.")
    return found


if __name__ == "__main__":
    main()
