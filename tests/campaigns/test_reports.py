"""Reports are frozen, signed for in the audit log, and read as a Vietnamese office expects."""

import zipfile
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import openpyxl
import pytest
from docx import Document
from docx.oxml.ns import qn
from docx.shared import Mm
from sqlmodel import select

from campaigns import periods, reports, wording
from campaigns.audit import Actor, verify
from campaigns.people import Forbidden, Mistake
from store.engine import Store
from store.tables import AuditEvent, Report, Ward
from tests.campaigns.ward_week import END, KINDS, NOW, START, WardWeek, busy_week


@pytest.fixture(autouse=True)
def _three_kinds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("campaigns.figures.kinds", lambda: KINDS)


def _reporter(ward: Ward) -> Actor:
    return Actor(None, "Lê Văn Báo", "reporter", ward.id)


CITY = Actor(None, "Quản trị thành phố", "admin", None)


@pytest.fixture
def busy(store: Store, tmp_path: Path) -> reports.Written:
    with store.write() as session:
        week = busy_week(session)
        return reports.write(session, _reporter(week.ward), week.ward, START, END, tmp_path / "out", NOW)


def _words(path: Path) -> str:
    document = Document(str(path))
    tables = [cell.text for table in document.tables for row in table.rows for cell in row.cells]
    return "\n".join([*(paragraph.text for paragraph in document.paragraphs), *tables])


def _mm(*lengths) -> list[int]:
    return [round(length.mm) for length in lengths]


def _table(path: Path, heading: str):
    return next(table for table in Document(str(path)).tables if heading in [cell.text for cell in table.rows[0].cells])


def test_the_page_is_that_of_the_decree(busy: reports.Written) -> None:
    document = Document(str(busy.docx))
    first, *annexes = document.sections
    assert _mm(first.page_width, first.page_height) == [210, 297]
    assert _mm(first.top_margin, first.bottom_margin, first.left_margin, first.right_margin) == [20, 20, 30, 20]
    assert first.different_first_page_header_footer
    assert "PAGE" in first.header._element.xml
    assert annexes
    assert all(_mm(annex.page_width) == [297] and not annex.different_first_page_header_footer for annex in annexes)


def test_every_word_is_times_new_roman_for_every_script_and_vietnamese(busy: reports.Written) -> None:
    document = Document(str(busy.docx))
    runs = [run for run in document.element.body.iter(qn("w:r")) if run.text]
    assert len(runs) > 100
    for run in runs:
        fonts, language = run.rPr.find(qn("w:rFonts")), run.rPr.find(qn("w:lang"))
        assert {fonts.get(qn(f"w:{script}")) for script in ("ascii", "hAnsi", "eastAsia", "cs")} == {"Times New Roman"}
        assert language.get(qn("w:val")) == "vi-VN"


def test_the_letterhead_the_title_and_the_signature(busy: reports.Written) -> None:
    words = _words(busy.docx)
    for wanted in (
        "CỘNG HÒA XÃ HỘI CHỦ NGHĨA VIỆT NAM",
        "Độc lập - Tự do - Hạnh phúc",
        "ỦY BAN NHÂN DÂN\nPHƯỜNG ĐÔNG HẢI\nTRUNG TÂM\nDỊCH VỤ SỰ NGHIỆP CÔNG",
        "/BC-TTDVSNC",
        "tháng 11 năm 2026",
        "tuần từ ngày 23/11/2026 đến ngày 29/11/2026",
        "Kính gửi: Ủy ban nhân dân phường Đông Hải",
        "Số liệu từ 00h00 ngày 23/11/2026 đến 24h00 ngày 29/11/2026, chốt lúc 01h00 ngày 30/11/2026",
        "GIÁM ĐỐC",
        "Nơi nhận:\n- Như trên;\n- Phòng Văn hóa - Xã hội (để tổng hợp);\n- Lưu: VT.",
    ):
        assert wanted in words, wanted
    assert "«" not in words
    for slip in ("Kiến toàn", "phân đầu", "Công TTĐT", "CDS"):
        assert slip not in words


