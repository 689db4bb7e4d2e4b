"""What an outlet's check found and what to do about it, in the words that the console and ``lantoa doctor`` share."""

from datetime import datetime

from campaigns import connecting, resting
from campaigns.connecting import BROKEN, REACHED
from campaigns.outlets import Desk
from channels.contract import Reason
from channels.registry import kinds
from store.tables import Outlet

#: what a check found -> what it means
FOUND: dict[str, str] = {
    REACHED: "Kết nối tốt",
    BROKEN: "Không kiểm tra được",
    Reason.UNREACHABLE: "Không kết nối được",
    Reason.BUSY: "Nền tảng đang bận",
    Reason.RATE_LIMITED: "Nền tảng yêu cầu gửi chậm lại",
    Reason.QUOTA: "Hết hạn mức của nền tảng",
    Reason.OUTSIDE_HOURS: "Ngoài khung giờ được phép",
    Reason.UNAUTHORIZED: "Mất quyền truy cập, cần kết nối lại",
    Reason.FORBIDDEN: "Không có quyền đăng",
    Reason.REJECTED: "Nền tảng từ chối",
    Reason.TOO_LONG: "Nội dung quá dài",
    Reason.BAD_MEDIA: "Ảnh hoặc âm thanh không hợp lệ",
    Reason.NOT_FOUND: "Không tìm thấy trên nền tảng",
    Reason.MISCONFIGURED: "Thiết lập kênh chưa đúng",
}

#: what a check found -> what to do about it
ADVICE: dict[str, str] = {
    "unreachable": "Máy này không nối được tới nền tảng. Kiểm tra đường mạng, rồi thử lại sau ít phút.",
    "busy": "Nền tảng đang bận. Thử lại sau ít phút.",
    "rate_limited": "Nền tảng yêu cầu gửi chậm lại. Thử lại sau ít phút.",
    "quota": "Kênh đã hết hạn mức. Xem gói dịch vụ ở trang quản lý của nền tảng.",
    "unauthorized": "Mã truy cập không còn hiệu lực. Lấy mã mới ở trang quản lý của nền tảng, dán vào phần Thiết lập rồi lưu.",
    "forbidden": "Tài khoản chưa được quyền đăng. Cấp quyền quản trị kênh cho ứng dụng, rồi kiểm tra lại.",
    "not_found": "Không tìm thấy kênh này trên nền tảng. Xem lại mã kênh ở phần Thiết lập.",
    "misconfigured": "Thiết lập chưa dùng được. Mở phần Thiết lập, nhập lại rồi lưu.",
    BROKEN: "Chương trình gặp lỗi khi kiểm tra, đã ghi vào nhật ký máy. Hãy báo người quản trị.",
}


def advice(desk: Desk, outlet: Outlet, found: str) -> str:
    """What to do about what a check found: the channel's own words, else the usual ones; empty when all is well."""
    return connecting.advice(desk, outlet, found) or ADVICE.get(found, "")


def standing(outlet: Outlet, now: datetime) -> tuple[str, str] | None:
    """What keeps an outlet from its work, or soon will, whatever the platform answers, and what to do; None: nothing."""
    if outlet.state == "paused":
        why = f" ({outlet.paused_reason})" if outlet.paused_reason else ""
        return f"đang tạm dừng{why}", "Khi xong việc, hãy mở Kênh › «Mở lại kênh»; các lượt đăng đang chờ."
    if outlet.failures >= resting.OPENS_AT:
        return f"tạm nghỉ sau {outlet.failures} lần lỗi liên tiếp", "Sửa chỗ hỏng, rồi bấm «Thử lại ngay» ở trang kênh."
    maker = kinds().get(outlet.kind)
    soon = maker.wearing(outlet.settings, now) if maker else None
    return ("quyền truy cập sắp hết hạn", soon) if soon else None
