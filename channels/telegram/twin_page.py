"""The twin's pages in the public preview's own markup, so that a citizen's view can be seen and read."""

from datetime import UTC, datetime, timedelta, timezone
from html import escape
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from channels.telegram import twin_clips
from channels.telegram.twin_channel import ChannelRow, MessageRow, short_number, together, views
from channels.telegram.twin_text import units

_HANOI = timezone(timedelta(hours=7))
_TAGS = {
    "bold": "b", "italic": "i", "underline": "u", "strikethrough": "s", "code": "code", "pre": "pre",
    "blockquote": "blockquote", "spoiler": "tg-spoiler",
}  # fmt: skip
_PAGES = Environment(loader=FileSystemLoader(Path(__file__).parent), autoescape=True, undefined=StrictUndefined)


def channel_page(channel: ChannelRow, rows: list[MessageRow], base_url: str, now: datetime) -> str:
    """The channel's public page with these posts."""
    posts = [_post(channel, shown, base_url, now) for shown in together(rows)]
    return _PAGES.get_template("twin_page.html").render(
        channel=channel,
        members=short_number(channel.members),
        posts=posts,
        base_url=base_url,
        older=rows[0].id if rows else 0,
    )


def post_page(channel: ChannelRow, row: MessageRow, base_url: str, now: datetime) -> str:
    """One post's own page."""
    return channel_page(channel, [row], base_url, now)


def _post(channel: ChannelRow, rows: list[MessageRow], base_url: str, now: datetime) -> dict[str, Any]:
    row = rows[0]
    local = row.at.astimezone(_HANOI)
    return {
        "id": row.id,
        "html": Markup(_html(_said(rows))),  # noqa: S704 - _html escapes every word
        "photos": [(one.id, f"{base_url}/file/photo/{one.photo}", _ratio(one)) for one in rows if one.photo],
        "clip": twin_clips.shown(row, base_url),
        "reply_to": row.reply_to,
        "iso": row.at.astimezone(UTC).isoformat(timespec="seconds"),
        "time": f"{local:%H:%M}",
        "day": f"{local.day} tháng {local.month}",
        "edited": row.edited is not None,
        "views": short_number(views(channel, row, now)),
    }


def bubble(rows: list[MessageRow]) -> str:
    """A post alone: its pictures, named as the files beside it, and its words."""
    pictures = "".join(f'<img src="telegram-{escape(row.photo)}" alt="">' for row in rows if row.photo)
    pictures += "".join(twin_clips.bubble(row) for row in rows if row.clip)
    return f'<div class="telegram-post">{pictures}<p>{_html(_said(rows))}</p></div>'


def _said(rows: list[MessageRow]) -> MessageRow:
    """The message of an album that has the words."""
    return next((row for row in rows if row.text), rows[0])


def _ratio(row: MessageRow) -> str:
    return f"{100 * row.height / row.width:.3f}" if row.width else "0"


def _html(row: MessageRow) -> str:
    """The words with their entities as tags; entities that were parsed from tags nest properly."""
    opening: dict[int, list[str]] = {}
    closing: dict[int, list[str]] = {}
    for entity in row.entities:
        start, end = entity["offset"], entity["offset"] + entity["length"]
        tag, attributes = _tag(entity, row.text)
        opening.setdefault(start, []).append(f"<{tag}{attributes}>")
        closing.setdefault(end, []).insert(0, f"</{tag}>")
    out, at = "", 0
    for letter in row.text:
        out += "".join(closing.get(at, [])) + "".join(opening.get(at, []))
        out += "<br/>" if letter == "\n" else escape(letter)
        at += units(letter)
    return out + "".join(closing.get(at, []))


def _tag(entity: dict[str, Any], text: str) -> tuple[str, str]:
    if entity["type"] not in ("url", "text_link", "hashtag"):
        return _TAGS.get(entity["type"], "span"), ""
    raw = text.encode("utf-16-le")[2 * entity["offset"] : 2 * (entity["offset"] + entity["length"])]
    words = raw.decode("utf-16-le")
    target = f"?q=%23{words[1:]}" if entity["type"] == "hashtag" else entity.get("url", words)
    rel = "" if entity["type"] == "hashtag" else ' target="_blank" rel="noopener"'
    return "a", f' href="{escape(target)}"{rel}'
