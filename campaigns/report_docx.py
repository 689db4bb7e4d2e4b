"""The report («Báo cáo») as DOCX: the editable original that the Centre signs, one document per ward in the file.

The Centre reports to the ward's People's Committee; the office named in the ward's plan gathers and passes it on.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from campaigns import report_tables as tables
from campaigns import wording
from campaigns.docx_marks import Style
from campaigns.paper import CENTER, Letterhead, Paper
from campaigns.periods import describe
from campaigns.tallies import Figures
from campaigns.timetable import local
from store.tables import Campaign, Ward

MOST_EVIDENCE = 200
MOST_TROUBLES = 60
SYMBOL = "BC-TTDVSNC"
BLANK = "…" * 26


@dataclass(frozen=True)
class Chapter:
    """What one ward's report is made of; ``closed_at`` is when the figures were read."""

    ward: Ward
    campaign: Campaign | None
    figures: Figures
    closed_at: datetime
    rehearsal: bool = False


def write_docx(path: Path, chapters: Sequence[Chapter]) -> None:
    """Write the reports of one or several wards into one file, each beginning on a page 1 of its own."""
    paper = Paper(title=f"Báo cáo {_period(chapters[0])}", author=chapters[0].ward.centre)
    for chapter in chapters:
        _report(paper, chapter)
    paper.save(path)


def _report(paper: Paper, chapter: Chapter) -> None:
    paper.begin()
    _opening(paper, chapter)
    _situation(paper, chapter)
    _results(paper, chapter)
    _difficulties(paper, chapter)
    _next_period(paper, chapter)
    _closing(paper, chapter)
    _annexes(paper, chapter)


def _opening(paper: Paper, chapter: Chapter) -> None:
    paper.letterhead(_letterhead(chapter))
    if chapter.rehearsal:
        paper.banner(wording.REHEARSAL)
    paper.title("BÁO CÁO", ["Kết quả thông tin, tuyên truyền", _subject(chapter), _period(chapter)])
    paper.addressees("Kính gửi:", [f"Ủy ban nhân dân {chapter.ward.name}"])


def _situation(paper: Paper, chapter: Chapter) -> None:
    f = chapter.figures
    paper.heading("I. TÌNH HÌNH TRIỂN KHAI")
    paper.text(
        f"{_basis(chapter)} {chapter.ward.centre or 'Trung tâm'} báo cáo kết quả thực hiện {_period(chapter)} như sau:"
    )
    paper.text(
        f"Số liệu {wording.window(f.start, f.end, f.zone)}, chốt lúc {wording.moment(chapter.closed_at, f.zone)}; "
        "lượt đăng, lượt phát được tính vào kỳ có giờ đăng theo lịch."
    )
    if not f.total.planned:
        paper.text("Trong kỳ không có tin, bài nào được lên lịch.")
        return
    paper.text(
        f"Trong kỳ có {wording.count(f.posts)} tin, bài được lên lịch thành {wording.count(f.total.planned)} lượt đăng, phát "
        f"trên {wording.count(len(f.outlets))} kênh; {wording.number(f.posts_approved)}/{wording.number(f.posts)} tin, bài được "
        f"người khác với người soạn duyệt trước khi đăng ({wording.count(f.authors)} người soạn, {wording.count(f.approvers)} người duyệt)."
    )


def _results(paper: Paper, chapter: Chapter) -> None:
    f = chapter.figures
    paper.heading("II. KẾT QUẢ THỰC HIỆN")
    paper.heading("1. Kết quả theo loại hình thông tin cơ sở và kênh")
    if f.outlets:
        paper.text(tables.summary(f))
        paper.table(tables.outlets(f))
        paper.note(tables.OUTLETS_NOTE)
    else:
        paper.text("Không có lượt đăng, phát nào trong kỳ.")
    paper.heading("2. Kết quả theo nhiệm vụ")
    _tasks(paper, f)
    paper.heading("3. Truyền thanh")
    for line in tables.on_air(f):
        paper.text(line)
    paper.heading("4. Tiếp cận")
    _reach(paper, f)
    paper.heading("5. Bảo đảm đúng giờ")
    _lateness(paper, f)


def _tasks(paper: Paper, f: Figures) -> None:
    if not f.tasks:
        paper.text("Chưa nhập nhiệm vụ của kế hoạch vào hệ thống.")
        return
    paper.text(tables.coverage(f))
    if f.total.planned:
        paper.table(tables.tasks(f))
        paper.note("Mỗi ô ghi: số đã đăng, phát/số theo kế hoạch của kỳ (tin, bài; lượt của từng loại hình).")


def _reach(paper: Paper, f: Figures) -> None:
    reached = tables.reach(f)
    if not reached.rows and not f.audience:
        paper.text("Chưa có số đo tiếp cận trong kỳ.")
        return
    if reached.rows:
        paper.text(
            "Số tiếp cận tính bằng lượt, là giá trị mới nhất của từng lượt đăng; không cộng giữa các chỉ số, không quy thành số người."
        )
        paper.table(reached)
    if f.audience:
        paper.text("Quy mô kênh tại lần lấy số gần nhất (không phải lượt tiếp cận):")
        paper.table(tables.audience(f))
    paper.note(tables.labels(f))


