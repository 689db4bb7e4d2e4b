"""How the webhook takes part in a rehearsal: a receiver of its own for every account, held by the twin."""

from typing import Any
from urllib.parse import quote

from channels.twin import Place, Rehearsal
from channels.webhook.twin import WebhookTwin, secret


class WebhookRehearsal(Rehearsal):
    """The receiver of a place; it honours keys, can be asked, and takes posts down."""

    twin = WebhookTwin

    def settings(self, place: Place) -> dict[str, Any]:
        """Settings that lead to the receiver."""
        here = f"{place.twins_url}/webhook/nhan/{quote(place.account, safe='')}"
        return {
            "url": here,
            "lookup_url": here,
            "withdraw_url": here,
            "amend_url": f"{place.twins_url}/webhook/sua/{quote(place.account, safe='')}",
            "secret": secret(place.account),
            "ward": place.account,
            "keyed": True,
        }
