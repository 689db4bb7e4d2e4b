"""A document as a post of a WordPress site: HTML body, readable address, and what is wrong with it. Pure."""

import hashlib
import html as escaping
from typing import Any

from channels import clips
from channels.contract import Clip, ClipLimits, Limits, Message, Part, Picture, PictureSpec, Problem
from channels.lengths import too_little, too_much
from content.document import Document, html
from content.text import cut, nfc, slug, squeeze

KIND = "wordpress"
NAMES = {"title": "Tiêu đề", "summary": "Tóm tắt", "body": "Nội dung bài"}
LIMITS = Limits(
    title=200,
    summary=500,
    text=100_000,
    pictures=10,
    video=ClipLimits(max_bytes=50_000_000),
    audio=ClipLimits(max_bytes=50_000_000),
    picture=PictureSpec(format="jpeg", shape="wide", max_side=1600, max_bytes=1_500_000),
    source="https://developer.wordpress.org/rest-api/reference/posts/",
)
MIMES = ("image/jpeg", "image/png")


def post(document: Document, key: str, pictures: tuple[Picture, ...], clip: Clip | None = None) -> Message:
    """One post: its body in HTML with the delivery's short link, the source and the signature at the end.

    A video's frame is its featured image where it has no picture of its own.
    """
    pictures = pictures or ((clip.poster,) if clip and clip.poster else ())
    said = document.for_channel(KIND)
    part = Part(
        title=squeeze(said.title),
        summary=cut(squeeze(said.lead()), LIMITS.summary or 0),
        body=_without_shortcodes(nfc("\n".join(piece for piece in (html(said.blocks), *_tail(said)) if piece))),
        format="html",
        pictures=pictures,
        clip=clip,
        link=said.link,
        marker=said.link or "",
    )
    return Message(kind=KIND, key=key, parts=(part,), extra={"topics": [squeeze(topic) for topic in said.topics]})


def _tail(said: Document) -> list[str]:
    lines = []
    if said.link and said.link.startswith(("https://", "http://")):
        lines.append(f'<p><a href="{escaping.escape(said.link)}">{escaping.escape(said.link_label)}</a></p>')
    if said.source:
        lines.append(f"<p><em>Nguồn: {_source(said)}</em></p>")
    if said.signature:
        lines.append(f"<p><strong>{escaping.escape(squeeze(said.signature))}</strong></p>")
    return lines


def _source(said: Document) -> str:
    name = escaping.escape(said.source.name) if said.source else ""
    url = said.source.url if said.source else None
    return f'<a href="{escaping.escape(url)}">{name}</a>' if url and url.startswith(("https://", "http://")) else name


def _without_shortcodes(text: str) -> str:
    """WordPress runs ``[gallery]`` and the like (https://developer.wordpress.org/apis/shortcode/); our brackets are just brackets."""
    return text.replace("[", "&#91;").replace("]", "&#93;")


def name(message: Message) -> str:
    """The post's name in addresses: the title without diacritics, and the delivery's own mark."""
    return f"{slug(message.parts[0].title) or 'bai'}-{hashlib.sha256(message.key.encode()).hexdigest()[:12]}"


def names(message: Message) -> tuple[str, ...]:
    """The names under which WordPress may hold it: numbered where the first was taken, marked where it is in the trash."""
    own = name(message)
    held = (own, f"{own}-2", f"{own}-3")
    return (*held, *(f"{one}__trashed" for one in held))


def file_name(picture: Picture) -> str:
    """The picture's name in the media library, without its ending: the same for the same picture and description."""
    return f"lantoa-{picture.sha256[:16]}-{hashlib.sha256(nfc(picture.alt).encode()).hexdigest()[:8]}"


def fields(message: Message, part: int, staged: dict[str, Any], status: str, in_body: bool) -> dict[str, Any]:
    """The body of ``POST /wp/v2/posts[/id]``: the whole post, so that what is published is what was frozen."""
    pictures = list(staged.get("pictures", []))
    return {
        **words(message, part, pictures, in_body, staged.get("clip")),
        "slug": name(message),
        "status": status,
        "featured_media": pictures[0]["id"] if pictures else 0,
        "categories": list(staged.get("categories", [])),
        "tags": list(staged.get("tags", [])),
    }


def words(
    message: Message, part: int, pictures: list[dict[str, Any]], in_body: bool, clip: dict[str, Any] | None = None
) -> dict[str, str]:
    """What of the post's body is text: all that a correction changes."""
    said = message.parts[part]
    return {
        "title": escaping.escape(said.title, quote=False),
        "content": _with_clip(said, _with_pictures(said, pictures, in_body), clip),
        "excerpt": _without_shortcodes(escaping.escape(said.summary, quote=False)),
    }


def _with_pictures(said: Part, pictures: list[dict[str, Any]], in_body: bool) -> str:
    drawn = [_figure(one["url"], picture) for one, picture in zip(pictures, said.pictures, strict=False)]
    in_body = in_body and not (said.clip and said.clip.poster and said.clip.poster == said.picture)
    return "\n".join([*drawn[: int(in_body)], said.body, *drawn[1:]])


def clip_file(clip: Clip) -> Picture:
    """The clip as a file of the media library, described in a line."""
    return Picture(sha256=clip.sha256, mime=clip.mime, width=clip.width, height=clip.height, alt=cut(clip.about, 300))


def _with_clip(said: Part, content: str, clip: dict[str, Any] | None) -> str:
    """The player above the words, in the markup of WordPress's own video and audio blocks, and what is seen and heard."""
    if said.clip is None or clip is None:
        return content
    kind, about = said.clip.kind, _without_shortcodes(escaping.escape(nfc(said.clip.about)))
    shape = f' width="{said.clip.width}" height="{said.clip.height}"' if kind == "video" else ""
    player = f'<{kind} controls preload="metadata" src="{escaping.escape(str(clip["url"]))}"{shape}></{kind}>'
    caption = f'<figcaption class="wp-element-caption">{about}</figcaption>' if about else ""
    return f'<figure class="wp-block-{kind}">{player}{caption}</figure>\n{content}'


def _figure(url: str, picture: Picture) -> str:
    alt = _without_shortcodes(escaping.escape(nfc(picture.alt)))
    size = f'width="{picture.width}" height="{picture.height}"'
    return f'<figure class="wp-block-image"><img src="{escaping.escape(url)}" alt="{alt}" {size}></figure>'


def problems(message: Message) -> list[Problem]:
    """What is missing, too long, or hard to use; WordPress itself sets no limits, these are the ward's."""
    part = message.parts[0]
    return [
        *too_little(part, "Bài"),
        *too_much(part, LIMITS, NAMES),
        *(problem for one in part.pictures for problem in _picture(one)),
        *clips.problems(part.clip, LIMITS, "WordPress"),
    ]


def _picture(picture: Picture) -> list[Problem]:
    found = []
    if picture.mime not in MIMES:
        found.append(Problem(level="error", field="picture", text="Ảnh cho WordPress phải là JPEG hoặc PNG."))
    if not picture.alt.strip():
        text = "Ảnh chưa có lời mô tả cho người khiếm thị (Thông tư 26/2020/TT-BTTTT); hãy nhập mô tả ảnh."
        found.append(Problem(level="warning", field="picture", text=text))
    return found