def test_table_headings_repeat_and_rows_stay_whole(busy: reports.Written) -> None:
    ruled = [table for table in Document(str(busy.docx)).tables if table.style.name == "Table Grid"]
    assert len(ruled) >= 6
    for table in ruled:
        assert table.rows[0]._tr.trPr.find(qn("w:tblHeader")) is not None
        assert all(row._tr.trPr.find(qn("w:cantSplit")) is not None for row in table.rows)
        widths = [column.width for column in table.columns]
        assert None not in widths
        assert sum(widths) <= Mm(248)


def test_the_table_of_channels_says_what_was_counted(busy: reports.Written) -> None:
    table = _table(busy.docx, "Kế hoạch")
    rows = [[cell.text for cell in row.cells] for row in table.rows]
    assert rows[1][0] == "Đài truyền thanh cấp xã"
    assert rows[2] == ["1", "Loa phường: Kênh horn phường Đông Hải", "lượt phát", "3", "2", "66,7%", "0", "1", "0", "0"]
    assert rows[-1] == ["", "Tổng cộng", "lượt", "17", "7", "41,2%", "1", "1", "2", "6"]


def test_tasks_with_nothing_are_named_plainly(busy: reports.Written) -> None:
    assert "2/3 nhiệm vụ của kế hoạch có tin, bài đã đăng, phát trong kỳ; còn 1 nhiệm vụ chưa có tin, bài" in _words(
        busy.docx
    )
    table = _table(busy.docx, "Trong kỳ")
    assert [cell.text for cell in table.rows[2].cells][1:] == [
        "Việc truyền thông số 3 của phường Đông Hải", "Điểm 3", "Phòng Văn hóa - Xã hội", "Chưa có tin, bài",
    ]  # fmt: skip


def test_reach_stands_with_label_formula_and_time_and_is_never_people(busy: reports.Written) -> None:
    table = _table(busy.docx, "Cách tính")
    rows = [[cell.text for cell in row.cells] for row in table.rows[1:]]
    estimated = next(row for row in rows if row[4] == "Ước tính")
    assert estimated[1:4] == ["Quảng trường", "Lượt xem", "1.500"]
    assert estimated[6:] == ["Lượt xem do nền tảng trả về", "08h00 24/11/2026"]
    assert "không quy thành số người" in _words(busy.docx)


def test_air_time_is_told_in_minutes(busy: reports.Written) -> None:
    assert "Loa phường: 01 tin, 02 lượt phát, tổng thời lượng 2,5 phút (đo được;" in _words(busy.docx)


def test_difficulties_and_the_next_period_come_from_the_rows(busy: reports.Written) -> None:
    words = _words(busy.docx)
    assert "tài khoản của kênh không có quyền đăng: 01 lượt" in words
    assert "Tài khoản chưa được cấp quyền." in words
    assert "1. Việc truyền thông số 2 của phường Đông Hải: 01 tin, bài đã duyệt, đăng ngày 01/12/2026." in words


def test_an_outlet_named_after_its_platform_is_not_named_twice() -> None:
    assert wording.outlet("Facebook", "Facebook phường Đông Hải") == "Facebook phường Đông Hải"
    assert wording.outlet("Facebook", "Phường Đông Hải") == "Facebook: Phường Đông Hải"


def test_evidence_is_linked_and_says_who_confirmed_it(busy: reports.Written) -> None:
    table = _table(busy.docx, "Xác nhận")
    assert table.rows[1].cells[-1].text == "Nền tảng trả mã bài"
    links = [
        rel.target_ref for rel in Document(str(busy.docx)).part.rels.values() if rel.reltype.endswith("/hyperlink")
    ]
    assert len(links) == 7
    assert all(link.startswith("https://vi-du.vn/dong-hai/") for link in links)


