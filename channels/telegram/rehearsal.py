"""Telegram in a rehearsal: the ward's channel on the twin."""

import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from channels.telegram.twin import TelegramTwin
from channels.telegram.twin_channel import token_of, username_of
from channels.twin import Place, Rehearsal, Trace
from channels.wire import Answer, Wire

_PICTURE = re.compile(r'<img src="([^"]+)"')


class TelegramRehearsal(Rehearsal):
    """Settings for the twin, and what its channel holds, pictures included."""

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

    async def traces(self, place: Place, wire: Wire) -> list[Trace]:
        """The channel's posts; pictures are fetched into ``place.folder/telegram``, and the HTML names them there."""
        return [await self._with_picture(trace, place, wire) for trace in await super().traces(place, wire)]

    async def _with_picture(self, trace: Trace, place: Place, wire: Wire) -> Trace:
        address = _PICTURE.search(trace.html)
        seen = await wire.call("GET", address[1]) if address else None
        if address is None or not isinstance(seen, Answer) or seen.status != 200:
            return trace
        folder = place.folder / self.kind
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / Path(urlsplit(address[1]).path).name
        file.write_bytes(seen.body)
        return trace.model_copy(update={"files": (file,), "html": trace.html.replace(address[1], file.name)})
