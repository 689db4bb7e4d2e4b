"""One text for every channel, beside the same template text rendered by plain, unsandboxed Jinja2."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from jinja2 import Environment, StrictUndefined

from channels.registry import kinds
from channels.twin import Place
from content import kit
from content.syntax import format_date, format_number, format_time, run
from content.templates import Template

SLUG = "lich-ho-tro-tai-diem"
TIMES = 300
WARD = {
    "ten": "phường Lê Thanh Nghị", "trung_tam": "Trung tâm Phục vụ hành chính công phường", "dien_thoai": "0225 000 000",
    "dia_chi": "số 1", "website": "https://thongtin.example.vn",
}  # fmt: skip
CAMPAIGN = {"ten": "Hải Phòng – Thành phố Đổi mới sáng tạo", "hashtag": "#HaiPhongDoiMoiSangTao"}


def plain(template: Template) -> Callable[[dict[str, Any]], str]:
    """The template's body compiled once by Jinja2 as it comes: no sandbox, no escaping of letters, no limit."""
    environment = Environment(undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False)  # noqa: S701
    environment.filters.update(
        ngay=format_date, gio=format_time, so=format_number, hoa_dau=lambda text: text[:1].upper() + text[1:],
        in_hoa=lambda text: str(text).upper(), noi=lambda items, mark=", ": str(mark).join(items),
    )  # fmt: skip
    compiled = environment.from_string(template.source.split("\n---\n", 1)[1].split("{% block", 1)[0])
    return lambda values: compiled.render(values)


def micros(job: Callable[[], object]) -> float:
    """Microseconds of CPU of one call, over many."""
    started = time.process_time()
    for _ in range(TIMES):
        job()
    return (time.process_time() - started) / TIMES * 1e6


def rounds(number: int) -> dict[str, list[float]]:
    """Every row in turn, ``number`` times, after one round to warm up."""
    template = kit.parsed()[SLUG]
    typed = template.examples()
    values = {**template.values(typed), "phuong": WARD, "chien_dich": CAMPAIGN}
    document = template.render(typed, WARD, CAMPAIGN)
    reference = plain(template)
    jobs: dict[str, Callable[[], object]] = {
        "plain": lambda: reference(values),
        "sandboxed": lambda: run(template.body, values),
        "document": lambda: template.render(typed, WARD, CAMPAIGN),
    }
    for kind, channel in kinds().items():
        speaker = channel(_settings(channel), None)
        jobs[kind] = lambda speaker=speaker: speaker.render(document, "abcdefghjk")  # type: ignore[misc]
    found: dict[str, list[float]] = {name: [] for name in jobs}
    for turn in range(number + 1):
        for name, job in jobs.items():
            took = micros(job)
            if turn:
                found[name].append(took)
    found["every"] = [sum(found[kind][turn] for kind in kinds()) for turn in range(number)]
    return found


def _settings(channel: Any) -> Any:
    place = Place(
        account="le-thanh-nghi", twins_url="http://127.0.0.1:9", site_url="http://127.0.0.1:9", site_token="x" * 32, folder=Path("out"),
    )  # fmt: skip
    return channel.Settings.model_validate(channel.rehearsal().settings(place))
