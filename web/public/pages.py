"""The pages that citizens read."""

from dataclasses import dataclass
from datetime import timedelta
from math import ceil
from typing import Any, Generic, TypeVar

from sqlmodel import Session
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from campaigns import articles, occasions
from campaigns.catalogue import QUERY_LIMIT, Catalogue, Entry
from content.text import squeeze
from store.tables import Article, Ward
from web.public import share_cards
from web.public.answers import page
from web.public.card_words import FRONT, TOPIC
from web.public.share_cards import Shown
from web.public.sharing import linked_data, page_data
from web.public.site import Site, row_id, says_first

PER_PAGE = 12
ON_FRONT = 10
WARD = "{ward:str}"
# A first publication may carry the sender's clock; what comes later than this is a correction.
CORRECTED_AFTER = timedelta(minutes=2)


Item = TypeVar("Item")


@dataclass(frozen=True)
class Sheet(Generic[Item]):
    """One page of a long list."""

    entries: list[Item]
    number: int
    last: int
    total: int


class Pages:
    """The reading pages of a site."""

    def __init__(self, site: Site) -> None:
        self.site = site

    def routes(self) -> list[BaseRoute]:
        """Every page; the ward's name is the first part of the address."""
        return [
            Route("/", self.wards),
            Route(f"/{WARD}", self.to_front),
            Route(f"/{WARD}/", self.front),
            Route(f"/{WARD}/tat-ca", self.archive),
            Route(f"/{WARD}/tim-kiem", self.search),
            Route(f"/{WARD}/gioi-thieu", self.about),
            Route(f"/{WARD}/chu-de/{{topic:str}}", self.topic),
            Route(f"/{WARD}/{{year:int}}/{{name:str}}", self.article),
        ]

    def wards(self, request: Request) -> Response:
        """Every ward of the installation."""
        with self.site.store.read() as session:
            return page(request, self._wards(session))

    def to_front(self, request: Request) -> Response:
        """An address that was typed without its last slash."""
        with self.site.store.read() as session:
            return RedirectResponse(f"/{self.site.ward(session, request).slug}/", 308)

    def front(self, request: Request) -> Response:
        """The ward's newest articles and its topics."""
        with self.site.store.read() as session:
            ward, catalogue = self._opened(session, request)
            newest = catalogue.entries[:ON_FRONT]
            shown = share_cards.of_page(self.site, session, ward, FRONT)
            told = page_data(self.site, ward, f"Trang thông tin {ward.name}", "", shown)
            return self._page(request, "front.html", ward, catalogue, newest=newest, shown=shown, linked_data=told)

    def archive(self, request: Request) -> Response:
        """All articles, newest first, in sheets."""
        with self.site.store.read() as session:
            ward, catalogue = self._opened(session, request)
            sheet = _sheet(request, list(catalogue.entries))
            shown = share_cards.of_page(self.site, session, ward, FRONT)
            return self._page(request, "archive.html", ward, catalogue, sheet=sheet, shown=shown)

    def topic(self, request: Request) -> Response:
        """The articles of one topic."""
        with self.site.store.read() as session:
            ward, catalogue = self._opened(session, request)
            topic = catalogue.topic(request.path_params["topic"])
            if topic is None:
                raise HTTPException(404)
            sheet = _sheet(request, catalogue.under(topic.slug))
            place = f"{TOPIC}/{topic.slug}"
            shown = share_cards.of_page(self.site, session, ward, place)
            told = page_data(self.site, ward, topic.name, place, shown)
            return self._page(
                request, "topic.html", ward, catalogue, topic=topic, sheet=sheet, shown=shown, linked_data=told
            )

    def search(self, request: Request) -> Response:
        """The articles that have every word of ``q``."""
        query = squeeze(request.query_params.get("q", ""))[:QUERY_LIMIT]
        with self.site.store.read() as session:
            ward, catalogue = self._opened(session, request)
            sheet = _sheet(request, catalogue.search(query))
            return self._page(request, "search.html", ward, catalogue, query=query, sheet=sheet)

    def about(self, request: Request) -> Response:
        """Who publishes the site, what it counts, how it can be followed and reached."""
        with self.site.store.read() as session:
            ward, catalogue = self._opened(session, request)
            shown = share_cards.of_page(self.site, session, ward, FRONT)
            return self._page(request, "about.html", ward, catalogue, shown=shown)

    def article(self, request: Request) -> Response:
        """One article; 410 when it was taken down."""
        path = f"{request.path_params['year']}/{request.path_params['name']}"
        with self.site.store.read() as session:
            ward, catalogue = self._opened(session, request)
            article = articles.at(session, row_id(ward), path)
            if article is None:
                raise HTTPException(404)
            if article.withdrawn_at is not None:
                return self._gone(request, ward, catalogue)
            shown = share_cards.of_article(self.site, session, ward, article)
            return self._article(request, ward, catalogue, article, shown)

    def _wards(self, session: Session) -> str:
        shown = share_cards.of_every_ward(self.site)
        return self.site.render("wards.html", wards=articles.wards(session), ward=None, shown=shown)

    def _article(self, request: Request, ward: Ward, catalogue: Catalogue, article: Article, shown: Shown) -> Response:
        self.site.count(request, ward, "article", article.key)
        entry = next((entry for entry in catalogue.entries if entry.key == article.key), None)
        occasion = occasions.of_entry(entry) if entry else None
        body = self.site.render(
            "article.html",
            ward=ward,
            catalogue=catalogue,
            article=article,
            url=self.site.address(ward, article.slug),
            corrected=article.updated_at - article.published_at > CORRECTED_AFTER,
            corrections=articles.corrections(article),
            standfirst="" if says_first(article) else article.summary,
            more=_related(catalogue, article),
            occasion=occasion,
            is_over=occasion is not None and occasion.over_at <= self.site.now(),
            shown=shown,
            linked_data=linked_data(self.site, ward, article, shown, occasion),
        )
        return page(request, body)

    def _gone(self, request: Request, ward: Ward, catalogue: Catalogue) -> Response:
        return page(request, self.site.render("gone.html", ward=ward, catalogue=catalogue), status=410)

    def _opened(self, session: Session, request: Request) -> tuple[Ward, Catalogue]:
        ward = self.site.ward(session, request)
        return ward, self.site.catalogue(session, ward)

    def _page(self, request: Request, template: str, ward: Ward, catalogue: Catalogue, **values: Any) -> Response:
        return page(request, self.site.render(template, ward=ward, catalogue=catalogue, **values))


def not_found(site: Site, request: Request, status: int) -> Response:
    """The page for an address that leads nowhere, in the ward's own frame where the address names one."""
    with site.store.read() as session:
        ward = articles.ward(session, request.url.path.split("/")[1])
        return page(request, site.render("not_found.html", ward=ward), status=status)


def _sheet(request: Request, entries: list[Entry]) -> Sheet[Entry]:
    asked = request.query_params.get("trang", "1")
    number = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 7 else 0
    last = max(1, ceil(len(entries) / PER_PAGE))
    if not 1 <= number <= last:
        raise HTTPException(404)
    return Sheet(entries[(number - 1) * PER_PAGE : number * PER_PAGE], number, last, len(entries))


def _related(catalogue: Catalogue, article: Article) -> list[Entry]:
    others = [entry for entry in catalogue.entries if entry.key != article.key]
    return sorted(others, key=lambda entry: not set(entry.topics) & set(article.topics))[:3]
