"""The ward's events: a page, a calendar that can be subscribed to, and a file for each event."""

from urllib.parse import urlsplit

from sqlmodel import Session
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from campaigns import articles, occasions
from campaigns.occasions import Occasion
from content import calendars
from store.tables import Ward
from web.public import share_cards
from web.public.answers import FEED, file, page
from web.public.card_words import EVENTS
from web.public.sharing import page_data
from web.public.site import Site, row_id

WARD = "{ward:str}"


class Events:
    """``/<ward>/su-kien``, ``/<ward>/su-kien.ics`` and an article's own ``su-kien.ics``."""

    def __init__(self, site: Site) -> None:
        self.site = site

    def routes(self) -> list[BaseRoute]:
        """The page, the calendar, the single file."""
        return [
            Route(f"/{WARD}/su-kien", self.events),
            Route(f"/{WARD}/su-kien.ics", self.calendar),
            Route(f"/{WARD}/{{year:int}}/{{name:str}}/su-kien.ics", self.one),
        ]

    def events(self, request: Request) -> Response:
        """What is to come, and what was."""
        now = self.site.now()
        with self.site.store.read() as session:
            ward = self.site.ward(session, request)
            catalogue = self.site.catalogue(session, ward)
            every = occasions.every(catalogue)
            shown = share_cards.of_page(self.site, session, ward, EVENTS)
            told = page_data(self.site, ward, f"Sự kiện {ward.name}", EVENTS, shown)
            body = self.site.render(
                "events.html",
                ward=ward,
                shown=shown,
                linked_data=told,
                catalogue=catalogue,
                coming=occasions.to_come(every, now),
                over=occasions.over(every, now)[:20],
            )
        return page(request, body)

    def calendar(self, request: Request) -> Response:
        """The calendar that a phone subscribes to."""
        with self.site.store.read() as session:
            ward = self.site.ward(session, request)
            catalogue = self.site.catalogue(session, ward)
            found = occasions.kept(occasions.every(catalogue), self.site.now())
            body = self._written(ward, f"Sự kiện {ward.name}", found)
        return file(request, body, media_type=calendars.MEDIA_TYPE, changed_at=catalogue.changed_at, cache=FEED)

    def one(self, request: Request) -> Response:
        """One event as a file to be saved; 404 where the article tells of none."""
        with self.site.store.read() as session:
            ward = self.site.ward(session, request)
            found = self._of(session, request, ward)
            body = self._written(ward, found.name, [found])
        headers = {"content-disposition": 'attachment; filename="su-kien.ics"'}
        return file(request, body, media_type=calendars.MEDIA_TYPE, headers=headers)

    def _of(self, session: Session, request: Request, ward: Ward) -> Occasion:
        path = f"{request.path_params['year']}/{request.path_params['name']}"
        article = articles.at(session, row_id(ward), path)
        for one in occasions.every(self.site.catalogue(session, ward)) if article else ():
            mine = occasions.of_entry(one.entry)
            if article is not None and article.key in (one.key, one.entry.key) and mine is not None:
                return one
        raise HTTPException(404)

    def _written(self, ward: Ward, name: str, found: list[Occasion]) -> bytes:
        host = urlsplit(self.site.base_url).hostname
        return calendars.calendar(
            name,
            (
                calendars.Occasion(
                    uid=f"{one.key}@{host}",
                    name=one.name,
                    starts_at=one.starts_at,
                    ends_at=one.ends_at,
                    place=one.place,
                    about=one.entry.summary,
                    url=self.site.address(ward, one.entry.slug),
                    changed_at=one.entry.updated_at,
                )
                for one in found
            ),
        )
