"""The video or sound of a post: taken in, made anew apart from whoever waits, kept on the shelf, given to channels.

What was uploaded waits in a folder of its own until it is made; then only our own encoding is kept. Somebody may stop in
the middle: what was begun long ago is begun again by whoever asks for it.
"""

import logging
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from sqlmodel import Session, col, or_, select, update

from campaigns import photos
from campaigns.audit import Actor, record
from campaigns.drafts import LONGEST_ALT
from campaigns.people import Action, require
from channels import contract
from channels.clips import length, takes
from channels.contract import Capability, Channel, Limits, Message, Picture, PictureSpec
from content import clips
from content.clips import ClipMistake
from content.text import cut
from store.clips import Clip, PostClip
from store.engine import Store
from store.files import Files
from store.tables import Media, Post

WORKING, READY, FAILED = "working", "ready", "failed"
LOST_AFTER = timedelta(minutes=45)
NOT_READY = "Video hoặc tiếng của bài chưa xử lý xong. Hãy đợi đến khi thấy «Sẵn sàng» rồi gửi duyệt."
_POSTER = PictureSpec(max_side=1280, max_bytes=600_000)
_WAITING = "_cho-xu-ly"
_FORGOTTEN_AFTER = timedelta(days=1)
_OUR_FAULT = "Lỗi chương trình khi xử lý tệp; đã ghi vào nhật ký máy. Hãy thử lại hoặc báo người quản trị."

log = logging.getLogger("lantoa.clips")


@dataclass(frozen=True)
class Chosen:
    """A post's clip with its words."""

    row: Clip
    about: str = ""

    @property
    def ready(self) -> bool:
        """Whether it can be shown."""
        return self.row.state == READY


def waiting_place(files: Files, now: datetime) -> Path:
    """A fresh place in which an upload is written down while it comes; ``take`` moves it away.

    What broke off a day ago and was never taken is cleared away by the way.
    """
    folder = files.folder / _WAITING
    folder.mkdir(parents=True, exist_ok=True)
    for left in folder.glob("*.phan"):
        if left.stat().st_mtime < (now - _FORGOTTEN_AFTER).timestamp():
            left.unlink(missing_ok=True)
    return folder / f"{secrets.token_hex(8)}.phan"


def take(
    session: Session, by: Actor, ward_id: int, files: Files, upload: Path, original: str, name: str, now: datetime
) -> Clip:
    """The row of an uploaded file (``original`` its SHA-256), to be made by ``work``; the same file again gives the same row.

    Raises Forbidden or ClipMistake; the upload is gone afterwards in any case.
    """
    try:
        require(by, Action.WRITE, ward_id)
        with upload.open("rb") as file:
            clips.check_start(file.read(16), upload.stat().st_size)
        found = session.exec(select(Clip).where(Clip.ward_id == ward_id, Clip.original == original)).first()
        if found is not None and found.state == READY:
            return found
        upload.replace(_waiting(files, ward_id, original))
    finally:
        upload.unlink(missing_ok=True)
    made = found or Clip(ward_id=ward_id, original=original, created_at=now)
    made.name, made.state, made.trouble, made.started_at = name, WORKING, "", None
    session.add(made)
    session.flush()
    record(session, ward_id, by, "clip.added", "clip", made.id, now, original=original)
    return made


def work(store: Store, files: Files, clip_id: int, now: datetime) -> None:
    """Make the clip unless it is made or somebody is at it; takes minutes, holds no transaction. Never raises."""
    with store.write("clip") as session:
        free = or_(col(Clip.started_at).is_(None), col(Clip.started_at) < now - LOST_AFTER)
        mine = (col(Clip.id) == clip_id, col(Clip.state) == WORKING, free)
        if session.exec(update(Clip).where(*mine).values(started_at=now)).rowcount != 1:
            return
        row = session.get_one(Clip, clip_id)
        upload = _waiting(files, row.ward_id, row.original)
    try:
        result = _kept(files, clips.make(upload))
    except ClipMistake as mistake:
        result = {"state": FAILED, "trouble": str(mistake)}
    except FileNotFoundError:
        result = {"state": FAILED, "trouble": "Tệp tải lên không còn trên máy chủ. Hãy tải lại."}
    except Exception:
        log.exception("clip %s", clip_id)
        result = {"state": FAILED, "trouble": _OUR_FAULT}
    with store.write("clip") as session:
        session.exec(update(Clip).where(col(Clip.id) == clip_id, col(Clip.state) == WORKING).values(**result))
    upload.unlink(missing_ok=True)


