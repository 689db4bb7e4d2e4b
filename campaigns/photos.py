"""Photos of the media library («Kho tư liệu») and of posts: read safely, kept once per ward, made anew for each channel.

What is shown of a photo is our own encoding. The upload's own bytes are kept beside it, behind a line of text, so that
nothing ever serves them as a picture: every channel's picture is made from them, encoded once, without what a camera
wrote into them.
"""

from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from sqlmodel import Session, col, select

from campaigns.audit import Actor, record
from campaigns.people import Action, require
from channels.contract import Limits, Message, Picture, PictureSpec
from content.pictures import fit, open_upload, view
from store.files import Files
from store.tables import Media, Post, PostPicture

MOST = 10
"""Most pictures of one post: as many as the platforms with the smallest albums take."""

SHOWN_SIDE = 1600
_ORIGINAL = b"Lan Toa: original upload, never served\n"


@dataclass(frozen=True)
class Clean:
    """A photo that was read whole: what is shown of it, its upright size, and the upload's own bytes."""

    data: bytes
    mime: str
    width: int
    height: int
    original: bytes


@dataclass(frozen=True)
class Shot:
    """One picture of a post, with its own words for those who cannot see it (empty: the library's, else the title)."""

    media: Media
    alt: str = ""


def clean(data: bytes) -> Clean:
    """The photo in these bytes; slow, needs no transaction. Raises PictureMistake."""
    found = open_upload(data)
    shown = view(found, SHOWN_SIDE)
    return Clean(shown.bytes, shown.mime, found.width, found.height, data)


def keep(session: Session, by: Actor, ward_id: int, photo: Clean, files: Files, alt: str, now: datetime) -> Media:
    """The photo's row in the ward's library; the same photo again gives the same row. Raises Forbidden."""
    require(by, Action.WRITE, ward_id)
    sha256 = files.put(photo.data)
    found = session.exec(select(Media).where(Media.ward_id == ward_id, Media.sha256 == sha256)).first()
    if found is not None:
        return found
    made = Media(
        ward_id=ward_id, sha256=sha256, mime=photo.mime, size=len(photo.original), width=photo.width, height=photo.height,
        alt=alt, original=files.put(_ORIGINAL + photo.original), created_at=now,
    )  # fmt: skip
    session.add(made)
    session.flush()
    record(session, ward_id, by, "media.added", "media", made.id, now, sha256=sha256)
    return made


def of_post(session: Session, post: Post) -> tuple[Shot, ...]:
    """A post's pictures in their order."""
    wanted = (
        select(PostPicture, Media)
        .join(Media, col(Media.id) == col(PostPicture.media_id))
        .where(PostPicture.post_id == post.id)
        .order_by(col(PostPicture.position))
    )
    return tuple(Shot(media, row.alt) for row, media in session.exec(wanted).all())


def pictures(shots: tuple[Shot, ...], title: str, spec: PictureSpec, files: Files) -> tuple[Picture, ...]:
    """These pictures as one channel wants them, each encoded once from its upload; raises FileNotFoundError, PictureMistake."""
    made = [_fitted(shot.media, spec, files) for shot in shots]
    return tuple(
        picture.model_copy(update={"alt": shot.alt or shot.media.alt or _called(title, number, len(shots))})
        for number, (shot, picture) in enumerate(zip(shots, made, strict=True), 1)
    )


def _called(title: str, number: int, of: int) -> str:
    return f"Ảnh: {title}" if of == 1 else f"Ảnh {number}/{of}: {title}"


def _fitted(media: Media, spec: PictureSpec, files: Files) -> Picture:
    found = _made(files, media.sha256, media.original, spec)
    if not files.path(found.sha256).is_file():
        _made.cache_clear()
        found = _made(files, media.sha256, media.original, spec)
    return found


@lru_cache(maxsize=2000)
def _made(files: Files, sha256: str, original: str, spec: PictureSpec) -> Picture:
    raw = files.read(original).removeprefix(_ORIGINAL) if original else files.read(sha256)
    made = fit(raw, spec)
    return Picture(sha256=files.put(made.bytes), mime=made.mime, width=made.width, height=made.height, alt="")


def taken(shots: tuple[Shot, ...], made: Message, limits: Limits) -> str:
    """Which of a post's photos the outlet shows, where there are any and it does not show them all."""
    count = len(shots)
    takes = min(count, limits.pictures) if limits.picture else 0
    if made.parts[0].clip:
        takes = min(takes, len(made.parts[0].pictures))
    if takes == count:
        return f"Đăng đủ {count} ảnh." if count > 1 else ""
    if not takes:
        return "Kênh này không đăng ảnh."
    left = "ảnh 2" if count == 2 else f"ảnh {takes + 1}" if takes + 1 == count else f"ảnh {takes + 1} đến {count}"
    return f"Kênh này đăng {takes}/{count} ảnh; {left} không được đăng ở đây."
