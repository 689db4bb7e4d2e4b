"""What the file system refused, as an outcome that says what to do."""

import errno

from channels.contract import Deferred, Reason, Refused

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_CLOSED = frozenset({errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.ENOENT, errno.EEXIST})

UNPLUGGED = Deferred(
    reason=Reason.UNREACHABLE,
    detail="Chưa thấy USB ở thư mục chương trình; hãy cắm USB vào máy, hệ thống sẽ tự ghi tiếp.",
)
NO_SOUND = (
    "Bản tin chưa có âm thanh nên chưa phát thẳng ra loa được; hãy thu âm ở trang «Thu âm» của bài, "
    "hoặc chọn cách phát «Thư mục, USB» để đọc trực tiếp."
)
ONLY_PREVIEW = (
    "Bản tin mới có bản nghe thử bằng giọng tổng hợp, không phát thẳng ra loa; hãy mở trang «Thu âm» của bài để thu hoặc tải bản thu lên. "
    "Khi khẩn cấp, bật «Cho phép phát thẳng bản nghe thử» trong thiết lập kênh."
)

ONLY_RECORDED = (
    "Kênh này chỉ phát bản thu của phát thanh viên mà bài chưa có bản thu; hãy mở trang «Thu âm» của bài, "
    "thu hoặc tải bản thu lên."
)
LOST_RECORDING = (
    "Bản thu của bài không còn trên máy chủ; hãy khôi phục từ bản sao lưu hoặc thu âm lại rồi gửi duyệt lại."
)


def not_written(error: OSError) -> Deferred | Refused:
    """Nothing was made visible: a full disk is waited for, a closed folder needs a person."""
    if error.errno in _FULL:
        return Deferred(
            reason=Reason.QUOTA,
            detail="Ổ đĩa chứa thư mục chương trình đã đầy; hãy xóa bớt tệp cũ, hệ thống sẽ tự ghi lại.",
        )
    if error.errno in _CLOSED:
        return Refused(
            reason=Reason.MISCONFIGURED,
            detail="Không ghi được vào thư mục chương trình; hãy kiểm tra đường dẫn và quyền ghi trong thiết lập kênh.",
        )
    return Deferred(reason=Reason.BUSY, detail=f"Thư mục chương trình tạm thời không ghi được ({error_name(error)}).")


def error_name(error: OSError) -> str:
    """The system's own short name of an error, as ENOSPC."""
    return errno.errorcode.get(error.errno or 0, type(error).__name__)