def is_lost(row: Clip, now: datetime) -> bool:
    """Whether nobody is at work on it although it is not made: it was never begun, or begun long ago."""
    return row.state == WORKING and (row.started_at is None or row.started_at < now - LOST_AFTER)


def of_post(session: Session, post: Post) -> Chosen | None:
    """A post's clip."""
    wanted = select(PostClip, Clip).join(Clip, col(Clip.id) == col(PostClip.clip_id))
    found = session.exec(wanted.where(PostClip.post_id == post.id)).first()
    return Chosen(found[1], found[0].about) if found else None


def carried(chosen: Chosen | None, limits: Limits, title: str, files: Files) -> contract.Clip | None:
    """The clip as a channel with these limits carries it; None where there is none, or it takes none of this kind."""
    if chosen is None or not chosen.ready or takes(limits, chosen.row.kind) is None:
        return None
    row = chosen.row
    return contract.Clip(
        kind="video" if row.kind == "video" else "audio", sha256=row.sha256, mime=row.mime, size=row.size,
        seconds=row.seconds, width=row.width, height=row.height, title=title, about=chosen.about,
        poster=next(iter(poster(chosen, title, _POSTER, files)), None),
    )  # fmt: skip


def poster(chosen: Chosen | None, title: str, spec: PictureSpec, files: Files) -> tuple[Picture, ...]:
    """A video's frame as a picture: what a channel shows that cannot carry the video; none for a sound."""
    if chosen is None or not chosen.row.poster:
        return ()
    frame = Media(
        ward_id=chosen.row.ward_id,
        sha256=chosen.row.poster,
        mime="image/jpeg",
        size=0,
        created_at=chosen.row.created_at,
    )
    words = cut(chosen.about, LONGEST_ALT) or f"Hình từ video: {title}"
    return photos.pictures((photos.Shot(frame, words),), title, spec, files)


def fate(chosen: Chosen | None, made: Message, speaker: Channel) -> str:
    """What an outlet does with the post's clip, in words; empty without one."""
    if chosen is None or not chosen.ready:
        return ""
    what = "video" if chosen.row.kind == "video" else "tiếng"
    if clip := made.parts[0].clip:
        return f"Đăng {what} {length(clip.seconds)}, {-(-clip.size // 100_000) / 10:.1f} MB.".replace(".", ",", 1)
    if Capability.AUDIO in speaker.capabilities and speaker.limits.audio is None:
        return f"Kênh này đọc lời của bài, không phát {what} kèm theo."
    shown = "; người đọc thấy một hình của video" if made.parts[0].pictures and chosen.row.poster else ""
    link = " và bấm liên kết để xem" if made.parts[0].link and shown else ""
    return f"Kênh này không đăng {what}{shown}{link}."


def pinned(made: Message, wanted: bool, speaker: Channel) -> str:
    """Whether an outlet pins the post, in words; empty where nobody asked for it."""
    if not wanted:
        return ""
    return "Ghim bài sau khi đăng." if made.pin else "Kênh này không ghim bài được."


def digest_of(chosen: Chosen | None) -> list[dict[str, object]]:
    """What an approval is bound to: nothing where a post has no clip, as before it could have one."""
    return [{"clip": [chosen.row.original, chosen.row.sha256, chosen.about]}] if chosen else []


def _kept(files: Files, made: clips.Made) -> dict[str, object]:
    return {
        "state": READY, "trouble": "", "kind": made.kind, "sha256": files.put(made.data), "mime": made.mime,
        "size": len(made.data), "seconds": made.seconds, "width": made.width, "height": made.height,
        "poster": files.put(made.poster) if made.poster else "",
    }  # fmt: skip


def _waiting(files: Files, ward_id: int, original: str) -> Path:
    return files.folder / _WAITING / f"{ward_id}-{original}"
