"""A Telegram bot for a ward's own staff: it writes only to people who pressed «Start» in a private chat with it.

Listening is getUpdates (long polling), which works behind any router; https://core.telegram.org/bots/api#getupdates.
A link ``https://t.me/<bot>?start=<code>`` types the one-time code by itself (https://core.telegram.org/bots/features#deep-linking).
"""

from collections.abc import Sequence
from typing import Any

from pydantic import Field, SecretStr, field_validator

from channels.outcomes import Deferred, Outcome, Published, Reason, Refused, Unknown
from channels.staff_bots import Bot, BotSettings, News, Said
from channels.telegram.api import Failure, ask, outcome

_BLOCKED = Refused(reason=Reason.FORBIDDEN, detail="Người nhận đã chặn bot hoặc xóa tài khoản.")
_NEVER_WROTE = Refused(reason=Reason.NOT_FOUND, detail="Người nhận chưa nhắn cho bot, hoặc đã xóa cuộc trò chuyện.")


class TelegramBotSettings(BotSettings):
    """The bot's token, and where it is spoken to."""

    token: SecretStr = Field(min_length=1, title="Mã của bot (token)", description="Do @BotFather cấp khi tạo bot")
    api_url: str = Field(default="https://api.telegram.org", title="Máy chủ API")
    open_url: str = Field(default="https://t.me/{bot}?start={code}", title="Dạng liên kết mở bot")

    @field_validator("api_url")
    @classmethod
    def _without_slash(cls, url: str) -> str:
        return url.rstrip("/")


class TelegramBot(Bot):
    """One bot, spoken to by python-telegram-bot on the wire's own transport."""

    name = "Telegram"
    limit = 4096
    Settings = TelegramBotSettings
    settings: TelegramBotSettings
    how = (
        "Trong Telegram, mở @BotFather, gõ /newbot và làm theo: đặt tên, đặt tên đăng nhập kết thúc bằng «bot».",
        "Dùng một bot riêng cho việc này, không dùng bot đang đăng bài lên kênh.",
        "@BotFather trả mã của bot (token); dán mã đó vào đây. Không đặt webhook cho bot này.",
    )

    @classmethod
    def rehearsal(cls, twins_url: str, account: str) -> dict[str, Any]:
        """A bot of the twin, named after the account."""
        from channels.telegram.twin_channel import token_of

        host = f"{twins_url}/telegram"
        return {
            "token": token_of(account),
            "api_url": host,
            "open_url": f"{host}/tro-chuyen/{account}?ma=/start {{code}}",
        }

    def page(self, name: str, code: str) -> str:
        """The link that opens the chat and types the code; none before the bot's name is known."""
        if "{bot}" in self.settings.open_url and not name:
            return ""
        return self.settings.open_url.replace("{bot}", name).replace("{code}", code)

    async def me(self) -> str | Reason:
        """getMe: the bot's user name."""
        found = await self._ask(lambda bot: bot.get_me())
        if isinstance(found, Failure):
            judged = self._outcome(found)
            return judged.reason if isinstance(judged, Deferred | Refused) else Reason.UNREACHABLE
        return str(found.username or found.first_name)

    async def tell(self, chat: str, text: str) -> Outcome:
        """sendMessage without formatting and without a preview of the link."""
        sent = await self._ask(lambda bot: bot.send_message(int(chat), text, disable_web_page_preview=True))
        return self._outcome(sent) if isinstance(sent, Failure) else Published(remote_id=str(sent.message_id))

    async def listen(self, place: str, seconds: int) -> News | Reason:
        """getUpdates from ``place``; asking with a place confirms everything before it."""
        offset = int(place) if place.isdigit() else None
        found = await self._ask(
            lambda bot: bot.get_updates(offset=offset, timeout=seconds, limit=50, allowed_updates=["message"])
        )
        if isinstance(found, Failure):
            judged = self._outcome(found)
            return judged.reason if isinstance(judged, Deferred | Refused) else Reason.UNREACHABLE
        return News(said=tuple(_said(found)), place=str(found[-1].update_id + 1) if found else place)

    async def _ask(self, call: Any) -> Any:
        wire, settings = self.tools.wire, self.settings
        return await ask(wire, settings.api_url, settings.token.get_secret_value(), call)

    def _outcome(self, failure: Failure) -> Outcome:
        """What a failed call means for a person's chat; what is the same as for a channel is read there."""
        code = failure.error.error_code if failure.error is not None else 0
        if code == 403:
            return _BLOCKED
        if code == 400:
            return (
                _NEVER_WROTE
                if _names_the_chat(failure)
                else Refused(reason=Reason.REJECTED, detail="Telegram từ chối tin.")
            )
        judged = outcome(failure, self.tools.now())
        if isinstance(judged, Unknown) or code in (0, 401, 404, 409, 429):
            return judged
        return Unknown(detail=f"Telegram báo lỗi {code}.")


def _names_the_chat(failure: Failure) -> bool:
    return failure.error is not None and failure.error.description == "Bad Request: chat not found"


def _said(updates: Sequence[Any]) -> list[Said]:
    """The texts among the updates; everything else is passed over."""
    messages = [update.message for update in updates if update.message is not None and update.message.text]
    return [
        Said(chat=str(one.chat.id), text=one.text[:200], private=str(one.chat.type) == "private") for one in messages
    ]
