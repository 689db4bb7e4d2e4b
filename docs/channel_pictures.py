"""The pictures of the channels' pages: how each is connected, checked, and what a citizen sees, taken on the running demo.

Run by hand with ``.venv/bin/python docs/channel_pictures.py`` where Chromium is installed; writes ``docs/pictures/*.png``.
"""

import sqlite3
import tempfile
import time
from contextlib import closing
from pathlib import Path

from playwright.sync_api import Page, sync_playwright
from screenshots import ARGUMENTS, chromium, demo, shoot, sign_in

KINDS = ("facebook", "telegram", "zalo", "website")
WARD = "le-thanh-nghi"
OUT_WITHIN = 120


def main() -> None:
    """Photograph each channel's form, its page after a check, and its newest post as its readers see it."""
    with tempfile.TemporaryDirectory(prefix="lantoa-anh-") as name, sync_playwright() as playwright:
        folder = Path(name)
        browser = playwright.chromium.launch(executable_path=chromium(), args=ARGUMENTS)
        page = browser.new_context(viewport={"width": 1180, "height": 800}, locale="vi-VN").new_page()
        with demo(folder) as address:
            sign_in(page, address, "quantri.ltn")
            for kind in KINDS:
                _connecting(page, address, folder, kind)
                _as_its_readers_see_it(page, address, folder, kind)
        browser.close()


def _connecting(page: Page, address: str, folder: Path, kind: str) -> None:
    page.goto(f"{address}/quan-tri/kenh/moi?nen_tang={kind}")
    shoot(page, f"{kind}-ket-noi")
    [(outlet,)] = _ask(
        folder, "select o.id from outlet o join ward w on w.id = o.ward_id where w.slug = ? and o.kind = ?", WARD, kind
    )
    page.goto(f"{address}/quan-tri/kenh/{outlet}")
    page.click("text=Kiểm tra kết nối")
    page.wait_for_selector(".work__head")
    shoot(page, f"{kind}-kenh")


def _as_its_readers_see_it(page: Page, address: str, folder: Path, kind: str) -> None:
    sent = """select d.url from delivery d join outlet o on o.id = d.outlet_id join ward w on w.id = o.ward_id
              where w.slug = ? and o.kind = ? and d.state = 'sent' and d.url <> '' order by d.sent_at limit 1"""
    for _ in range(OUT_WITHIN):
        if found := _ask(folder, sent, WARD, kind):
            page.goto(found[0][0] if "://" in found[0][0] else address + found[0][0])
            shoot(page, f"{kind}-nguoi-dan")
            return
        time.sleep(1)
    raise SystemExit(f"{kind}: nothing went out within the time that the demo promises.")


def _ask(folder: Path, query: str, *values: str) -> list[tuple[str]]:
    with closing(sqlite3.connect(folder / "data" / "lantoa.db")) as database:
        return database.execute(query, values).fetchall()


if __name__ == "__main__":
    main()