def test_a_rehearsal_says_so_and_a_real_report_does_not(store: Store, tmp_path: Path) -> None:
    with store.write() as session:
        week = busy_week(session)
        real = reports.write(session, CITY, week.ward, START, END, tmp_path / "real", NOW)
        drill = reports.write(session, CITY, week.ward, START, END, tmp_path / "drill", NOW, rehearsal=True)
    assert wording.REHEARSAL in _words(drill.docx)
    assert wording.REHEARSAL not in _words(real.docx)
    assert openpyxl.load_workbook(drill.xlsx)["Tổng hợp"]["A2"].value == wording.REHEARSAL
    assert drill.reports[0].title.endswith("(diễn tập)")


def test_an_empty_period_is_a_report_too(store: Store, tmp_path: Path) -> None:
    with store.write() as session:
        week = WardWeek(session, "dong-hai", "phường Đông Hải")
        written = reports.write(session, CITY, week.ward, START, END, tmp_path, NOW)
    words = _words(written.docx)
    for wanted in (
        "Trong kỳ không có tin, bài nào được lên lịch.",
        "Chưa có số đo tiếp cận trong kỳ.",
        "Không có.",
        "1. ……",
    ):
        assert wanted in words, wanted
    assert openpyxl.load_workbook(written.xlsx)["Bằng chứng"].max_row == 1


def test_two_wards_stand_in_one_file_each_by_itself(store: Store, tmp_path: Path) -> None:
    with store.write() as session:
        first = busy_week(session)
        second = WardWeek(session, "le-thanh-nghi", "phường Lê Thanh Nghị")
        second.deliver(second.post("Chỉ của phường bạn"), "square", START + timedelta(hours=3))
        written = reports.write(session, CITY, [second.ward, first.ward], START, END, tmp_path, NOW)
        alone = reports.write(session, CITY, first.ward, START, END, tmp_path / "alone", NOW)
    words = _words(written.docx)
    assert words.count("Kính gửi: Ủy ban nhân dân phường") == 2
    starts = [section._sectPr.find(qn("w:pgNumType")) for section in Document(str(written.docx)).sections]
    assert len([one for one in starts if one is not None and one.get(qn("w:start")) == "1"]) == 2
    assert "Chỉ của phường bạn" in words
    assert "Chỉ của phường bạn" not in _words(alone.docx)
    wards = {row[0].value for row in openpyxl.load_workbook(written.xlsx)["Bằng chứng"].iter_rows(min_row=2)}
    assert wards == {"Phường Đông Hải", "Phường Lê Thanh Nghị"}
    assert [report.ward_id for report in written.reports] == [second.ward.id, first.ward.id]


def test_the_workbook_has_its_sheets_real_dates_and_numbers(busy: reports.Written) -> None:
    book = openpyxl.load_workbook(busy.xlsx)
    assert book.sheetnames == [
        "Tổng hợp",
        "Theo kênh",
        "Theo nhiệm vụ",
        "Theo ngày",
        "Tiếp cận",
        "Bằng chứng",
        "Khó khăn",
    ]
    for name in book.sheetnames[1:]:
        sheet = book[name]
        assert sheet.freeze_panes is not None
        assert sheet.auto_filter.ref is not None
        assert (sheet.page_setup.orientation, str(sheet.page_setup.paperSize)) == ("landscape", "9")
    assert book["Bằng chứng"]["B2"].value == datetime(2026, 11, 23, 7, 0, 1, 500000)
    assert book["Theo ngày"]["B2"].value == datetime(2026, 11, 23)
    reached = {(row[4].value, row[6].value): row[5].value for row in book["Tiếp cận"].iter_rows(min_row=2)}
    assert reached["Lượt xem", "Ước tính"] == 1500
    assert len(book["Theo kênh"]._charts) == len(book["Theo ngày"]._charts) == 1


def test_a_title_that_looks_like_a_formula_is_only_text(busy: reports.Written) -> None:
    sheet = openpyxl.load_workbook(busy.xlsx)["Bằng chứng"]
    cell = next(cell for row in sheet.iter_rows() for cell in row if cell.value == "=1+1 tiêu đề nguy hiểm")
    assert (cell.data_type, bool(cell.quotePrefix)) == ("s", True)
    with zipfile.ZipFile(busy.xlsx) as archive:
        assert not [name for name in archive.namelist() if "worksheets/sheet" in name and b"<f>" in archive.read(name)]


