"""What a ward had under each released schema: rows in the words of that schema, untouched by today's tables."""

import hashlib
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from sqlalchemy import Connection, text

AT = datetime(2026, 11, 20, 1, 0, tzinfo=UTC)
DUE = datetime(2026, 12, 20, 1, 0, tzinfo=UTC)
PATHS = {
    "due": (), "held": ("held",), "missed": ("missed",), "cancelled": ("cancelled",), "prepared": ("prepared",),
    "failed": ("prepared", "failed"), "wire": ("prepared", "wire"), "unknown": ("prepared", "wire", "unknown"),
    "needs_human": ("prepared", "wire", "unknown", "needs_human"), "closed": ("prepared", "wire", "unknown", "needs_human", "closed"),
    "sent": ("prepared", "wire", "sent"), "withdrawn": ("prepared", "wire", "sent", "withdrawing", "withdrawn"),
}  # fmt: skip


def fill_0001(connection: Connection, wards: int = 2, deliveries: int = 60) -> None:
    """Wards with staff, outlets, an approved post, deliveries in every state, tries, figures and an audit chain."""
    for ward in range(1, wards + 1):
        _ward(connection, ward)
        for number in range(deliveries):
            _delivery(connection, ward, number, list(PATHS)[number % len(PATHS)])
        _audit(connection, ward, 40)
    if connection.dialect.name == "postgresql":
        for table in ("ward", "staff", "campaign", "outlet", "post", "variant", "delivery", "audit_event"):
            connection.execute(
                text(f"select setval(pg_get_serial_sequence('{table}', 'id'), (select max(id) from {table}))")
            )


def fill_0002(connection: Connection, wards: int = 2) -> None:
    """The same, and in each ward an approved post with a photo."""
    fill_0001(connection, wards, 12)
    for ward in range(1, wards + 1):
        id, photo = 100 + ward, f"{ward:064x}"
        _put(connection, "media", id=id, ward_id=ward, sha256=photo, mime="image/jpeg", size=9, width=40, height=30,
             alt="Sân nhà văn hóa", name="", created_at=AT)  # fmt: skip
        _put(connection, "post", id=id, ward_id=ward, campaign_id=ward, title="Tin", summary="", body="Bà con nhớ.", fields="{}",
             link="", source_name="", source_url="", card=True, card_words="", media_id=id, due_at=DUE, grace_minutes=360,
             local_time="20/12/2026 08h00", urgency="normal", text_digest="", repeat_ok=False, state="approved", note="",
             digest=_approved(ward, photo), author_id=2 * ward, approver_id=2 * ward + 1, approved_at=AT, created_at=AT,
             updated_at=AT, revision=1)  # fmt: skip
        _put(connection, "variant", id=id, ward_id=ward, post_id=id, outlet_id=ward)


def fill_0003(connection: Connection, wards: int = 2) -> None:
    """The same in the words of 0003, which knows a post's photo as its first picture."""
    fill_0002(connection, wards)
    for ward in range(1, wards + 1):
        id = 100 + ward
        _put(connection, "post_picture", id=id, ward_id=ward, post_id=id, media_id=id, position=0, alt="")


def fill_0004(connection: Connection, wards: int = 2) -> None:
    """The same, and in each ward somebody who asked for letters and confirmed."""
    fill_0003(connection, wards)
    for ward in range(1, wards + 1):
        _put(connection, "subscriber", id=ward, ward_id=ward, outlet_id=ward, address=f"ba-con-{ward}@example.org", name="Bà con",
             active=True, state="active", code=f"ma{ward}", consent="tự đăng ký", bounces=1, letter="sent", letter_tries=1,
             created_at=AT)  # fmt: skip


def fill_0005(connection: Connection, wards: int = 2) -> None:
    """The same, and in each ward something that the staff are to be told."""
    fill_0004(connection, wards)
    for ward in range(1, wards + 1):
        _put(connection, "notice", id=ward, ward_id=ward, topic="approval", source=f"nhật ký {ward}", once="",
             action="post.submitted", subject="post", subject_id=str(ward), at=AT)  # fmt: skip


def fill_0006(connection: Connection, wards: int = 2) -> None:
    """The same, and in each ward a video of a post."""
    fill_0005(connection, wards)
    for ward in range(1, wards + 1):
        _put(connection, "clip", id=ward, ward_id=ward, original=f"{ward:064x}", name="lễ hội.mp4", state="ready", trouble="",
             kind="video", sha256=f"{ward:064x}", mime="video/mp4", size=9, seconds=1.5, width=4, height=3, poster="",
             created_at=AT)  # fmt: skip


