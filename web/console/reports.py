"""«Báo cáo»: the figures of a period on screen, and the same figures frozen as DOCX and XLSX."""

from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from urllib.parse import quote, urlencode

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlmodel import Session, col

from campaigns import periods, reports, views, wording
from campaigns.figures import figures
from campaigns.people import Action, Mistake
from campaigns.periods import Period
from campaigns.tallies import Figures, Tally
from campaigns.timetable import local
from store.tables import Report
from web.console import asked
from web.console.pages import page
from web.forms import Form, Typed
from web.session import Here, Visitor

router = APIRouter()

#: the periods of ``periods.choices``, in its order
KINDS = ("tuan", "thang", "quy", "nua-nam", "nam", "nd09-thang", "nd09-quy", "nd09-nua-nam", "nd09-nam")
WORDS = (
    "Tuần", "Tháng", "Quý", "6 tháng", "Năm", "Tháng theo NĐ 09", "Quý theo NĐ 09", "6 tháng theo NĐ 09", "Năm theo NĐ 09",
)  # fmt: skip
TYPES = {
    "docx": (reports.DOCX, "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
    "xlsx": (reports.XLSX, "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
}
LONGEST = timedelta(days=750)
MOST_DAYS = 31


@dataclass(frozen=True)
class Chosen:
    """The period that is shown, and where the one before and the one after are; ``kind`` empty for chosen days."""

    kind: str
    period: Period
    before: str
    after: str


@router.get("/bao-cao")
def report(request: Request, here: Visitor, ky: str = "", neo: str = "", tu: str = "", den: str = "") -> Response:
    """The figures of a period; without one, of the running week."""
    return _page(request, here, ky, neo, tu, den)


@router.post("/bao-cao")
def write(request: Request, here: Visitor, form: Form) -> Response:
    """Freeze the figures of the period (once, while they are the same) and give the file."""
    here.require(Action.REPORT)
    kind = form.line("file") if form.line("file") in TYPES else "docx"
    first, last = asked.day(form.line("tu")), asked.day(form.line("den"))
    if first is None or last is None or last < first or last - first > LONGEST:
        return _page(request, here, "", "", form.line("tu"), form.line("den"), 422)
    start, end = periods.custom(first, last).bounds(here.ward.zone)
    with TemporaryDirectory() as folder:
        with here.store.write() as session:
            same = _same(session, here, figures(session, here.ward_id, start, end))
            if same is None:
                frozen = reports.freeze(session, here.actor, here.ward, start, end, here.now, here.house.rehearsal)
        if same is None:
            frozen.print(Path(folder))
        else:
            with here.store.read() as session:
                reports.rewrite(session, here.actor, same, Path(folder))
        return _file(Path(folder), kind, first, last)


@router.get("/bao-cao/{report_id:int}/{kind}")
def download(here: Visitor, report_id: int, kind: str) -> Response:
    """A frozen report once more, from its own figures."""
    here.require(Action.REPORT)
    if kind not in TYPES:
        raise views.NotInWard(kind)
    with TemporaryDirectory() as folder, here.store.read() as session:
        row = views.mine(session, Report, report_id, here.ward_id)
        reports.rewrite(session, here.actor, row, Path(folder))
        first = local(row.period_from, here.ward.zone).date()
        last = local(row.period_to - timedelta(seconds=1), here.ward.zone).date()
        return _file(Path(folder), kind, first, last)


def _page(request: Request, here: Here, ky: str, neo: str, tu: str, den: str, status: int = 200) -> Response:
    today = local(here.now, here.ward.zone).date()
    error, typed = "", Typed([("tu", tu), ("den", den)])
    try:
        chosen = _custom(tu, den) if (tu or den) and not ky else _usual(ky, asked.day(neo) or today)
    except Mistake as mistake:
        error, chosen, status = str(mistake), _usual("", today), 422
    start, end = chosen.period.bounds(here.ward.zone)
    with here.store.read() as session:
        counted = figures(session, here.ward_id, start, end)
        frozen = session.exec(views.of_ward(Report, here.ward_id).order_by(col(Report.id).desc()).limit(20)).all()
        names = views.people_names(session, (row.author_id for row in frozen))
    spans = counted.days if len(counted.days) <= MOST_DAYS else counted.weeks
    return page(
        request, here, "report.html", status, chosen=chosen, f=counted, kinds=list(zip(KINDS, WORDS, strict=True)), wording=wording,
        frozen=frozen, names=names, error=error, typed=typed, outlet_bars=[(row.outlet, *_done(row.tally)) for row in counted.outlets],
        spans=spans, span_bars=[(f"{row.first.day}/{row.first.month}", *_done(row.tally)) for row in spans],
    )  # fmt: skip


def _done(tally: Tally) -> tuple[int, int]:
    return tally.sent + tally.withdrawn, tally.planned


def _usual(ky: str, anchor: date) -> Chosen:
    kind = ky if ky in KINDS else KINDS[0]
    period = periods.choices(anchor)[KINDS.index(kind)]
    before, after = period.first - timedelta(days=1), period.last + timedelta(days=1)
    return Chosen(
        kind,
        period,
        urlencode({"ky": kind, "neo": before.isoformat()}),
        urlencode({"ky": kind, "neo": after.isoformat()}),
    )


def _custom(tu: str, den: str) -> Chosen:
    first, last = asked.day(tu), asked.day(den)
    if first is None or last is None:
        raise Mistake("Hãy chọn cả ngày đầu và ngày cuối của kỳ báo cáo.")
    if last < first:
        raise Mistake("Ngày cuối kỳ báo cáo trước ngày đầu kỳ. Hãy chọn lại.")
    if last - first > LONGEST:
        raise Mistake("Kỳ báo cáo dài quá hai năm. Hãy chọn khoảng ngắn hơn.")
    return Chosen("", periods.custom(first, last), "", "")


def _same(session: Session, here: Here, counted: Figures) -> Report | None:
    """The newest frozen report of the same figures, so that a second click freezes nothing new."""
    wanted = (
        views.of_ward(Report, here.ward_id).where(Report.digest == counted.digest()).order_by(col(Report.id).desc())
    )
    rows: list[Report] = list(session.exec(wanted).all())
    return next((row for row in rows if row.figures.get("rehearsal") == here.house.rehearsal), None)


def _file(folder: Path, kind: str, first: date, last: date) -> Response:
    name, media_type = TYPES[kind]
    shown = f"Báo cáo {first:%d.%m.%Y} - {last:%d.%m.%Y}.{kind}"
    headers = {
        "content-disposition": f"attachment; filename=\"bao-cao-{first.isoformat()}-{last.isoformat()}.{kind}\"; filename*=UTF-8''{quote(shown)}",
        "cache-control": "no-store",
        "content-security-policy": "default-src 'none'; sandbox",
    }
    return Response((folder / name).read_bytes(), media_type=media_type, headers=headers)
