"""What stands in the sheets of a report's workbook: columns and rows, made from figures; pure."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from campaigns import wording
from campaigns.tallies import Figures, Tally
from campaigns.timetable import local
from channels.contract import AIR_SECONDS, Grassroots
from store.tables import Ward


class Counted(Protocol):
    """One ward with its figures."""

    @property
    def ward(self) -> Ward:
        """The ward."""

    @property
    def figures(self) -> Figures:
        """Its figures."""


@dataclass(frozen=True)
class Column:
    """A column: its heading, width in characters and what it holds (text, number, share, seconds, moment, day)."""

    title: str
    width: float = 12
    kind: str = "text"


@dataclass(frozen=True)
class Sheet:
    """A sheet: ``frozen`` columns stay in view."""

    name: str
    columns: Sequence[Column]
    rows: Sequence[Sequence[Any]]
    frozen: int = 1


WARD = Column("Phường", 20)


def sheets(chapters: Sequence[Counted]) -> list[Sheet]:
    """Every sheet after the first, in order."""
    makers = (_outlets, _tasks, _days, _reach, _evidence, _troubles)
    return [maker(chapters) for maker in makers]


def _rows(chapters: Sequence[Counted], of: Callable[[Figures], list[tuple[Any, ...]]]) -> list[tuple[Any, ...]]:
    return [(wording.sentence(chapter.ward.name), *row) for chapter in chapters for row in of(chapter.figures)]


def _tally_columns() -> list[Column]:
    return [Column(word, 11, "number") for word in wording.STATES.values()] + [Column("Tỷ lệ", 9, "share")]


def _tally(tally: Tally) -> tuple[Any, ...]:
    return (*(getattr(tally, name) for name in wording.STATES), _done(tally)[1])


def _done(tally: Tally) -> tuple[int, float | None]:
    done = tally.sent + tally.withdrawn
    return done, done / tally.planned if tally.planned else None


def _outlets(chapters: Sequence[Counted]) -> Sheet:
    columns = [WARD, Column("Loại hình (NĐ 49/2024/NĐ-CP)", 28), Column("Nền tảng", 20), Column("Kênh", 28)]
    columns += [Column("Đơn vị tính", 11), *_tally_columns()]

    def rows(f: Figures) -> list[tuple[Any, ...]]:
        return [
            (wording.sentence(row.grassroots), row.kind_name, row.outlet, row.unit, *_tally(row.tally))
            for row in f.outlets
        ]

    return Sheet("Theo kênh", columns, _rows(chapters, rows), frozen=4)


def _tasks(chapters: Sequence[Counted]) -> Sheet:
    classes = [
        str(one)
        for one in Grassroots
        if any(row.grassroots == one for chapter in chapters for row in chapter.figures.outlets)
    ]
    columns = [
        WARD,
        Column("Mã", 11),
        Column("Nhiệm vụ", 50),
        Column("Văn bản", 36),
        Column("Mục, điểm", 18),
        Column("Chủ trì", 22),
    ]
    columns += [Column("Tin, bài kế hoạch", 11, "number"), Column("Tin, bài đã đăng, phát", 11, "number")]
    for name in classes:
        columns += [Column(f"{wording.sentence(name)}: {what}", 15, "number") for what in ("kế hoạch", "đã đăng, phát")]
    columns += [
        Column("Lượt kế hoạch", 11, "number"),
        Column("Lượt đã đăng, phát", 11, "number"),
        Column("Tỷ lệ", 9, "share"),
    ]
    columns += [Column("Ghi chú", 18)]

    def rows(f: Figures) -> list[tuple[Any, ...]]:
        made = []
        for row in f.tasks:
            shares = [row.by_grassroots.get(name) for name in classes]
            pairs = [number for share in shares for number in ((share.planned, share.sent) if share else (0, 0))]
            named = (row.code, row.summary, row.document, row.clause, row.lead, row.posts_planned, row.posts_sent)
            made.append(
                (*named, *pairs, row.tally.planned, *_done(row.tally), "" if row.tally.planned else wording.NOTHING)
            )
        return made

    return Sheet("Theo nhiệm vụ", columns, _rows(chapters, rows), frozen=3)


def _days(chapters: Sequence[Counted]) -> Sheet:
    columns = [WARD, Column("Ngày", 12, "day"), *_tally_columns()]
    return Sheet(
        "Theo ngày", columns, _rows(chapters, lambda f: [(row.first, *_tally(row.tally)) for row in f.days]), frozen=2
    )


def _reach(chapters: Sequence[Counted]) -> Sheet:
    columns = [
        WARD,
        Column("Loại số", 16),
        Column("Nền tảng", 20),
        Column("Kênh", 28),
        Column("Chỉ số", 26),
        Column("Giá trị", 12, "number"),
    ]
    columns += [Column("Nhãn", 12), Column("Số lượt đăng có số đo", 13, "number"), Column("Cách tính", 60)]
    columns += [Column("Lấy số sớm nhất", 20, "moment"), Column("Lấy số gần nhất", 20, "moment")]

    def rows(f: Figures) -> list[tuple[Any, ...]]:
        reach = [
            (
                "Thời lượng phát" if row.name == AIR_SECONDS else "Lượt tiếp cận", row.kind_name, "", row.name, row.value, wording.LABELS.get(row.label, row.label), row.deliveries,
                row.formula, local(row.first_taken_at, f.zone), local(row.last_taken_at, f.zone),
            )
            for row in f.reach
        ]  # fmt: skip
        audience = [
            (
                "Quy mô kênh", row.kind_name, row.outlet, row.name, row.value, wording.LABELS.get(row.label, row.label), None,
                row.formula, local(row.taken_at, f.zone), local(row.taken_at, f.zone),
            )
            for row in f.audience
        ]  # fmt: skip
        return [*reach, *audience]

    return Sheet("Tiếp cận", columns, _rows(chapters, rows))


def _evidence(chapters: Sequence[Counted]) -> Sheet:
    columns = [
        WARD,
        Column("Đăng, phát lúc", 20, "moment"),
        Column("Giờ lên lịch", 20, "moment"),
        Column("Nền tảng", 20),
        Column("Kênh", 26),
    ]
    columns += [
        Column("Tin, bài", 42),
        Column("Liên kết", 40),
        Column("Mã bài trên nền tảng", 22),
        Column("Người soạn", 18),
    ]
    columns += [
        Column("Người duyệt", 20),
        Column("Mã duyệt", 15),
        Column("Xác nhận", 20),
        Column("Ghi chú", 22),
        Column("Mã lượt", 14),
    ]

    def rows(f: Figures) -> list[tuple[Any, ...]]:
        return [
            (
                local(row.sent_at, f.zone) if row.sent_at else None, local(row.due_at, f.zone), row.kind_name, row.outlet, row.title,
                row.url, row.remote_id, row.author, row.approver, row.digest, wording.CONFIRMED[row.label], row.note, row.key,
            )
            for row in f.evidence
        ]  # fmt: skip

    return Sheet("Bằng chứng", columns, _rows(chapters, rows), frozen=2)


def _troubles(chapters: Sequence[Counted]) -> Sheet:
    columns = [
        WARD,
        Column("Giờ lên lịch", 20, "moment"),
        Column("Nền tảng", 20),
        Column("Kênh", 26),
        Column("Tin, bài", 50),
    ]
    columns += [
        Column("Kết quả", 18),
        Column("Nguyên nhân", 36),
        Column("Chi tiết", 50),
        Column("Số lần thử", 9, "number"),
        Column("Mã lượt", 14),
    ]

    def rows(f: Figures) -> list[tuple[Any, ...]]:
        return [
            (
                local(row.due_at, f.zone), row.kind_name, row.outlet, row.title, wording.STATES[row.state], row.reason, row.detail,
                row.tries, row.key,
            )
            for row in f.troubles
        ]  # fmt: skip

    return Sheet("Khó khăn", columns, _rows(chapters, rows), frozen=2)
