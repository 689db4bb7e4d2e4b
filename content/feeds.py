"""Official feeds read: the bytes of an RSS or Atom file become items in plain NFC text.

Nothing is fetched here. Every item is kept, not only the newest; the ``fingerprint`` of an item recognises the
same article in another feed.
"""

import calendar
import hashlib
import io
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any
from urllib.parse import parse_qsl, quote, unquote, urlencode, urljoin, urlsplit

import feedparser

from content.feed_times import VIETNAM, read_moment
from content.text import cut, squeeze

MAX_BYTES = 5_000_000
MAX_ITEMS = 500
MAX_DEPTH = 200
MAX_TITLE = 500
MAX_SUMMARY = 2_000
MAX_TAGS = 40_000
MAX_TAG = 4_096
MAX_REFERENCES = 200_000
_CROWDED = "Nguồn tin có cấu trúc quá phức tạp nên bị từ chối vì lý do an toàn. Hãy dùng nguồn RSS hoặc Atom chuẩn."
_MAX_MARKUP = 100_000

_TRACKING = re.compile(r"utm_.*|fbclid|gclid|zarsrc|_ga|mc_[ce]id|ref|ref_src|spm|igshid|yclid|msclkid")
_ENCODINGS = re.compile(
    r"utf-?8|utf-?16(le|be)?|us-ascii|ascii|iso-8859-\d+|windows-125\d|cp125\d|tcvn-?5712", re.IGNORECASE
)
_DECLARED = re.compile(rb"<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([^\"']*)")
_VOID = (b"br", b"img", b"hr")
_SKIPPED = ((b"<!--", b"-->"), (b"<![CDATA[", b"]]>"), (b"<?", b"?>"))
_TAG_STARTS = frozenset(bytes([letter]) for letter in b"!/abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_")


class FeedMistake(ValueError):
    """Bytes that cannot be read as a feed; the message is Vietnamese and says what to do."""


@dataclass(frozen=True)
class Item:
    """One article of a feed. ``published`` is UTC, or None where the feed gives no readable time."""

    guid: str
    url: str
    title: str
    summary: str
    published: datetime | None
    fingerprint: str


@dataclass(frozen=True)
class Feed:
    """A feed's name and its items in the feed's own order, each guid once."""

    title: str
    items: tuple[Item, ...]


def parse(data: bytes, url: str, content_type: str = "") -> Feed:
    """The feed in these bytes; ``url`` is where they came from (relative links are resolved against it).

    At most 5 MB and the first 500 items. Raises FeedMistake for anything that is no feed, that declares a
    DOCTYPE or entities, or that nests deeper than 200 elements.
    """
    clean = _checked(data)
    headers = {"content-location": url}
    if content_type and not _utf16(data):
        headers["content-type"] = content_type
    parsed = feedparser.parse(
        io.BytesIO(clean), response_headers=headers, sanitize_html=False, resolve_relative_uris=False
    )
    if not parsed.version and not parsed.entries:
        raise FeedMistake(_no_feed(data))
    if parsed.bozo and not parsed.entries and not parsed.feed.get("title"):
        raise FeedMistake("Nguồn tin bị hỏng, không đọc được tin nào. Hãy báo cho trang nguồn hoặc thử lại sau.")
    items = [item for entry in parsed.entries[:MAX_ITEMS] if (item := _item(entry, url))]
    return Feed(cut(plain(_text(parsed.feed, "title")), MAX_TITLE), tuple(_told_apart(items)))


