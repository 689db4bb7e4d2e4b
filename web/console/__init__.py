"""The console («Trang quản trị»), server-rendered: every page works without JavaScript, htmx only makes it quicker.

How a page is added
-------------------
1. ``web/console/<noun>.py`` has ``router = APIRouter()`` with plain ``def`` handlers, and its name stands in ``PAGES``
   below. Paths are Vietnamese without diacritics; the prefix ``/quan-tri`` is added here::

       @router.get("/kenh")
       def outlets(request: Request, here: Visitor) -> Response:
           with here.store.read() as session:
               rows = views.outlets(session, here.ward_id)
           return page(request, here, "outlets.html", outlets=rows)

       @router.post("/kenh/{outlet_id:int}/tam-dung")
       def pause(request: Request, here: Visitor, form: Form, outlet_id: int) -> Response:
           here.require(Action.SETTLE)
           with here.store.write() as session:
               outlet = views.mine(session, Outlet, outlet_id, here.ward_id)
               outlets.pause(session, here.actor, outlet, form.line("reason"), here.now)
           return done(here, "/quan-tri/kenh", "Đã tạm dừng kênh.")

2. ``here`` (web.session.Visitor) is the signed-in person in the open ward. ``views.mine`` fetches a row of this ward or
   raises NotHere (404): never use ``session.get`` with an id from a request. GET never changes anything.
3. ``form`` (web.forms.Form) is what was typed. A bad form is shown again with ``page(…, status=422, typed=form,
   errors={"field": "câu tiếng Việt"})``. ``people.Mistake`` (400), ``Forbidden`` (403) and ``NotHere`` (404) that are not
   caught become Vietnamese pages by themselves.
4. ``web/templates/console/<noun>.html`` extends ``console/layout.html`` (blocks ``title``, ``actions``, ``content``; variable
   ``section`` marks the menu) and imports ``console/macros.html``: ``state(state)``, ``post_state(state)``, ``channel(kind, name)``, ``field(…)``, ``area(…)``,
   ``select(…)``, ``empty(icon, title, text, href, label)``, ``confirm(action, label, question, …)``, ``figure(value, label)``.
   Tables are ``<div class="table-responsive"><table class="table table-vcenter card-table table-stack">`` with
   ``data-label`` on each cell, which folds them into cards on a phone. Filters: ``day``, ``clock``, ``moment`` (all in
   the ward's zone), ``number``. Functions: ``url(asset)``, ``icon(name)``. No inline style or script: the policy forbids both.
5. Menu entries stand in ``web/console/menu.py``. Words for states, roles and labels in ``web/console/words.py``.
"""

from importlib import import_module
from importlib.util import find_spec

from fastapi import APIRouter

PREFIX = "/quan-tri"
PAGES = (
    "gate", "today", "calendar", "compose", "clips", "recordings", "approval", "posts", "amendments", "pictures", "account",
    "deliveries", "programme", "logbook", "holds", "outlets", "trial", "consent", "library", "rules", "dictionary", "sources", "readers",
    "audit", "reports", "users",
    "staff_bots", "notices", "home",
)  # fmt: skip


def router() -> APIRouter:
    """Every page that is there."""
    all_pages = APIRouter()
    for name in PAGES:
        if find_spec(f"web.console.{name}") is not None:
            all_pages.include_router(import_module(f"web.console.{name}").router, prefix=PREFIX)
    return all_pages
