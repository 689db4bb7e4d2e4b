"""The ward's bulletins as a podcast: RSS 2.0 with Apple's tags, the cover, and each sound under a name that ends in .mp3.

https://podcasters.apple.com/support/823-podcast-requirements
https://help.prx.org/hc/en-us/articles/360023748473-Overview-of-feed-requirements (read 2026-11-23)
"""

from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.routing import BaseRoute, Route

from campaigns import broadcasts
from content.covers import MIME, cover
from store.tables import Broadcast, Ward
from web.public.answers import FEED, SECURITY, page
from web.public.card_words import BROADCASTS, card_of, every_ward
from web.public.site import Site, row_id

MP3 = "audio/mpeg"
PLACE = "phat-thanh.xml"
COVER = "phat-thanh-bia.jpg"
IN_FEED = 100
KEPT = "public, max-age=86400"
_LONGEST = 3_800


@dataclass(frozen=True)
class Episode:
    """A bulletin whose sound is kept: its address, its exact length in bytes, a name that stays, its words."""

    said: Broadcast
    sound: str
    length: int
    guid: str
    words: str


class Podcast:
    """``/<ward>/phat-thanh.xml``, its cover and its sounds."""

    def __init__(self, site: Site) -> None:
        self.site = site

    def routes(self) -> list[BaseRoute]:
        """The feed and what it names."""
        return [
            Route(f"/{{ward:str}}/{PLACE}", self.feed),
            Route(f"/{{ward:str}}/{COVER}", self.cover),
            Route("/{ward:str}/phat-thanh/{number:int}.mp3", self.sound),
        ]

    def feed(self, request: Request) -> Response:
        """The newest bulletins that can be heard, the latest first."""
        with self.site.store.read() as session:
            ward = self.site.ward(session, request)
            listed = broadcasts.listing(session, row_id(ward))[:IN_FEED]
            episodes = [found for one in listed if (found := self._episode(ward, one))]
            changed_at = max((one.said.aired_at for one in episodes), default=ward.created_at)
            body = self.site.render(
                "podcast.xml", ward=ward, episodes=episodes, changed_at=changed_at, place=PLACE, cover=COVER
            )
        return page(request, body, media_type="application/rss+xml", changed_at=changed_at, cache=FEED)

    def cover(self, request: Request) -> Response:
        """The cover in the campaign's identity."""
        with self.site.store.read() as session:
            ward = self.site.ward(session, request)
            card = card_of(self.site, session, ward, BROADCASTS) or every_ward()
        return Response(cover(card), media_type=MIME, headers={**SECURITY, "cache-control": KEPT})

    def sound(self, request: Request) -> Response:
        """One bulletin's sound, also in ranges; 404 where it cannot be heard any more."""
        with self.site.store.read() as session:
            ward = self.site.ward(session, request)
            found = broadcasts.one(session, row_id(ward), request.path_params["number"])
        path = self.site.files.path(found.sha256) if found and found.sha256 else None
        if path is None or not path.is_file():
            raise HTTPException(404)
        return FileResponse(path, media_type=MP3, headers={**SECURITY, "cache-control": FEED})

    def _episode(self, ward: Ward, said: Broadcast) -> Episode | None:
        try:
            length = self.site.files.path(said.sha256).stat().st_size if said.sha256 else 0
        except FileNotFoundError:
            return None
        if not length:
            return None
        host = urlsplit(self.site.base_url).hostname
        guid = f"tag:{host},{said.aired_at:%Y-%m-%d}:{ward.slug}/phat-thanh/{said.delivery_id}"
        sound = self.site.address(ward, f"phat-thanh/{said.delivery_id}.mp3")
        return Episode(said, sound, length, guid, _words(said))


def _words(said: Broadcast) -> str:
    """What was said, within the 4000 bytes that directories take."""
    return said.transcript.encode()[:_LONGEST].decode(errors="ignore")
