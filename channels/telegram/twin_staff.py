"""The twin's private chats: people who press «Start» and type, getUpdates with its offset, and what the bot may answer.

https://core.telegram.org/bots/api#getupdates: an offset confirms all updates before it; two readers at once, or a reader
beside a webhook, are answered 409. A bot may write to a person only after that person wrote to it.
"""

import asyncio
from typing import Any

from channels.talks import Talks
from channels.telegram.twin_channel import ChannelRow
from channels.telegram.twin_methods import TEXT, Refusal, bad

_LONGEST = 50.0
_PLACES = {"getupdates", "setwebhook", "deletewebhook"}


class Staff:
    """The bots' private chats."""

    def __init__(self, talks: Talks) -> None:
        self.talks = talks
        self._reading: dict[str, int] = {}
        self._hooks: set[str] = set()

    def takes(self, method: str, given: dict[str, str]) -> bool:
        """Whether a call is about people and not about the channel."""
        chat = given.get("chat_id", "")
        return method in _PLACES or (method == "sendmessage" and chat.isdigit())

    async def do(self, method: str, bot: ChannelRow, given: dict[str, str]) -> Any:
        """One method; raises Refusal."""
        if method == "sendmessage":
            return self._send(bot, given)
        if method == "getupdates":
            return await self._updates(bot, given)
        (self._hooks.add if method == "setwebhook" else self._hooks.discard)(bot.account)
        return True

    def _send(self, bot: ChannelRow, given: dict[str, str]) -> Any:
        chat, text = given["chat_id"], given.get("text", "")
        if not text:
            raise bad("message text is empty")
        if len(text) > TEXT:
            raise bad("message is too long")
        if not self.talks.knows(bot.account, chat):
            raise bad("chat not found")
        if self.talks.blocked(bot.account, chat):
            raise Refusal(403, "Forbidden: bot was blocked by the user")
        return _message(self.talks.wrote(bot.account, chat, text))

    async def _updates(self, bot: ChannelRow, given: dict[str, str]) -> Any:
        if bot.account in self._hooks:
            raise Refusal(409, "Conflict: can't use getUpdates method while webhook is active; use deleteWebhook to delete the webhook first")  # fmt: skip
        mine = self._reading[bot.account] = self._reading.get(bot.account, 0) + 1
        offset, waited = int(given.get("offset") or 0), 0.0
        for row in self.talks.waiting(bot.account):
            if row["id"] < offset:
                self.talks.fetched(row)
        while not (rows := self.talks.waiting(bot.account)) and waited < min(
            float(given.get("timeout") or 0), _LONGEST
        ):
            await asyncio.sleep(0.05)
            waited += 0.05
            if self._reading[bot.account] != mine:
                raise Refusal(409, "Conflict: terminated by other getUpdates request; make sure that only one bot instance is running")  # fmt: skip
        return [{"update_id": row["id"], "message": _message(row)} for row in rows[: int(given.get("limit") or 100)]]


def _message(row: dict[str, Any]) -> dict[str, Any]:
    kind = "group" if row.get("group") else "private"
    name = {"title": "Nhóm"} if row.get("group") else {"first_name": "Người dùng"}
    chat = {"id": -int(row["chat"]) if row.get("group") else int(row["chat"]), "type": kind, **name}
    sender = {"id": int(row["chat"]), "is_bot": not row["mine"], "first_name": "Người dùng"}
    return {"message_id": row["id"], "from": sender, "chat": chat, "date": row["date"] // 1000, "text": row["text"]}
