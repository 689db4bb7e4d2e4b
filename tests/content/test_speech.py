"""What the announcer reads: the expected readings were written before the rules."""

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from content.speech import Doubt, Lexicon, Why, default_lexicon, say, seconds

Y26 = "hai nghìn không trăm hai mươi sáu"
Y25 = "hai nghìn không trăm hai mươi lăm"

FORTY = {
    "Quyết định số 1380/QĐ-UBND ngày 09 tháng 4 năm 2026": f"Quyết định số một nghìn ba trăm tám mươi, Ủy ban nhân dân, ngày mùng chín tháng tư năm {Y26}",
    "ngày 09/4/2026 của Ủy ban nhân dân Thành phố Hải Phòng": f"ngày mùng chín tháng tư năm {Y26} của Ủy ban nhân dân Thành phố Hải Phòng",
    "Công văn số 1564/SKH-CN-QLCN ngày 24/4/2026": f"Công văn số một nghìn năm trăm sáu mươi tư, Sở Khoa học và Công nghệ, quản lý công nghệ, ngày hai mươi tư tháng tư năm {Y26}",
    "Nghị quyết số 226/2025/QH15": f"Nghị quyết số hai trăm hai mươi sáu năm {Y25}, Quốc hội khóa mười lăm",
    "Đề án 04-ĐA/TU và Nghị quyết số 05/NQ-TU": "Đề án không bốn, Thành ủy, và Nghị quyết số không năm, Thành ủy",
    "hoạt động ĐMST và KNST trên địa bàn phường": "hoạt động đổi mới sáng tạo và khởi nghiệp sáng tạo trên địa bàn phường",
    "phục vụ phát triển KHVCN&ĐMST": "phục vụ phát triển khoa học, công nghệ và đổi mới sáng tạo",
    "nội dung về KHCN, ĐMST, CĐS": "nội dung về khoa học công nghệ, đổi mới sáng tạo, chuyển đổi số",
    "UBND phường phối hợp với UBMTTQVN": "Ủy ban nhân dân phường phối hợp với Ủy ban Mặt trận Tổ quốc Việt Nam",
    "đẩy mạnh giáo dục STEM và sản phẩm OCOP": "đẩy mạnh giáo dục xờ-tem và sản phẩm ô-cốp",
    "công nghệ thực tế ảo (VR)": "công nghệ thực tế ảo",
    "bảo đảm 100% dịch vụ công trực tuyến": "bảo đảm một trăm phần trăm dịch vụ công trực tuyến",
    "đạt tỷ lệ 98,5%": "đạt tỷ lệ chín mươi tám phẩy năm phần trăm",
    "Lịch họp: 17h00 ngày 25/11": "Lịch họp: mười bảy giờ ngày hai mươi lăm tháng mười một",
    "từ 17h30 đến 18h15": "từ mười bảy giờ ba mươi phút đến mười tám giờ mười lăm phút",
    "bắt đầu lúc 7h30' sáng thứ 2": "bắt đầu lúc bảy giờ ba mươi phút sáng thứ hai",
    "Điện thoại: 0225.3842.123": "Điện thoại: không hai hai năm, ba tám bốn hai, một hai ba",
    "Liên hệ số 0912 345 678": "Liên hệ số không chín một hai, ba bốn năm, sáu bảy tám",
    "tổng đài 1022 hoặc 1900 1234": "tổng đài một không hai hai hoặc một chín không không, một hai ba bốn",
    "truy cập https://haiphong.gov.vn": "truy cập hải phòng chấm gốp chấm vi en",
    "hộp thư ubnd@haiphong.gov.vn": "hộp thư u bê en dê a còng hải phòng chấm gốp chấm vi en",
    "mức hỗ trợ 1.250.000 đồng": "mức hỗ trợ một triệu hai trăm năm mươi nghìn đồng",
    "kinh phí 1,5 tỷ đồng": "kinh phí một phẩy năm tỷ đồng",
    "giá 25.000đ/kg": "giá hai mươi lăm nghìn đồng một ki-lô-gam",
    "nhiệt độ 35,5°C, gió cấp 8, giật cấp 10": "nhiệt độ ba mươi lăm phẩy năm độ xê, gió cấp tám, giật cấp mười",
    "ngõ 12/34 đường Lê Thanh Nghị": "ngõ mười hai trên ba mươi tư đường Lê Thanh Nghị",
    "giai đoạn 2026-2030": f"giai đoạn {Y26} đến hai nghìn không trăm ba mươi",
    "Quý I/2026 và 6 tháng đầu năm": f"Quý một năm {Y26} và sáu tháng đầu năm",
    "từ 01/12 đến 05/12/2026": f"từ ngày mùng một tháng mười hai đến ngày mùng năm tháng mười hai năm {Y26}",
    "khoản 2 Điều 5 Luật số 91/2025/QH15": f"khoản hai Điều năm Luật số chín mươi mốt năm {Y25}, Quốc hội khóa mười lăm",
    "diện tích 500 m², dài 3 km": "diện tích năm trăm mét vuông, dài ba ki-lô-mét",
    "mời 10-15 hộ, mỗi hộ 02 người": "mời mười đến mười lăm hộ, mỗi hộ hai người",
    "TP. Hải Phòng, P. Lê Thanh Nghị": "Thành phố Hải Phòng, phường Lê Thanh Nghị",
    "mang theo CCCD và thẻ BHYT": "mang theo căn cước công dân và thẻ bảo hiểm y tế",
    "Đại hội XIV của Đảng": "Đại hội mười bốn của Đảng",
    "quét mã QR trên Zalo OA": "quét mã quy-a trên Da-lô ô-a",
    "KT. CHỦ TỊCH, PHÓ CHỦ TỊCH Dương Thị Hằng Nga": "Ký thay chủ tịch, phó chủ tịch Dương Thị Hằng Nga",
    "tốc độ tối đa 50 km/h": "tốc độ tối đa năm mươi ki-lô-mét trên giờ",
    "TT DVSNC phường": "Trung tâm Dịch vụ sự nghiệp công phường",
    "bão số 3 đổ bộ lúc 01:45": "bão số ba đổ bộ lúc một giờ bốn mươi lăm phút",
}

