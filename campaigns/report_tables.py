"""The sentences and tables of a report's text, made from figures; pure."""

from collections import Counter
from datetime import datetime

from campaigns import wording
from campaigns.paper import Table
from campaigns.tallies import AirRow, Figures, LoggedAirRow, OutletRow, ReachRow, Share, Tally, TaskRow, Trouble
from campaigns.timetable import local
from campaigns.wording import count, number, percent, sentence, short_moment
from channels.contract import AIR_SECONDS
from content.templates import format_date
from content.text import cut

OUTLETS_NOTE = (
    "Tỷ lệ = đã đăng, phát/kế hoạch; lượt đã đăng rồi gỡ vẫn tính là đã đăng. “Chưa xong” gồm: chưa tới lượt, "
    "đang tạm dừng, chưa rõ kết quả, cần người xem. Loại hình xếp theo Nghị định số 49/2024/NĐ-CP."
)


def summary(f: Figures) -> str:
    """The result in one sentence."""
    t = f.total
    text = (
        f"Đã đăng, phát {number(_done(t))}/{number(t.planned)} lượt theo kế hoạch, đạt {percent(_done(t), t.planned)}; "
        f"{number(f.posts_sent)}/{number(f.posts)} tin, bài đã lên ít nhất một kênh"
    )
    faults = [
        f"{count(getattr(t, name))} lượt {wording.STATES[name].lower()}"
        for name in ("failed", "missed")
        if getattr(t, name)
    ]
    return text + (f"; {', '.join(faults)}." if faults else ".")


def outlets(f: Figures) -> Table:
    """By class and outlet, with a line for every class and the sum."""
    rows: list[tuple[str, ...]] = []
    place = 0
    for name in dict.fromkeys(row.grassroots for row in f.outlets):
        rows.append((f"{sentence(name)}",))
        for row in (row for row in f.outlets if row.grassroots == name):
            place += 1
            rows.append(_outlet(place, row))
    rows.append(("", "Tổng cộng", "lượt", *_counts(f.total)))
    return Table(
        (
            "TT",
            "Kênh",
            "Đơn vị tính",
            "Kế hoạch",
            "Đã đăng, phát",
            "Tỷ lệ",
            "Không đăng được",
            "Lỡ giờ",
            "Đã hủy, bỏ",
            "Chưa xong",
        ),
        (10, 41, 16, 14, 14, 16, 15, 11, 12, 14),
        "clcrrrrrrr",
        rows,
        frozenset({len(rows) - 1}),
    )


def coverage(f: Figures) -> str:
    """How many tasks of the plan were served."""
    named = [row for row in f.tasks if row.task_id is not None]
    served = sum(1 for row in named if row.posts_sent)
    nothing = bare(f)
    text = f"{served}/{len(named)} nhiệm vụ của kế hoạch có tin, bài đã đăng, phát trong kỳ"
    return f"{text}; còn {len(nothing)} nhiệm vụ chưa có tin, bài (Phụ lục kèm theo)." if nothing else f"{text}."


def tasks(f: Figures) -> Table:
    """Plan against done: every task with something planned, and for each class in use sent/planned."""
    classes = list(dict.fromkeys(row.grassroots for row in f.outlets))
    rows: list[tuple[str, ...]] = []
    document = ""
    for place, row in enumerate((row for row in f.tasks if row.tally.planned), 1):
        if row.document != document:
            document = row.document
            rows.append((document,))
        rows.append(_task(place, row, classes))
    heading = ("TT", "Nhiệm vụ", "Mục, điểm của văn bản", "Tin, bài", *(sentence(name) for name in classes))
    widths = (10, 108 - 18 * len(classes), 28, 14, *(18 for _ in classes))
    return Table(heading, widths, "cll" + "c" * (1 + len(classes)), rows)


def bare(f: Figures) -> list[TaskRow]:
    """The tasks of the plan for which nothing was planned in the period."""
    return [row for row in f.tasks if not row.tally.planned]


