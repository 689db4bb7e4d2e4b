"""The building stones of a Telegram post: styled text whose length is known, divided and packed into messages."""

import unicodedata
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property
from html import escape, unescape
from re import compile as regex

from content.document import Block, Span
from content.text import nfc, split

_TAG = regex(r"<[^>]*>")


@dataclass(frozen=True)
class Piece:
    """A paragraph, a heading or a list item; ``tight`` puts it on the line right after the piece before it."""

    spans: tuple[Span, ...]
    tight: bool = False
    heading: bool = False

    @cached_property
    def text(self) -> str:
        """The words as a reader sees them."""
        return "".join(span.text for span in self.spans)

    @property
    def html(self) -> str:
        """The piece in Telegram's HTML (https://core.telegram.org/bots/api#html-style)."""
        return "".join(_tagged(span) for span in self.spans)

    def cut(self, start: int, end: int) -> "Piece":
        """The characters from ``start`` to ``end``, each still in its own style."""
        kept, at = [], 0
        for span in self.spans:
            words = span.text[max(0, start - at) : max(0, end - at)]
            kept += [replace(span, text=words)] if words else []
            at += len(span.text)
        return Piece(tuple(kept), self.tight, self.heading)

    def divided(self, room: int) -> tuple["Piece", "Piece"]:
        """The piece in two at a sentence or a word, the first at most ``room`` characters long."""
        head = split(self.text, room)[0]
        start = self.text.index(head)
        end = start + len(head)
        rest = end + len(self.text[end:]) - len(self.text[end:].lstrip())
        return self.cut(start, end), replace(self.cut(rest, len(self.text)), tight=False)


def piece(*spans: Span, tight: bool = False, heading: bool = False) -> Piece:
    """A piece of these spans: NFC across their borders, without blanks at its ends."""
    whole = Piece(_composed(spans), tight, heading)
    words = whole.text
    start = len(words) - len(words.lstrip())
    return whole.cut(start, max(start, len(words.rstrip())))


def from_blocks(blocks: Iterable[Block]) -> list[Piece]:
    """A document's body: headings bold, items «• » or «1. », items of one list on lines next to each other."""
    pieces: list[Piece] = []
    previous: Block | None = None
    for block in blocks:
        pieces.append(_from_block(block, tight=previous is not None and _one_list(previous, block)))
        previous = block
    return pieces


def _one_list(before: Block, block: Block) -> bool:
    if not before.kind == block.kind == "item":
        return False
    return before.number is block.number is None or (before.number is not None and block.number == before.number + 1)


def _from_block(block: Block, tight: bool) -> Piece:
    if block.kind == "heading":
        return piece(*(replace(span, strong=True) for span in block.spans), heading=True)
    mark = f"{block.number}. " if block.number is not None else "• "
    return piece(*((Span(mark),) if block.kind == "item" else ()), *block.spans, tight=tight)


def _composed(spans: tuple[Span, ...]) -> tuple[Span, ...]:
    """Spans in NFC; an accent that was torn from its letter by a style goes back to the letter."""
    whole: list[Span] = []
    for span in spans:
        text = nfc(span.text)
        torn = next((at for at, letter in enumerate(text) if not unicodedata.combining(letter)), len(text))
        if whole and torn:
            whole[-1] = replace(whole[-1], text=nfc(whole[-1].text + text[:torn]))
            text = text[torn:]
        whole += [replace(span, text=text)] if text else []
    joined = "".join(span.text for span in whole)
    return tuple(whole) if nfc(joined) == joined else (Span(nfc(joined)),)


def _tagged(span: Span) -> str:
    text = escape(span.text, quote=False)
    text = f"<i>{text}</i>" if span.emphasis else text
    text = f"<b>{text}</b>" if span.strong else text
    return f'<a href="{escape(span.href)}">{text}</a>' if span.href else text


def visible(html: str) -> str:
    """The words of Telegram HTML as a reader sees them; its length is what Telegram counts."""
    return unescape(_TAG.sub("", html)).strip()


def joined(pieces: Iterable[Piece]) -> str:
    """One message's HTML: pieces apart by a blank line, tight ones by a line break."""
    out = ""
    for each in pieces:
        out += ("" if not out else "\n" if each.tight else "\n\n") + each.html
    return out


def size(pieces: Iterable[Piece]) -> int:
    """The visible length of the pieces as one message."""
    total = 0
    for each in pieces:
        total += len(each.text) + (0 if not total else 1 if each.tight else 2)
    return total


def packed(pieces: Iterable[Piece], room: int) -> list[list[Piece]]:
    """The pieces on pages of at most ``room`` characters: whole pieces where they fit, headings with what follows."""
    pages: list[list[Piece]] = [[]]
    queue = deque(pieces)
    used = 0
    while queue:
        following = queue.popleft()
        gap = 0 if not pages[-1] else 1 if following.tight else 2
        free = room - used - gap
        if len(following.text) <= free:
            pages[-1].append(following)
            used += gap + len(following.text)
        elif len(following.text) > room and free >= room // 3:
            queue.extendleft(reversed(following.divided(free)))
        else:
            pages.append(_lone_headings(pages[-1]))
            used = size(pages[-1])
            queue.appendleft(following)
    return [page for page in pages if page]


def _lone_headings(page: list[Piece]) -> list[Piece]:
    moved: list[Piece] = []
    while len(page) > 1 and page[-1].heading:
        moved.insert(0, page.pop())
    return moved
