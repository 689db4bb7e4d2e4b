"""The running order of a day («Thứ tự phát») as DOCX, to be printed for the announcer and kept with the ward's papers."""

from pathlib import Path

from campaigns import slots, urgency
from campaigns.docx_marks import Style
from campaigns.paper import CENTER, Paper, Table
from campaigns.programme_day import ProgrammeDay, SlotDay
from campaigns.timetable import local
from content.speech import length_in_words
from content.templates import format_date
from store.tables import Ward


def write_docx(path: Path, ward: Ward, shown: ProgrammeDay) -> None:
    """Write a day's slots with their running orders, estimated seconds and room for the announcer's notes."""
    paper = Paper(title=f"Chương trình phát thanh ngày {format_date(shown.day)}", author=ward.centre)
    paper.begin()
    paper.line((ward.centre or ward.name).upper(), Style(13, bold=True), CENTER)
    paper.title(
        "CHƯƠNG TRÌNH PHÁT THANH",
        [f"{slots.WEEKDAYS[shown.day.weekday()].capitalize()}, ngày {format_date(shown.day)}"],
    )
    for one in shown.slots:
        _slot(paper, ward, one)
    if not shown.slots:
        paper.text("Ngày này không có khung phát.")
    paper.note("Độ dài ước tính theo số tiếng, gồm nhạc hiệu, lời mở đầu, lời kết của từng bản tin.")
    paper.save(path)


def _slot(paper: Paper, ward: Ward, one: SlotDay) -> None:
    hours = slots.span_in_words(one.slot.starts, one.slot.longest_minutes)
    paper.heading(f"{hours}: {one.slot.name} ({one.outlet.name})")
    if one.airtime.silent:
        paper.text(f"Không phát: {one.airtime.silent}.")
    if one.lines:
        rows = [
            [str(number), local(line.at, ward.zone).strftime("%H:%M:%S"), line.title, urgency.of_rank(line.rank).words, length_in_words(line.seconds), ""]
            for number, line in enumerate(one.lines, 1)
        ]  # fmt: skip
        paper.table(Table(("TT", "Giờ", "Bản tin", "Mức", "Dài", "Ghi chú"), (10, 20, 62, 20, 26, 22), "cclccl", rows))
    elif not one.airtime.silent:
        paper.text("Chưa có bản tin.")
    if one.slot.repeats:
        paper.note(f"Phát lại {one.slot.repeats} lần, nghỉ {one.slot.pause_seconds} giây giữa hai lần.")
    for title, where in one.onward:
        paper.note(f"«{title}» chuyển sang {where}.")
