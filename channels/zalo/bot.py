"""A bot of the Zalo Bot Platform for a ward's own staff: it writes only to people who wrote to it first.

https://docs.zaloplatforms.com/docs/BOT as quoted in docs/staff-notices.md, read 23/11/2026: POST with JSON to
``/bot<token>/<method>``, the envelope ``{ok, result, error_code, description}`` whatever the HTTP status, text of 1 to
2,000 characters, ``getUpdates`` that gives one message and no place to go on from, error 408 when there was none.
"""

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError, field_validator

from channels.outcomes import Deferred, Outcome, Published, Reason, Refused, Unknown
from channels.seen import after_answer, after_silence
from channels.staff_bots import Bot, BotSettings, News, Said
from channels.wire import Seen, Silence

NOTHING = 408
_BLOCKED = {403: Reason.FORBIDDEN, 400: Reason.NOT_FOUND}
_WRONG_TOKEN = frozenset({401, 404})


class ZaloBotSettings(BotSettings):
    """The bot's token, and the host it is spoken to at."""

    token: SecretStr = Field(
        min_length=8, title="Mã của bot (Bot Token)", description="Zalo gửi trong tin nhắn khi tạo bot"
    )
    host: str = Field(default="https://bot-api.zaloplatforms.com", title="Máy chủ API")
    open_url: str = Field(
        default="", title="Liên kết mở bot", description="Không bắt buộc; để trống thì mọi người tìm bot theo tên"
    )

    @field_validator("host")
    @classmethod
    def _without_slash(cls, url: str) -> str:
        return url.rstrip("/")


class _Lenient(BaseModel):
    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)


def _as_text(value: Any) -> Any:
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Id = Annotated[str, BeforeValidator(_as_text)]


class Envelope(_Lenient):
    """What every method answers."""

    ok: bool
    result: Any = None
    error_code: int = 0


class Me(_Lenient):
    """The answer of getMe; older answers say ``name``."""

    account_name: str = ""
    name: str = ""


class Sent(_Lenient):
    """The answer of sendMessage."""

    message_id: Id = Field(min_length=1)


class _Chat(_Lenient):
    id: Id = Field(min_length=1)
    chat_type: str = "PRIVATE"


class _Message(_Lenient):
    chat: _Chat
    text: str = ""


class Update(_Lenient):
    """The answer of getUpdates: one event."""

    event_name: str = ""
    message: _Message | None = None


class ZaloBot(Bot):
    """One bot of the platform."""

    name = "Zalo Bot"
    limit = 2000
    Settings = ZaloBotSettings
    settings: ZaloBotSettings
    how = (
        "Trong ứng dụng Zalo, tìm Official Account «Zalo Bot Manager» và chọn «Tạo bot».",
        "Đặt tên bắt đầu bằng «Bot», ví dụ «Bot Trung tâm phường Đông Hải».",
        "Zalo gửi mã của bot (Bot Token) trong tin nhắn; dán mã đó vào đây. Không đặt webhook cho bot này.",
    )

    @classmethod
    def rehearsal(cls, twins_url: str, account: str) -> dict[str, Any]:
        """A bot of the twin, named after the account."""
        from channels.zalo.twin_bot import token_of

        host = f"{twins_url}/zalo"
        return {"token": token_of(account), "host": host, "open_url": f"{host}/tro-chuyen/{account}"}

    def page(self, name: str, code: str) -> str:
        """Zalo has no link that opens a chat with something typed; the twin's page has."""
        return f"{self.settings.open_url}?ma={code}" if self.settings.open_url else ""

    async def me(self) -> str | Reason:
        """getMe."""
        seen = await self._ask("getMe", {})
        judged = self._judged(seen)
        if not isinstance(judged, Envelope):
            return judged.reason if isinstance(judged, Deferred | Refused) else Reason.UNREACHABLE
        try:
            told = Me.model_validate(judged.result)
        except ValidationError:
            return Reason.UNREACHABLE
        return told.account_name or told.name or Reason.UNREACHABLE

    async def tell(self, chat: str, text: str) -> Outcome:
        """sendMessage, plain: what staff typed is never read as formatting."""
        judged = self._judged(await self._ask("sendMessage", {"chat_id": chat, "text": text}))
        if not isinstance(judged, Envelope):
            return judged
        try:
            return Published(remote_id=Sent.model_validate(judged.result).message_id)
        except ValidationError:
            return Unknown(detail="Zalo Bot nhận tin nhưng không trả mã tin.")

    async def listen(self, place: str, seconds: int) -> News | Reason:
        """getUpdates; the platform gives one message at a time, so there is no place to keep."""
        seen = await self._ask("getUpdates", {"timeout": seconds})
        envelope = None if isinstance(seen, Silence) else _envelope(seen)
        if envelope is not None and (envelope.error_code == NOTHING or (envelope.ok and not envelope.result)):
            return News()
        judged = self._judged(seen)
        if not isinstance(judged, Envelope):
            return judged.reason if isinstance(judged, Deferred | Refused) else Reason.UNREACHABLE
        try:
            told = Update.model_validate(judged.result)
        except ValidationError:
            return News()  # something that this program does not know; it is gone from the queue, and harmless
        if told.message is None:
            return News()
        chat = told.message.chat
        return News(said=(Said(chat=chat.id, text=told.message.text[:200], private=chat.chat_type == "PRIVATE"),))

    async def _ask(self, method: str, body: dict[str, Any]) -> Seen:
        url = f"{self.settings.host}/bot{self.settings.token.get_secret_value()}/{method}"
        seen: Seen = await self.tools.wire.call("POST", url, visible=True, json=body)
        return seen

    def _judged(self, seen: Seen) -> Envelope | Deferred | Refused | Unknown:
        """The envelope of a success, or what an error means; codes that nobody has documented stay unknown."""
        if isinstance(seen, Silence):
            return after_silence(seen)
        envelope = _envelope(seen)
        if envelope is None:
            # A wrong token is answered by a page, not by JSON: 401, 403 and 404 of that kind are the bot's own trouble.
            wrong = seen.status in (*_WRONG_TOKEN, 403)
            return _token() if wrong else after_answer(seen, self.tools.now())
        if envelope.ok:
            return envelope
        if envelope.error_code in _WRONG_TOKEN:
            return _token()
        if envelope.error_code in _BLOCKED:
            detail = "Người nhận chưa nhắn cho bot hoặc đã chặn bot."
            return Refused(reason=_BLOCKED[envelope.error_code], detail=detail)
        if envelope.error_code == 429:
            return Deferred(reason=Reason.RATE_LIMITED, detail="Zalo Bot yêu cầu gửi chậm lại.")
        return Unknown(detail=f"Zalo Bot báo lỗi {envelope.error_code}.")


def _token() -> Refused:
    return Refused(
        reason=Reason.UNAUTHORIZED, detail="Zalo không nhận mã của bot. Hãy lấy mã mới ở «Zalo Bot Manager»."
    )


def _envelope(seen: Seen) -> Envelope | None:
    if isinstance(seen, Silence):
        return None
    try:
        return Envelope.model_validate_json(seen.body)
    except ValidationError:
        return None