GAPS = {
    "trực 24/7": "trực hai mươi tư trên bảy",
    "đ/c Nguyễn Văn An, SĐT: 0912345678": "đồng chí Nguyễn Văn An, số điện thoại: không chín một hai, ba bốn năm, sáu bảy tám",
    "Đ/c: số 5 ngõ 12": "Địa chỉ: số năm ngõ mười hai",
    "02 ảnh 3x4": "hai ảnh ba nhân bốn",
    "học sinh lớp 10A1": "học sinh lớp mười a một",
    "phủ sóng 5G và ứng dụng IoT": "phủ sóng năm gờ và ứng dụng ai-ô-ti",
    "số tài khoản 3200205123456": "số tài khoản ba hai không, không hai không, năm một hai, ba bốn năm sáu",
    "mức 700.000 đồng/năm": "mức bảy trăm nghìn đồng một năm",
    "lượng mưa 50-100mm": "lượng mưa năm mươi đến một trăm mi-li-mét",
    "phòng VH-XH": "phòng văn hóa xã hội",
}

MORE = {
    "Phòng Văn hóa - Xã hội": "Phòng Văn hóa Xã hội",
    "“Hải Phòng - Thành phố Đổi mới sáng tạo”": "“Hải Phòng, Thành phố Đổi mới sáng tạo”",
    "phát triển kinh tế - xã hội": "phát triển kinh tế xã hội",
    "Thành phố Đổi mới sáng tạo (ĐMST) và": "Thành phố Đổi mới sáng tạo và",
    "khởi nghiệp sáng tạo (KNST)": "khởi nghiệp sáng tạo",
    "theo 40/QĐ-UBND": "theo quyết định bốn mươi, Ủy ban nhân dân",
    "Quyết định số 40/QĐ-UBND ngày 13/01/2026": f"Quyết định số bốn mươi, Ủy ban nhân dân, ngày mười ba tháng một năm {Y26}",
    "Thông tư 39/2020/TT-BTTTT": "Thông tư ba mươi chín năm hai nghìn không trăm hai mươi, Bộ Thông tin và Truyền thông",
    "Nghị định 49/2024/NĐ-CP, có hiệu lực": "Nghị định bốn mươi chín năm hai nghìn không trăm hai mươi tư, Chính phủ, có hiệu lực",
    "Công văn số 15/UBND-VHXH": "Công văn số mười lăm, Ủy ban nhân dân, văn hóa xã hội",
    "24-26/4/2026": f"ngày hai mươi tư đến hai mươi sáu tháng tư năm {Y26}",
    "Quốc khánh 2/9": "Quốc khánh ngày mùng hai tháng chín",
    "tháng 4/2026": f"tháng tư năm {Y26}",
    "năm học 2026-2027": f"năm học {Y26} đến hai nghìn không trăm hai mươi bảy",
    "từ 7h-11h30": "từ bảy giờ đến mười một giờ ba mươi phút",
    "2/3 số hộ": "hai phần ba số hộ",
    "Công nghiệp 4.0": "Công nghiệp bốn chấm không",
    "xã Đông Hải, lớp 12": "xã Đông Hải, lớp mười hai",
    "âm -5°C": "âm năm độ xê",
    "nặng 2,5kg": "nặng hai phẩy năm ki-lô-gam",
    "10 triệu đồng": "mười triệu đồng",
    "21 hộ, 1005 người, 115 lượt": "hai mươi mốt hộ, một nghìn không trăm linh năm người, một trăm mười lăm lượt",
    "từ 8 giờ đến 10 giờ 30 phút": "từ tám giờ đến mười giờ ba mươi phút",
    "chiến lược/kế hoạch truyền thông": "chiến lược hoặc kế hoạch truyền thông",
    "ĐMST/KNST quốc tế": "Đổi mới sáng tạo hoặc khởi nghiệp sáng tạo quốc tế",
    "nghiêm túc thực hiện./.": "nghiêm túc thực hiện.",
    "I. MỤC ĐÍCH YÊU CẦU": "Một. Mục đích yêu cầu",
    "cách mạng XHCN, 30/4 và 1/5": "cách mạng xã hội chủ nghĩa, ngày ba mươi tháng tư và ngày mùng một tháng năm",
    "gọi 113, 114 hoặc 115": "gọi một một ba, một một bốn hoặc một một năm",
    "cấp độ 3, thứ 4 hằng tuần": "cấp độ ba, thứ tư hằng tuần",
    "2.500 người/ngày": "hai nghìn năm trăm người một ngày",
    "20 – 30 suất": "hai mươi đến ba mươi suất",
    "thế kỷ XXI, khóa XV": "thế kỷ hai mươi mốt, khóa mười lăm",
    "email marketing": "i-meo ma-két-tinh",
    "ngày 4 tháng 11": "ngày mùng bốn tháng mười một",
    "trước ngày 31/12/2026.": f"trước ngày ba mươi mốt tháng mười hai năm {Y26}.",
    "phí 25.000 đồng/hộ/tháng": "phí hai mươi lăm nghìn đồng một hộ một tháng",
    "từ 15 đến 20/12/2026": f"từ ngày mười lăm đến hai mươi tháng mười hai năm {Y26}",
    "Tháng 12-2026": f"Tháng mười hai năm {Y26}",
    "ngày 20-11 và ngày 8-3": "ngày hai mươi tháng mười một và ngày mùng tám tháng ba",
    "hơn 1/3 số dân, chiếm 1/4": "hơn một phần ba số dân, chiếm một phần tư",
    "cao từ 1m60": "cao từ một mét sáu mươi",
    "xe 29B1-123.45": "xe hai chín bê một, một hai ba bốn năm",
    "trên QL.5": "trên quốc lộ năm",
    "Ngân hàng số 8, tỷ lệ 1:500": "Ngân hàng số tám, tỷ lệ một, năm trăm",
    "gia đình anh 3 con/hộ": "gia đình anh ba con một hộ",
    "T2-T6, 7h30-11h30": "Thứ hai đến thứ sáu, bảy giờ ba mươi phút đến mười một giờ ba mươi phút",
    "mưa 50 mm/24h": "mưa năm mươi mi-li-mét trong hai mươi tư giờ",
    "đợt 2/2026": f"đợt hai năm {Y26}",
    "ĐT: 0225.3.842.123 - 0912.345.678": "Điện thoại: không hai hai năm, ba, tám bốn hai, một hai ba, không chín một hai, ba bốn năm, sáu bảy tám",
    "TT Đảng uỷ (để b/c)": "Thường trực Đảng ủy (để báo cáo)",
}


