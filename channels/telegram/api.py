"""One Bot API call through python-telegram-bot, and what its failure means.

Each call has its own Bot on a fresh, traced connection, is tried once, and never leaves an exception behind:
the library's exceptions carry addresses, and a bot's address holds its token
(https://core.telegram.org/bots/api#making-requests).
"""

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from telegram import Bot
from telegram.error import TelegramError
from telegram.request import HTTPXRequest

from channels.contract import Deferred, Outcome, Reason, Refused, Unknown
from channels.wire import Refusal, VisibleTransport, Wire
from content.text import cut

Result = TypeVar("Result")

_TOKEN_LIKE = re.compile(r"\d+:[\w-]+")
logging.getLogger("telegram").setLevel(logging.INFO)  # below that the library logs the token and the text


class _Parameters(BaseModel):
    retry_after: int | None = None
    migrate_to_chat_id: int | None = None


class ApiError(BaseModel):
    """The Bot API's own error object (https://core.telegram.org/bots/api#making-requests)."""

    ok: bool
    error_code: int
    description: str
    parameters: _Parameters = _Parameters()


@dataclass(frozen=True)
class Failure:
    """A call without a result: whether a byte left, and Telegram's own error where it gave one."""

    sent: bool
    error: ApiError | None = None
    guarded: bool = False


class _Request(HTTPXRequest):
    """PTB's request over our transport; keeps the raw answer, so that errors are read from their own fields."""

    def __init__(self, transport: VisibleTransport, timeout: float) -> None:
        self.answer: tuple[int, bytes] | None = None
        super().__init__(
            connect_timeout=timeout,
            read_timeout=timeout,
            write_timeout=timeout,
            media_write_timeout=timeout,
            httpx_kwargs={"transport": transport, "trust_env": False},
        )

    async def do_request(self, *args: Any, **kwargs: Any) -> tuple[int, bytes]:
        """The status and body; an error answer ends the call here, before the library reads its words."""
        status, body = self.answer = await super().do_request(*args, **kwargs)
        if not 200 <= status < 300:
            raise TelegramError("error answer")
        return status, body

    @staticmethod
    def parse_json_payload(payload: bytes) -> dict[str, Any]:
        """The answer's JSON object; an unreadable one is not logged."""
        try:
            return _Object.model_validate_json(payload).model_dump()
        except ValidationError as error:
            raise TelegramError("Invalid server response") from error


class _Object(BaseModel, extra="allow"):
    pass


async def ask(
    wire: Wire, api_url: str, token: str, call: Callable[[Bot], Awaitable[Result]], longer: float = 0
) -> Result | Failure:
    """The result of one method of a Bot, or the Failure; never raises for anything that the network did.

    ``longer`` gives a large file so many seconds more.
    """
    transport = wire.visible_transport()
    request = _Request(transport, wire.timeout)
    bot = Bot(token, base_url=f"{api_url}/bot", request=request, get_updates_request=request)
    try:
        async with request, asyncio.timeout(wire.timeout * 2 + longer):
            return await call(bot)
    except (TelegramError, TimeoutError, LookupError, TypeError, ValueError, AttributeError) as error:
        guarded = isinstance(error.__cause__, Refusal)
        return Failure(sent=transport.sent, error=_error(request.answer), guarded=guarded)


def _error(answer: tuple[int, bytes] | None) -> ApiError | None:
    if answer is None:
        return None
    try:
        error = ApiError.model_validate_json(answer[1])
    except ValidationError:
        return None
    return error if not error.ok and error.error_code == answer[0] else None


_NOT_FOUND = Refused(
    reason=Reason.NOT_FOUND,
    detail="Telegram không tìm thấy kênh. Hãy kiểm tra lại tên kênh (@…) hoặc mã số kênh trong phần Kênh.",
)
_NO_RIGHTS = Refused(
    reason=Reason.FORBIDDEN,
    detail="Bot không có quyền đăng trong kênh. Hãy thêm bot làm quản trị viên và bật quyền «Đăng tin nhắn».",
)
_TOO_LONG = Refused(
    reason=Reason.TOO_LONG, detail="Telegram báo bài quá dài (tin 4.096 ký tự, chú thích ảnh 1.024 ký tự). Hãy rút gọn."
)
_BAD_PICTURE = Refused(
    reason=Reason.BAD_MEDIA,
    detail="Telegram không nhận tệp này. Hãy thay ảnh khác (JPEG hoặc PNG, tối đa 10 MB), video hoặc tiếng khác (tối đa 50 MB).",
)
_EMPTY = Refused(reason=Reason.REJECTED, detail="Telegram báo bài không có chữ nào. Hãy nhập nội dung.")
_BAD_FORMAT = Refused(
    reason=Reason.REJECTED, detail="Telegram không đọc được định dạng của bài. Hãy bỏ thẻ HTML lạ rồi gửi duyệt lại."
)
_GONE = Refused(reason=Reason.NOT_FOUND, detail="Tin không còn trên kênh Telegram; có thể đã bị gỡ trước đó.")
_KEPT = Refused(
    reason=Reason.FORBIDDEN,
    detail="Telegram không cho bot gỡ tin này. Hãy bật quyền «Xóa tin nhắn» cho bot hoặc gỡ bằng tay.",
)
_TOKEN = Refused(
    reason=Reason.UNAUTHORIZED,
    detail="Telegram không nhận mã của bot (token). Hãy lấy mã mới ở @BotFather rồi nhập lại trong phần Kênh.",
)

