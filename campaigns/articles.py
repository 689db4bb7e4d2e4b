"""Articles of the public site: published once per key, replaced, taken down, read.

No audit event is written here: a delivery's own event covers its article.
"""

import re
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

import nh3
from sqlalchemy import func
from sqlmodel import Session, col, select

from content.text import nfc, squeeze
from store.tables import Article, Ward

_TAGS = {"p", "h2", "h3", "ul", "ol", "li", "strong", "em", "a", "br"}
_ATTRIBUTES = {"a": {"href"}, "ol": {"start"}}
_CLASSES = {"p": {"action", "signature"}}
_SCHEMES = {"http", "https", "mailto", "tel"}
# XML 1.0 has no way to write these, so one of them would break every feed (https://www.w3.org/TR/xml/#charsets).
_UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


class Withdrawn(ValueError):
    """The article of this key was taken down; it does not come back by itself."""


class AddressTaken(ValueError):
    """Another article, or another ward's, already has this key or address."""


@dataclass(frozen=True)
class NewArticle:
    """What is put under a key. ``slug`` is the place under the ward's pages, ``picture`` a stored file with its size, ``gallery`` those after it, ``clip`` a video or sound."""

    slug: str
    title: str
    html: str
    published_at: datetime
    summary: str = ""
    picture: dict[str, Any] | None = None
    gallery: list[dict[str, Any]] = field(default_factory=list)
    clip: dict[str, Any] | None = None
    topics: tuple[str, ...] = ()
    source_name: str = ""
    source_url: str = ""
    event: dict[str, Any] | None = None


@dataclass(frozen=True)
class Told:
    """A correction as readers are told of it: when it was decided, and what was wrong."""

    at: datetime
    note: str


def clean_html(html: str) -> str:
    """HTML of the site's few tags; scripts, styles, events and unknown addresses are gone."""
    return nh3.clean(
        nfc(_writable(html)),
        tags=_TAGS,
        attributes=_ATTRIBUTES,
        allowed_classes=_CLASSES,
        url_schemes=_SCHEMES,
        link_rel="noopener",
    )


def plain_text(html: str) -> str:
    """The words of an article's HTML, one line."""
    apart = re.sub(r"<(/p|/h2|/h3|/li|br)\b[^>]*>", " ", html)
    return squeeze(_unescape(nh3.clean(apart, tags=set())))


def publish(session: Session, ward_id: int, key: str, new: NewArticle, now: datetime) -> tuple[Article, bool]:
    """Put an article under its key; gives it, and whether it is new.

    The same words again change nothing; other words replace the old ones and keep address and first moment.
    Raises Withdrawn or AddressTaken.
    """
    article = session.get(Article, key)
    if article is None:
        return _create(session, ward_id, key, new, now), True
    if article.ward_id != ward_id:
        raise AddressTaken(key)
    if article.withdrawn_at is not None:
        raise Withdrawn(key)
    _replace(article, _words(new), now)
    session.add(article)
    return article, False


def amend(session: Session, ward_id: int, key: str, new: NewArticle, told: Told, now: datetime) -> Article | None:
    """Put other words in the place of an article that is there, and tell its readers; None where the ward has none.

    The same correction again (the same moment) is the same one. Raises Withdrawn.
    """
    article = find(session, ward_id, key)
    if article is None:
        return None
    if article.withdrawn_at is not None:
        raise Withdrawn(key)
    _replace(article, _words(new), now)
    at = told.at.astimezone(UTC).isoformat()
    if told.note and all(one["at"] != at for one in article.corrections):
        article.corrections = [*article.corrections, {"at": at, "note": squeeze(_writable(told.note))}]
        article.updated_at = now
    session.add(article)
    return article


def corrections(article: Article) -> list[Told]:
    """What its readers are told of its corrections, the newest first."""
    told = [Told(datetime.fromisoformat(one["at"]), str(one["note"])) for one in article.corrections]
    return sorted(told, key=lambda one: one.at, reverse=True)


