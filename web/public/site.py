"""What every page of the public site works with: the store, the clock, the templates, the counters."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup
from sqlmodel import Session
from starlette.exceptions import HTTPException
from starlette.requests import Request

from campaigns import articles
from campaigns.catalogue import Catalogue, Catalogues
from campaigns.visits import Kind, Visit, VisitCounter, by_hand
from channels.clips import length
from content.templates import format_date, format_time
from content.text import slug
from store.engine import Store
from store.files import Files
from store.tables import Article, Ward
from store.vault import Vault
from web import assets

_WEEKDAYS = ("Thứ Hai", "Thứ Ba", "Thứ Tư", "Thứ Năm", "Thứ Sáu", "Thứ Bảy", "Chủ Nhật")


@dataclass
class Site:
    """One installation's public site. ``base_url`` is its own address, without a slash at the end."""

    store: Store
    files: Files
    now: Callable[[], datetime]
    publish_token: Callable[[str], str | None]
    base_url: str
    visits: VisitCounter
    vault: Vault | None = None
    catalogues: Catalogues = field(default_factory=Catalogues)
    templates: Environment = field(default_factory=lambda: _environment())

    def render(self, template: str, **values: Any) -> str:
        """A page or feed as text; ``here`` marks the place of the page itself in the navigation."""
        here = partial(_current, template.partition(".")[0])
        return self.templates.get_template(template).render(site=self, here=here, **values)

    def ward(self, session: Session, request: Request) -> Ward:
        """The ward that the address names; 404 where there is none."""
        ward = articles.ward(session, request.path_params["ward"])
        if ward is None:
            raise HTTPException(404)
        return ward

    def catalogue(self, session: Session, ward: Ward) -> Catalogue:
        """What the ward has to show."""
        return self.catalogues.of(session, row_id(ward))

    def address(self, ward: Ward, path: str = "") -> str:
        """The full address of one of the ward's pages."""
        return f"{self.base_url}/{ward.slug}/{path}"

    def picture_url(self, picture: dict[str, Any]) -> str:
        """The full address of a picture."""
        return f"{self.base_url}/tep/{picture['sha256']}"

    def count(self, request: Request, ward: Ward, kind: Kind, subject: str) -> None:
        """Count a visit where a person made it."""
        agent = request.headers.get("user-agent", "")
        purpose = request.headers.get("sec-purpose", "") + request.headers.get("purpose", "")
        if by_hand(request.method, agent, purpose):
            now = self.now()
            address = request.client.host if request.client else ""
            day = now.astimezone(ZoneInfo(ward.zone)).date()
            self.visits.note(Visit(kind, subject, row_id(ward), day, address, agent), now)


def row_id(ward: Ward) -> int:
    """The id of a ward that came from the database."""
    if ward.id is None:
        raise ValueError("this ward was never stored")
    return ward.id


def long_date(moment: datetime, ward: Ward) -> str:
    """«Thứ Sáu, 20/11/2026», in the ward's zone."""
    local = moment.astimezone(ZoneInfo(ward.zone))
    return f"{_WEEKDAYS[local.weekday()]}, {format_date(local.date())}"


def short_date(moment: datetime, ward: Ward) -> str:
    """«20/11/2026», in the ward's zone."""
    return format_date(moment.astimezone(ZoneInfo(ward.zone)).date())


def date_and_time(moment: datetime, ward: Ward) -> str:
    """«20/11/2026, 7h30», in the ward's zone."""
    local = moment.astimezone(ZoneInfo(ward.zone))
    return f"{format_date(local.date())}, {format_time(local.time())}"


def time_of_day(moment: datetime, ward: Ward) -> str:
    """«7h30», in the ward's zone."""
    return format_time(moment.astimezone(ZoneInfo(ward.zone)).time())


def minutes(seconds: int) -> str:
    """«2 phút 05 giây»."""
    whole, rest = divmod(seconds, 60)
    return f"{whole} phút {rest:02d} giây" if whole else f"{rest} giây"


def says_first(article: Article) -> bool:
    """Whether the body begins with the summary, so that showing both would say it twice."""
    start = article.summary.rstrip("…").rstrip()
    return not start or articles.plain_text(article.html).startswith(start)


def _current(page: str, place: str) -> str:
    return Markup(' aria-current="page"') if place == page else ""


def _upper_first(text: str) -> str:
    return text[:1].upper() + text[1:]


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {"asset": assets.url, "icon": assets.icon}
    environment.filters |= {
        "long_date": long_date,
        "date_and_time": date_and_time,
        "short_date": short_date,
        "time_of_day": time_of_day,
        "minutes": minutes,
        "upper_first": _upper_first,
        "topic_slug": slug,
        "play_time": length,
        "clean": articles.clean_html,
    }
    return environment
