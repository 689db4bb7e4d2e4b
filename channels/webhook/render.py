"""A document as the words of a webhook, and what is wrong with them by our own limits. Pure."""

import html as escaping

from channels import clips
from channels.contract import Clip, ClipLimits, Limits, Message, Part, Picture, PictureSpec, Problem
from channels.lengths import too_much
from content.document import Document, html, plain
from content.text import cut, nfc, squeeze

KIND = "webhook"
SUMMARY_LIMIT = 1_000
LIMITS = Limits(
    title=300,
    summary=SUMMARY_LIMIT,
    text=20_000,
    picture=PictureSpec(format="jpeg", shape="wide", max_side=2048, max_bytes=4_000_000),
    pictures=10,
    video=ClipLimits(max_bytes=50_000_000),
    audio=ClipLimits(max_bytes=50_000_000),
    source="docs/channels/webhook.md",
)


def rendered(document: Document, key: str, pictures: tuple[Picture, ...], clip: Clip | None = None) -> Message:
    """One part: the body as plain text, the same body as HTML beside it."""
    said = document.for_channel(KIND)
    part = Part(
        title=squeeze(said.title),
        summary=cut(squeeze(said.lead()), SUMMARY_LIMIT),
        body=_text(said),
        pictures=pictures[: LIMITS.pictures],
        clip=clip,
        link=said.link,
        marker=said.link or "",
    )
    source = {"name": squeeze(said.source.name), "url": said.source.url} if said.source else None
    extra = {"html": _html(said), "source": source, "topics": [squeeze(topic) for topic in said.topics]}
    return Message(kind=KIND, key=key, parts=(part,), extra=extra)


def _text(said: Document) -> str:
    pieces = [
        plain(said.blocks) or squeeze(said.summary),
        f"{said.link_label}: {said.link}" if said.link else "",
        f"Nguồn: {said.source.name}" if said.source else "",
        said.signature,
        " ".join(said.hashtags),
    ]
    return nfc("\n\n".join(piece for piece in pieces if piece))


def _html(said: Document) -> str:
    pieces = [html(said.blocks) or _paragraph(said.summary), _action(said), _paragraph(said.signature)]
    return nfc("\n".join(piece for piece in pieces if piece))


def _paragraph(words: str) -> str:
    return f"<p>{escaping.escape(squeeze(words))}</p>" if words.strip() else ""


def _action(said: Document) -> str:
    if not said.link or not said.link.startswith(("https://", "http://")):
        return ""
    return f'<p><a href="{escaping.escape(said.link)}">{escaping.escape(said.link_label)}</a></p>'


def problems(message: Message) -> list[Problem]:
    """What is missing or too long; every limit is ours, because a receiver says its own only by refusing."""
    part = message.parts[0]
    found = too_much(part, LIMITS, {"title": "Tiêu đề", "summary": "Tóm tắt", "body": "Nội dung"})
    if not part.body.strip():
        found.append(Problem(level="error", text="Bài chưa có nội dung; hãy viết ít nhất một đoạn."))
    found += clips.problems(part.clip, LIMITS, "kênh Webhook")
    if any(not picture.alt.strip() for picture in part.pictures):
        text = "Có ảnh chưa có lời mô tả cho người khiếm thị; hãy nhập mô tả ảnh."
        found.append(Problem(level="warning", field="picture", text=text))
    return found
