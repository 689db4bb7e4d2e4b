"""What WordPress said, read as the contract's outcomes: by its ``code``, and by the status where the code is a plug-in's own.

Only codes that WordPress gives before it changes anything are more than Unknown; seen in WordPress 6.1.9 and read in its
``class-wp-rest-posts-controller.php`` and ``class-wp-rest-attachments-controller.php`` (22/11/2026). Pure.
"""

from datetime import datetime

from pydantic import BaseModel, ConfigDict

from channels.contract import Deferred, Reason, Refused, Unknown
from channels.seen import after_answer, after_silence
from channels.wire import Answer, Seen


class ErrorData(BaseModel):
    """What an error says besides: the id of a term that is there already."""

    model_config = ConfigDict(extra="ignore")

    term_id: int = 0


class Failure(BaseModel):
    """WordPress' way of saying no; ``message`` is in the site's own language."""

    model_config = ConfigDict(extra="ignore")

    code: str
    message: str
    data: ErrorData | list[object] | None = None

    @property
    def term_id(self) -> int:
        """The term that stands in the way; 0 where none does."""
        return self.data.term_id if isinstance(self.data, ErrorData) else 0


_PASSWORD = (
    "WordPress không nhận tên đăng nhập hoặc mật khẩu ứng dụng; hãy tạo mật khẩu ứng dụng mới và kết nối lại kênh"  # noqa: S105
)
_MEDIA = "WordPress không nhận tệp ảnh, video hoặc tiếng: sai loại, nặng quá giới hạn tải lên của trang, hoặc thư mục wp-content/uploads không ghi được"
_TERM = "tài khoản trên WordPress không được dùng chuyên mục hoặc thẻ này"
_CONTENT = "WordPress không nhận nội dung gửi lên"

_CODES: dict[str, tuple[Reason, str]] = {
    "incorrect_password": (Reason.UNAUTHORIZED, _PASSWORD),
    "invalid_username": (Reason.UNAUTHORIZED, _PASSWORD),
    "invalid_email": (Reason.UNAUTHORIZED, _PASSWORD),
    "application_passwords_disabled": (
        Reason.MISCONFIGURED,
        "WordPress đang tắt mật khẩu ứng dụng, thường vì trang chưa có https; hãy bật https hoặc gỡ phần chặn",
    ),
    "application_passwords_disabled_for_user": (
        Reason.FORBIDDEN,
        "tài khoản này không được dùng mật khẩu ứng dụng; hãy hỏi quản trị trang",
    ),
    "rest_no_route": (
        Reason.MISCONFIGURED,
        "trang không có đường REST của bài viết; hãy xem lại địa chỉ trang và các plugin chặn REST",
    ),
    "rest_post_invalid_id": (Reason.NOT_FOUND, "không còn bài này trên WordPress"),
    "rest_cannot_assign_term": (Reason.FORBIDDEN, _TERM),
    "rest_invalid_param": (Reason.REJECTED, _CONTENT),
    "rest_missing_callback_param": (Reason.REJECTED, _CONTENT),
    "rest_invalid_json": (Reason.REJECTED, _CONTENT),
    "empty_content": (Reason.REJECTED, "bài không có tiêu đề lẫn nội dung"),
    "rest_upload_sideload_error": (Reason.BAD_MEDIA, _MEDIA),
    "rest_upload_unknown_error": (Reason.BAD_MEDIA, _MEDIA),
    "rest_upload_no_data": (Reason.BAD_MEDIA, _MEDIA),
    "rest_upload_file_too_big": (Reason.BAD_MEDIA, _MEDIA),
    "rest_upload_limited_space": (Reason.BAD_MEDIA, "kho tệp của WordPress đã đầy"),
    "rest_trash_not_supported": (Reason.REJECTED, "WordPress này tắt thùng rác"),
}
# Asked before anything is done; who is not known gets 401, who may not gets 403 (rest_authorization_required_code).
_PERMISSION = {
    401: (Reason.UNAUTHORIZED, _PASSWORD),
    403: (
        Reason.FORBIDDEN,
        "tài khoản trên WordPress chưa có quyền này; hãy cho vai trò Tác giả (Author) trở lên, hoặc xem plugin bảo mật",
    ),
}
# Said by whatever stands before WordPress: by their meaning nothing was done.
_BARE: dict[int, tuple[Reason, str]] = {
    **dict.fromkeys(
        (301, 302, 303, 307, 308),
        (Reason.MISCONFIGURED, "trang chuyển hướng sang địa chỉ khác; hãy ghi đúng địa chỉ cuối cùng, có https và www nếu có"),
    ),
    401: (Reason.UNAUTHORIZED, "máy chủ web đòi mật khẩu riêng trước khi tới WordPress"),
    403: (Reason.FORBIDDEN, "tường lửa của máy chủ chặn yêu cầu trước khi tới WordPress"),
    404: (
        Reason.MISCONFIGURED,
        "không thấy REST ở địa chỉ này; hãy xem lại địa chỉ trang, hoặc đánh dấu mục đường dẫn tĩnh kiểu đơn giản",
    ),
    405: (Reason.MISCONFIGURED, "máy chủ web không cho dùng phương thức này; hãy hỏi nơi đặt trang"),
    413: (Reason.TOO_LONG, "máy chủ web không nhận yêu cầu lớn như vậy"),
}  # fmt: skip


def outcome(seen: Seen, now: datetime) -> Deferred | Refused | Unknown:
    """The outcome of an answer that is not the good one, or of none."""
    if not isinstance(seen, Answer):
        return after_silence(seen)
    known = _known(seen)
    if known is None:
        return after_answer(seen, now)
    reason, words = known
    return Refused(reason=reason, detail=f"{words[0].upper()}{words[1:]} ({label(seen)}).")


def failure(seen: Seen) -> Failure | None:
    """WordPress' own words, where the answer is an error of its own."""
    return seen.read(Failure) if isinstance(seen, Answer) and seen.status >= 400 else None


def label(seen: Answer) -> str:
    """The status and WordPress' code, for those who look after the site."""
    said = failure(seen)
    return f"HTTP {seen.status}" + (f", {said.code}" if said else "")


def _known(seen: Answer) -> tuple[Reason, str] | None:
    said = failure(seen)
    if said is None:
        return _BARE.get(seen.status)
    return _CODES.get(said.code) or _PERMISSION.get(seen.status)
