"""The words on screen for what the code calls otherwise (the glossary), each with its tone."""

from campaigns.diagnosing import FOUND
from campaigns.people import ROLE_WORDS
from campaigns.states import State
from channels.contract import Reason

#: state of a delivery -> words, tone (one of: calm, active, good, warn, bad, muted), icon
ON_AIR = ("Đang phát", "active", "broadcast")
DELIVERY: dict[str, tuple[str, str, str]] = {
    State.DUE: ("Đã lên lịch", "calm", "clock"),
    State.HELD: ("Đang tạm dừng", "warn", "player-pause"),
    State.PREPARED: ("Đang gửi", "active", "loader"),
    State.WIRE: ("Đang gửi", "active", "loader"),
    State.UNKNOWN: ("Chưa rõ kết quả", "warn", "help-circle"),
    State.NEEDS_HUMAN: ("Cần người xem", "bad", "eye-exclamation"),
    State.SENT: ("Đã đăng", "good", "circle-check"),
    State.FAILED: ("Không đăng được", "bad", "circle-x"),
    State.MISSED: ("Lỡ giờ", "bad", "clock-x"),
    State.CANCELLED: ("Đã hủy", "muted", "ban"),
    State.CLOSED: ("Đã bỏ", "muted", "ban"),
    State.WITHDRAWING: ("Đang gỡ", "active", "loader"),
    State.WITHDRAWN: ("Đã gỡ", "muted", "arrow-back-up"),
}

POST: dict[str, tuple[str, str, str]] = {
    "draft": ("Bản nháp", "muted", "pencil"),
    "submitted": ("Chờ duyệt", "active", "hourglass"),
    "approved": ("Đã duyệt", "good", "circle-check"),
    "returned": ("Trả lại", "warn", "arrow-back-up"),
    "withdrawn": ("Đã rút", "muted", "ban"),
}

#: state of a correction, and of a correction at one delivery
AMENDMENT: dict[str, tuple[str, str, str]] = {**POST, "cancelled": ("Đã rút", "muted", "ban")}
AMENDMENT_LINE: dict[str, tuple[str, str, str]] = {
    "waiting": ("Chờ duyệt", "active", "hourglass"),
    "due": ("Sắp sửa trên kênh", "active", "clock"),
    "wire": ("Đang sửa trên kênh", "active", "loader"),
    "done": ("Đã đính chính", "good", "circle-check"),
    "refused": ("Không sửa được", "bad", "circle-x"),
    "needs_human": ("Cần người xem", "bad", "eye-exclamation"),
    "void": ("Không sửa nữa", "muted", "ban"),
}

LABEL: dict[str, tuple[str, str]] = {
    "measured": ("Đo được", "good"),
    "estimated": ("Ước tính", "warn"),
    "declared": ("Tự khai", "muted"),
}

REASON: dict[str, str] = {
    **{found: said for found, said in FOUND.items() if found in set(Reason)},
    "hold": "Tạm dừng toàn bộ",
    "edited": "Bài đã được sửa",
    "withdrawn": "Bài đã được rút",
    "programme": "Khung phát không còn chỗ phát lại",
    "doubled": "Có nhiều hơn một bản trên kênh",
    "out_after_all": "Đã dừng, nhưng trên kênh có bài",
}

FIGURE: dict[str, str] = {
    "reach": "Lượt tiếp cận",
    "views": "Lượt xem",
    "clicks": "Lượt bấm liên kết",
    "reactions": "Lượt bày tỏ cảm xúc",
    "likes": "Lượt thích",
    "comments": "Lượt bình luận",
    "shares": "Lượt chia sẻ",
    "members": "Thành viên kênh",
    "subscribers": "Người theo dõi",
    "listeners": "Lượt nghe",
    "plays": "Lượt phát",
}

#: what a platform calls an event -> words; what is not here is shown by the platform's own name
PLATFORM_EVENT: dict[str, str] = {
    "follow": "Có người quan tâm",
    "unfollow": "Có người bỏ quan tâm",
    "user_received_message": "Người nhận đã nhận tin",
    "user_seen_message": "Người nhận đã xem tin",
    "user_send_text": "Người dân nhắn tin (nội dung không lưu)",
    "user_send_image": "Người dân gửi ảnh (nội dung không lưu)",
    "user_send_location": "Người dân gửi vị trí (nội dung không lưu)",
    "oa_send_text": "Trang đã gửi tin",
    "oa_send_image": "Trang đã gửi ảnh",
    "anonymous_send_text": "Người chưa quan tâm nhắn tin (nội dung không lưu)",
}

VERB: dict[str, str] = {
    "stage": "Chuẩn bị",
    "publish": "Đăng",
    "pin": "Ghim",
    "find": "Tra cứu",
    "measure": "Đo",
    "withdraw": "Gỡ",
    "amend": "Đính chính",
    "renew": "Gia hạn kết nối",
    "health": "Kiểm tra kết nối",
}

OUTCOME: dict[str, str] = {
    "published": "Đã ra",
    "pending": "Nền tảng đang xử lý",
    "deferred": "Chưa ra, sẽ thử lại",
    "refused": "Bị từ chối",
    "unknown": "Chưa rõ",
    "out": "Tìm thấy trên kênh",
    "absent": "Không có trên kênh",
    "unclear": "Không tra cứu được",
    "ready": "Đã sẵn sàng",
}

