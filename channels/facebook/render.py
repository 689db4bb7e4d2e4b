"""A document as a post of a Facebook Page, and what is wrong with it by Facebook's rules. Pure."""

from channels import clips
from channels.contract import Clip, Limits, Message, Part, Picture, PictureSpec, Problem
from channels.facebook.videos import VIDEO
from content.document import Document, plain
from content.text import length, nfc, squeeze

TEXT_LIMIT = 63_206
PHOTOS_LIMIT = 10
LIMITS = Limits(
    text=TEXT_LIMIT,
    picture=PictureSpec(format="jpeg", shape="wide", max_side=2048, max_bytes=3_900_000),
    pictures=PHOTOS_LIMIT,
    video=VIDEO,
    source="https://developers.facebook.com/docs/graph-api/reference/page/feed",
)


def post(document: Document, key: str, pictures: tuple[Picture, ...], clip: Clip | None = None) -> Message:
    """One post: title, body, link, source, signature and hashtags as plain text, blank lines between them."""
    said = document.for_channel("facebook")
    pieces = [squeeze(said.title), plain(said.blocks) or squeeze(said.summary), *_tail(said)]
    body = nfc("\n\n".join(piece for piece in pieces if piece))
    part = Part(
        body=body,
        format="plain",
        title=squeeze(said.title),
        pictures=pictures,
        clip=clip,
        link=said.link,
        marker=said.link or "",
    )
    return Message(kind="facebook", key=key, parts=(part,))


def _tail(document: Document) -> list[str]:
    return [
        f"{document.link_label}: {document.link}" if document.link else "",
        f"Nguồn: {document.source.name}" if document.source else "",
        document.signature,
        " ".join(document.hashtags),
    ]


def problems(message: Message) -> list[Problem]:
    """What Facebook would refuse, said before anything is sent."""
    part = message.parts[0]
    found = []
    if not part.body.strip():
        found.append(Problem(level="error", text="Bài chưa có nội dung; hãy viết ít nhất một đoạn."))
    if length(part.body) > TEXT_LIMIT:
        found.append(
            Problem(
                level="error",
                text=f"Bài dài {_number(length(part.body))} ký tự; Facebook cho tối đa {_number(TEXT_LIMIT)} ký tự, hãy rút gọn.",
            )
        )
    if len(part.pictures) > PHOTOS_LIMIT:
        text = (
            f"Bài có {len(part.pictures)} ảnh; kênh Facebook nhận tối đa {PHOTOS_LIMIT} ảnh trong một bài, hãy bỏ bớt."
        )
        found.append(Problem(level="error", text=text, field="picture"))
    if any(picture.mime not in ("image/jpeg", "image/png") for picture in part.pictures):
        found.append(Problem(level="error", text="Ảnh đăng Facebook phải là JPEG hoặc PNG.", field="picture"))
    found += clips.problems(part.clip, LIMITS, "Facebook")
    if not part.marker:
        found.append(
            Problem(
                level="warning",
                text="Bài không có liên kết rút gọn, nên khi mất trả lời của Facebook sẽ cần người xem lại.",
                field="link",
            )
        )
    return found


def _number(value: int) -> str:
    return f"{value:,}".replace(",", ".")