def fill_0007(connection: Connection, wards: int = 2) -> None:
    """The same, and in each ward an approved correction that is on its way to a published post."""
    fill_0006(connection, wards)
    for ward in range(1, wards + 1):
        _put(connection, "amendment", id=ward, ward_id=ward, post_id=ward, title="Tin", summary="", body="Bà con nhớ hạn.", fields="{}",
             own_words="{}", note="Thiếu hạn nộp", state="approved", digest="d", answer="", author_id=2 * ward,
             approver_id=2 * ward + 1, submitted_at=AT, approved_at=AT, updated_at=AT)  # fmt: skip
        _put(connection, "amendment_line", id=ward, ward_id=ward, amendment_id=ward, delivery_id=10_000 * ward + 10, state="due",
             message='{"kind": "website"}', part=0, next_at=DUE, tries=1, doubts=1, fence=1, epoch="cũ", reason="", detail="")  # fmt: skip


def fill_0008(connection: Connection, wards: int = 2) -> None:
    """The same, and in each ward a reading of its own."""
    fill_0007(connection, wards)
    for ward in range(1, wards + 1):
        _put(connection, "dictionary_entry", id=ward, ward_id=ward, written="UBND", spoken="ủy ban nhân dân", state="confirmed",
             since=AT, author_id=2 * ward)  # fmt: skip


def fill_0009(connection: Connection, wards: int = 2) -> None:
    """The same, and in each ward a bulletin in the archive."""
    fill_0008(connection, wards)
    for ward in range(1, wards + 1):
        _put(connection, "broadcast", delivery_id=10_000 * ward + 10, ward_id=ward, title="Tin", transcript="Bà con nhớ.",
             sha256=f"{ward:064x}", seconds=31, synthetic=True, aired_at=AT)  # fmt: skip


def fill_0010(connection: Connection, wards: int = 2) -> None:
    """The same: nobody has chosen yet whether a post is announced, which 0010 made a part of what is approved."""
    fill_0009(connection, wards)


def fill_0011(connection: Connection, wards: int = 2) -> None:
    """The same, and in each ward a line of the log book."""
    fill_0010(connection, wards)
    for ward in range(1, wards + 1):
        _put(connection, "log_entry", id=ward, ward_id=ward, number=1, delivery_id=10_000 * ward + 10, post_id=ward, outlet_id=ward,
             at=AT, due_at=AT, began_at=AT, verdict="played", title="Tin", urgency="normal", length=31, seconds=31, way="Icecast",
             clusters="[]", author="", approver="", source="", evidence="", remark="", by="", written_at=AT)  # fmt: skip


def fill_0012(connection: Connection, wards: int = 2) -> None:
    """The same, and in each ward a slot of the loudspeakers with a place in it, and a silent day."""
    fill_0011(connection, wards)
    for ward in range(1, wards + 1):
        _put(connection, "programme_slot", id=ward, ward_id=ward, outlet_id=ward, name="Sáng", weekdays="[0, 1]", starts="06:30",
             longest_minutes=15, repeats=1, pause_seconds=30, on_holidays=False, created_at=AT)  # fmt: skip
        _put(connection, "silent_day", id=ward, ward_id=ward, day="2026-12-01", reason="Quốc tang", created_at=AT)
        _put(
            connection, "programme_place", id=ward, ward_id=ward, slot_id=ward, day="2026-11-30", post_id=ward, place=1
        )


FILL: dict[str, Callable[[Connection], None]] = {
    "0001": fill_0001, "0002": fill_0002, "0003": fill_0003, "0004": fill_0004, "0005": fill_0005, "0006": fill_0006,
    "0007": fill_0007, "0008": fill_0008, "0009": fill_0009, "0010": fill_0010, "0011": fill_0011, "0012": fill_0012,
}  # fmt: skip
"""The data of each released schema that is not the newest: a new migration needs its predecessor here."""


