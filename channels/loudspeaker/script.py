"""From a document to the announcer's script: opening, title, body, source, closing, all as read aloud.

The reading of title and body can be the editor's own, as long as it was made from the reading that the text has now.
"""

import re
from dataclasses import dataclass

from content.document import Block, Document
from content.speech import Doubt, Reading, lexicon_of, mark, say
from content.speech_facts import missing
from content.text import squeeze

_HASHTAG = re.compile(r"(?<!\w)#\w+")
_LONG_ADDRESS = re.compile(r"https?://(?:www\.)?([^/\s]+)/\S*")
_ENDED = (".", "!", "?", "…", ":", ";", ".”", "!”")
_THANKS = "cảm ơn"


@dataclass(frozen=True)
class Script:
    """What is said: the whole, and of the document itself (title and body) what is written and how it is read.

    ``plain`` is the reading by the rules, ``own`` the editor's that stands in for it; ``stale`` tells that an editor's
    reading was made from another text, ``lost`` which facts of the text it does not say.
    """

    text: str
    written: str
    plain: str
    own: str = ""
    doubts: tuple[Doubt, ...] = ()
    stale: bool = False
    lost: tuple[str, ...] = ()

    @property
    def body(self) -> str:
        """The reading of title and body that is said."""
        return self.own or self.plain


def script(document: Document, opening: str, closing: str) -> Script:
    """The announcer's script in the manner of the ward; pure."""
    lines = [text for text in map(_sentence, _paragraphs(document)) if text]
    written = "\n".join(lines)
    body = _said(document, written)
    plain, own = body.text, _own(document)
    stale = bool(own) and document.spoken_of != mark(plain)
    own = "" if stale else own
    before = _said(document, "\n".join(_opening(opening)))
    after = _said(document, "\n".join([*_source(document), *_closing(closing, lines)]))
    text = "\n".join(filter(None, (before.text, own or plain, after.text)))
    doubts: dict[str, Doubt] = {}
    for one in (*(() if own else body.doubts), *before.doubts, *after.doubts):
        doubts.setdefault(one.written, one)
    return Script(
        text,
        written,
        plain,
        own,
        tuple(doubts.values()),
        stale,
        missing(written, own, in_order=False) if own else (),
    )


def _said(document: Document, text: str) -> Reading:
    return say(text, lexicon_of(document.manner), document.manner.region)


def _own(document: Document) -> str:
    return _said(document, document.spoken).text if document.spoken.strip() else ""


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