def withdraw(session: Session, ward_id: int, key: str, now: datetime) -> Article | None:
    """Take an article down; None where the ward has no such article. Doing it again changes nothing."""
    article = find(session, ward_id, key)
    if article is not None and article.withdrawn_at is None:
        article.withdrawn_at = article.updated_at = now
        session.add(article)
    return article


def find(session: Session, ward_id: int, key: str) -> Article | None:
    """The ward's article of a key, withdrawn or not."""
    return session.exec(select(Article).where(Article.key == key, Article.ward_id == ward_id)).first()


def at(session: Session, ward_id: int, slug: str) -> Article | None:
    """The ward's article at an address, withdrawn or not."""
    return session.exec(select(Article).where(Article.slug == slug, Article.ward_id == ward_id)).first()


def listing(session: Session, ward_id: int, offset: int, limit: int) -> list[Article]:
    """The ward's articles, withdrawn ones too, oldest first."""
    rows = select(Article).where(Article.ward_id == ward_id).order_by(col(Article.published_at), col(Article.key))
    return list(session.exec(rows.offset(offset).limit(limit)))


def readable(session: Session, ward_id: int, limit: int | None = None) -> list[Article]:
    """The articles that can be read now, newest first."""
    rows = select(Article).where(Article.ward_id == ward_id, col(Article.withdrawn_at).is_(None))
    return list(session.exec(rows.order_by(col(Article.published_at).desc(), col(Article.key)).limit(limit)))


def version(session: Session, ward_id: int) -> tuple[int, int, datetime | None]:
    """What changes whenever the ward's articles do: how many, how many withdrawn, the latest change."""
    row = session.exec(
        select(func.count(), func.count(col(Article.withdrawn_at)), func.max(Article.updated_at)).where(
            Article.ward_id == ward_id
        )
    ).one()
    return row[0], row[1], row[2]


def wards(session: Session) -> list[Ward]:
    """Every ward of the installation, by name."""
    return list(session.exec(select(Ward).order_by(col(Ward.name))))


def ward(session: Session, slug: str) -> Ward | None:
    """The ward of a name in addresses."""
    return session.exec(select(Ward).where(Ward.slug == slug)).first()


def ward_of(session: Session, ward_id: int) -> Ward:
    """The ward of an id that a row of its own carries."""
    return session.exec(select(Ward).where(Ward.id == ward_id)).one()


def _create(session: Session, ward_id: int, key: str, new: NewArticle, now: datetime) -> Article:
    if at(session, ward_id, new.slug) is not None:
        raise AddressTaken(new.slug)
    article = Article(
        key=key, ward_id=ward_id, slug=new.slug, published_at=new.published_at, updated_at=now, **_words(new)
    )  # fmt: skip
    session.add(article)
    session.flush()
    return article


def _replace(article: Article, words: dict[str, Any], now: datetime) -> None:
    if all(getattr(article, name) == value for name, value in words.items()):
        return
    for name, value in words.items():
        setattr(article, name, value)
    article.updated_at = now


def _words(new: NewArticle) -> dict[str, Any]:
    words = asdict(new)
    del words["slug"], words["published_at"]
    for name in ("title", "summary", "source_name", "source_url"):
        words[name] = squeeze(_writable(words[name]))
    words["event"] = _event(new.event)
    words["html"] = clean_html(new.html)
    words["topics"] = list(dict.fromkeys(squeeze(_writable(topic)) for topic in new.topics))
    return words


def _event(told: dict[str, Any] | None) -> dict[str, Any] | None:
    if told is None:
        return None
    return told | {name: squeeze(_writable(nfc(told[name]))) for name in ("name", "place")}


def _writable(text: str) -> str:
    return _UNWRITABLE.sub("", text)


def _unescape(text: str) -> str:
    for entity, letter in (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&nbsp;", " "), ("&amp;", "&")):
        text = text.replace(entity, letter)
    return text