def _ward(connection: Connection, ward: int) -> None:
    _put(connection, "ward", id=ward, slug=f"phuong-{ward}", name=f"phường Ố Ẫ {ward}", centre="Trung tâm", office="", address="",
         phone="", website="", zone="Asia/Ho_Chi_Minh", quiet='[["21:00","06:00"]]', signer_title="", signer_name="", created_at=AT)  # fmt: skip
    for number, role in enumerate(("editor", "approver")):
        _put(connection, "staff", id=2 * ward + number, ward_id=ward, username=f"{role}{ward}", name=role, role=role,
             password_hash="x", active=True, created_at=AT)  # fmt: skip
    _put(connection, "campaign", id=ward, ward_id=ward, slug="cd", name="ĐMST", goal="", hashtag="#a", decision="",
         starts_on="2026-05-01", created_at=AT)  # fmt: skip
    _put(connection, "outlet", id=ward, ward_id=ward, kind="website", name="Trang tin", settings='{"a": 1}', secrets="v1.x",
         state="open", paused_reason="", failures=2, health="", created_at=AT)  # fmt: skip
    _put(connection, "post", id=ward, ward_id=ward, campaign_id=ward, title="Tin", summary="", body="Bà con nhớ.", fields="{}",
         link="", source_name="", source_url="", card=True, card_words="", due_at=DUE, local_time="20/12/2026 08h00",
         grace_minutes=360, state="approved", note="", digest=_approved(ward), author_id=2 * ward, approver_id=2 * ward + 1,
         approved_at=AT, created_at=AT, updated_at=AT, revision=1)  # fmt: skip
    _put(connection, "variant", id=ward, ward_id=ward, post_id=ward, outlet_id=ward)


def _approved(ward: int, photo: str | None = None) -> str:
    """The digest of the post as the programs of schemas 0001 and 0002 made it."""
    said = [
        ward,
        ward,
        "Tin",
        "",
        "Bà con nhớ.",
        {},
        "",
        "",
        "",
        True,
        "",
        photo,
        None,
        DUE.isoformat(),
        360,
        [[ward, None]],
    ]
    return _sha(said)


def _delivery(connection: Connection, ward: int, number: int, state: str) -> None:
    id, due = 10_000 * ward + number, DUE + timedelta(minutes=number)
    _put(connection, "delivery", id=id, key=f"k{id}", ward_id=ward, post_id=ward, outlet_id=ward, due_at=due,
         expires_at=due + timedelta(hours=6), approved_digest=_approved(ward), state="due", next_at=due, tries=number % 3, looks=0,
         resent=False, fence=1, epoch="cũ", part=0, parts=1, message='{"kind": "website"}', remote_ids="[]", url="", adopted=False,
         reason="", detail="", created_at=AT, updated_at=AT)  # fmt: skip
    for step in PATHS[state]:
        connection.execute(text("update delivery set state = :state where id = :id"), {"state": step, "id": id})
    if "wire" in PATHS[state]:
        _put(connection, "attempt", ward_id=ward, delivery_id=id, fence=1, part=0, verb="publish", started_at=due,
             outcome="published", reason="", detail="")  # fmt: skip
    if state == "sent":
        _put(
            connection, "short_link", code=f"k{id}", ward_id=ward, delivery_id=id, target="https://x.vn", created_at=AT
        )
        _put(connection, "metric", ward_id=ward, delivery_id=id, name="Lượt xem", value=number, label="measured",
             formula="đếm", taken_at=due)  # fmt: skip


def _audit(connection: Connection, ward: int, events: int) -> None:
    previous = "0" * 64
    for number in range(1, events + 1):
        at = AT + timedelta(seconds=number)
        said = [ward, number, at.isoformat(), None, "Lan Tỏa", "thử", "ward", "1", {"n": number}, previous]
        digest = _sha(said)
        _put(connection, "audit_event", id=1000 * ward + number, ward_id=ward, number=number, at=at, actor="Lan Tỏa", action="thử",
             subject="ward", subject_id="1", particulars=json.dumps({"n": number}), previous=previous, hash=digest)  # fmt: skip
        previous = digest


def _sha(said: object) -> str:
    words = json.dumps(said, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(words.encode()).hexdigest()


def _put(connection: Connection, table: str, **values: object) -> None:
    sqlite = connection.dialect.name == "sqlite"
    given = {
        name: _moment(value) if sqlite and isinstance(value, datetime) else value for name, value in values.items()
    }
    names = ", ".join(f'"{name}"' for name in given)
    connection.execute(text(f"insert into {table} ({names}) values ({', '.join(':' + name for name in given)})"), given)


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")