@pytest.mark.parametrize(("written", "spoken"), [*FORTY.items(), *GAPS.items(), *MORE.items()])
def test_read_aloud(written: str, spoken: str) -> None:
    assert say(written).text == spoken


def test_the_line_that_must_show() -> None:
    text = "Quyết định 1380/QĐ-UBND ngày 09/4/2026: 100% thủ tục về ĐMST, họp lúc 17h00."
    assert say(text).text == (
        f"Quyết định một nghìn ba trăm tám mươi, Ủy ban nhân dân, ngày mùng chín tháng tư năm {Y26}: "
        "một trăm phần trăm thủ tục về đổi mới sáng tạo, họp lúc mười bảy giờ."
    )


def test_the_southern_voice_says_le_and_ngan() -> None:
    assert (
        say("1.205 người, ngày 04/4", region="south").text == "một ngàn hai trăm lẻ năm người, ngày mồng bốn tháng tư"
    )


@pytest.mark.parametrize(
    "written", ["Nhóm XQZT họp", "Chương trình Gymkhana", "mã hồ sơ HX7B29", "tỷ số 3-1", "15 CN may"]
)
def test_what_is_not_sure_is_flagged(written: str) -> None:
    reading = say(written)
    assert reading.doubts
    assert all(doubt.written in written and doubt.why for doubt in reading.doubts)


