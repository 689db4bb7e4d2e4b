"""A document as a Zalo article, and what is wrong with it by Zalo's own rules. Pure."""

import html as escaping
from typing import Any

from channels.contract import Limits, Message, Part, Picture, PictureSpec, Problem
from content.document import Document, html
from content.text import cut, length, nfc, squeeze

LIMITS = Limits(
    title=150,
    summary=300,
    parts=2,
    audience_hours=(6, 22),
    picture=PictureSpec(format="jpeg", shape="wide", max_side=1280, max_bytes=990_000),
    pictures=10,
    source="https://developers.zalo.me/docs/official-account/bai-viet/tao-bai-viet",
)
AUTHOR_LIMIT = 50


def article(document: Document, key: str, pictures: tuple[Picture, ...], author: str) -> Message:
    """One article: title, description, body as HTML with the delivery's short link in its text, cover."""
    said = document.for_channel("zalo")
    part = Part(
        body=nfc("\n".join(_body(said))),
        format="html",
        title=squeeze(said.title),
        summary=squeeze(said.summary) or cut(squeeze(said.lead() or said.title), LIMITS.summary or 0),
        pictures=pictures,
        link=said.link,
        marker=said.link or "",
    )
    return Message(kind="zalo", key=key, parts=(part,), extra={"author": squeeze(author)})


def _body(document: Document) -> list[str]:
    blocks = html(document.blocks)
    return [blocks] * bool(blocks) + [f"<p>{line}</p>" for line in _tail(document)]


def _tail(document: Document) -> list[str]:
    lines = []
    if document.link:
        link = escaping.escape(document.link)
        lines.append(f'{escaping.escape(document.link_label)}: <a href="{link}">{link}</a>')
    if document.source:
        lines.append(f"<em>Nguồn: {escaping.escape(document.source.name)}</em>")
    if document.signature:
        lines.append(f"<strong>{escaping.escape(document.signature)}</strong>".replace("\n", "<br>"))
    if document.hashtags:
        lines.append(escaping.escape(" ".join(document.hashtags)))
    return lines


def problems(message: Message) -> list[Problem]:
    """Everything that Zalo would refuse (codes -201 and -210), said before anything is sent."""
    part = message.parts[0]
    found = [*_lengths(part, str(message.extra.get("author", ""))), *_cover(part.picture), *_others(part.pictures[1:])]
    if not part.body.strip():
        found.append(_error("body", "Bài chưa có nội dung; hãy viết ít nhất một đoạn."))
    return found


def _lengths(part: Part, author: str) -> list[Problem]:
    found = []
    if not part.title:
        found.append(_error("title", "Bài Zalo phải có tiêu đề."))
    for field, name, text, limit in (
        ("title", "Tiêu đề", part.title, LIMITS.title or 0),
        ("summary", "Mô tả ngắn", part.summary, LIMITS.summary or 0),
        ("author", "Tên tác giả", author, AUTHOR_LIMIT),
    ):
        if length(text) > limit:
            found.append(_error(field, f"{name} dài {length(text)} ký tự; Zalo cho tối đa {limit} ký tự, hãy rút gọn."))
    return found


def _cover(picture: Picture | None) -> list[Problem]:
    if picture is None:
        return [_error("picture", "Bài Zalo phải có ảnh bìa; hãy chọn ảnh hoặc mẫu thẻ.")]
    if picture.mime != "image/jpeg" or max(picture.width, picture.height) > 1280:
        return [_error("picture", "Ảnh bìa Zalo phải là JPEG, mỗi cạnh không quá 1.280 điểm ảnh.")]
    return []


def _others(pictures: tuple[Picture, ...]) -> list[Problem]:
    if all(picture.mime == "image/jpeg" and max(picture.width, picture.height) <= 1280 for picture in pictures):
        return []
    return [_error("picture", "Ảnh trong bài Zalo phải là JPEG, mỗi cạnh không quá 1.280 điểm ảnh.")]


def _error(field: str, text: str) -> Problem:
    return Problem(level="error", text=text, field=field)


def payload(message: Message, part: int, urls: list[str], status: str, comment: str) -> dict[str, Any]:
    """The body of ``article/create`` (and, with an id, of ``article/update``).

    ``urls`` are where Zalo fetches the pictures: the first is the cover, the others stand below the text with their words.
    """
    said = message.parts[part]
    below = zip(urls[1:], said.pictures[1:], strict=True)
    return {
        "type": "normal",
        "title": said.title,
        "author": message.extra.get("author", ""),
        "description": said.summary,
        "cover": {"cover_type": "photo", "photo_url": urls[0] if urls else "", "status": "show"},
        "body": [
            {"type": "text", "content": said.body},
            *({"type": "image", "url": url, "caption": picture.alt} for url, picture in below),
        ],
        "status": status,
        "comment": comment,
    }
