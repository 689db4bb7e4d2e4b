"""Feeds and maps: RSS 2.0, Atom (RFC 4287), JSON Feed 1.1, sitemap.xml, robots.txt.

https://www.rssboard.org/rss-specification https://www.rfc-editor.org/rfc/rfc4287
https://www.jsonfeed.org/version/1.1/ https://www.sitemaps.org/protocol.html
"""

import json
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from sqlmodel import Session
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from campaigns import articles, broadcasts
from store.tables import Article, Ward
from web.public.answers import FEED, page
from web.public.site import Site, row_id

IN_FEED = 30
IN_SITEMAP = 45_000
BROADCASTS_IN_SITEMAP = 4_000


@dataclass(frozen=True)
class Enclosure:
    """A file that comes with an article: where, what, how many bytes, how many seconds (0 for a picture)."""

    url: str
    mime: str
    length: int
    title: str
    seconds: int


class Feeds:
    """The feeds of every ward and the maps of the site."""

    def __init__(self, site: Site) -> None:
        self.site = site
        site.templates.filters |= {"rfc822": _rfc822, "iso": _iso}

    def routes(self) -> list[BaseRoute]:
        """The addresses that machines ask."""
        return [
            Route("/robots.txt", self.robots),
            Route("/sitemap.xml", self.sitemaps),
            Route("/{ward:str}/sitemap.xml", self.sitemap),
            Route("/{ward:str}/rss.xml", self.rss),
            Route("/{ward:str}/atom.xml", self.atom),
            Route("/{ward:str}/feed.json", self.json_feed),
        ]

    def rss(self, request: Request) -> Response:
        """The newest articles as RSS 2.0."""
        return self._xml(request, "rss.xml", "application/rss+xml")

    def atom(self, request: Request) -> Response:
        """The newest articles as Atom."""
        return self._xml(request, "atom.xml", "application/atom+xml")

    def json_feed(self, request: Request) -> Response:
        """The newest articles as JSON Feed 1.1."""
        with self.site.store.read() as session:
            ward, newest, changed_at = self._newest(session, request)
            body = json.dumps(self._as_json(ward, newest), ensure_ascii=False, indent=1)
        return page(request, body, media_type="application/feed+json", changed_at=changed_at, cache=FEED)

    def sitemap(self, request: Request) -> Response:
        """The ward's readable pages."""
        with self.site.store.read() as session:
            ward = self.site.ward(session, request)
            catalogue = self.site.catalogue(session, ward)
            body = self.site.render(
                "sitemap.xml",
                ward=ward,
                catalogue=catalogue,
                entries=catalogue.entries[:IN_SITEMAP],
                broadcasts=broadcasts.listing(session, row_id(ward))[:BROADCASTS_IN_SITEMAP],
            )
        return page(request, body, media_type="application/xml", changed_at=catalogue.changed_at, cache=FEED)

    def sitemaps(self, request: Request) -> Response:
        """The map of the wards' maps."""
        with self.site.store.read() as session:
            body = self.site.render("sitemaps.xml", wards=articles.wards(session))
        return page(request, body, media_type="application/xml", cache=FEED)

    def robots(self, request: Request) -> Response:
        """What machines may read."""
        return page(request, self.site.render("robots.txt"), media_type="text/plain", cache=FEED)

    def _xml(self, request: Request, template: str, media_type: str) -> Response:
        with self.site.store.read() as session:
            ward, newest, changed_at = self._newest(session, request)
            body = self.site.render(
                template,
                ward=ward,
                articles=newest,
                changed_at=changed_at or ward.created_at,
                entry_id=self._entry_id,
                enclosures=self.enclosures,
            )
        return page(request, body, media_type=media_type, changed_at=changed_at, cache=FEED)

    def _newest(self, session: Session, request: Request) -> tuple[Ward, list[Article], datetime | None]:
        ward = self.site.ward(session, request)
        changed_at = self.site.catalogue(session, ward).changed_at
        return ward, articles.readable(session, row_id(ward), IN_FEED), changed_at

    def _entry_id(self, ward: Ward, article: Article) -> str:
        """A name that stays when addresses change (RFC 4151)."""
        host = urlsplit(self.site.base_url).hostname
        return f"tag:{host},{article.published_at:%Y-%m-%d}:{ward.slug}/{article.key}"

    def _as_json(self, ward: Ward, newest: list[Article]) -> dict[str, Any]:
        return {
            "version": "https://jsonfeed.org/version/1.1",
            "title": ward.name,
            "home_page_url": self.site.address(ward),
            "feed_url": self.site.address(ward, "feed.json"),
            "language": "vi",
            "authors": [{"name": ward.centre, "url": self.site.address(ward)}],
            "items": [self._item(ward, article) for article in newest],
        }

    def _item(self, ward: Ward, article: Article) -> dict[str, Any]:
        item: dict[str, Any] = {
            "id": self._entry_id(ward, article),
            "url": self.site.address(ward, article.slug),
            "title": article.title,
            "content_html": articles.clean_html(article.html),
            "date_published": _iso(article.published_at),
            "date_modified": _iso(article.updated_at),
            "tags": article.topics,
        }
        item |= {"summary": article.summary} if article.summary else {}
        item |= {"external_url": article.source_url} if article.source_url else {}
        item |= {"image": self.site.picture_url(article.picture)} if article.picture else {}
        item |= {"attachments": [_attachment(one) for one in found]} if (found := self.enclosures(article)) else {}
        return item

    def enclosures(self, article: Article) -> list[Enclosure]:
        """What an article carries that can be fetched: its video or sound first, then its pictures; with their exact length."""
        pictures = [article.picture, *article.gallery] if article.picture else []
        carried = [*([article.clip] if article.clip else []), *pictures]
        return [found for one in carried if (found := self._enclosure(one))]

    def _enclosure(self, one: dict[str, Any]) -> Enclosure | None:
        try:
            length = self.site.files.path(one["sha256"]).stat().st_size
        except FileNotFoundError:
            return None
        title, seconds = one.get("alt") or one.get("about") or one.get("title") or "", round(one.get("seconds") or 0)
        return Enclosure(self.site.picture_url(one), one["mime"], length, title, seconds)


def _attachment(one: Enclosure) -> dict[str, Any]:
    """https://www.jsonfeed.org/version/1.1/#attachments"""
    told = {"url": one.url, "mime_type": one.mime, "title": one.title, "size_in_bytes": one.length}
    return told | ({"duration_in_seconds": one.seconds} if one.seconds else {})


def _rfc822(moment: datetime, ward: Ward) -> str:
    return format_datetime(moment.astimezone(ZoneInfo(ward.zone)))


def _iso(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")
