"""What was seen on the wire, read as an outcome: the part that is the same for every platform.

An adapter reads the platform's own error code first; what is left over comes here. Pure functions.
"""

from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

from channels.contract import Deferred, Reason, Refused, Unknown
from channels.wire import REFUSED, Answer, Silence

_DEFAULT_WAIT = timedelta(seconds=60)
_LONGEST_WAIT = timedelta(days=1)


def after_silence(silence: Silence) -> Deferred | Refused | Unknown:
    """No answer: an address that may not be dialled needs a person, a byte that left may have been heard."""
    if silence.kind == REFUSED:
        return Refused(
            reason=Reason.MISCONFIGURED,
            detail="Địa chỉ máy chủ của nền tảng không được phép; hãy xem lại cài đặt kênh.",
        )
    if silence.sent:
        return Unknown(detail=f"Đã gửi nhưng không nhận được trả lời ({silence.kind}).")
    return Deferred(reason=Reason.UNREACHABLE, detail=f"Không kết nối được với nền tảng ({silence.kind}).")


def after_answer(answer: Answer, now: datetime) -> Deferred | Unknown:
    """An answer without a code of the platform's own: only 429, and 503 with Retry-After, say «not done»."""
    if answer.status == 429:
        return Deferred(
            reason=Reason.RATE_LIMITED,
            retry_at=retry_after(answer, now) or now + _DEFAULT_WAIT,
            detail="Nền tảng yêu cầu gửi chậm lại (HTTP 429).",
        )
    again = retry_after(answer, now)
    if answer.status == 503 and again is not None:
        return Deferred(reason=Reason.BUSY, retry_at=again, detail="Nền tảng đang bận (HTTP 503).")
    return Unknown(detail=f"Nền tảng trả lời không đọc được (HTTP {answer.status}).")


def invisible(outcome: Deferred | Refused | Unknown) -> Deferred | Refused:
    """The same for a step that nobody can see: what may have happened there is harmless, so it is tried again."""
    if isinstance(outcome, Unknown):
        return Deferred(reason=Reason.UNREACHABLE, detail=outcome.detail)
    return outcome


def retry_after(answer: Answer, now: datetime) -> datetime | None:
    """When the Retry-After header (seconds or an HTTP date, RFC 9110 10.2.3) allows another try; a day at the most."""
    text = answer.headers.get("retry-after", "").strip()
    if text.isdecimal():
        return now + min(timedelta(seconds=min(int(text), 86_400)), _LONGEST_WAIT)
    try:
        moment = parsedate_to_datetime(text)
    except (TypeError, ValueError):
        return None
    moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    return min(max(moment, now), now + _LONGEST_WAIT)
