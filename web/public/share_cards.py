"""The picture with which a page is passed on: the article's own, else a card in the campaign's identity.

A card's address carries a mark of what it says, so a messenger that keeps pictures for days asks again when the words
have changed. https://ogp.me/#structured (read 2026-11-23)
"""

import hashlib
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from sqlmodel import Session
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from campaigns import articles
from content.cards import MIME, Card
from content.themes import SIZES
from store.tables import Article, Ward
from web.public.answers import SECURITY
from web.public.card_shelf import CardShelf, TooMany
from web.public.card_words import FRONT, card_of, every_ward
from web.public.site import Site

PATH = "_anh"
EVERY_WARD = "cac-phuong"
FOLDER = "anh-chia-se"
LOOK = "1"
"""Raised when cards are drawn otherwise, so that those drawn before are not shown any more."""
KEPT = "public, max-age=86400"


@dataclass(frozen=True)
class Shown:
    """A picture as a page tells messengers and search machines of it: pixels, and words for those who cannot see it."""

    url: str
    mime: str
    width: int
    height: int
    alt: str

    def described(self) -> dict[str, Any]:
        """The picture as https://schema.org/ImageObject."""
        told = {"@type": "ImageObject", "url": self.url, "width": self.width, "height": self.height}
        return told | {"caption": self.alt}


def of_article(site: Site, session: Session, ward: Ward, article: Article) -> Shown:
    """The article's own picture, else its card."""
    if (own := article.picture) is None:
        return of_page(site, session, ward, article.slug)
    return Shown(site.picture_url(own), own["mime"], own["width"], own["height"], own["alt"])


def of_page(site: Site, session: Session, ward: Ward, place: str) -> Shown:
    """The card of one of the ward's pages; that of its front page where there is none."""
    card = card_of(site, session, ward, place)
    place, card = (place, card) if card else (FRONT, card_of(site, session, ward, FRONT))
    return _shown(site, f"{ward.slug}/{place}", card or every_ward())


def of_every_ward(site: Site) -> Shown:
    """The card of the list of wards."""
    return _shown(site, EVERY_WARD, every_ward())


class ShareCards:
    """``/_anh/<ward>/<place>/<mark>.jpg``: the card of a page without a picture of its own."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.shelf = CardShelf(site.files.folder / FOLDER)

    def routes(self) -> list[BaseRoute]:
        """One address for all of them."""
        return [Route(f"/{PATH}/{{subject:path}}/{{mark:str}}.jpg", self.card)]

    async def card(self, request: Request) -> Response:
        """The card as it stands now; an address of older words leads to the present one."""
        subject, mark = request.path_params["subject"], request.path_params["mark"]
        card = await run_in_threadpool(self._card, subject)
        if mark != _mark(card):
            return RedirectResponse(_path(subject, card), 302, {"cache-control": "no-store"})
        try:
            data = await self.shelf.give(mark, card)
        except TooMany:
            return Response(status_code=503, headers={"retry-after": "5", "cache-control": "no-store"})
        headers = SECURITY | {"cache-control": KEPT, "cross-origin-resource-policy": "cross-origin"}
        return Response(data, headers=headers | {"etag": f'"{mark}"'}, media_type=MIME)

    def _card(self, subject: str) -> Card:
        if subject == EVERY_WARD:
            return every_ward()
        slug, _, place = subject.partition("/")
        with self.site.store.read() as session:
            ward = articles.ward(session, slug)
            card = card_of(self.site, session, ward, place) if ward else None
        if card is None:
            raise HTTPException(404)
        return card


def _shown(site: Site, subject: str, card: Card) -> Shown:
    width, height = SIZES["wide"]
    return Shown(f"{site.base_url}{_path(subject, card)}", MIME, width, height, f"Ảnh bìa: {card.title}")


def _path(subject: str, card: Card) -> str:
    return f"/{PATH}/{quote(subject)}/{_mark(card)}.jpg"


def _mark(card: Card) -> str:
    return hashlib.sha256(f"{LOOK} {card!r}".encode()).hexdigest()[:16]