def _lateness(paper: Paper, f: Figures) -> None:
    if not f.lateness:
        paper.text("Không có lượt đăng, phát để tính.")
        return
    paper.text(tables.punctuality(f))
    paper.table(tables.lateness(f))


def _difficulties(paper: Paper, chapter: Chapter) -> None:
    f = chapter.figures
    paper.heading("III. KHÓ KHĂN, HẠN CHẾ")
    if not f.troubles:
        paper.text("Không có.")
        return
    paper.text(tables.trouble_summary(f))
    paper.table(tables.troubles(f, MOST_TROUBLES))
    if len(f.troubles) > MOST_TROUBLES:
        paper.note(
            f"Bảng ghi {MOST_TROUBLES} trong {wording.number(len(f.troubles))} lượt; toàn bộ ở trang tính «Khó khăn» kèm theo."
        )


def _next_period(paper: Paper, chapter: Chapter) -> None:
    paper.heading("IV. NHIỆM VỤ KỲ TỚI")
    lines = tables.next_period(chapter.figures)
    for line in lines or [f"1. {BLANK}", f"2. {BLANK}"]:
        paper.text(line)


def _closing(paper: Paper, chapter: Chapter) -> None:
    ward = chapter.ward
    paper.text(
        f"Trên đây là báo cáo kết quả thông tin, tuyên truyền {_period(chapter)} của {ward.centre or 'Trung tâm'}./.",
        keep=True,
    )
    office = ward.office or "Phòng Văn hóa - Xã hội"
    receivers = ["- Như trên;", f"- {office} (để tổng hợp);", "- Lưu: VT."]
    signs_here = ward.signer_title.upper().endswith("GIÁM ĐỐC")
    title = ward.signer_title.upper().split("\n") if signs_here else ["GIÁM ĐỐC"]
    paper.signature(receivers, title, ward.signer_name if signs_here else "")


def _annexes(paper: Paper, chapter: Chapter) -> None:
    makers = [_bare_tasks] if tables.bare(chapter.figures) else []
    makers += [_evidence] if chapter.figures.evidence else []
    for number, maker in enumerate(makers, 1):
        paper.annex()
        maker(paper, chapter, "PHỤ LỤC" if len(makers) == 1 else f"PHỤ LỤC {'I' * number}")


def _bare_tasks(paper: Paper, chapter: Chapter, number: str) -> None:
    _annex_title(paper, chapter, number, "NHIỆM VỤ CHƯA CÓ TIN, BÀI TRONG KỲ")
    paper.table(tables.bare_tasks(chapter.figures))


def _evidence(paper: Paper, chapter: Chapter, number: str) -> None:
    f = chapter.figures
    _annex_title(paper, chapter, number, "DANH MỤC BẰNG CHỨNG ĐĂNG, PHÁT")
    paper.table(tables.evidence(f, MOST_EVIDENCE))
    if len(f.evidence) > MOST_EVIDENCE:
        paper.note(
            f"Bảng ghi {MOST_EVIDENCE} trong {wording.number(len(f.evidence))} lượt; toàn bộ ở trang tính «Bằng chứng» kèm theo."
        )
    paper.note(f"Mã duyệt là 12 ký tự đầu của mã băm nội dung đã duyệt. Mã kiểm của bộ số liệu: {f.digest()[:16]}.")


def _annex_title(paper: Paper, chapter: Chapter, number: str, title: str) -> None:
    paper.line(number, Style(14, bold=True), CENTER)
    paper.line(title, Style(14, bold=True), CENTER)
    paper.line(
        f"(Kèm theo Báo cáo số       /{SYMBOL} ngày       tháng       năm {_year(chapter)}",
        Style(13, italic=True),
        CENTER,
    )
    paper.line(f"của {chapter.ward.centre or 'Trung tâm'})", Style(13, italic=True), CENTER)
    paper.gap(6)


def _letterhead(chapter: Chapter) -> Letterhead:
    ward = chapter.ward
    today = local(chapter.closed_at, ward.zone)
    month = f"{today.month:02d}" if today.month < 3 else str(today.month)
    return Letterhead(
        parent=("ỦY BAN NHÂN DÂN", ward.name.upper()),
        issuer=("TRUNG TÂM", "DỊCH VỤ SỰ NGHIỆP CÔNG"),
        symbol=f"Số:       /{SYMBOL}",
        place_and_date=f"{_place(ward.name)}, ngày       tháng {month} năm {today.year}",
    )


def _place(name: str) -> str:
    for kind in ("phường ", "xã ", "đặc khu "):
        if name.lower().startswith(kind):
            return name[len(kind) :]
    return name


def _year(chapter: Chapter) -> int:
    return local(chapter.closed_at, chapter.ward.zone).year


def _subject(chapter: Chapter) -> str:
    return f"thực hiện Chiến dịch “{chapter.campaign.name}”" if chapter.campaign else "trên các kênh của phường"


def _basis(chapter: Chapter) -> str:
    named = "; ".join(chapter.figures.documents)
    return f"Căn cứ {named}," if named else "Thực hiện nhiệm vụ được giao,"


def _period(chapter: Chapter) -> str:
    return describe(chapter.figures.start, chapter.figures.end, chapter.figures.zone)