def test_plain_text_raises_no_doubts_and_stays() -> None:
    text = "Kính mời bà con đến dự đông đủ. Xin trân trọng cảm ơn!"
    assert say(text) == type(say(text))(text, ())


def test_every_word_of_the_two_documents_style_is_known() -> None:
    text = (
        "UBND phường giao phòng VHXH; TT DVSNC; Cổng TTĐT; tổ chức cung - cầu công nghệ, startup, logistics, website."
    )
    assert say(text).doubts == ()


def test_a_wards_own_words_come_first() -> None:
    words = default_lexicon().more({"TU": "Tỉnh ủy", "NVQ": "nhà văn quán"})
    assert say("Nghị quyết 05/NQ-TU tại NVQ", words).text == "Nghị quyết không năm, Tỉnh ủy, tại nhà văn quán"
    assert say("NVQ").doubts == (Doubt("NVQ", Why.SHORT, "en vê quy"),)
    assert isinstance(words, Lexicon)


def test_decomposed_text_comes_out_composed() -> None:
    reading = say(unicodedata.normalize("NFD", "UBND phường Đông Hải, 5 người"))
    assert reading.text == unicodedata.normalize("NFC", reading.text)
    assert reading.text == "Ủy ban nhân dân phường Đông Hải, năm người"


@given(st.text(alphabet="aáĐđ 0123456789.,:/-–%hgxm()&@+'°²\nUBNDQKTSIVX", max_size=60))
def test_nothing_unreadable_is_left(text: str) -> None:
    spoken = say(text).text
    assert not any(letter.isnumeric() or letter in "%/&@°²+" for letter in spoken), spoken


@given(st.integers(min_value=0, max_value=10**15 - 1))
def test_every_number_has_words(number: int) -> None:
    reading = say(f"{number} người")
    assert reading.text.endswith(" người")
    assert "  " not in reading.text


def test_speed() -> None:
    sentences = list(FORTY) * 25
    began = time.process_time()
    for sentence in sentences:
        say(sentence)
    assert len(sentences) / (time.process_time() - began) >= 1000


def test_seconds_counts_syllables_and_pauses() -> None:
    assert seconds("") == 0
    assert 60 <= seconds("một hai ba bốn. " * 50) <= 100
    assert seconds("một hai. ba bốn.") > seconds("một hai ba bốn.")
