"""Photos of the media library («Kho tư liệu»): read safely, re-encoded, kept once per ward."""

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, select

from campaigns.audit import Actor, record
from campaigns.people import Action, require
from content.pictures import encode, open_upload
from store.files import Files
from store.tables import Media


@dataclass(frozen=True)
class Clean:
    """A photo in our own encoding, with nothing but the image in it."""

    data: bytes
    mime: str
    width: int
    height: int


def clean(data: bytes) -> Clean:
    """The photo in these bytes, re-encoded; slow, needs no transaction. Raises PictureMistake."""
    found = open_upload(data)
    if found.image.mode == "RGBA":
        return Clean(encode(found.image, "png"), "image/png", found.width, found.height)
    return Clean(encode(found.image, "jpeg"), "image/jpeg", found.width, found.height)


def keep(session: Session, by: Actor, ward_id: int, photo: Clean, files: Files, alt: str, now: datetime) -> Media:
    """The photo's row in the ward's library; the same photo again gives the same row. Raises Forbidden."""
    require(by, Action.WRITE, ward_id)
    sha256 = files.put(photo.data)
    found = session.exec(select(Media).where(Media.ward_id == ward_id, Media.sha256 == sha256)).first()
    if found is not None:
        return found
    made = Media(
        ward_id=ward_id, sha256=sha256, mime=photo.mime, size=len(photo.data), width=photo.width, height=photo.height,
        alt=alt, created_at=now,
    )  # fmt: skip
    session.add(made)
    session.flush()
    record(session, ward_id, by, "media.added", "media", made.id, now, sha256=sha256)
    return made
