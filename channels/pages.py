"""Pages of the twins: a channel's own preview, shown as the platform would show it to a citizen.

Every channel folder brings ``preview.html`` (a Jinja partial with ``part``, ``message``, ``picture_url`` of the first
picture and ``picture_urls`` of all) and
``preview.css``; the console's preview uses the same two, so that what an editor sees is one thing everywhere.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta, timezone
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader
from markupsafe import Markup
from starlette.responses import HTMLResponse

from channels.contract import Message

_PAGE = """<!doctype html>
<html lang="vi">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{ title }}</title>
<style>
body { margin: 0; padding: 1rem; background: #eef0f3; font-family: "Be Vietnam Pro", system-ui, sans-serif; }
main { max-width: 42rem; margin: 0 auto; display: grid; gap: 1rem; }
.note { font-size: .8rem; color: #555; text-align: center; margin: 0; }
{{ style }}
</style>
</head>
<body><main><p class="note">Diễn tập: trang mô phỏng, không phải trang thật.</p>
{% for card in cards %}{{ card }}
{% endfor %}</main></body>
</html>
"""

_VIETNAM = timezone(timedelta(hours=7))
_SAFE = {
    "content-security-policy": "default-src 'none'; img-src 'self' data:; media-src 'self'; style-src 'unsafe-inline'"
}


@cache
def _environment(folder: Path) -> Environment:
    return Environment(loader=FileSystemLoader(folder), autoescape=True)


def card(folder: Path, message: Message, picture_url: str | None, **more: object) -> str:
    """One post drawn with the channel's own ``preview.html``; ``more`` may bring the ``picture_urls`` of several pictures."""
    template = _environment(folder).get_template("preview.html")
    shown = {"picture_url": picture_url, "picture_urls": [picture_url] if picture_url else [], **more}
    return template.render(message=message, part=message.parts[0], **shown)


def page(folder: Path, title: str, cards: Iterable[str]) -> str:
    """A whole page of such cards, complete in itself."""
    style = Markup((folder / "preview.css").read_text(encoding="utf-8"))  # noqa: S704 - our own file
    ready = [Markup(text) for text in cards]  # noqa: S704 - escaped when the card was drawn
    return _environment(folder).from_string(_PAGE).render(title=title, style=style, cards=ready)


def local(moment: str) -> str:
    """An ISO moment as it is read in Việt Nam: 08:00 23/11/2026."""
    return datetime.fromisoformat(moment).astimezone(_VIETNAM).strftime("%H:%M %d/%m/%Y")


def answer(text: str, status: int = 200) -> HTMLResponse:
    """The page as an answer that cannot run scripts."""
    return HTMLResponse(text, status, headers=_SAFE)
