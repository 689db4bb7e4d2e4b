"""Telegram in a rehearsal: the ward's channel on the twin."""

from typing import Any

from channels.telegram.twin import TelegramTwin
from channels.telegram.twin_channel import token_of, username_of
from channels.twin import Place, Rehearsal


class TelegramRehearsal(Rehearsal):
    """A bot and a public channel of the twin, named after the ward's account."""

    twin = TelegramTwin

    def settings(self, place: Place) -> dict[str, Any]:
        """The outlet's settings with which the channel speaks to the twin."""
        return {
            "token": token_of(place.account),
            "chat_id": f"@{username_of(place.account)}",
            "public": True,
            "api_url": f"{place.twins_url}/{self.kind}",
            "preview_url": f"{place.twins_url}/{self.kind}",
        }
