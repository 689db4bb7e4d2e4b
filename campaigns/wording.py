"""The Vietnamese words under which figures stand in reports and on screen."""

from datetime import datetime

from campaigns.timetable import local
from channels.contract import Reason
from content.templates import format_date, format_number

REASONS: dict[str, str] = {
    Reason.UNREACHABLE: "Không kết nối được tới nền tảng",
    Reason.BUSY: "Nền tảng đang quá tải",
    Reason.RATE_LIMITED: "Nền tảng giới hạn số lần gửi",
    Reason.QUOTA: "Hết hạn mức gửi của nền tảng",
    Reason.OUTSIDE_HOURS: "Ngoài khung giờ nền tảng cho phép",
    Reason.UNAUTHORIZED: "Kênh mất kết nối, cần đăng nhập lại",
    Reason.FORBIDDEN: "Tài khoản của kênh không có quyền đăng",
    Reason.REJECTED: "Nền tảng từ chối nội dung",
    Reason.TOO_LONG: "Nội dung quá dài",
    Reason.BAD_MEDIA: "Hình ảnh hoặc âm thanh không hợp lệ",
    Reason.NOT_FOUND: "Không tìm thấy nơi nhận trên nền tảng",
    Reason.MISCONFIGURED: "Kênh thiết lập chưa đúng",
}
STATES: dict[str, str] = {
    "planned": "Kế hoạch",
    "sent": "Đã đăng, phát",
    "failed": "Không đăng được",
    "missed": "Lỡ giờ",
    "unknown": "Chưa rõ kết quả",
    "needs_human": "Cần người xem",
    "held": "Đang tạm dừng",
    "cancelled": "Đã hủy",
    "waiting": "Chưa tới lượt, đang gửi",
    "closed": "Đã bỏ",
    "withdrawn": "Đã gỡ",
}
LABELS = {"measured": "Đo được", "estimated": "Ước tính", "declared": "Tự khai"}
CONFIRMED = {"measured": "Nền tảng trả mã bài", "declared": "Người phụ trách (tự khai)"}
MEANINGS = {
    "measured": "số do nền tảng hoặc trang của phường đếm và trả về",
    "estimated": "số đã làm tròn hoặc suy ra theo cách tính ghi kèm",
    "declared": "số do người của phường nhập, nền tảng không xác nhận",
}
REHEARSAL = "SỐ LIỆU DIỄN TẬP – KHÔNG DÙNG ĐỂ BÁO CÁO CHÍNH THỨC"
NO_TASK = "Tin, bài không gắn với nhiệm vụ nào trong kế hoạch"
NOTHING = "Chưa có tin, bài"


WHY_STATE = {
    "failed": "Nền tảng không cho biết lý do",
    "missed": "Quá thời hạn cho phép mà chưa gửi được",
    "unknown": "Đang chờ tra cứu kết quả trên nền tảng",
    "needs_human": "Không tra cứu được kết quả trên nền tảng",
    "closed": "Người phụ trách quyết định không đăng lại",
}


def count(value: int) -> str:
    """A number of things within a sentence: 05 kênh, 12 tin, 1.250 lượt."""
    return f"{value:02d}" if 0 < value < 10 else number(value)


def number(value: int | float) -> str:
    """1.250.000 and 98,5."""
    return format_number(value)


def percent(part: int, whole: int) -> str:
    """98,5%; a dash when there is nothing to divide by. Never rounded up to 100%."""
    if not whole:
        return "–"
    rounded = round(100 * part / whole, 1)
    return f"{number(min(rounded, 99.9) if part < whole else rounded)}%"


def seconds(value: float) -> str:
    """A span in words: 0,8 giây, 45 giây, 3 phút 20 giây, 2 giờ 05 phút."""
    if value < 10:
        return f"{number(round(value, 1))} giây"
    whole = round(value)
    if whole < 60:
        return f"{whole} giây"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} phút {rest:02d} giây" if rest else f"{minutes} phút"
    return f"{number(minutes // 60)} giờ {minutes % 60:02d} phút"


def minutes(total_seconds: int) -> str:
    """Air time in minutes: 12,5 phút."""
    return f"{number(round(total_seconds / 60, 1))} phút"


def moment(at: datetime, zone: str) -> str:
    """A moment as offices write it: 17h00 ngày 09/4/2026."""
    clock = local(at, zone)
    return f"{clock.hour:02d}h{clock.minute:02d} ngày {format_date(clock.date())}"


def short_moment(at: datetime, zone: str) -> str:
    """A moment for tables: 17h00 09/4/2026."""
    return moment(at, zone).replace(" ngày ", " ")


def window(start: datetime, end: datetime, zone: str) -> str:
    """The data window: «từ 00h00 ngày … đến 24h00 ngày …»."""
    return f"từ {moment(start, zone)} đến {_end(end, zone)}"


def outlet(kind_name: str, name: str) -> str:
    """An outlet with its platform, said once: «Facebook: Phường Đông Hải», «Facebook phường Đông Hải»."""
    return name if name.casefold().startswith(kind_name.casefold()) else f"{kind_name}: {name}"


def sentence(text: str) -> str:
    """The text with its first letter in capitals."""
    return text[:1].upper() + text[1:]


def _end(end: datetime, zone: str) -> str:
    clock = local(end, zone)
    if (clock.hour, clock.minute, clock.second) != (0, 0, 0):
        return moment(end, zone)
    return f"24h00 ngày {format_date(clock.date().fromordinal(clock.date().toordinal() - 1))}"