def bare_tasks(f: Figures) -> Table:
    """Those tasks, for a page across."""
    rows: list[tuple[str, ...]] = []
    document = ""
    for place, row in enumerate(bare(f), 1):
        if row.document != document:
            document = row.document
            rows.append((document,))
        rows.append((str(place), row.summary, row.clause, row.lead, wording.NOTHING))
    heading = ("TT", "Nhiệm vụ", "Mục, điểm của văn bản", "Chủ trì", "Trong kỳ")
    return Table(heading, (10, 113, 47, 45, 32), "clllc", rows)


def on_air(f: Figures) -> list[str]:
    """Pieces, airings and minutes of the loudspeakers."""
    if not f.air:
        return ["Trong kỳ không có lượt phát thanh."]
    told = {row.kind: row for row in f.reach if row.name == AIR_SECONDS}
    return [_air(row, told.get(row.kind)) for row in f.air]


def reach(f: Figures) -> Table:
    """Each figure of each kind: value, label, formula and time."""
    rows = [
        (
            str(place), row.kind_name, row.name, number(row.value), wording.LABELS.get(row.label, row.label),
            number(row.deliveries), row.formula, short_moment(row.last_taken_at, f.zone),
        )
        for place, row in enumerate((row for row in f.reach if row.name != AIR_SECONDS), 1)
    ]  # fmt: skip
    heading = (
        "TT",
        "Nền tảng",
        "Chỉ số",
        "Giá trị (lượt)",
        "Nhãn",
        "Số lượt đăng có số đo",
        "Cách tính",
        "Lấy số gần nhất",
    )
    return Table(heading, (10, 23, 25, 17, 15, 16, 32, 22), "cllrccll", rows)


def audience(f: Figures) -> Table:
    """The size of each outlet as last told."""
    rows = [
        (
            str(place), wording.outlet(row.kind_name, row.outlet), row.name, number(row.value), wording.LABELS.get(row.label, row.label),
            row.formula, short_moment(row.taken_at, f.zone),
        )
        for place, row in enumerate(f.audience, 1)
    ]  # fmt: skip
    heading = ("TT", "Kênh", "Chỉ số", "Giá trị", "Nhãn", "Cách tính", "Lấy số lúc")
    return Table(heading, (10, 33, 28, 16, 15, 36, 22), "cllrcll", rows)


def labels(f: Figures) -> str:
    """What the labels in use mean."""
    seen = {row.label for row in f.reach} | {row.label for row in f.audience}
    used = [label for label in wording.LABELS if label in seen]
    return "Nhãn: " + "; ".join(f"{wording.LABELS[label]} – {wording.MEANINGS[label]}" for label in used) + "."


def punctuality(f: Figures) -> str:
    """How late, in one sentence."""
    every = f.lateness[0]
    return (
        f"Một nửa số lượt đăng, phát chậm không quá {wording.seconds(every.p50)} so với giờ đã lên lịch, 95% chậm không quá "
        f"{wording.seconds(every.p95)}, lâu nhất {wording.seconds(every.max)} (tính từ giờ lên lịch đến khi phần đầu của tin, bài hiện ra)."
    )


def lateness(f: Figures) -> Table:
    """By kind."""
    rows = [
        (row.kind_name, number(row.count), wording.seconds(row.p50), wording.seconds(row.p95), wording.seconds(row.max))
        for row in (*f.lateness[1:], f.lateness[0])
    ]
    heading = ("Nền tảng", "Số lượt", "Trung vị", "95% không quá", "Lâu nhất")
    return Table(heading, (56, 20, 28, 28, 28), "lrrrr", rows, frozenset({len(rows) - 1}))


def trouble_summary(f: Figures) -> str:
    """How many, and for what reasons, the commonest first."""
    reasons = Counter(row.reason for row in f.troubles).most_common()
    named = "; ".join(f"{reason[:1].lower()}{reason[1:]}: {count(times)} lượt" for reason, times in reasons)
    return f"Có {count(len(f.troubles))} lượt không đăng, phát được hoặc chưa rõ kết quả. Nguyên nhân: {named}."


