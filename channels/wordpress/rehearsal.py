"""How WordPress takes part in a rehearsal: settings that lead to the twin, with a password that the twin knows."""

from typing import Any
from urllib.parse import quote

from channels.twin import Place, Rehearsal
from channels.wordpress.twin import PASSWORD, USER, WordPressTwin


class WordPressRehearsal(Rehearsal):
    """The site of a place, held by the twin."""

    twin = WordPressTwin

    def settings(self, place: Place) -> dict[str, Any]:
        """Settings whose address makes the site come to life in the twin at its first use."""
        return {
            "site_url": f"{place.twins_url}/wordpress/{quote(place.account, safe='')}",
            "user": USER,
            "password": PASSWORD,
            "categories": ["Tin tức"],
            "tags": ["Bản tin phường"],
        }
