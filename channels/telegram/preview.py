"""The public page of a channel, https://t.me/s/<name>: the only list of a channel's posts that needs no account.

Markup read: ``div.tgme_widget_message[data-post]``, ``div.js-message_text``, ``time[datetime]``,
``span.tgme_widget_message_views``, ``div.tgme_channel_info_header_username``. An album is one post, under the number of its
first message; its photos are ``a.grouped_media_wrap[href]`` with the number of each (``…/<name>/<id>?single``). A page holds the newest 20 posts;
``?before=<id>`` gives older ones. A channel without this page (private, or switched off by its owner) answers with
a redirect. Seen on https://t.me/s/durov, October 2026; Telegram does not promise this markup.
"""

import re
from html.parser import HTMLParser
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, ValidationError

from content.text import squeeze

_VOID = frozenset(
    {"br", "img", "meta", "link", "input", "hr", "source", "wbr", "area", "base", "col", "embed", "track"}
)
_VIEWS = re.compile(r"(\d+)(?:\.(\d{1,2}))?([KM]?)")
_GROUPED = re.compile(r"/(\d+)\?single$")
_FACTOR = {"": 1, "K": 1_000, "M": 1_000_000}


class Post(BaseModel):
    """One post as the page shows it; ``views`` as written there («987», «1.5K»)."""

    model_config = ConfigDict(frozen=True)

    channel: str
    id: int
    at: AwareDatetime
    text: str = ""
    views: str = ""
    album: tuple[int, ...] = ()

    @property
    def ids(self) -> tuple[int, ...]:
        """Its message, or the messages of its album in their order."""
        return tuple(sorted({self.id, *self.album}))


class Page(BaseModel):
    """A page that was recognised as a channel's own; its posts oldest first."""

    model_config = ConfigDict(frozen=True)

    username: str
    posts: tuple[Post, ...]


def read(html: str, username: str) -> Page | None:
    """The page of this channel, or None where it is another page or its markup is not understood."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    if squeeze(reader.username).lstrip("@").casefold() != username.casefold():
        return None
    try:
        posts = [Post.model_validate(raw) for raw in reader.posts]
    except ValidationError:
        return None
    if any(post.channel.casefold() != username.casefold() for post in posts):
        return None
    return Page(username=username, posts=tuple(sorted(posts, key=lambda post: post.id)))


def holds(text: str, marker: str) -> bool:
    """Whether a post's text holds the marker as whole words: a link is not found in a longer link."""
    wanted = squeeze(marker)
    return bool(wanted) and re.search(re.escape(wanted) + r"(?![\w/-])", squeeze(text)) is not None


def views(written: str) -> tuple[int, bool] | None:
    """The number of views and whether it was rounded by the page («1.5K»), or None where there is none."""
    match = _VIEWS.fullmatch(written.strip())
    if match is None:
        return None
    whole, fraction, unit = match.groups()
    number = int(whole) * _FACTOR[unit] + (int(fraction.ljust(2, "0")) * _FACTOR[unit] // 100 if fraction else 0)
    return number, bool(unit)


class _Reader(HTMLParser):
    """Collects what lies inside the elements named above; anything else passes by."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.posts: list[dict[str, Any]] = []
        self.username = ""
        self._open: list[str] = []
        self._taking: tuple[str, int] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note where a post, its text, its time or its views begin."""
        given = {name: value or "" for name, value in attrs}
        if tag == "br":
            self.handle_data("\n")
        if tag in _VOID:
            return
        self._open.append(tag)
        if "data-post" in given:
            channel, _, id = given["data-post"].partition("/")
            self.posts.append({"channel": channel, "id": id})
        if self.posts and tag == "time" and "datetime" in given:
            self.posts[-1]["at"] = given["datetime"]
        classes = given.get("class", "").split()
        photo = _GROUPED.search(given.get("href", "")) if "grouped_media_wrap" in classes else None
        if self.posts and photo is not None:
            self.posts[-1]["album"] = (*self.posts[-1].get("album", ()), int(photo[1]))
        self._begin(classes)

    def _begin(self, classes: list[str]) -> None:
        if self._taking is not None:
            return
        wanted = {"js-message_text": "text", "tgme_widget_message_views": "views"} if self.posts else {}
        for name, kept in {**wanted, "tgme_channel_info_header_username": "username"}.items():
            if name in classes:
                self._taking = (kept, len(self._open))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An element closed in itself: only a line break says something."""
        if tag == "br":
            self.handle_data("\n")

    def handle_endtag(self, tag: str) -> None:
        """Close the element, and those left open inside it."""
        if tag not in self._open:
            return
        while self._open.pop() != tag:
            pass
        if self._taking is not None and len(self._open) < self._taking[1]:
            self._taking = None

    def handle_data(self, data: str) -> None:
        """Keep text that lies in an element we read."""
        if self._taking is None:
            return
        kept = self._taking[0]
        if kept == "username":
            self.username += data
        else:
            self.posts[-1][kept] = self.posts[-1].get(kept, "") + data