def _checked(data: bytes) -> bytes:
    """The bytes that are safe to parse, or FeedMistake."""
    if not data.strip():
        raise FeedMistake("Nguồn tin trống. Hãy kiểm tra lại địa chỉ nguồn tin.")
    if len(data) > MAX_BYTES:
        raise FeedMistake(
            f"Nguồn tin lớn hơn {MAX_BYTES // 1_000_000} MB. Hãy dùng địa chỉ RSS của một chuyên mục nhỏ hơn."
        )
    bare = _one_byte(data).lstrip(b"\xef\xbb\xbf\xff\xfe \t\r\n")
    if not bare.startswith(b"<") or _looks_like_page(bare):
        raise FeedMistake(_no_feed(bare))
    declared = _DECLARED.match(bare)
    if declared and not _ENCODINGS.fullmatch(declared.group(1).decode("latin-1")):
        raise FeedMistake(
            "Nguồn tin dùng bảng mã chữ lạ nên không đọc được. Hãy dùng nguồn RSS hoặc Atom theo Unicode (UTF-8)."
        )
    return _sound(bare)


def _utf16(data: bytes) -> str:
    """The UTF-16 that the first bytes betray, else empty."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    return "utf-16-le" if data.startswith(b"<\0") else "utf-16-be" if data.startswith(b"\0<") else ""


def _one_byte(data: bytes) -> bytes:
    """UTF-16 rewritten as UTF-8 without its declaration, so that what is checked is what is parsed."""
    encoding = _utf16(data)
    if not encoding:
        return data.replace(b"\0", b"")
    text = data.decode(encoding, "replace").replace("\0", "").lstrip("\ufeff")
    return re.sub(r"^\s*<\?xml.{0,300}?\?>", "", text, flags=re.DOTALL).encode("utf-8", "replace")


def _looks_like_page(data: bytes) -> bool:
    head = data[:4000].lower()
    first = re.search(rb"<(!doctype\s+html|[a-z][\w:]*)", head)
    return first is not None and first.group(1).startswith((b"!doctype", b"html", b"head", b"body"))


def _no_feed(data: bytes) -> str:
    if _looks_like_page(data):
        return "Địa chỉ này là một trang web, không phải nguồn tin RSS hoặc Atom. Hãy tìm liên kết RSS trên trang đó và nhập lại."
    return "Địa chỉ này không phải nguồn tin RSS hoặc Atom. Hãy kiểm tra lại địa chỉ nguồn tin."


def _sound(data: bytes) -> bytes:
    """The feed as far as its tags are closed; refused where it declares entities, nests deeply or crowds tags."""
    if data.count(b"&") > MAX_REFERENCES:
        raise FeedMistake(_CROWDED)
    level = 0
    for number, (place, tag) in enumerate(_tags(data)):
        if tag is None:
            return data[:place]
        if tag.startswith(b"!"):
            raise FeedMistake(
                "Nguồn tin có khai báo DOCTYPE nên bị từ chối vì lý do an toàn. Hãy dùng nguồn RSS hoặc Atom chuẩn."
            )
        if tag.startswith(b"/"):
            level = max(0, level - 1)
        elif not tag.endswith(b"/") and tag.split(maxsplit=1)[0].lower() not in _VOID:
            level += 1
        if level > MAX_DEPTH or number > MAX_TAGS or len(tag) > MAX_TAG:
            raise FeedMistake(_CROWDED)
    return data


def _tags(data: bytes) -> Iterator[tuple[int, bytes | None]]:
    """Where each tag starts and what it holds, in linear time; None for one that never ends.

    Comments, marked sections and instructions are passed over in the order in which a parser meets them.
    """
    place = data.find(b"<")
    while place >= 0:
        skip = _skipped(data, place)
        end = data.find(skip or b">", place + 1)
        if end < 0:
            yield place, None
            return
        if skip is None:
            yield place, data[place + 1 : end].strip() or b"?"
        place = data.find(b"<", end)


def _skipped(data: bytes, place: int) -> bytes | None:
    """How the comment, marked section or instruction that starts here ends; None for a tag."""
    return next((end for start, end in _SKIPPED if data.startswith(start, place)), None)


def _told_apart(items: list[Item]) -> list[Item]:
    """Each article once; where a feed gives one guid to several articles, their fingerprints tell them apart."""
    articles: dict[tuple[str, str], Item] = {}
    for item in items:
        articles.setdefault((item.guid, item.fingerprint), item)
    shared = Counter(guid for guid, _ in articles)
    return [
        replace(item, guid=f"{item.guid}#{item.fingerprint[:16]}") if shared[item.guid] > 1 else item
        for item in articles.values()
    ]


def _item(entry: Any, base: str) -> Item | None:
    url = _address(entry, base)
    title = cut(plain(_text(entry, "title")), MAX_TITLE)
    summary = cut(plain(_text(entry, "summary") or _content(entry)), MAX_SUMMARY)
    if not title and not summary:
        return None
    published = _published(entry)
    mark = fingerprint(url, title or summary, published)
    guid = squeeze(_text(entry, "id")) or (url if _bare(url) else mark)
    return Item(guid, url, title or cut(summary, 120), summary, published, mark)


def _text(part: Any, key: str) -> str:
    value = part.get(key)
    return value if isinstance(value, str) else ""


def _content(entry: Any) -> str:
    return next((str(part.get("value", "")) for part in entry.get("content", ())), "")


def _address(entry: Any, base: str) -> str:
    """The article's own address: http or https only, else empty."""
    for candidate in (_text(entry, "link"), _text(entry, "id")):
        absolute = urljoin(base, candidate) if candidate and candidate == _text(entry, "link") else candidate
        if re.match(r"https?://[^\s/]", absolute, re.IGNORECASE):
            return squeeze(absolute).replace(" ", "%20")
    return ""


