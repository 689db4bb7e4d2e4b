"""Reports: the figures of a period frozen in a row, and written as DOCX and XLSX, with an audit event for each ward."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlmodel import Session, col, select

from campaigns.audit import Actor, record
from campaigns.figures import figures
from campaigns.people import Action, Mistake, require
from campaigns.periods import describe
from campaigns.report_docx import Chapter, write_docx
from campaigns.report_xlsx import write_xlsx
from campaigns.tallies import Figures
from store.tables import Campaign, Report, Ward

DOCX, XLSX = "bao-cao.docx", "bao-cao.xlsx"


@dataclass(frozen=True)
class Written:
    """The two files and the frozen rows, one for each ward in the order given."""

    docx: Path
    xlsx: Path
    reports: tuple[Report, ...]


@dataclass(frozen=True)
class Frozen:
    """Reports whose figures are kept; ``print`` needs no database, so that nobody waits for the writing of files."""

    chapters: tuple[Chapter, ...]
    reports: tuple[Report, ...]

    def print(self, folder: Path) -> Written:
        """Write ``bao-cao.docx`` and ``bao-cao.xlsx`` into the folder, over older ones."""
        docx, xlsx = _files(self.chapters, folder)
        return Written(docx, xlsx, self.reports)


def write(
    session: Session, by: Actor, wards: Ward | Sequence[Ward], start: datetime, end: datetime, folder: Path, now: datetime,
    rehearsal: bool = False,
) -> Written:  # fmt: skip
    """``freeze`` and ``print`` in one go, where no other writer waits."""
    return freeze(session, by, wards, start, end, now, rehearsal).print(folder)


def freeze(
    session: Session, by: Actor, wards: Ward | Sequence[Ward], start: datetime, end: datetime, now: datetime,
    rehearsal: bool = False,
) -> Frozen:  # fmt: skip
    """Keep the figures of the deliveries due from ``start`` up to ``end`` as a report of each ward.

    Raises Forbidden for a ward that the actor may not report on, and Mistake for an empty period; then nothing is kept.
    """
    chosen = [wards] if isinstance(wards, Ward) else list(wards)
    for ward in chosen:
        require(by, Action.REPORT, _id(ward))
    if not chosen or end <= start:
        raise Mistake("Hãy chọn phường và một kỳ báo cáo có ngày cuối sau ngày đầu.")
    chapters = tuple(_chapter(session, ward, start, end, now, rehearsal) for ward in chosen)
    return Frozen(chapters, tuple(_freeze(session, by, chapter) for chapter in chapters))


def rewrite(session: Session, by: Actor, report: Report, folder: Path) -> tuple[Path, Path]:
    """The files of a frozen report once more, from its own figures; raises Forbidden, and Mistake when they were changed."""
    require(by, Action.REPORT, report.ward_id)
    frozen = dict(report.figures)
    rehearsal = bool(frozen.pop("rehearsal"))
    kept = Figures.model_validate(frozen)
    if kept.digest() != report.digest:
        raise Mistake(
            "Số liệu đã chốt của báo cáo này bị thay đổi ngoài chương trình. Hãy lập báo cáo mới và báo quản trị."
        )
    ward = session.get(Ward, report.ward_id)
    assert ward is not None  # noqa: S101
    return _files([Chapter(ward, _campaign(session, report.ward_id, kept), kept, report.created_at, rehearsal)], folder)


def _chapter(session: Session, ward: Ward, start: datetime, end: datetime, now: datetime, rehearsal: bool) -> Chapter:
    counted = figures(session, _id(ward), start, end)
    return Chapter(ward, _campaign(session, _id(ward), counted), counted, now, rehearsal)


def _campaign(session: Session, ward_id: int, counted: Figures) -> Campaign | None:
    """The ward's campaign of the period: the newest that had begun by its end."""
    begun = select(Campaign).where(Campaign.ward_id == ward_id, col(Campaign.starts_on) <= counted.end.date())
    return session.exec(begun.order_by(col(Campaign.starts_on).desc(), col(Campaign.id))).first()


def _freeze(session: Session, by: Actor, chapter: Chapter) -> Report:
    f, now = chapter.figures, chapter.closed_at
    report = Report(
        ward_id=_id(chapter.ward),
        title=_title(chapter),
        period_from=f.start,
        period_to=f.end,
        figures=_frozen(chapter),
        digest=f.digest(),
        author_id=by.user_id,
        created_at=now,
    )
    session.add(report)
    session.flush()
    said: dict[str, Any] = {"title": report.title, "digest": report.digest, "rehearsal": chapter.rehearsal}
    record(session, report.ward_id, by, "report.written", "report", report.id, now, **said)
    return report


def _title(chapter: Chapter) -> str:
    f = chapter.figures
    title = f"Báo cáo kết quả thông tin, tuyên truyền {describe(f.start, f.end, f.zone)}"
    return f"{title} (diễn tập)" if chapter.rehearsal else title


def _frozen(chapter: Chapter) -> dict[str, Any]:
    return {"rehearsal": chapter.rehearsal, **chapter.figures.model_dump(mode="json")}


def _files(chapters: Sequence[Chapter], folder: Path) -> tuple[Path, Path]:
    folder.mkdir(parents=True, exist_ok=True)
    docx, xlsx = folder / DOCX, folder / XLSX
    write_docx(docx, chapters)
    write_xlsx(xlsx, chapters)
    return docx, xlsx


def _id(ward: Ward) -> int:
    assert ward.id is not None  # noqa: S101
    return ward.id
