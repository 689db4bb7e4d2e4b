"""What a ward's public site has to show: its readable articles in memory, shelved by topic and searchable.

Search ignores diacritics («hoc bong» finds «học bổng»); what is spelled exactly stands before what is not,
a title before a body, new before old. The memory is made anew when the ward's articles have changed.
"""

import threading
import unicodedata
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import Session

from campaigns import articles
from content.text import nfc, slug
from store.tables import Article

QUERY_LIMIT = 120
_Version = tuple[int, int, datetime | None]


@dataclass(frozen=True)
class Entry:
    """An article as lists show it."""

    key: str
    slug: str
    title: str
    summary: str
    picture: dict[str, Any] | None
    topics: tuple[str, ...]
    published_at: datetime
    updated_at: datetime
    event: dict[str, Any] | None
    exact: tuple[str, str]
    folded: tuple[str, str]


@dataclass(frozen=True)
class Topic:
    """A topic with the number of its articles; ``slug`` names it in addresses."""

    slug: str
    name: str
    count: int


@dataclass(frozen=True)
class Catalogue:
    """One ward's readable articles, newest first; ``changed_at`` is the last change of any article, withdrawn ones too."""

    entries: tuple[Entry, ...]
    topics: tuple[Topic, ...]
    changed_at: datetime | None

    def under(self, topic: str) -> list[Entry]:
        """The articles of a topic, given by its name in addresses."""
        return [entry for entry in self.entries if topic in (slug(name) for name in entry.topics)]

    def topic(self, name: str) -> Topic | None:
        """The topic of a name in addresses."""
        return next((topic for topic in self.topics if topic.slug == name), None)

    def search(self, query: str) -> list[Entry]:
        """The articles that have every word of the query, best first; nothing for an empty query."""
        words = nfc(query[:QUERY_LIMIT]).lower().split()
        folded = [fold(word) for word in words]
        ranked = [(_rank(entry, words, folded), entry) for entry in self.entries] if words else []
        return [entry for rank, entry in sorted(ranked, key=lambda pair: -pair[0]) if rank]


class Catalogues:
    """The catalogues of an installation, each made when it is first asked for and when it is out of date."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[int, tuple[_Version, Catalogue]] = {}

    def of(self, session: Session, ward_id: int) -> Catalogue:
        """The ward's catalogue as this session sees it."""
        version = articles.version(session, ward_id)
        with self._lock:
            kept = self._kept.get(ward_id)
        if kept is None or kept[0] != version:
            kept = version, _catalogue(articles.readable(session, ward_id), version[2])
            with self._lock:
                self._kept[ward_id] = kept
        return kept[1]


def fold(text: str) -> str:
    """Text in lower case without Vietnamese diacritics, for comparing."""
    apart = unicodedata.normalize("NFD", text.lower().replace("đ", "d"))
    return "".join(letter for letter in apart if not unicodedata.combining(letter))


def _catalogue(rows: list[Article], changed_at: datetime | None) -> Catalogue:
    entries = tuple(_entry(row) for row in rows)
    counts = Counter(name for entry in entries for name in entry.topics if slug(name))
    topics = tuple(Topic(slug(name), name, count) for name, count in counts.most_common())
    return Catalogue(entries, topics, changed_at)


def _entry(row: Article) -> Entry:
    title = row.title.lower()
    body = f"{row.summary} {articles.plain_text(row.html)} {' '.join(row.topics)}".lower()
    return Entry(
        key=row.key,
        slug=row.slug,
        title=row.title,
        summary=row.summary,
        picture=row.picture,
        topics=tuple(row.topics),
        published_at=row.published_at,
        updated_at=row.updated_at,
        event=row.event,
        exact=(title, body),
        folded=(fold(title), fold(body)),
    )


def _rank(entry: Entry, words: list[str], folded: list[str]) -> int:
    for rank, (texts, wanted) in ((4, (entry.exact, words)), (2, (entry.folded, folded))):
        if all(word in texts[0] for word in wanted):
            return rank
        if all(word in texts[0] or word in texts[1] for word in wanted):
            return rank - 1
    return 0