def plain(markup: str) -> str:
    """The words of an HTML fragment on one line, NFC: tags, scripts and styles gone, entities read."""
    reader = _Words()
    reader.feed(markup[:_MAX_MARKUP])
    reader.close()
    return squeeze("".join(reader.parts))


class _Words(HTMLParser):
    _BREAKING = frozenset(
        ("p", "br", "div", "li", "tr", "td", "h1", "h2", "h3", "h4", "ul", "ol", "table", "img", "hr")
    )
    _SILENT = frozenset(("script", "style", "iframe", "object", "template", "noscript"))

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.parts: list[str] = []
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._silent += tag in self._SILENT
        self.parts.append(" " if tag in self._BREAKING else "")

    def handle_endtag(self, tag: str) -> None:
        self._silent = max(0, self._silent - (tag in self._SILENT))
        self.parts.append(" " if tag in self._BREAKING else "")

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.parts.append(data)


def _published(entry: Any) -> datetime | None:
    for key in ("published", "updated", "created"):
        if key in entry and (raw := _text(entry, key)):
            found = read_moment(raw) or _parsed(entry.get(f"{key}_parsed"))
            if found:
                return found
    return None


def _parsed(moment: Any) -> datetime | None:
    try:
        return datetime.fromtimestamp(calendar.timegm(moment), UTC) if moment else None
    except (ValueError, OverflowError, OSError, TypeError):
        return None


def fingerprint(url: str, title: str, published: datetime | None) -> str:
    """What is the same for one article in every feed: its address without dressing, else its title and day."""
    address = _bare(url)
    if address:
        return _digest(f"url {address}")
    day = published.astimezone(VIETNAM).date().isoformat() if published else ""
    words = " ".join(re.findall(r"\w+", squeeze(title).casefold()))
    return _digest(f"title {words} {day}")


def _bare(url: str) -> str:
    """Host and path without scheme, www, port, fragment, tracking parameters and closing slash; empty for a mere host."""
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").removeprefix("www.").removeprefix("m.")
    except ValueError:
        return ""
    path = re.sub(r"/{2,}", "/", quote(squeeze(unquote(parts.path)), safe="/")).rstrip("/")
    query = urlencode(sorted(pair for pair in parse_qsl(parts.query) if not _TRACKING.fullmatch(pair[0].lower())))
    return f"{host}{path}?{query}" if host and (path or query) else ""


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
