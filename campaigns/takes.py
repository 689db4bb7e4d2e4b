"""The announcer's recordings of a post: kept, chosen for its outlets, and what an approval of them is bound to.

A recording is heard at every outlet of the post whose reading is the same. It is bound to the words that were read: where
these change, somebody has to record again, or say that the recording still is right.
"""

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlmodel import Session, col, delete, select

from campaigns.audit import Actor, record
from campaigns.people import Action, Mistake, require
from channels.contract import Message
from content.recordings import Levelled, advice, level
from content.speech import mark
from store.files import Files
from store.recordings import PostRecording, Recording
from store.tables import Post, User, Variant

LONGEST_NAME = 200


@dataclass(frozen=True)
class Chosen:
    """The recording that is heard at an outlet; ``reading_of`` marks the words that were read, by ``announcer``."""

    row: Recording
    reading_of: str
    announcer: str = ""

    @property
    def advice(self) -> str:
        """What the announcer should know of how it was recorded; empty where it is good."""
        return advice(self.row.heard_loudness, self.row.heard_peak)


@dataclass(frozen=True)
class Made:
    """A levelled recording whose file is on the shelf, to be chosen for a post."""

    sha256: str
    size: int
    levelled: Levelled


def make(by: Actor, ward_id: int, files: Files, upload: Path) -> Made:
    """Clean and level an upload and keep its file; takes seconds and holds no transaction.

    Raises Forbidden or RecordingMistake; the upload is gone afterwards in any case.
    """
    try:
        require(by, Action.WRITE, ward_id)
        made = level(upload)
    finally:
        upload.unlink(missing_ok=True)
    return Made(files.put(made.mp3), len(made.mp3), made)


def keep(
    session: Session,
    by: Actor,
    post: Post,
    outlet_ids: list[int],
    reading_of: str,
    made: Made,
    name: str,
    now: datetime,
) -> Recording:
    """The recording as what is heard of the post at these outlets; the one before stays in the log. Raises Forbidden or Mistake.

    The post must be open to changes (``drafting.reopen``): an approval is of the recording that was there.
    """
    require(by, Action.WRITE, post.ward_id)
    if by.user_id is None or not outlet_ids:
        raise Mistake("Bài này chưa có kênh truyền thanh nào. Hãy chọn kênh ở trang Soạn tin rồi thu âm.")
    heard = made.levelled
    row = Recording(
        ward_id=post.ward_id, post_id=post.id or 0, sha256=made.sha256, name=name[:LONGEST_NAME], size=made.size,
        seconds=heard.seconds, loudness=heard.loudness, peak=heard.true_peak, heard_loudness=heard.heard_loudness,
        heard_peak=heard.heard_peak, heard_seconds=heard.heard_seconds, announcer_id=by.user_id, made_at=now,
    )  # fmt: skip
    session.add(row)
    session.flush()
    _choose(session, post, outlet_ids, row.id, reading_of)
    told = {"sha256": row.sha256, "seconds": round(row.seconds, 1), "loudness": row.loudness, "outlets": outlet_ids}
    record(session, post.ward_id, by, "post.recorded", "post", post.id, now, **told)
    return row


def drop(session: Session, by: Actor, post: Post, outlet_ids: list[int], now: datetime) -> None:
    """No recording is heard at these outlets any more; it stays in the log. Raises Forbidden."""
    require(by, Action.WRITE, post.ward_id)
    _choose(session, post, outlet_ids, None, "")
    record(session, post.ward_id, by, "post.recording_dropped", "post", post.id, now, outlets=outlet_ids)


def still_right(session: Session, by: Actor, post: Post, outlet_ids: list[int], reading_of: str, now: datetime) -> None:
    """Somebody listened and says that the recording says what the text says now. Raises Forbidden."""
    require(by, Action.WRITE, post.ward_id)
    for one in _links(session, post):
        if one.outlet_id in outlet_ids:
            one.reading_of = reading_of
            session.add(one)
    told = {"outlets": outlet_ids, "reading_of": reading_of}
    record(session, post.ward_id, by, "post.recording_right", "post", post.id, now, **told)


def of_post(session: Session, post_id: int | None) -> dict[int, Chosen]:
    """The recordings of a post by outlet."""
    if not post_id:
        return {}
    wanted = select(PostRecording, Recording, User.name).join(
        Recording, col(Recording.id) == col(PostRecording.recording_id)
    )
    found = session.exec(
        wanted.join(User, col(User.id) == col(Recording.announcer_id)).where(PostRecording.post_id == post_id)
    )
    return {link.outlet_id: Chosen(row, link.reading_of, name) for link, row, name in found.all()}


def heard(made: Message, chosen: Chosen | None, approved: bool) -> Message:
    """The message of a channel that reads aloud with the recording that is heard there instead.

    ``extra`` holds ``recording`` (its hash) and ``recorded`` (seconds, loudness, peak, and ``stale`` where the words have
    changed since; what was approved is heard as it was approved).
    """
    reading = made.extra.get("reading")
    if chosen is None or not isinstance(reading, dict):
        return made
    row = chosen.row
    recorded = {
        "seconds": row.seconds, "loudness": row.loudness, "peak": row.peak,
        "stale": not approved and chosen.reading_of != mark(str(reading["spoken"])),
    }  # fmt: skip
    return made.model_copy(update={"extra": {**made.extra, "recording": row.sha256, "recorded": recorded}})


def digest_of(session: Session, post: Post) -> list[dict[str, object]]:
    """What an approval is bound to: nothing where nobody recorded, as before anybody could."""
    found = sorted((id, one.row.sha256) for id, one in _going(session, post).items())
    return [{"recordings": [list(pair) for pair in found]}] if found else []


def announcers(session: Session, post: Post) -> set[int]:
    """Who recorded what is heard of a post, and so cannot approve it."""
    return {one.row.announcer_id for one in _going(session, post).values()}


def told(session: Session, post: Post) -> dict[str, Any]:
    """What an approver decides on, in words that can be compared later."""
    return {"recordings": {str(id): f"bản thu {one.row.sha256[:12]}" for id, one in _going(session, post).items()}}


def _going(session: Session, post: Post) -> dict[int, Chosen]:
    going = set(session.exec(select(Variant.outlet_id).where(Variant.post_id == post.id)).all())
    return {id: one for id, one in of_post(session, post.id).items() if id in going}


def _choose(session: Session, post: Post, outlet_ids: list[int], recording_id: int | None, reading_of: str) -> None:
    mine = (col(PostRecording.post_id) == post.id, col(PostRecording.outlet_id).in_(outlet_ids))
    session.exec(delete(PostRecording).where(*mine))
    for outlet_id in outlet_ids if recording_id else ():
        session.add(
            PostRecording(
                ward_id=post.ward_id, post_id=post.id or 0, outlet_id=outlet_id, recording_id=recording_id or 0,
                reading_of=reading_of,
            )
        )  # fmt: skip
    session.flush()


def _links(session: Session, post: Post) -> list[PostRecording]:
    return list(session.exec(select(PostRecording).where(PostRecording.post_id == post.id)).all())