def troubles(f: Figures, most: int) -> Table:
    """The first ``most`` of them."""
    rows = [_trouble(place, row, f.zone) for place, row in enumerate(f.troubles[:most], 1)]
    return Table(
        ("TT", "Giờ lên lịch", "Kênh", "Tin, bài", "Kết quả", "Nguyên nhân"), (10, 22, 30, 41, 20, 37), "ccllll", rows
    )


def next_period(f: Figures) -> list[str]:
    """What is approved for after the period, by task."""
    return [
        f"{place}. {row.summary.rstrip('.')}: {count(row.posts)} tin, bài đã duyệt, đăng {_span(row.first_due_at, row.last_due_at, f.zone)}."
        for place, row in enumerate(f.upcoming, 1)
    ]


def evidence(f: Figures, most: int) -> Table:
    """The first ``most`` deliveries that went out, for a page across."""
    rows = [
        (
            str(place), short_moment(row.sent_at, f.zone) if row.sent_at else "–", wording.outlet(row.kind_name, row.outlet),
            cut(row.title, 140) or "(không có tiêu đề)", row.url or row.remote_id or "–", f"{row.author}/\n{row.approver or '–'}", row.digest,
            wording.CONFIRMED[row.label] + (f"\n{row.note}" if row.note else ""),
        )
        for place, row in enumerate(f.evidence[:most], 1)
    ]  # fmt: skip
    heading = (
        "TT",
        "Thời điểm đăng, phát",
        "Kênh",
        "Tin, bài",
        "Liên kết hoặc mã bài",
        "Người soạn/\nNgười duyệt",
        "Mã duyệt",
        "Xác nhận",
    )
    return Table(heading, (10, 22, 38, 50, 46, 35, 24, 22), "cclllccc", rows, size=10)


def _done(tally: Tally) -> int:
    return tally.sent + tally.withdrawn


def _counts(tally: Tally) -> tuple[str, ...]:
    unfinished = tally.waiting + tally.held + tally.unknown + tally.needs_human
    given_up = tally.cancelled + tally.closed
    numbers = (tally.failed, tally.missed, given_up, unfinished)
    return (number(tally.planned), number(_done(tally)), percent(_done(tally), tally.planned), *map(number, numbers))


def _outlet(place: int, row: OutletRow) -> tuple[str, ...]:
    return (str(place), wording.outlet(row.kind_name, row.outlet), row.unit, *_counts(row.tally))


def _task(place: int, row: TaskRow, classes: list[str]) -> tuple[str, ...]:
    shares = [row.by_grassroots.get(name, Share()) for name in classes]
    cells = (f"{number(share.sent)}/{number(share.planned)}" if share.planned else "–" for share in shares)
    return (str(place), row.summary, row.clause, f"{number(row.posts_sent)}/{number(row.posts_planned)}", *cells)


def _air(row: AirRow, told: ReachRow | None) -> str:
    text = f"{row.kind_name}: {count(row.posts)} tin, {count(row.airings)} lượt phát"
    if isinstance(row, LoggedAirRow):
        share = f"; {number(row.reached)}/{number(row.tried)} lượt cụm loa phát trọn" if row.tried else ""
        lasted = wording.minutes(row.seconds or 0)
        return f"{text}, tổng thời lượng {lasted}, {count(row.clusters)} cụm loa{share} (theo Sổ phát thanh)."
    if row.seconds is None or told is None:
        return f"{text}; chưa có số đo thời lượng."
    label = wording.LABELS.get(told.label, told.label).lower()
    return f"{text}, tổng thời lượng {wording.minutes(row.seconds)} ({label}; {told.formula})."


def _trouble(place: int, row: Trouble, zone: str) -> tuple[str, ...]:
    why = row.reason + (f". {cut(row.detail, 120)}" if row.detail and row.detail != row.reason else "")
    return (
        str(place), short_moment(row.due_at, zone), wording.outlet(row.kind_name, row.outlet), cut(row.title, 100),
        wording.STATES[row.state], why,
    )  # fmt: skip


def _span(first: datetime, last: datetime, zone: str) -> str:
    days = [format_date(local(at, zone).date()) for at in (first, last)]
    return f"ngày {days[0]}" if days[0] == days[1] else f"từ ngày {days[0]} đến ngày {days[1]}"
