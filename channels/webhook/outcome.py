"""What a receiver, or whatever stands before it, answered: read as the contract's outcomes.

A receiver promises (docs/channels/webhook.md) that it did nothing when it answers with one of the codes of ``_REFUSED``.
Every other answer that is not understood may hide a post that is out.
"""

from datetime import datetime

from channels.contract import EMPTY, Deferred, Outcome, Pending, Published, Reason, Refused, Unknown
from channels.seen import after_answer, after_silence, retry_after
from channels.webhook.api import Failure, Placed
from channels.wire import Answer, Seen, Silence

_REFUSED = {
    301: (Reason.MISCONFIGURED, "Nơi nhận chuyển sang địa chỉ khác; hãy nhập địa chỉ mới trong cài đặt kênh."),
    302: (Reason.MISCONFIGURED, "Nơi nhận chuyển sang địa chỉ khác; hãy nhập địa chỉ mới trong cài đặt kênh."),
    303: (Reason.MISCONFIGURED, "Nơi nhận chuyển sang địa chỉ khác; hãy nhập địa chỉ mới trong cài đặt kênh."),
    307: (Reason.MISCONFIGURED, "Nơi nhận chuyển sang địa chỉ khác; hãy nhập địa chỉ mới trong cài đặt kênh."),
    308: (Reason.MISCONFIGURED, "Nơi nhận chuyển sang địa chỉ khác; hãy nhập địa chỉ mới trong cài đặt kênh."),
    400: (Reason.REJECTED, "Nơi nhận không nhận nội dung này."),
    401: (Reason.UNAUTHORIZED, "Nơi nhận không chấp nhận chữ ký; hãy kiểm tra khóa ký ở cả hai bên."),
    403: (Reason.FORBIDDEN, "Nơi nhận không cho phép đăng; hãy hỏi người quản lý nơi nhận."),
    404: (Reason.MISCONFIGURED, "Không có nơi nhận ở địa chỉ này; hãy xem lại địa chỉ trong cài đặt kênh."),
    405: (Reason.MISCONFIGURED, "Địa chỉ này không nhận tin (POST); hãy xem lại địa chỉ trong cài đặt kênh."),
    410: (Reason.MISCONFIGURED, "Nơi nhận đã ngừng nhận tin; hãy đổi địa chỉ hoặc tạm dừng kênh."),
    413: (Reason.TOO_LONG, "Nơi nhận cho là bài quá dài; hãy rút gọn bài."),
    415: (Reason.MISCONFIGURED, "Nơi nhận không đọc được JSON; hãy hỏi người quản lý nơi nhận."),
    422: (Reason.REJECTED, "Nơi nhận không nhận nội dung này."),
}


def published(seen: Seen, key: str, any_answer: bool, now: datetime) -> Outcome:
    """The outcome of the visible step; ``any_answer``: a 2xx alone says that it is done."""
    if isinstance(seen, Silence):
        return after_silence(seen)
    if 200 <= seen.status < 300:
        return _taken(seen, key, any_answer)
    if seen.status == 409:
        return Unknown(detail="Nơi nhận đang xử lý một lần gửi trước của bài này (HTTP 409).")
    return refused(seen) or after_answer(seen, now)


def _taken(seen: Answer, key: str, any_answer: bool) -> Outcome:
    placed = seen.read(Placed)
    if seen.status == 202 and not any_answer:
        return Pending(handle=EMPTY)
    if placed and placed.key in (None, key):
        return Published(remote_id=placed.id, url=placed.url)
    if any_answer:
        return Published(remote_id=key)
    return Unknown(detail=f"Nơi nhận trả lời không đúng mẫu (HTTP {seen.status}); có thể bài đã được đăng.")


def withdrawn(seen: Seen, remote_id: str, now: datetime) -> Outcome:
    """The outcome of a withdrawal; what is not there any more counts as taken down."""
    if isinstance(seen, Silence):
        return after_silence(seen)
    if seen.status in (200, 204) or is_absent(seen):
        return Published(remote_id=remote_id)
    return refused(seen) or after_answer(seen, now)


def amended(seen: Seen, remote_id: str, any_answer: bool, now: datetime) -> Outcome:
    """The outcome of a correction; what is not there any more is refused, and nothing was made."""
    if isinstance(seen, Silence):
        return after_silence(seen)
    if is_absent(seen):
        return Refused(reason=Reason.NOT_FOUND, detail="Nơi nhận không còn bài này; có thể đã bị gỡ trước đó.")
    if seen.status == 202 and not any_answer:
        return Pending(handle=EMPTY)
    if 200 <= seen.status < 300:
        placed = seen.read(Placed)
        done = any_answer or seen.status == 204 or (placed is not None and placed.id == remote_id)
        unread = Unknown(detail=f"Nơi nhận trả lời không đúng mẫu (HTTP {seen.status}); có thể bài đã được sửa.")
        return Published(remote_id=remote_id) if done else unread
    if seen.status == 409:
        return Unknown(detail="Nơi nhận đang xử lý một lần gửi trước của đính chính này (HTTP 409).")
    return refused(seen) or after_answer(seen, now)


def refused(seen: Answer) -> Refused | None:
    """The receiver's «no», with its own words where it gave any; None where nothing certain was said."""
    if seen.status not in _REFUSED:
        return None
    reason, words = _REFUSED[seen.status]
    failure = seen.read(Failure)
    theirs = (
        f" Nơi nhận nói: «{' '.join(failure.error.message.split())[:300]}»."
        if failure and failure.error.message
        else ""
    )
    return Refused(reason=reason, detail=f"{words}{theirs} (HTTP {seen.status})")


def is_absent(seen: Answer) -> bool:
    """Whether the receiver itself says that it knows no such post: a bare 404 may come from anybody on the way."""
    failure = seen.read(Failure) if seen.status == 404 else None
    return failure is not None and failure.error.code == "not_found"


def trouble(seen: Answer, now: datetime) -> Reason | None:
    """Why a harmless question was not answered; None where it was."""
    if 200 <= seen.status < 300 or is_absent(seen):
        return None
    if seen.status == 429 or (seen.status == 503 and retry_after(seen, now)):
        again = after_answer(seen, now)
        return again.reason if isinstance(again, Deferred) else Reason.BUSY
    no = refused(seen)
    return no.reason if no else Reason.BUSY
