"""A document as a status of Mastodon, in Mastodon's own units, and what is wrong with it. Pure.

A status has 500 characters unless its server says otherwise; every link counts as 23, of ``@name@server`` only ``@name``
counts (https://docs.joinmastodon.org/user/posting/, read 2026-11-22). Mastodon counts graphemes
(app/validators/status_length_validator.rb); we count characters of the NFC text, which are never fewer.
"""

import re

from channels.contract import Limits, Message, Part, Picture, PictureSpec, Problem
from content.document import Document, plain
from content.text import cut, nfc, squeeze

KIND = "mastodon"
CHARACTERS = 500
PICTURES = 4
ALT = 1_500
LIMITS = Limits(
    text=CHARACTERS,
    picture=PictureSpec(format="jpeg", shape="wide", max_side=3840, max_bytes=10_000_000),
    pictures=PICTURES,
    source="https://docs.joinmastodon.org/entities/Instance/",
)

_LINK = re.compile(r"https?://[^\s<>()]+[^\s<>().,;:!?'\"]")
_MENTION = re.compile(r"(@\w+)@[\w.-]+\w")


def weight(text: str) -> int:
    """How many characters a text costs at Mastodon."""
    return len(_MENTION.sub(r"\1", _LINK.sub("x" * 23, nfc(text))))


def rendered(document: Document, key: str, pictures: tuple[Picture, ...], most: int) -> Message:
    """One status of at most ``most`` characters: what is too long ends at a whole word, the link and the rest stay whole."""
    said = document.for_channel(KIND)
    tail = "\n\n".join(piece for piece in _tail(said) if piece)
    words = "\n\n".join(piece for piece in (squeeze(said.title), plain(said.blocks) or squeeze(said.summary)) if piece)
    room = most - (weight(tail) + 2 if tail else 0)
    body = nfc("\n\n".join(piece for piece in (_fitted(words, room), tail) if piece))
    part = Part(
        body=body,
        title=squeeze(said.title),
        pictures=pictures[:PICTURES],
        link=said.link,
        marker=said.link or "",
    )
    return Message(kind=KIND, key=key, parts=(part,))


def _tail(said: Document) -> list[str]:
    return [
        f"{said.link_label}: {said.link}" if said.link else "",
        f"Nguồn: {said.source.name}" if said.source else "",
        said.signature,
        " ".join(said.hashtags),
    ]


def _fitted(words: str, room: int) -> str:
    """The words within so many of Mastodon's characters, ended at a whole word."""
    shown = nfc(words)
    limit = len(shown)
    while weight(shown) > room:
        limit -= max(1, weight(shown) - room)
        if limit < 2:
            return ""
        shown = cut(words, limit)
    return shown


def problems(message: Message, most: int) -> list[Problem]:
    """What this server would refuse, said before anything is sent."""
    part = message.parts[0]
    found = []
    if not part.body.strip():
        found.append(Problem(level="error", text="Bài chưa có nội dung; hãy viết ít nhất một đoạn."))
    if weight(part.body) > most:
        text = f"Bài dài {weight(part.body)} ký tự; máy chủ Mastodon này cho tối đa {most} ký tự, hãy rút gọn."
        found.append(Problem(level="error", text=text))
    for picture in part.pictures:
        if len(picture.alt) > ALT:
            text = f"Lời mô tả ảnh dài {len(picture.alt)} ký tự, Mastodon cho tối đa {ALT}; hãy rút gọn."
            found.append(Problem(level="error", field="picture", text=text))
        elif not picture.alt.strip():
            text = "Có ảnh chưa có lời mô tả cho người khiếm thị; hãy nhập mô tả ảnh."
            found.append(Problem(level="warning", field="picture", text=text))
    return found
