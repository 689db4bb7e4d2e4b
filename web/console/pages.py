"""Turning values into pages: one Jinja2 environment, autoescaped, with the words and formats of the console."""

from datetime import date, datetime
from functools import cache
from inspect import getfile
from pathlib import Path
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse
from jinja2 import Environment, FileSystemLoader, PrefixLoader, StrictUndefined, pass_context
from jinja2.runtime import Context
from markupsafe import Markup
from starlette.responses import Response

from campaigns import hours, stops, urgency
from campaigns.timetable import local
from channels.clips import length
from channels.contract import Message, Part
from channels.registry import channel, kinds
from content.speech import mark
from content.templates import format_date, format_number, format_time
from content.text import cut
from store.tables import Outlet
from web import assets
from web.console import menu, readings, sheets, words
from web.session import Here, House, drop_cookie, tell, told

TEMPLATES = Path(__file__).resolve().parent.parent / "templates"


def page(request: Request, here: Here, name: str, status: int = 200, **values: Any) -> HTMLResponse:
    """A page of the console for the person who is here; shows a message left by the last page, once."""
    notice = told(request, here.house)
    around = {"here": here, "ward": here.ward, "notice": notice, "errors": {}, "holds": _stopped(here)}
    response = _html(name, {**around, **values}, status)
    if notice is not None:
        drop_cookie(response, here.house, here.house.notice)
    return response


def _stopped(here: Here) -> list[stops.Stop]:
    with here.store.read() as session:
        return stops.stops(session, here.ward_id)


def fragment(here: Here, name: str, status: int = 200, **values: Any) -> HTMLResponse:
    """A piece of a page, for htmx to put into the page that is open."""
    return _html(name, {"here": here, "ward": here.ward, "errors": {}, **values}, status)


def bare(house: House, name: str, status: int = 200, **values: Any) -> HTMLResponse:
    """A page for nobody in particular: signing in, errors."""
    return _html(name, {"house": house, "here": None, "notice": None, "errors": {}, **values}, status)


def done(here: Here, to: str, text: str, tone: str = "ok") -> Response:
    """On to another page, which says what was done."""
    response = RedirectResponse(to, 303)
    tell(response, here.house, text, tone)
    return response


def wants_fragment(request: Request) -> bool:
    """Whether htmx asks, for a piece of the page that is open."""
    return request.headers.get("hx-request") == "true"


def _html(name: str, values: dict[str, Any], status: int) -> HTMLResponse:
    text = environment().get_template(f"console/{name}").render(**values)
    return HTMLResponse(text, status, {"cache-control": "no-store"})


@cache
def environment() -> Environment:
    """The console's templates, and under ``channel/<kind>/`` those of the channels."""
    made = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals |= {
        "url": assets.url, "icon": assets.icon, "words": words, "menu": menu.MENU, "channel_name": channel_name,
        "channel_style": "/quan-tri/kenh.css", "example": sheets.example,
        "channel_look": channel_look, "urgency_of": urgency.of, "urgency_of_rank": urgency.of_rank, "at_once": urgency.at_once, "on_air": hours.on_air,
        "reading_columns": readings.columns, "reading_mark": mark, "span": urgency.span, "clip_length": length,
    }  # fmt: skip
    made.filters |= {
        "day": _day, "clock": _clock, "moment": _moment, "weekday": _weekday, "isoday": _isoday, "upper_first": _upper_first,
        "weblink": _weblink, "lateness": _lateness, "decimal": _decimal,
        "pair": lambda text: (text, text), "idname": lambda row: (row.id, row.name), "taskpair": _task_pair, "number": format_number,
    }  # fmt: skip
    return made


@cache
def _looks() -> Environment:
    folders = {kind: FileSystemLoader(folder_of(kind)) for kind in kinds()}
    return Environment(loader=PrefixLoader(folders), autoescape=True, trim_blocks=True, lstrip_blocks=True)


def channel_look(outlet: Outlet, message: Message, part: Part, time: str = "") -> Markup:
    """One part of a message as its channel shows it, by the channel's own ``preview.html``."""
    urls = [f"/quan-tri/anh/{picture.sha256}" for picture in part.pictures]
    look = _looks().get_template(f"{outlet.kind}/preview.html")
    shown: dict[str, Any] = {"picture_urls": urls, "picture_url": next(iter(urls), "")}
    if part.clip:
        poster = f"/quan-tri/anh/{part.clip.poster.sha256}" if part.clip.poster else ""
        shown |= {"clip_url": f"/quan-tri/clip/{part.clip.sha256}", "poster_url": poster}
    return Markup(look.render(part=part, message=message, account=outlet.name, time=time, **shown))  # noqa: S704


@cache
def folder_of(kind: str) -> Path:
    """The folder of a channel: its icon, the looks of its preview."""
    return Path(getfile(channel(kind))).parent


def channel_name(kind: str) -> str:
    """The channel's name on screen; the kind itself when it is no longer installed."""
    return kinds()[kind].name if kind in kinds() else kind


def _local(context: Context, at: datetime | date) -> datetime | date:
    if not isinstance(at, datetime):
        return at
    ward = context.get("ward")
    return local(at, ward.zone if ward else "Asia/Ho_Chi_Minh")


@pass_context
def _day(context: Context, at: datetime | date) -> str:
    found = _local(context, at)
    return format_date(found.date() if isinstance(found, datetime) else found)


@pass_context
def _clock(context: Context, at: datetime) -> str:
    found = _local(context, at)
    assert isinstance(found, datetime)  # noqa: S101
    return format_time(found.time())


@pass_context
def _moment(context: Context, at: datetime) -> str:
    return f"{_clock(context, at)} ngày {_day(context, at)}"


@pass_context
def _weekday(context: Context, at: datetime | date) -> str:
    return words.WEEKDAYS[_local(context, at).weekday()]


@pass_context
def _isoday(context: Context, at: datetime | date) -> str:
    return _local(context, at).strftime("%Y-%m-%d")


def _upper_first(text: str) -> str:
    return text[:1].upper() + text[1:]


def _task_pair(task: Any) -> tuple[int, str]:
    return task.id, f"{task.clause}: {cut(task.summary, 90)}"


def _weblink(address: str) -> str:
    return address if address.startswith(("https://", "http://")) else "#"


def _decimal(value: float) -> str:
    return f"{value:.1f}".replace(".", ",").replace("-", "−")


def _lateness(seconds: float) -> str:
    late = round(seconds)
    if late < 60:
        return "đúng giờ" if late < 30 else f"muộn {late} giây"
    minutes, hours = late // 60 % 60, late // 3600
    return f"muộn {hours} giờ {minutes} phút" if hours else f"muộn {minutes} phút"
