"""The public site as one ASGI application, mounted at the root beside the console."""

from collections.abc import Callable
from datetime import datetime

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from campaigns.visits import VisitCounter
from store.engine import Store
from store.files import Files
from store.vault import Vault
from web.assets import assets
from web.public.answers import page
from web.public.broadcasts import Broadcasts
from web.public.events import Events
from web.public.feeds import Feeds
from web.public.hearing import Hearing
from web.public.links import Links
from web.public.pages import Pages, not_found
from web.public.podcast import Podcast
from web.public.publishing import Publishing
from web.public.share_cards import ShareCards
from web.public.site import Site
from web.public.subscribing import Subscribing


def build(
    store: Store,
    files: Files,
    now: Callable[[], datetime],
    publish_token: Callable[[str], str | None],
    base_url: str,
    vault: Vault | None = None,
) -> Starlette:
    """The site of every ward in the store.

    ``vault`` opens the pages on which citizens subscribe to the wards' letters, ``publish_token`` gives a ward's token by the ward's name in addresses (None: nobody may publish there),
    ``base_url`` is the address at which citizens find the site. Static files are served under ``/static``.
    ``app.state.site.visits.close()`` writes the last counts when the program stops.
    """
    site = Site(store, files, now, publish_token, base_url.rstrip("/"), VisitCounter(store), vault)

    async def no_such_page(request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 404
        return await run_in_threadpool(not_found, site, request, status)

    async def broken(request: Request, error: Exception) -> Response:
        return page(request, site.render("broken.html", ward=None), status=500)

    parts = (
        Links(site),
        Feeds(site),
        Events(site),
        Podcast(site),
        Broadcasts(site),
        Publishing(site),
        Subscribing(site),
        Hearing(site),
        ShareCards(site),
        Pages(site),
    )
    app = Starlette(
        routes=[assets.route(), *(route for part in parts for route in part.routes())],
        exception_handlers={404: no_such_page, 405: no_such_page, 500: broken},
    )
    app.router.redirect_slashes = False
    app.state.site = site
    return app
