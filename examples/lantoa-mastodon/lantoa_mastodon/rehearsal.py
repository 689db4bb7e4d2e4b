"""How Mastodon takes part in a rehearsal: settings that lead to the twin."""

from typing import Any

from channels.twin import Place, Rehearsal
from lantoa_mastodon.twin import MastodonTwin, token


class MastodonRehearsal(Rehearsal):
    """The account of a place, on the twin's server."""

    twin = MastodonTwin

    def settings(self, place: Place) -> dict[str, Any]:
        """Settings whose token names the account."""
        return {"url": f"{place.twins_url}/mastodon", "token": token(place.account)}
