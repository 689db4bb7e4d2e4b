"""A document as a letter: its subject, its words as HTML and as plain text, and what an editor should know of it.

The frame around the words (greeting picture, why it came, how to leave) is put on for each reader by ``letter``.
"""

import html as escaping
import re

from channels.contract import Limits, Message, Part, Picture, PictureSpec, Problem
from channels.lengths import too_little, too_much
from content.document import Block, Document, html, plain
from content.text import cut, length, squeeze

KIND = "email"
SUBJECT_SHOWN = 70
CLIPPED_BYTES = 90_000
NAMES = {"title": "Tiêu đề thư", "body": "Nội dung thư"}
LIMITS = Limits(
    title=200,
    text=100_000,
    picture=PictureSpec(format="jpeg", shape="wide", max_side=1200, max_bytes=400_000),
    pictures=4,
    source="docs/channels/email.md",
)
SAFE = ("https://", "http://", "mailto:", "tel:")
_HREF = re.compile(r'<a href="([^"]*)">')


def rendered(document: Document, key: str, pictures: tuple[Picture, ...]) -> Message:
    """The letter of this document without its frame; pure. ``extra`` holds the plain words and who signs."""
    own = document.for_channel(KIND)
    link = own.link if own.link and own.link.startswith(("https://", "http://")) else None
    part = Part(
        title=squeeze(own.title),
        summary=cut(squeeze(own.lead()), 140),
        body="\n".join(filter(None, (_html(own.blocks, own), _action(own, link), _source(own)))),
        format="html",
        pictures=pictures[: LIMITS.pictures],
        link=link,
        marker=link or "",
    )
    extra = {"plain": _plain(own, link), "signature": squeeze(own.signature)}
    return Message(kind=KIND, key=key, parts=(part,), extra=extra)


def _html(blocks: tuple[Block, ...], own: Document) -> str:
    """The words; a link that is none (no web, mail or telephone address) stays as words."""
    text = html(blocks) if blocks else f"<p>{escaping.escape(squeeze(own.summary))}</p>" if own.summary else ""
    return _HREF.sub(lambda found: found.group() if found.group(1).startswith(SAFE) else "<a>", text)


def _action(own: Document, link: str | None) -> str:
    """The call to action; its address is written out too, so that it can be read, copied and found again."""
    if not link:
        return ""
    address, label = escaping.escape(link), escaping.escape(squeeze(own.link_label))
    return f'<p class="action"><a href="{address}">{label}</a><br><small>{address}</small></p>'


def _source(own: Document) -> str:
    if not own.source:
        return ""
    name = escaping.escape(squeeze(own.source.name))
    url = own.source.url or ""
    said = f'<a href="{escaping.escape(url)}">{name}</a>' if url.startswith(("https://", "http://")) else name
    return f'<p class="source">Nguồn: {said}</p>'


def _plain(own: Document, link: str | None) -> str:
    source = (
        f"Nguồn: {squeeze(own.source.name)}" + (f" ({own.source.url})" if own.source.url else "") if own.source else ""
    )
    action = f"{squeeze(own.link_label)}: {link}" if link else ""
    body = plain(own.blocks) or squeeze(own.summary)
    return "\n\n".join(filter(None, (squeeze(own.title), body, action, source)))


def problems(message: Message) -> list[Problem]:
    """What would keep a letter from being read, in Vietnamese."""
    part = message.parts[0]
    return [*too_little(part, "Thư"), *too_much(part, LIMITS, NAMES), *_hard_to_read(part)]


def _hard_to_read(part: Part) -> list[Problem]:
    found = []
    if SUBJECT_SHOWN < length(part.title) <= (LIMITS.title or 0):
        text = (
            f"Tiêu đề thư dài {length(part.title)} ký tự; điện thoại thường chỉ hiện khoảng {SUBJECT_SHOWN} ký tự đầu."
        )
        found.append(Problem(level="warning", field="title", text=text))
    if len(part.body.encode()) > CLIPPED_BYTES:
        text = "Thư rất dài; Gmail có thể chỉ hiện phần đầu. Hãy rút gọn và dẫn liên kết tới toàn văn."
        found.append(Problem(level="warning", text=text))
    if any(not picture.alt.strip() for picture in part.pictures):
        text = "Ảnh chưa có lời mô tả cho người khiếm thị; hãy nhập mô tả ảnh."
        found.append(Problem(level="warning", field="picture", text=text))
    return found
