"""Telegram's reading of HTML text: words, entities in UTF-16 units, and the very errors that the server gives.

Behaviour after https://core.telegram.org/bots/api#html-style; wordings and byte offsets as TDLib's own tests state
them (https://github.com/tdlib/td test/message_entities.cpp).
"""

import re
from dataclasses import dataclass
from html import unescape
from typing import Any

_TYPES = {
    "b": "bold", "strong": "bold", "i": "italic", "em": "italic", "u": "underline", "ins": "underline",
    "s": "strikethrough", "strike": "strikethrough", "del": "strikethrough", "tg-spoiler": "spoiler", "span": "spoiler",
    "a": "text_link", "code": "code", "pre": "pre", "blockquote": "blockquote", "tg-emoji": "custom_emoji",
}  # fmt: skip
_TOKEN = re.compile(
    r"(?P<reference>&(?:#x[0-9a-fA-F]{1,6}|#\d{1,7}|lt|gt|amp|quot)(?![0-9A-Za-z]);?)|(?P<mark><)|(?P<words>[^<&]+|&)"
)
_OPEN = re.compile(r"<(?P<name>[^\s>]*)(?P<rest>(?:[^>\"']|\"[^\"]*\"|'[^']*')*)>")
_CLOSE = re.compile(r"</(?P<name>[^\s>]*)\s*(?P<end>>?)")
_ATTRIBUTE = re.compile(r"\s*(?P<name>[^\s=]*)\s*(?P<sign>=?)\s*(?P<value>\"[^\"]*\"|'[^']*'|[A-Za-z0-9.-]*)")
_LINK = re.compile(r"https?://[^\s<>«»]+[^\s<>«».,;:!?)]")
_HASHTAG = re.compile(r"(?<!\w)#\w*[^\W\d]\w*")


class ParseError(ValueError):
    """What the server says after «can't parse entities: »."""


@dataclass
class _Open:
    name: str
    href: str
    at: int


def units(text: str) -> int:
    """Length in UTF-16 code units, in which entity offsets are given."""
    return len(text.encode("utf-16-le")) // 2


def plain(text: str) -> tuple[str, list[dict[str, Any]]]:
    """Text without formatting: trimmed, with the links and hashtags that Telegram sees by itself."""
    text = text.strip()
    return text, _found(text)


def html(source: str) -> tuple[str, list[dict[str, Any]]]:
    """The words and entities of Telegram HTML; raises ParseError in the server's words."""
    text, at = "", 0
    entities: list[dict[str, Any]] = []
    stack: list[_Open] = []
    while at < len(source):
        match = _TOKEN.match(source, at)
        assert match is not None  # noqa: S101 - one of the three always matches
        if match["mark"] is None:
            text += unescape(match[0].rstrip(";") + ";") if match["reference"] else match[0]
            at = match.end()
        elif source.startswith("</", at):
            at = _end(source, at, text, stack, entities)
        else:
            at = _start(source, at, text, stack)
    if stack:
        raise ParseError(f'Can\'t find end tag corresponding to start tag "{stack[-1].name}"')
    return _trimmed(text, entities)


def _start(source: str, at: int, text: str, stack: list[_Open]) -> int:
    offset = len(source[:at].encode())
    name = re.split(r"[\s>]", source[at + 1 :], maxsplit=1)[0].lower()
    match = _OPEN.match(source, at)
    if match is None and not re.search(r"[\s>]", source[at:]):
        raise ParseError(f"Unclosed start tag at byte offset {offset}")
    if name not in _TYPES:
        raise ParseError(f'Unsupported start tag "{name}" at byte offset {offset}')
    if match is None:
        raise ParseError(f'Unclosed start tag "{name}" at byte offset {offset}')
    given = _attributes(match["rest"], name, offset)
    if name == "span" and given.get("class") != "tg-spoiler":
        raise ParseError(f'Tag "span" must have class "tg-spoiler" at byte offset {offset}')
    stack.append(_Open(name, given.get("href", ""), len(text)))
    return match.end()


def _attributes(rest: str, tag: str, offset: int) -> dict[str, str]:
    given: dict[str, str] = {}
    rest = rest.strip()
    while rest:
        match = _ATTRIBUTE.match(rest)
        if match is None or not match["name"]:
            raise ParseError(f'Empty attribute name in the tag "{tag}" at byte offset {offset}')
        if not match["sign"] and match["name"] != "expandable":
            raise ParseError(
                f'Expected equal sign in declaration of an attribute of the tag "{tag}" at byte offset {offset}'
            )
        given[match["name"]] = unescape(match["value"].strip("\"'"))
        rest = rest[match.end() :].strip()
    return given


def _end(source: str, at: int, text: str, stack: list[_Open], entities: list[dict[str, Any]]) -> int:
    offset = len(source[:at].encode())
    if not stack:
        raise ParseError(f"Unexpected end tag at byte offset {offset}")
    match = _CLOSE.match(source, at)
    if match is None or not match["end"]:
        raise ParseError(f"Unclosed end tag at byte offset {offset}")
    opened = stack.pop()
    name = match["name"].lower()
    if name and name != opened.name:
        raise ParseError(f'Unmatched end tag at byte offset {offset}, expected "</{opened.name}>", found "</{name}>"')
    words = text[opened.at :]
    if words and (opened.name != "a" or _is_link(opened.href or words)):
        entity = {"type": _TYPES[opened.name], "offset": units(text[: opened.at]), "length": units(words)}
        entities.append({**entity, "url": opened.href or words} if opened.name == "a" else entity)
    return match.end()


def _is_link(address: str) -> bool:
    return re.match(r"(?:https?|tg|tel|mailto):\S+|[\w-]+(?:\.[\w-]+)+(?:/\S*)?$", address) is not None


def _trimmed(text: str, entities: list[dict[str, Any]]) -> tuple[str, list[dict[str, Any]]]:
    lead = units(text) - units(text.lstrip())
    words = text.strip()
    kept = []
    for entity in entities:
        start = max(0, entity["offset"] - lead)
        end = min(units(words), entity["offset"] + entity["length"] - lead)
        kept += [{**entity, "offset": start, "length": end - start}] if end > start else []
    found = [entity for entity in _found(words) if not any(_overlap(entity, other) for other in kept if "url" in other)]
    return words, sorted([*kept, *found], key=lambda entity: (entity["offset"], -entity["length"]))[:100]


def _overlap(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return bool(one["offset"] < other["offset"] + other["length"] and other["offset"] < one["offset"] + one["length"])


def _found(text: str) -> list[dict[str, Any]]:
    links = [("url", match) for match in _LINK.finditer(text)]
    tags = [
        ("hashtag", match)
        for match in _HASHTAG.finditer(text)
        if not any(m.start() <= match.start() < m.end() for _, m in links)
    ]
    return [
        {"type": kind, "offset": units(text[: match.start()]), "length": units(match[0])}
        for kind, match in [*links, *tags]
    ]
