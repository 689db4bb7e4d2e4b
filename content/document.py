"""A Document: what one post says, free of any channel, read from the editor's Markdown subset.

The subset: paragraphs, ``##`` headings, bulleted and numbered lists, ``**bold**``, ``*italic*``, links.
Everything else (HTML, images, code, tables) is read as plain text.
"""

import html as escaping
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Literal

from markdown_it import MarkdownIt
from markdown_it.token import Token

from content.events import Event
from content.speech_lexicon import Manner
from content.text import nfc, squeeze

_MARKDOWN = MarkdownIt("zero").enable(["heading", "list", "emphasis", "link", "newline", "escape", "entity"])


@dataclass(frozen=True)
class Span:
    """A run of text in one style; ``href`` makes it a link."""

    text: str
    strong: bool = False
    emphasis: bool = False
    href: str | None = None


@dataclass(frozen=True)
class Block:
    """A paragraph, a heading, or one item of a list (``number`` is its place in a numbered list)."""

    kind: Literal["paragraph", "heading", "item"]
    spans: tuple[Span, ...]
    number: int | None = None

    @property
    def text(self) -> str:
        """The words alone; a line break inside the block is ``\\n``."""
        return "".join(span.text for span in self.spans)


@dataclass(frozen=True)
class Source:
    """Where a fact comes from, printed as «Nguồn: …»."""

    name: str
    url: str | None = None


@dataclass(frozen=True)
class Document:
    """What is said: title, summary, body blocks, and what every channel may add to them.

    ``link`` is the address that the text leads to (the delivery's short link at sending time, ``None`` when
    there is none), ``own_words`` maps a channel kind to blocks that stand in for the body there, ``topics``
    are the names under which a site shelves the post, ``event`` what it invites to. ``manner`` is how the ward has its texts read aloud, ``spoken`` the
    reading that an editor wrote instead of the one known by the mark ``spoken_of`` (``content.speech.mark``).
    """

    title: str
    blocks: tuple[Block, ...]
    summary: str = ""
    link: str | None = None
    link_label: str = "Chi tiết"
    source: Source | None = None
    hashtags: tuple[str, ...] = ()
    signature: str = ""
    own_words: dict[str, "Document"] = field(default_factory=dict)
    topics: tuple[str, ...] = ()
    event: Event | None = None
    manner: Manner = Manner()
    spoken: str = ""
    spoken_of: str = ""

    def for_channel(self, kind: str) -> "Document":
        """The document as one channel should say it: its own words where the text has them."""
        own = self.own_words.get(kind)
        if own is None:
            return replace(self, own_words={})
        return replace(
            self, title=own.title or self.title, blocks=own.blocks, summary=own.summary or self.summary, own_words={}
        )

    def lead(self) -> str:
        """The summary, or the first paragraph where no summary was written."""
        if self.summary:
            return self.summary
        return next((squeeze(block.text) for block in self.blocks if block.kind == "paragraph"), "")


def read(markdown: str) -> tuple[str, tuple[Block, ...]]:
    """Title (of a leading ``# `` heading, else empty) and blocks of a Markdown text."""
    blocks = tuple(_blocks(_MARKDOWN.parse(nfc(markdown))))
    if blocks and blocks[0].kind == "heading" and blocks[0].number == 1:
        return squeeze(blocks[0].text), blocks[1:]
    return "", tuple(replace(block, number=None) if block.kind == "heading" else block for block in blocks)


def _blocks(tokens: list[Token]) -> Iterable[Block]:
    lists: list[int | None] = []
    kind: Literal["paragraph", "heading", "item"] = "paragraph"
    level: int | None = None
    for token in tokens:
        if token.type in ("bullet_list_open", "ordered_list_open"):
            lists.append(int(token.attrs.get("start", 1)) if token.type.startswith("ordered") else None)
        elif token.type in ("bullet_list_close", "ordered_list_close"):
            lists.pop()
        elif token.type == "heading_open":
            kind, level = "heading", int(token.tag[1])
        elif token.type == "paragraph_open":
            kind, level = ("item", lists[-1]) if lists else ("paragraph", None)
        elif token.type == "list_item_close" and lists and lists[-1] is not None:
            lists[-1] += 1
        elif token.type == "inline":
            spans = tuple(_spans(token.children or []))
            if any(span.text.strip() for span in spans):
                yield Block(kind, spans, level)


def _spans(tokens: list[Token]) -> Iterable[Span]:
    strong = emphasis = False
    href: str | None = None
    for token in tokens:
        if token.type == "strong_open":
            strong = True
        elif token.type == "strong_close":
            strong = False
        elif token.type == "em_open":
            emphasis = True
        elif token.type == "em_close":
            emphasis = False
        elif token.type == "link_open":
            href = str(token.attrs.get("href", ""))
        elif token.type == "link_close":
            href = None
        elif token.type in ("softbreak", "hardbreak"):
            yield Span(" " if token.type == "softbreak" else "\n", strong, emphasis, href)
        elif token.content:
            yield Span(token.content, strong, emphasis, href)


def plain(blocks: Iterable[Block], bullet: str = "• ") -> str:
    """The body as plain text: blocks apart by a blank line, list items on lines of their own."""
    text = ""
    previous = ""
    for block in blocks:
        mark = "" if block.kind != "item" else f"{block.number}. " if block.number is not None else bullet
        gap = "" if not text else "\n" if block.kind == previous == "item" else "\n\n"
        words = "".join(_plain_span(span) for span in block.spans).strip()
        text += f"{gap}{mark}{words}"
        previous = block.kind
    return text


def _plain_span(span: Span) -> str:
    return f"{span.text} ({span.href})" if span.href and span.href != span.text else span.text


def html(blocks: Iterable[Block], heading: str = "h2") -> str:
    """The body as HTML of a small fixed set of tags (p, h2, ul, ol, li, strong, em, a, br), all text escaped."""
    out: list[str] = []
    open_list = ""
    for block in blocks:
        wanted = "" if block.kind != "item" else "ol" if block.number is not None else "ul"
        if wanted != open_list:
            out += [f"</{open_list}>"] if open_list else []
            start = f' start="{block.number}"' if wanted == "ol" and block.number != 1 else ""
            out += [f"<{wanted}{start}>"] if wanted else []
            open_list = wanted
        tag = {"paragraph": "p", "heading": heading, "item": "li"}[block.kind]
        out.append(f"<{tag}>{''.join(_html_span(span) for span in block.spans)}</{tag}>")
    out += [f"</{open_list}>"] if open_list else []
    return "\n".join(out)


def _html_span(span: Span) -> str:
    text = escaping.escape(span.text).replace("\n", "<br>")
    if span.strong:
        text = f"<strong>{text}</strong>"
    if span.emphasis:
        text = f"<em>{text}</em>"
    return f'<a href="{escaping.escape(span.href)}">{text}</a>' if span.href else text
