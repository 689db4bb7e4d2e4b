"""The website in a rehearsal: the real site, asked for its own listing."""

from typing import Any, ClassVar

from channels.twin import Place, Rehearsal, Trace, Twin
from channels.website.api import Listed, Listing
from channels.wire import Answer, Wire

PAGE = 200


class WebsiteRehearsal(Rehearsal):
    """No twin: what the site holds is the truth. The place's account is the ward's name in addresses."""

    twin: ClassVar[type[Twin] | None] = None

    def settings(self, place: Place) -> dict[str, Any]:
        """The outlet's settings: the site, the ward, its publishing token."""
        return {"site_url": place.site_url, "ward": place.account, "token": place.site_token}

    async def traces(self, place: Place, wire: Wire) -> list[Trace]:
        """Every article that can be read now, oldest first; raises RuntimeError when the site does not tell."""
        found: list[Trace] = []
        offset: int | None = 0
        while offset is not None:
            listing = await _page(place, wire, offset)
            found += [_trace(place, article) for article in listing.articles if article.withdrawn_at is None]
            offset = listing.next
        return found


async def _page(place: Place, wire: Wire, offset: int) -> Listing:
    url = f"{place.site_url.rstrip('/')}/_publish/{place.account}?offset={offset}&limit={PAGE}"
    seen = await wire.call("GET", url, headers={"authorization": f"Bearer {place.site_token}"})
    listing = seen.read(Listing) if isinstance(seen, Answer) and seen.status == 200 else None
    if listing is None:
        raise RuntimeError(f"the site does not list its articles: {seen}")
    return listing


def _trace(place: Place, article: Listed) -> Trace:
    return Trace(
        account=place.account,
        remote_id=article.key,
        at=article.published_at,
        title=article.title,
        text=article.text,
        html=article.html,
    )