def test_what_was_reported_is_frozen_and_in_the_audit_log(store: Store, tmp_path: Path) -> None:
    with store.write() as session:
        week = busy_week(session)
        (report,) = reports.write(session, _reporter(week.ward), week.ward, START, END, tmp_path, NOW).reports
        report_id, ward_id = report.id, week.ward.id
    with store.write() as session:
        kept = session.get(Report, report_id)
        assert kept is not None
        assert (kept.period_from, kept.period_to, kept.created_at) == (START, END, NOW)
        assert kept.figures["total"]["planned"] == 17
        event = session.exec(select(AuditEvent).where(AuditEvent.subject == "report")).one()
        assert (event.action, event.actor, event.particulars["digest"]) == ("report.written", "Lê Văn Báo", kept.digest)
        verify(session, ward_id)
        week.session = session
        week.deliver(week.post("Sau khi chốt"), "square", START + timedelta(hours=1))
        again, _ = reports.rewrite(session, _reporter(week.ward), kept, tmp_path / "again")
    assert _words(again) == _words(tmp_path / "bao-cao.docx"), "a report written again says what it said"


def test_frozen_figures_that_were_changed_are_not_printed(store: Store, tmp_path: Path) -> None:
    with store.write() as session:
        week = busy_week(session)
        (report,) = reports.write(session, CITY, week.ward, START, END, tmp_path, NOW).reports
        report.figures = {**report.figures, "posts": 99}
        with pytest.raises(Mistake, match="thay đổi ngoài chương trình"):
            reports.rewrite(session, CITY, report, tmp_path / "again")


def test_only_those_who_may_report_on_the_ward_get_a_report(store: Store, tmp_path: Path) -> None:
    with store.write() as session:
        week = busy_week(session)
        neighbour = WardWeek(session, "le-thanh-nghi", "phường Lê Thanh Nghị")
        editor = Actor(None, "Biên", "editor", week.ward.id)
        for by, wards in (
            (editor, [week.ward]),
            (_reporter(neighbour.ward), [week.ward]),
            (_reporter(week.ward), [week.ward, neighbour.ward]),
        ):
            with pytest.raises(Forbidden):
                reports.write(session, by, wards, START, END, tmp_path / "none", NOW)
        with pytest.raises(Mistake):
            reports.write(session, CITY, week.ward, END, START, tmp_path / "none", NOW)
        assert session.exec(select(Report)).all() == []
    assert not (tmp_path / "none").exists()


def test_a_director_of_the_centre_signs_by_name(store: Store, tmp_path: Path) -> None:
    with store.write() as session:
        week = WardWeek(session, "dong-hai", "phường Đông Hải")
        week.ward.signer_title, week.ward.signer_name = "KT. GIÁM ĐỐC\nPHÓ GIÁM ĐỐC", "Phạm Thị Ký"
        words = _words(reports.write(session, CITY, week.ward, START, END, tmp_path / "a", NOW).docx)
        week.ward.signer_title, week.ward.signer_name = "KT. CHỦ TỊCH\nPHÓ CHỦ TỊCH", "Nguyễn Khánh Chi"
        other = _words(reports.write(session, CITY, week.ward, START, END, tmp_path / "b", NOW).docx)
    assert "KT. GIÁM ĐỐC\nPHÓ GIÁM ĐỐC" in words
    assert "Phạm Thị Ký" in words
    assert "Nguyễn Khánh Chi" not in other, "the Committee's leader does not sign the Centre's report"


