"""From a document to the announcer's script: opening, title, body, source, closing, all as read aloud."""

import re

from content.document import Block, Document
from content.speech import Lexicon, Reading, Region, say
from content.text import squeeze

_HASHTAG = re.compile(r"(?<!\w)#\w+")
_LONG_ADDRESS = re.compile(r"https?://(?:www\.)?([^/\s]+)/\S*")
_ENDED = (".", "!", "?", "…", ":", ";", ".”", "!”")
_THANKS = "cảm ơn"


def script(document: Document, opening: str, closing: str, lexicon: Lexicon, region: Region) -> tuple[Reading, Reading]:
    """The whole script and, apart, what the document itself says in it (title and body)."""
    body = [text for text in map(_sentence, _paragraphs(document)) if text]
    frame = [*_opening(opening), *body, *_source(document), *_closing(closing, body)]
    whole = say("\n".join(frame), lexicon, region)
    return whole, say("\n".join(body), lexicon, region)


def _paragraphs(document: Document) -> list[str]:
    blocks = [_words(block) for block in document.blocks]
    title = squeeze(document.title)
    return blocks if blocks and blocks[0].rstrip(".!") == title.rstrip(".!") else [title, *blocks]


def _words(block: Block) -> str:
    text = squeeze(_LONG_ADDRESS.sub(r"\1", _HASHTAG.sub("", block.text)))
    return f"{block.number}. {text}" if block.kind == "item" and block.number is not None else text


def _sentence(text: str) -> str:
    text = text.rstrip(" ,;") if text.endswith((";", ",")) else text
    return text if not text or text.endswith(_ENDED) else f"{text}."


def _opening(words: str) -> list[str]:
    return [_sentence(squeeze(words))] if words.strip() else []


def _source(document: Document) -> list[str]:
    return [_sentence(f"Nguồn tin: {squeeze(document.source.name)}")] if document.source else []


def _closing(words: str, body: list[str]) -> list[str]:
    thanked = bool(body) and _THANKS in body[-1].lower()
    return [_sentence(squeeze(words))] if words.strip() and not thanked else []
