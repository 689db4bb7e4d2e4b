"""The table of what the long reliability tests proved (``make chaos``), made from docs/evidence/R*.json."""

import json
import re
from pathlib import Path
from typing import Any

TESTS = {
    "R1": "Giết ngang tiến trình (`kill -9`) ngẫu nhiên, nền tảng giả lỗi",
    "R2": "Giết ở từng thời điểm giữa hai lần ghi, với mọi hạng kênh và mọi kiểu trả lời",
    "R3": "Mô phỏng nhiều ngày: mất mạng, mất câu trả lời, đồng hồ nhảy, tiến trình chết và sống lại muộn",
    "R4": "Cố ý cài lỗi vào chương trình: phép thử phải phát hiện",
    "R5": "Mất điện: dựng lại đĩa ở từng thời điểm; PostgreSQL dừng tức thì",
    "R14": "Khôi phục bản sao lưu cũ sau khi đã đăng thêm",
    "R15": "Nâng cấp cơ sở dữ liệu, giết ngang giữa chừng",
    "R17": "Một triệu lượt đăng trong lịch sử, so với mười nghìn",
    "R18": "Danh sách của nền tảng chậm quá thời gian chờ",
}
SAID = {
    "kills": "{} lần giết", "deliveries": "{} lượt đăng", "deaths_on_the_wire": "{} lần chết đúng lúc đang gửi", "faulty_percent": "{} % câu trả lời lỗi",
    "points": "{} thời điểm", "deaths": "{} lần chết", "fewest_hits_of_a_point": "ít nhất {} lần mỗi thời điểm", "seeds": "{} kịch bản",
    "crashes": "{} lần chết", "planted": "{} lỗi cài vào", "killed": "{} lỗi bị phát hiện", "images": "{} lần mất điện", "corrupt": "{} hỏng",
    "immediate_stops": "{} lần dừng tức thì", "lost_approvals": "{} lần duyệt bị mất", "lost_wire_marks": "{} dấu «đang gửi» bị mất",
    "sent_after_the_backup": "{} lượt đăng sau bản sao lưu", "sent_again_blind": "{} gửi lại mù", "seconds_to_bring_back": "khôi phục {} giây", "megabytes": "{} MB",
    "moments": "{} thời điểm", "wrong": "{} sai", "violations": "{} vi phạm", "lost": "{} mất", "doubled": "{} lặp", "told_wrongly": "{} báo sai",
    "told_of": "{} được báo cho người", "claim p99 ms": "nhận việc p99 {} ms", "find ratio": "tìm việc ×{}", "month ratio": "lịch tháng ×{}",
    "today ratio": "trang Hôm nay ×{}", "memory MB": "bộ nhớ {} MB",
}  # fmt: skip


def table(folder: Path) -> str:
    """One row for each test that was run in full, in the order of their numbers."""
    found = [json.loads(path.read_text("utf-8")) for path in folder.glob("R*.json")]
    rows = [_row(one) for one in sorted(found, key=lambda one: (_number(one["test"]), one["test"]))]
    head = "| Phép thử | Trên | Đếm được | |\n| --- | --- | --- | --- |\n"
    return head + "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _row(one: dict[str, Any]) -> tuple[str, str, str, str]:
    test, _, database = one["test"].partition("-")
    counted = ", ".join(
        words.format(_figure(one["counts"][key])) for key, words in SAID.items() if key in one["counts"]
    )
    red = one["verdict"].startswith("RED")
    place = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}.get(database, "trong bộ nhớ")
    return f"**{test}** {TESTS.get(test, '')}", place, counted, "chưa đạt" if red else "đạt"


def _number(test: str) -> int:
    found = re.match(r"R(\d+)", test)
    return int(found[1]) if found else 0


def _figure(value: float | str) -> str:
    if isinstance(value, str):
        return value
    text = f"{value:,.0f}" if value == int(value) or value >= 100 else f"{value:.3g}"
    return text.replace(",", "\0").replace(".", ",").replace("\0", ".")