EVENT: dict[str, str] = {
    "post.saved": "Lưu bài",
    "post.recorded": "Lưu bản thu của phát thanh viên",
    "post.recording_dropped": "Bỏ bản thu khỏi bài",
    "post.recording_right": "Xác nhận bản thu vẫn đúng",
    "post.submitted": "Gửi duyệt",
    "post.approved": "Duyệt bài",
    "post.returned": "Trả lại bài",
    "post.withdrawn": "Rút bài",
    "post.approval_void": "Hủy duyệt vì bài được sửa",
    "delivery.cancelled": "Hủy lượt đăng",
    "delivery.planned": "Lên lịch lượt đăng",
    "delivery.moved": "Lượt đăng đổi trạng thái",
    "outlet.connected": "Kết nối kênh",
    "outlet.authorised": "Cấp quyền kênh",
    "outlet.trial_begun": "Đăng thử kênh",
    "outlet.trial_ended": "Đăng thử kênh xong",
    "outlet.trial_removing": "Gỡ lại tin thử",
    "outlet.trial_removed": "Gỡ lại tin thử xong",
    "outlet.renewed": "Gia hạn kết nối kênh",
    "outlet.paused": "Tạm dừng kênh",
    "outlet.resumed": "Mở lại kênh",
    "delivery.doubled": "Có nhiều hơn một bản trên kênh",
    "delivery.out_after_all": "Lượt đăng đã dừng, nhưng trên kênh có bài",
    "delivery.single_again": "Trên kênh không còn bản thừa",
    "clock.jumped": "Đồng hồ máy chủ nhảy",
    "outlet.rested": "Kênh tạm nghỉ vì lỗi liên tiếp",
    "outlet.recovered": "Kênh hoạt động trở lại",
    "outlet.tried_at_once": "Thử lại ngay kênh đang tạm nghỉ",
    "delivery.withdrawing": "Yêu cầu gỡ bài",
    "delivery.withdrawn": "Gỡ bài",
    "delivery.withdrawn_by_hand": "Gỡ bài trên kênh",
    "delivery.not_withdrawn": "Chưa gỡ được bài",
    "delivery.left_up": "Để bài trên kênh",
    "amendment.submitted": "Gửi đính chính",
    "amendment.approved": "Duyệt đính chính",
    "amendment.returned": "Trả lại đính chính",
    "amendment.recalled": "Rút đính chính",
    "delivery.amending": "Cho sửa bài trên kênh",
    "delivery.amended": "Đính chính bài",
    "delivery.amended_by_hand": "Xác nhận bài đã đúng",
    "delivery.not_amended": "Chưa đính chính được",
    "delivery.amend_in_doubt": "Chưa rõ bài đã sửa chưa",
    "delivery.amend_void": "Thôi đính chính",
    "delivery.amend_given_up": "Thôi đính chính",
    "template.saved": "Lưu mẫu",
    "dictionary.put": "Lưu cách đọc",
    "dictionary.confirmed": "Xác nhận cách đọc",
    "dictionary.removed": "Bỏ cách đọc",
    "dictionary.region": "Đổi cách đọc số",
    "slot.put": "Đặt khung phát",
    "slot.removed": "Bỏ khung phát",
    "silent_day.put": "Thêm ngày không phát",
    "silent_day.removed": "Bỏ ngày không phát",
    "programme.moved": "Đổi thứ tự phát",
    "delivery.rescheduled": "Xếp lại giờ phát",
    "rule.approved": "Duyệt lịch đăng thường kỳ",
    "user.added": "Thêm tài khoản",
    "user.password_changed": "Đổi mật khẩu",
    "post.from_rule": "Tạo từ lịch đăng thường kỳ",
    "delivery.held": "Tạm dừng lượt đăng",
    "delivery.released": "Cho đăng sau tạm dừng",
    "hold.opened": "Tạm dừng toàn bộ",
    "hold.released": "Mở lại sau tạm dừng",
    "hold.catch_up": "Lập kế hoạch đăng bù",
    "delivery.retried": "Cho gửi lại",
    "delivery.settled_sent": "Xác nhận đã đăng",
    "delivery.settled_again": "Cho đăng lại",
    "delivery.settled_closed": "Bỏ lượt đăng",
    "rule.approval_void": "Hủy duyệt lịch thường kỳ vì được sửa",
    "ward.founded": "Thêm phường",
    "campaign.founded": "Thêm chiến dịch",
    "report.written": "Lập báo cáo",
    "source.watched": "Thêm nguồn chính thống",
    "source.read": "Đọc nguồn chính thống",
    "media.added": "Thêm ảnh vào kho tư liệu",
}

WEEKDAYS = ("Thứ Hai", "Thứ Ba", "Thứ Tư", "Thứ Năm", "Thứ Sáu", "Thứ Bảy", "Chủ nhật")
WEEKDAYS_SHORT = ("T2", "T3", "T4", "T5", "T6", "T7", "CN")


def role(name: str) -> str:
    """The words for a role."""
    return next((words for key, words in ROLE_WORDS.items() if key == name), name)
