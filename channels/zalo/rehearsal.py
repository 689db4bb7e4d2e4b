"""How Zalo takes part in a rehearsal: settings that lead to the twin, with tokens that the twin knows."""

from typing import Any

from channels.twin import Place, Rehearsal
from channels.wire import Wire
from channels.zalo.twin import ZaloTwin
from channels.zalo.twin_tokens import ACCESS, APP_ID, APP_SECRET, EVENT_SECRET, REFRESH, encoded


class ZaloRehearsal(Rehearsal):
    """The Official Account of a place, held by the twin."""

    twin = ZaloTwin

    def settings(self, place: Place) -> dict[str, Any]:
        """Settings whose token pair makes the account come to life in the twin at its first use."""
        name = encoded(place.account)
        return {
            "app_id": APP_ID,
            "oa_id": name,
            "app_secret": APP_SECRET,
            "access_token": ACCESS + name,
            "refresh_token": REFRESH + name,
            "event_secret": EVENT_SECRET,
            "host": f"{place.twins_url}/zalo",
            "oauth_host": f"{place.twins_url}/zalo",
            "link": f"{place.twins_url}/zalo/d/{{id}}",
        }

    async def introduce(self, place: Place, url: str, wire: Wire) -> None:
        """The webhook page of the developer console."""
        await wire.call("PUT", f"{place.twins_url}/zalo/webhook/{place.account}", json={"url": url})

    async def stir(self, place: Place, wire: Wire) -> None:
        """Three citizens follow the account, and one does no longer."""
        for verb in ("follow", "follow", "follow", "unfollow"):
            await wire.call("POST", f"{place.twins_url}/zalo/oa/{place.account}/{verb}")
