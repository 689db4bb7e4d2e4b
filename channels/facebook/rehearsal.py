"""How Facebook takes part in a rehearsal: settings that lead to the twin, with a page that the twin knows."""

import base64
from typing import Any

from channels.facebook.twin import APP_SECRET, TOKEN, FacebookTwin, page_id
from channels.twin import Place, Rehearsal


class FacebookRehearsal(Rehearsal):
    """The page of a place, held by the twin."""

    twin = FacebookTwin

    def settings(self, place: Place) -> dict[str, Any]:
        """Settings whose token makes the page come to life in the twin at its first use."""
        name = base64.urlsafe_b64encode(place.account.encode()).decode()
        return {
            "page_id": page_id(place.account),
            "page_token": TOKEN + name,
            "app_secret": APP_SECRET,
            "host": f"{place.twins_url}/facebook",
        }
