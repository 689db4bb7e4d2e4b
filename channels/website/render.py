"""A document as an article of the site: HTML body, readable address, and what an editor should know of it."""

import hashlib
import html as escaping
from datetime import datetime
from zoneinfo import ZoneInfo

from channels import clips
from channels.contract import Clip, ClipLimits, Limits, Message, Part, Picture, PictureSpec, Problem
from channels.lengths import too_little, too_much
from content.document import Document, html
from content.events import Event
from content.text import cut, length, slug, squeeze

KIND = "website"
SUMMARY_SHOWN = 160
NAMES = {"title": "Tiêu đề", "summary": "Tóm tắt", "body": "Nội dung bài"}
LIMITS = Limits(
    title=200,
    summary=500,
    text=100_000,
    picture=PictureSpec(format="jpeg", shape="wide", max_side=1600, max_bytes=1_500_000),
    pictures=10,
    video=ClipLimits(max_bytes=50_000_000),
    audio=ClipLimits(max_bytes=50_000_000),
    source="docs/channels/website.md",
)

# Every ward is in Việt Nam, which has one time zone and no summer time.
_ZONE = ZoneInfo("Asia/Ho_Chi_Minh")


def render(document: Document, key: str, pictures: tuple[Picture, ...], clip: Clip | None = None) -> Message:
    """The article: one part, its body in HTML with the call to action and the signature at the end.

    A video's frame stands for the article in lists and share cards where there is no picture of its own.
    """
    if clip and clip.poster and not pictures:
        pictures = (clip.poster,)
    own = document.for_channel(KIND)
    part = Part(
        title=squeeze(own.title),
        summary=cut(squeeze(own.lead()), 500),
        body="\n".join(piece for piece in (html(own.blocks), _action(own), _signature(own)) if piece),
        format="html",
        pictures=pictures,
        clip=clip,
        link=own.link,
    )
    source = {"name": own.source.name, "url": own.source.url} if own.source else None
    told = {"topics": list(own.topics), "source": source} | ({"event": _event(own.event)} if own.event else {})
    return Message(kind=KIND, key=key, parts=(part,), extra=told)


def _event(event: Event) -> dict[str, str | None]:
    ends = event.ends.replace(tzinfo=_ZONE).isoformat() if event.ends else None
    starts = event.starts.replace(tzinfo=_ZONE).isoformat()
    return {"name": event.name, "starts_at": starts, "ends_at": ends, "place": event.place}


def _action(document: Document) -> str:
    if not document.link or not document.link.startswith(("https://", "http://")):
        return ""
    return (
        f'<p class="action"><a href="{escaping.escape(document.link)}">{escaping.escape(document.link_label)}</a></p>'
    )


def _signature(document: Document) -> str:
    return f'<p class="signature">{escaping.escape(squeeze(document.signature))}</p>' if document.signature else ""


def path(title: str, key: str, due_at: datetime) -> str:
    """The article's place on the site, ``2026/ten-bai-1a2b3c4d``: known before it is out, unique per key."""
    mark = hashlib.sha256(key.encode()).hexdigest()[:8]
    return f"{due_at.astimezone(_ZONE).year}/{slug(title) or 'bai'}-{mark}"


def validate(message: Message) -> list[Problem]:
    """Problems of an article: missing words are errors; what only reads or shows badly is a warning."""
    part = message.parts[0]
    too_large = clips.problems(part.clip, LIMITS, "trang của phường")
    return [*too_little(part, "Bài"), *too_much(part, LIMITS, NAMES), *too_large, *_hard_to_use(part)]


def _hard_to_use(part: Part) -> list[Problem]:
    problems = []
    if length(part.summary) > SUMMARY_SHOWN:
        text = f"Tóm tắt dài {length(part.summary)} ký tự; máy tìm kiếm và thẻ chia sẻ thường chỉ hiện {SUMMARY_SHOWN} ký tự đầu."
        problems.append(Problem(level="warning", field="summary", text=text))
    if any(not picture.alt.strip() for picture in part.pictures):
        text = "Ảnh chưa có lời mô tả cho người khiếm thị (Thông tư 26/2020/TT-BTTTT); hãy nhập mô tả ảnh."
        problems.append(Problem(level="warning", field="picture", text=text))
    if part.clip and not part.clip.about.strip():
        what = "Video" if part.clip.kind == "video" else "Tệp tiếng"
        text = (
            f"{what} chưa có lời mô tả cho người không xem, nghe được (Thông tư 26/2020/TT-BTTTT); hãy nhập lời mô tả."
        )
        problems.append(Problem(level="warning", field="clip_about", text=text))
    return problems