def test_control_characters_in_a_title_do_not_break_the_files(store: Store, tmp_path: Path) -> None:
    with store.write() as session:
        week = WardWeek(session, "dong-hai", "phường Đông Hải")
        week.deliver(week.post("Tin\x00 có \x0b ký tự lạ <b>&"), "square", START)
        written = reports.write(session, CITY, week.ward, START, END, tmp_path, NOW)
    assert "Tin có  ký tự lạ <b>&" in _words(written.docx)
    assert openpyxl.load_workbook(written.xlsx)["Bằng chứng"].max_row == 2


ZONE = "Asia/Ho_Chi_Minh"


@pytest.mark.parametrize(
    ("period", "first", "last", "name"),
    [
        (
            periods.week(date(2026, 11, 29)),
            date(2026, 11, 23),
            date(2026, 11, 29),
            "tuần từ ngày 23/11/2026 đến ngày 29/11/2026",
        ),
        (periods.month(2026, 2), date(2026, 2, 1), date(2026, 2, 28), "tháng 2 năm 2026"),
        (periods.quarter(2026, 4), date(2026, 10, 1), date(2026, 12, 31), "quý IV năm 2026"),
        (periods.half(2026, 1), date(2026, 1, 1), date(2026, 6, 30), "6 tháng đầu năm 2026"),
        (periods.year(2026), date(2026, 1, 1), date(2026, 12, 31), "năm 2026"),
        (
            periods.custom(date(2026, 4, 9), date(2026, 5, 2)),
            date(2026, 4, 9),
            date(2026, 5, 2),
            "từ ngày 09/4/2026 đến ngày 02/5/2026",
        ),
        (periods.custom(date(2026, 4, 9), date(2026, 4, 9)), date(2026, 4, 9), date(2026, 4, 9), "ngày 09/4/2026"),
        (
            periods.decree_month(2026, 1),
            date(2025, 12, 15),
            date(2026, 1, 14),
            "tháng 1 năm 2026 (theo Nghị định 09/2019/NĐ-CP)",
        ),
        (
            periods.decree_quarter(2026, 2),
            date(2026, 3, 15),
            date(2026, 6, 14),
            "quý II năm 2026 (theo Nghị định 09/2019/NĐ-CP)",
        ),
        (
            periods.decree_half(2026, 1),
            date(2025, 12, 15),
            date(2026, 6, 14),
            "6 tháng đầu năm 2026 (theo Nghị định 09/2019/NĐ-CP)",
        ),
        (periods.decree_year(2026), date(2025, 12, 15), date(2026, 12, 14), "năm 2026 (theo Nghị định 09/2019/NĐ-CP)"),
    ],
)
def test_periods_have_the_days_and_the_name_that_offices_use(
    period: periods.Period, first: date, last: date, name: str
) -> None:
    assert (period.first, period.last, period.name) == (first, last, name)
    assert periods.describe(*period.bounds(ZONE), ZONE) == name


def test_periods_offered_today_hold_today() -> None:
    for today in (date(2026, 11, 14), date(2026, 11, 15), date(2026, 12, 20), date(2026, 1, 1)):
        offered = periods.choices(today)
        assert len(offered) == 9
        assert all(period.first <= today <= period.last for period in offered)


def test_a_period_that_ends_before_it_begins_is_refused() -> None:
    with pytest.raises(ValueError, match="trước ngày đầu kỳ"):
        periods.custom(date(2026, 5, 2), date(2026, 4, 9))


def test_words_for_shares_and_spans() -> None:
    assert (wording.percent(2, 3), wording.percent(9_999, 10_000), wording.percent(5, 5), wording.percent(0, 0)) == (
        "66,7%", "99,9%", "100%", "–",
    )  # fmt: skip
    assert [wording.seconds(value) for value in (0.84, 45, 200, 3600, 7500)] == [
        "0,8 giây", "45 giây", "3 phút 20 giây", "1 giờ 00 phút", "2 giờ 05 phút",
    ]  # fmt: skip
    end = datetime(2026, 11, 29, 5, 30, tzinfo=UTC)
    assert wording.window(START, end, ZONE) == "từ 00h00 ngày 23/11/2026 đến 12h30 ngày 29/11/2026"