_UNEDITABLE = Refused(
    reason=Reason.FORBIDDEN,
    detail="Telegram không cho bot sửa tin này. Hãy sửa tin trên kênh, hoặc gỡ tin rồi đăng lại bản đúng.",
)
_SAME = "message is not modified"

# Bot API descriptions, after «Bad Request: »; https://github.com/tdlib/telegram-bot-api telegram-bot-api/Client.cpp, 10.0
_EXACT: dict[str, Refused] = {
    "chat not found": _NOT_FOUND,
    "message text is empty": _EMPTY,
    "text must be non-empty": _EMPTY,
    "message is too long": _TOO_LONG,
    "message caption is too long": _TOO_LONG,
    "MESSAGE_TOO_LONG": _TOO_LONG,
    "MEDIA_CAPTION_TOO_LONG": _TOO_LONG,
    "need administrator rights in the channel chat": _NO_RIGHTS,
    "CHAT_WRITE_FORBIDDEN": _NO_RIGHTS,
    "CHAT_ADMIN_REQUIRED": _NO_RIGHTS,
    "PHOTO_INVALID_DIMENSIONS": _BAD_PICTURE,
    "PHOTO_EXT_INVALID": _BAD_PICTURE,
    "IMAGE_PROCESS_FAILED": _BAD_PICTURE,
    "failed to get HTTP URL content": _BAD_PICTURE,
    "wrong type of the web page content": _BAD_PICTURE,
    "wrong HTTP URL specified": _BAD_PICTURE,
    "message to delete not found": _GONE,
    "message to edit not found": _GONE,
    "MESSAGE_ID_INVALID": _GONE,
    "message can't be edited": _UNEDITABLE,
    "MESSAGE_EDIT_TIME_EXPIRED": _UNEDITABLE,
    "MESSAGE_AUTHOR_REQUIRED": _UNEDITABLE,
    "there is no text in the message to edit": _UNEDITABLE,
    "there is no caption in the message to edit": _UNEDITABLE,
    "message can't be deleted": _KEPT,
    "message can't be deleted for everyone": _KEPT,
}
_PREFIXES: tuple[tuple[str, Refused], ...] = (
    ("can't parse entities: ", _BAD_FORMAT),
    ("not enough rights to ", _NO_RIGHTS),
    ("file of size ", _BAD_PICTURE),
)


def outcome(failure: Failure, now: datetime) -> Outcome:
    """What a failed call means for the post: refused only on Telegram's word, put off only where surely not out."""
    if failure.guarded:
        return Refused(
            reason=Reason.MISCONFIGURED, detail="Địa chỉ máy chủ Telegram trong phần Kênh không được phép dùng."
        )
    if failure.error is not None:
        return _answered(failure.error, now)
    if not failure.sent:
        return Deferred(reason=Reason.UNREACHABLE, detail="Không kết nối được tới Telegram.")
    return Unknown(detail="Đã gửi tới Telegram nhưng không nhận được câu trả lời đọc được.")


def _answered(error: ApiError, now: datetime) -> Outcome:
    if error.error_code == 429:
        wait = timedelta(seconds=error.parameters.retry_after or 60)
        return Deferred(reason=Reason.RATE_LIMITED, retry_at=now + wait, detail="Telegram yêu cầu gửi chậm lại.")
    if error.error_code == 409:
        return Deferred(reason=Reason.BUSY, detail="Bot đang được một chương trình khác sử dụng.")
    if error.error_code in (401, 404):
        return _TOKEN
    if error.error_code == 403:
        return _NO_RIGHTS
    if error.error_code == 413:
        return _BAD_PICTURE
    return _bad_request(error) if error.error_code == 400 else Unknown(detail=f"Telegram báo lỗi {error.error_code}.")


def _bad_request(error: ApiError) -> Refused:
    if error.parameters.migrate_to_chat_id is not None:
        moved = f"Nhóm Telegram đã đổi mã số thành {error.parameters.migrate_to_chat_id}. Hãy sửa lại trong phần Kênh."
        return Refused(reason=Reason.MISCONFIGURED, detail=moved)
    said = error.description.removeprefix("Bad Request: ")
    if said in _EXACT:
        return _EXACT[said]
    known = next((refused for prefix, refused in _PREFIXES if said.startswith(prefix)), None)
    return known or Refused(
        reason=Reason.REJECTED, detail=f"Telegram từ chối bài: «{cut(_TOKEN_LIKE.sub('…', said), 200)}»."
    )


def is_gone(result: Outcome) -> bool:
    """Whether Telegram says that the message is no longer there."""
    return result == _GONE


def is_same(failure: Failure) -> bool:
    """Whether Telegram says that the message already reads so: what was asked for is done.

    The description is the only place where it says this; with or without «: specified new message content …» after it.
    """
    error = failure.error
    return (
        error is not None
        and error.error_code == 400
        and error.description.removeprefix("Bad Request: ").startswith(_SAME)
    )
