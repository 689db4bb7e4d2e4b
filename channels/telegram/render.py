"""A Document as a Telegram channel says it: photos with one caption, or a first message and its replies.

Limits (counted in characters after entity parsing): text 4,096, caption 1,024
(https://core.telegram.org/bots/api#sendmessage, https://core.telegram.org/bots/api#sendphoto), an album 2 to 10 photos
(https://core.telegram.org/bots/api#sendmediagroup), whose caption is that of its first photo.
"""

from dataclasses import dataclass
from re import compile as regex

from channels.contract import Clip, Message, Part, Picture, Problem
from channels.telegram.pieces import Piece, from_blocks, joined, packed, piece, size, visible
from content.document import Document, Span
from content.text import cut, squeeze

TEXT_LIMIT = 4096
CAPTION_LIMIT = 1024
PARTS_LIMIT = 10
ALBUM_LIMIT = 10
TITLE_IN_CAPTION = 256
MARKER_WITHOUT_LINK = 120
MORE = "Xem tiếp bên dưới"

_FORMAT_TAG = regex(r"</?(?:b|i)>|<a href=\"[^\"<>]*\">|</a>")


@dataclass(frozen=True)
class Tail:
    """The last line of every part: the delivery's own link, numbered where there are several parts."""

    label: str
    link: str | None

    def line(self, number: int, of: int) -> str:
        """The line as it is read: «(2/3) Chi tiết: https://…»; empty for a single part without a link."""
        place = f"({number}/{of})" if of > 1 else ""
        return " ".join(filter(None, (place, f"{self.label}: {self.link}" if self.link else "")))

    def marker(self, number: int, of: int, text: str) -> str:
        """What finds this part again in a listing: its tail where it has a link, else how its text begins."""
        if not self.link:
            return _opening(text)
        return self.link if of == 1 else self.line(number, of)

    @property
    def room(self) -> int:
        """What the longest tail takes, the blank line before it included; an absurd link is left to ``problems``."""
        return min(len(self.line(99, 99)) + 2, CAPTION_LIMIT // 2)


def rendered(document: Document, key: str, pictures: tuple[Picture, ...], clip: Clip | None = None) -> Message:
    """The message of this document; pure."""
    said = document.for_channel("telegram")
    tail = Tail(squeeze(said.link_label), said.link)
    pages = _pages(said, tail, bool(pictures) or clip is not None)
    parts = [_part(page, tail, number, len(pages)) for number, page in enumerate(pages, 1)]
    parts[0] = parts[0].model_copy(update={"title": squeeze(said.title), "pictures": pictures, "clip": clip})
    return Message(kind="telegram", key=key, parts=tuple(parts))


def _pages(said: Document, tail: Tail, shown: bool) -> list[list[Piece]]:
    title = [piece(Span(squeeze(said.title), strong=True), heading=True)] if squeeze(said.title) else []
    body = from_blocks(said.blocks) or [piece(Span(squeeze(said.summary)))]
    everything = [each for each in (*title, *body, *_foot(said)) if each.text]
    alone = tail.line(1, 1)
    if size([*everything, *([piece(Span(alone))] if alone else [])]) <= (CAPTION_LIMIT if shown else TEXT_LIMIT):
        return [everything]
    if not shown:
        return packed(everything, TEXT_LIMIT - tail.room)
    caption, rest = _caption(said, everything, bool(title), CAPTION_LIMIT - tail.room)
    return [caption, *packed(rest, TEXT_LIMIT - tail.room)]


def _foot(said: Document) -> list[Piece]:
    foot: list[Piece] = []
    if said.signature:
        foot.append(piece(Span(said.signature, emphasis=True)))
    if said.source:
        foot.append(piece(Span("Nguồn: "), Span(said.source.name, href=said.source.url)))
    if said.hashtags:
        foot.append(piece(Span(" ".join("#" + tag.lstrip("#") for tag in said.hashtags))))
    return foot


def _caption(said: Document, everything: list[Piece], titled: bool, room: int) -> tuple[list[Piece], list[Piece]]:
    """The caption's pieces, and those that still have to be said below: nothing is left out, little said twice."""
    more = piece(Span(MORE, emphasis=True))
    title = everything[0].text if titled else ""
    caption = [piece(Span(cut(title, TITLE_IN_CAPTION), strong=True))] if titled else []
    shortened = len(title) > TITLE_IN_CAPTION
    rest = everything[1:] if titled and not shortened else everything
    free = room - size([*caption, more]) - 2
    first = rest[0] if rest and not shortened else None
    if said.summary:
        caption.append(piece(Span(cut(squeeze(said.summary), free))))
    elif first and len(rest) > 1 and not first.heading and len(first.text) <= free:
        caption.append(first)
        rest = rest[1:]
    else:
        caption += [piece(Span(cut(said.lead(), free)))] if said.lead() else []
    return [*caption, more], rest


def _part(page: list[Piece], tail: Tail, number: int, of: int) -> Part:
    line = tail.line(number, of)
    pieces = [*page, piece(Span(line))] if line else page
    body = joined(pieces)
    return Part(body=body, format="telegram", link=tail.link, marker=tail.marker(number, of, visible(body)))


def _opening(text: str) -> str:
    """The first whole words of a text, as many as tell one post from another."""
    kept = ""
    for word in squeeze(text).split(" "):
        kept = f"{kept} {word}".strip()
        if len(kept) >= MARKER_WITHOUT_LINK:
            break
    return kept


def problems(message: Message) -> list[Problem]:
    """What Telegram would refuse or a reader would stumble over, in Vietnamese."""
    found = [problem for number, part in enumerate(message.parts, 1) for problem in _part_problems(part, number)]
    count = len(message.parts)
    if count > PARTS_LIMIT:
        text = f"Bài phải chia thành {count} tin trên Telegram; hãy rút gọn để còn nhiều nhất {PARTS_LIMIT} tin."
        found.append(Problem(level="error", text=text))
    elif count > 1:
        text = f"Bài dài nên Telegram sẽ đăng thành {count} tin nối tiếp nhau, tin sau trả lời tin đầu."
        found.append(Problem(level="warning", text=text))
    return found


def _part_problems(part: Part, number: int) -> list[Problem]:
    text = visible(part.body)
    shown = part.picture or part.clip
    called = "Chú thích ảnh" if part.picture else "Chú thích"
    limit, name = (CAPTION_LIMIT, called) if shown else (TEXT_LIMIT, f"Tin thứ {number}")
    found: list[Problem] = []
    if not text and not shown:
        found.append(Problem(level="error", text="Bài chưa có chữ nào; hãy nhập nội dung."))
    if len(text) > limit:
        over = f"{name} dài {len(text)} ký tự, Telegram chỉ nhận {limit}; hãy rút gọn {len(text) - limit} ký tự."
        found.append(Problem(level="error", text=over))
    if "<" in _FORMAT_TAG.sub("", part.body):
        wrong = f"{name} có thẻ định dạng mà Telegram không hiểu; hãy bỏ thẻ HTML, chỉ dùng chữ đậm, nghiêng, liên kết."
        found.append(Problem(level="error", text=wrong))
    if len(part.pictures) > ALBUM_LIMIT:
        text = f"Telegram nhận tối đa {ALBUM_LIMIT} ảnh trong một tin; bài có {len(part.pictures)} ảnh, hãy bỏ bớt."
        found.append(Problem(level="error", text=text, field="picture"))
    for picture in part.pictures:
        found += _picture_problems(picture)
    return found


def _picture_problems(picture: Picture) -> list[Problem]:
    longer, shorter = max(picture.width, picture.height), max(1, min(picture.width, picture.height))
    if picture.width + picture.height > 10_000:
        text = "Ảnh quá lớn: Telegram chỉ nhận ảnh có chiều rộng cộng chiều cao không quá 10.000 điểm ảnh."
    elif longer > 20 * shorter:
        text = "Ảnh quá dài hoặc quá dẹt: Telegram chỉ nhận ảnh có tỉ lệ hai cạnh không quá 20 lần."
    else:
        return []
    return [Problem(level="error", text=text, field="picture")]
