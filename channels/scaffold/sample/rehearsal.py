"""How Sample takes part in a rehearsal: settings that lead to the twin."""

from typing import Any

from channels.scaffold.sample.twin import SampleTwin, token
from channels.twin import Place, Rehearsal


class SampleRehearsal(Rehearsal):
    """The account of a place, held by the twin."""

    twin = SampleTwin

    def settings(self, place: Place) -> dict[str, Any]:
        """Settings whose token names the account."""
        return {"url": f"{place.twins_url}/sample", "token": token(place.account)}
