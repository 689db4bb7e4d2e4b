"""What the loudspeakers said: the list, and a page for each with its sound and its words."""

from math import ceil

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from campaigns import broadcasts
from store.tables import Broadcast
from web.public import share_cards
from web.public.answers import page
from web.public.card_words import BROADCASTS
from web.public.pages import Sheet
from web.public.sharing import broadcast_data, page_data
from web.public.site import Site, row_id

WARD = "{ward:str}"
PER_PAGE = 20


class Broadcasts:
    """``/<ward>/phat-thanh`` and ``/<ward>/phat-thanh/<number>``."""

    def __init__(self, site: Site) -> None:
        self.site = site

    def routes(self) -> list[BaseRoute]:
        """The list and its pages."""
        return [Route(f"/{WARD}/phat-thanh", self.listing), Route(f"/{WARD}/phat-thanh/{{number:int}}", self.one)]

    def listing(self, request: Request) -> Response:
        """Every broadcast, the latest first, in sheets."""
        with self.site.store.read() as session:
            ward = self.site.ward(session, request)
            found = broadcasts.listing(session, row_id(ward))
            shown = share_cards.of_page(self.site, session, ward, BROADCASTS)
            told = page_data(self.site, ward, "Bản tin phát thanh", BROADCASTS, shown)
            sheet = _sheet(request, found)
            body = self.site.render("broadcasts.html", ward=ward, sheet=sheet, shown=shown, linked_data=told)
        return page(request, body)

    def one(self, request: Request) -> Response:
        """One broadcast; 404 where there is none, or none that can be read any more."""
        with self.site.store.read() as session:
            ward = self.site.ward(session, request)
            found = broadcasts.one(session, row_id(ward), request.path_params["number"])
            if found is None:
                raise HTTPException(404)
            shown = share_cards.of_page(self.site, session, ward, f"{BROADCASTS}/{found.delivery_id}")
            linked_data = broadcast_data(self.site, ward, found, shown)
            body = self.site.render("broadcast.html", ward=ward, said=found, shown=shown, linked_data=linked_data)
        return page(request, body)


def _sheet(request: Request, found: list[Broadcast]) -> Sheet[Broadcast]:
    asked = request.query_params.get("trang", "1")
    number = int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 7 else 0
    last = max(1, ceil(len(found) / PER_PAGE))
    if not 1 <= number <= last:
        raise HTTPException(404)
    return Sheet(found[(number - 1) * PER_PAGE : number * PER_PAGE], number, last, len(found))
