"""The tables. Every row belongs to a ward; every moment is UTC; one writer per column (see docs/architecture.md).

A post's own state never says whether it went out: that is read from its deliveries.
"""

from datetime import UTC, date, datetime
from typing import Any

from sqlalchemy import JSON, CheckConstraint, DateTime, Index, Text, UniqueConstraint, text
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator
from sqlmodel import Field, SQLModel

SQLModel.metadata.naming_convention = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}


class Utc(TypeDecorator[datetime]):
    """An aware moment, kept in UTC; a naive one is refused, because nobody can say which moment it means."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """To the database: aware to UTC (without zone on SQLite, which has none)."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"naive moment {value!r}")
        moment = value.astimezone(UTC)
        return moment.replace(tzinfo=None) if dialect.name == "sqlite" else moment

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """From the database: always aware, in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class Ward(SQLModel, table=True):
    """A ward (phường, xã, đặc khu): the tenant.

    ``region`` is whose number words are read aloud (north or south), ``readings`` counts the changes of its dictionary.
    """

    id: int | None = Field(default=None, primary_key=True)
    slug: str = Field(unique=True)
    name: str
    centre: str
    office: str = ""
    address: str = ""
    phone: str = ""
    website: str = ""
    zone: str = "Asia/Ho_Chi_Minh"
    quiet: list[list[str]] = Field(default_factory=list, sa_type=JSON)
    signer_title: str = ""
    signer_name: str = ""
    region: str = "north"
    readings: int = 0
    created_at: datetime = Field(sa_type=Utc)


class User(SQLModel, table=True):
    """A member of staff. ``ward_id`` is None for a city account, which sees every ward."""

    __tablename__ = "staff"

    id: int | None = Field(default=None, primary_key=True)
    ward_id: int | None = Field(default=None, foreign_key="ward.id", index=True)
    username: str = Field(unique=True)
    name: str
    role: str
    password_hash: str
    active: bool = True
    created_at: datetime = Field(sa_type=Utc)


class Session(SQLModel, table=True):
    """One sign-in; ``token_hash`` is the SHA-256 of the cookie."""

    __tablename__ = "login_session"

    token_hash: str = Field(primary_key=True)
    user_id: int = Field(foreign_key="staff.id", index=True)
    created_at: datetime = Field(sa_type=Utc)
    seen_at: datetime = Field(sa_type=Utc)
    expires_at: datetime = Field(sa_type=Utc)
    revoked_at: datetime | None = Field(default=None, sa_type=Utc)
    agent: str = ""


class LoginFailure(SQLModel, table=True):
    """A sign-in that failed, kept for an hour to slow guessing; ``subject`` is a name or an address."""

    id: int | None = Field(default=None, primary_key=True)
    subject: str = Field(index=True)
    at: datetime = Field(sa_type=Utc)


class Outlet(SQLModel, table=True):
    """One account on one platform («Kênh»). ``state`` is open or paused; ``secrets`` is sealed.

    ``rest_until`` is the durable breaker: after repeated failures nothing is tried before that moment, then one probe.
    ``renewing`` is the boot epoch of the one process that is renewing the credentials.
    """

    __table_args__ = (UniqueConstraint("ward_id", "kind", "name"),)

    id: int | None = Field(default=None, primary_key=True)
    ward_id: int = Field(foreign_key="ward.id", index=True)
    kind: str
    name: str
    settings: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)
    secrets: str = ""
    state: str = "open"
    paused_reason: str = ""
    next_slot_at: datetime | None = Field(default=None, sa_type=Utc)
    failures: int = 0
    rest_until: datetime | None = Field(default=None, sa_type=Utc)
    renewing: str = ""
    renewing_at: datetime | None = Field(default=None, sa_type=Utc)
    health: str = ""
    health_at: datetime | None = Field(default=None, sa_type=Utc)
    created_at: datetime = Field(sa_type=Utc)


class Campaign(SQLModel, table=True):
    """A campaign («Chiến dịch») of a ward."""

    __table_args__ = (UniqueConstraint("ward_id", "slug"),)

    id: int | None = Field(default=None, primary_key=True)
    ward_id: int = Field(foreign_key="ward.id", index=True)
    slug: str
    name: str
    goal: str = ""
    hashtag: str = ""
    decision: str = ""
    starts_on: date
    ends_on: date | None = None
    created_at: datetime = Field(sa_type=Utc)


class Task(SQLModel, table=True):
    """A «nhiệm vụ» of the plan, with the document and clause that it comes from."""

    __table_args__ = (UniqueConstraint("ward_id", "code"),)

    id: int | None = Field(default=None, primary_key=True)
    ward_id: int = Field(foreign_key="ward.id", index=True)
    campaign_id: int = Field(foreign_key="campaign.id", index=True)
    code: str
    document: str
    clause: str
    summary: str = Field(sa_type=Text)
    quote: str = Field(default="", sa_type=Text)
    lead: str = ""
    goal: str = ""


class Template(SQLModel, table=True):
    """A template («Mẫu») of a ward: shipped with the kit, or written by staff. Old versions stay as they were."""

    __table_args__ = (UniqueConstraint("ward_id", "slug", "version"),)

    id: int | None = Field(default=None, primary_key=True)
    ward_id: int = Field(foreign_key="ward.id", index=True)
    slug: str
    version: int = 1
    source: str = Field(sa_type=Text)
    digest: str
    shipped: bool = False
    current: bool = True
    author_id: int | None = Field(default=None, foreign_key="staff.id")
    created_at: datetime = Field(sa_type=Utc)


class Media(SQLModel, table=True):
    """A photo of the media library («Kho tư liệu»): ``sha256`` is what is shown of it, with nothing but the image in it.

    ``original`` is the hash of the upload's own bytes, as ``campaigns.photos`` keeps them, from which every channel's
    picture is made; empty for photos from before originals were kept.
    """

    __table_args__ = (UniqueConstraint("ward_id", "sha256"),)

    id: int | None = Field(default=None, primary_key=True)
    ward_id: int = Field(foreign_key="ward.id", index=True)
    sha256: str = Field(index=True)
    mime: str
    size: int
    width: int = 0
    height: int = 0
    alt: str = ""
    name: str = ""
    original: str = ""
    created_at: datetime = Field(sa_type=Utc)


class Post(SQLModel, table=True):
    """A «tin, bài»: a template with its fields, or free text; approved by another person than its author.

    ``media_id`` is the first of its pictures (PostPicture).

    ``digest`` is what was approved: text, media, outlets and timetable. ``local_time`` is the wall clock that the
    editor typed, ``due_at`` the moment it means in the ward's zone. ``urgency`` is normal, priority or urgent;
    ``text_digest`` tells the same text again, which goes out only with ``repeat_ok``. ``pin``: pinned where that is possible.
    """

    __table_args__ = (
        CheckConstraint("approver_id is null or approver_id <> author_id", name="approver_is_not_author"),
        CheckConstraint(
            "state <> 'approved' or (approver_id is not null and digest <> '')", name="approved_by_someone"
        ),
        UniqueConstraint("rule_id", "occurs_at"),
        Index("ix_post_text_digest", "ward_id", "text_digest"),
    )

    id: int | None = Field(default=None, primary_key=True)
    ward_id: int = Field(foreign_key="ward.id", index=True)
    campaign_id: int = Field(foreign_key="campaign.id", index=True)
    task_id: int | None = Field(default=None, foreign_key="task.id", index=True)
    template_id: int | None = Field(default=None, foreign_key="template.id")
    source_item_id: int | None = Field(default=None, foreign_key="source_item.id")
    rule_id: int | None = Field(default=None, foreign_key="rule.id")
    occurs_at: datetime | None = Field(default=None, sa_type=Utc)
    title: str
    summary: str = ""
    body: str = Field(default="", sa_type=Text)
    fields: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)
    link: str = ""
    source_name: str = ""
    source_url: str = ""
    card: bool = True
    card_words: str = ""
    media_id: int | None = Field(default=None, foreign_key="media.id")
    due_at: datetime | None = Field(default=None, sa_type=Utc, index=True)
    local_time: str = ""
    grace_minutes: int = 360
    urgency: str = "normal"
    text_digest: str = ""
    repeat_ok: bool = False
    pin: bool = False
    state: str = Field(default="draft", index=True)
    note: str = ""
    digest: str = ""
    author_id: int = Field(foreign_key="staff.id")
    approver_id: int | None = Field(default=None, foreign_key="staff.id")
    submitted_at: datetime | None = Field(default=None, sa_type=Utc)
    approved_at: datetime | None = Field(default=None, sa_type=Utc)
    created_at: datetime = Field(sa_type=Utc)
    updated_at: datetime = Field(sa_type=Utc)
    revision: int = 1


class PostPicture(SQLModel, table=True):
    """One picture of a post: which, in which place (from 0), and its words for those who cannot see it."""

    __tablename__ = "post_picture"
    __table_args__ = (UniqueConstraint("post_id", "position"),)

    id: int | None = Field(default=None, primary_key=True)
    ward_id: int = Field(foreign_key="ward.id", index=True)
    post_id: int = Field(foreign_key="post.id")
    media_id: int = Field(foreign_key="media.id")
    position: int
    alt: str = ""


class Variant(SQLModel, table=True):
    """That a post goes to an outlet, and the words of its own there («Bản riêng cho kênh»), if any.

    ``reading`` is what is read aloud there instead of the reading whose mark is ``reading_of``. ``announce`` is whether
    the outlet's followers are told of the post; None: as the outlet is set. ``slot_at`` is the start of the slot that was
    chosen there instead of the post's hour, ``seconds`` its estimated length on air once submitted.
    """

    __table_args__ = (UniqueConstraint("post_id", "outlet_id"),)

    id: int | None = Field(default=None, primary_key=True)
    ward_id: int = Field(foreign_key="ward.id", index=True)
    post_id: int = Field(foreign_key="post.id", index=True)
    outlet_id: int = Field(foreign_key="outlet.id", index=True)
    body: str | None = Field(default=None, sa_type=Text)
    reading: str | None = Field(default=None, sa_type=Text)
    reading_of: str = ""
    announce: bool | None = None
    slot_at: datetime | None = Field(default=None, sa_type=Utc)
    seconds: int = 0


class DictionaryEntry(SQLModel, table=True):
    """How a ward reads a word aloud («Từ điển đọc»): one version; ``until`` is empty for the one in force.

    ``state`` is proposed until somebody who may approve has confirmed it.
    """

    __tablename__ = "dictionary_entry"
    __table_args__ = (
        Index(
            "uq_dictionary_entry_in_force",
            "ward_id",
            "written",
            unique=True,
            sqlite_where=text("until is null"),
            postgresql_where=text("until is null"),
        ),
    )

    id: int | None = Field(default=None, primary_key=True)
    ward_id: int = Field(foreign_key="ward.id", index=True)
    written: str
    spoken: str
    state: str = "proposed"
    since: datetime = Field(sa_type=Utc)
    until: datetime | None = Field(default=None, sa_type=Utc)
    author_id: int | None = Field(default=None, foreign_key="staff.id")
    confirmer_id: int | None = Field(default=None, foreign_key="staff.id")


class Rule(SQLModel, table=True):
    """A standing rule («đăng hằng ngày»): each occurrence of ``cron`` takes the next of the approved ``items``.

    ``items`` is a list of {"template_id": …, "fields": {…}}; the approval is bound to the digest of it all.
    """

    __table_args__ = (
        CheckConstraint("approver_id is null or approver_id <> author_id", name="approver_is_not_author"),
    )

    id: int | None = Field(default=None, primary_key=True)
    ward_id: int = Field(foreign_key="ward.id", index=True)
    campaign_id: int = Field(foreign_key="campaign.id", index=True)
    name: str
    cron: str
    outlet_ids: list[int] = Field(default_factory=list, sa_type=JSON)
    items: list[dict[str, Any]] = Field(default_factory=list, sa_type=JSON)
    on_holidays: bool = True
    starts_on: date
    ends_on: date | None = None
    grace_minutes: int = 360
    state: str = "draft"
    digest: str = ""
    planned_to: datetime | None = Field(default=None, sa_type=Utc)
    next_item: int = 0
    author_id: int = Field(foreign_key="staff.id")
    approver_id: int | None = Field(default=None, foreign_key="staff.id")
    approved_at: datetime | None = Field(default=None, sa_type=Utc)
    created_at: datetime = Field(sa_type=Utc)


class DeliveryMove(SQLModel, table=True):
    """The legal moves of a delivery's state; a trigger refuses every other one."""

    __tablename__ = "delivery_move"

    from_state: str = Field(primary_key=True)
    to_state: str = Field(primary_key=True)


class Delivery(SQLModel, table=True):
    """One post to one outlet at one moment («Lượt đăng»): the row that decides. What was cancelled may be planned anew.

    ``message`` is frozen when it is claimed; ``part`` counts the visible steps that are already out. ``rank`` is its
    urgency (0 normal, 1 priority, 2 urgent); ``hold_id`` the hold that keeps it back.
    """

    __table_args__ = (
        Index(
            "uq_delivery_once",
            "post_id",
            "outlet_id",
            "due_at",
            unique=True,
            sqlite_where=text("state <> 'cancelled'"),
            postgresql_where=text("state <> 'cancelled'"),
        ),
        Index(
            "ix_delivery_waiting",
            "next_at",
            "id",
            "outlet_id",
            sqlite_where=text("state = 'due'"),
            postgresql_where=text("state = 'due'"),
        ),
        Index(
            "ix_delivery_next",
            "outlet_id",
            "rank",
            "next_at",
            "id",
            sqlite_where=text("state = 'due'"),
            postgresql_where=text("state = 'due'"),
        ),
        Index(
            "ix_delivery_expiring",
            "expires_at",
            sqlite_where=text("state in ('due', 'held')"),
            postgresql_where=text("state in ('due', 'held')"),
        ),
        Index(
            "ix_delivery_under_way",
            "outlet_id",
            "state",
            "looks",
            sqlite_where=text("state in ('prepared', 'wire', 'unknown')"),
            postgresql_where=text("state in ('prepared', 'wire', 'unknown')"),
        ),
        Index("ix_delivery_outlet_wire", "outlet_id", "wire_at"),
        Index("ix_delivery_ward_due", "ward_id", "due_at"),
        Index("ix_delivery_outlet_state", "outlet_id", "state"),
    )

    id: int | None = Field(default=None, primary_key=True)
    key: str = Field(unique=True)
    ward_id: int = Field(foreign_key="ward.id")
    post_id: int = Field(foreign_key="post.id", index=True)
    outlet_id: int = Field(foreign_key="outlet.id")
    due_at: datetime = Field(sa_type=Utc)
    expires_at: datetime = Field(sa_type=Utc)
    approved_digest: str
    rank: int = 0
    hold_id: int | None = None
    state: str = "due"
    next_at: datetime = Field(sa_type=Utc)
    tries: int = 0
    looks: int = 0
    resent: bool = False
    fence: int = 0
    epoch: str = ""
    part: int = 0
    parts: int = 0
    message: dict[str, Any] | None = Field(default=None, sa_type=JSON)
    handle: dict[str, Any] | None = Field(default=None, sa_type=JSON)
    remote_ids: list[str] = Field(default_factory=list, sa_type=JSON)
    url: str = ""
    wire_at: datetime | None = Field(default=None, sa_type=Utc)
    sent_at: datetime | None = Field(default=None, sa_type=Utc)
    adopted: bool = False
    reason: str = ""
    detail: str = ""
    measured_at: datetime | None = Field(default=None, sa_type=Utc)
    measure_at: datetime | None = Field(default=None, sa_type=Utc, index=True)
    created_at: datetime = Field(sa_type=Utc)
    updated_at: datetime = Field(sa_type=Utc)


class Subscriber(SQLModel, table=True):
    """Somebody to whom an outlet sends its posts one by one (mail).

    ``state`` is pending (asked, not yet confirmed), active, suspended (letters come back) or left; only the active are
    sent to, which ``active`` repeats for the database. ``code`` is a keyed hash of outlet and address: the name of the
    page on which they leave, and all that stays of somebody who left (``address`` is then «#» and the code).
    ``consent`` says how they agreed. ``letter`` is where the confirmation stands: due, wire, sent, failed, unknown.
    """

    __table_args__ = (
        UniqueConstraint("outlet_id", "address"),
        Index("ix_subscriber_code", "code"),
        Index(
            "ix_subscriber_letter",
            "letter_at",
            sqlite_where=text("letter in ('due', 'wire')"),
            postgresql_where=text("letter in ('due', 'wire')"),
        ),
    )

    id: int | None = Field(default=None, primary_key=True)
    ward_id: int = Field(foreign_key="ward.id", index=True)
    outlet_id: int = Field(foreign_key="outlet.id")
    address: str
    name: str = ""
    active: bool = True
    state: str = "active"
    code: str = ""
    consent: str = ""
    bounces: int = 0
    letter: str = ""
    letter_at: datetime | None = Field(default=None, sa_type=Utc)
    letter_tries: int = 0
    asked_at: datetime | None = Field(default=None, sa_type=Utc)
    confirmed_at: datetime | None = Field(default=None, sa_type=Utc)
    left_at: datetime | None = Field(default=None, sa_type=Utc)
    created_at: datetime = Field(sa_type=Utc)


class Recipient(SQLModel, table=True):
    """One recipient of a fan-out: a durable state of its own; a trigger refuses illegal moves.

    waiting -> wire -> sent | failed | unknown | waiting; unknown -> sent | waiting | closed; waiting -> cancelled.
    """

    __table_args__ = (
        UniqueConstraint("delivery_id", "address"),
        Index(
            "ix_recipient_waiting",
            "delivery_id",
            "next_at",
            "id",
            sqlite_where=text("state = 'waiting'"),
            postgresql_where=text("state = 'waiting'"),
        ),
        Index(
            "ix_recipient_under_way",
            "delivery_id",
            "epoch",
            sqlite_where=text("state = 'wire'"),
            postgresql_where=text("state = 'wire'"),
        ),
    )

    id: int | None = Field(default=None, primary_key=True)
    ward_id: int = Field(foreign_key="ward.id")
    delivery_id: int = Field(foreign_key="delivery.id")
    address: str
    state: str = "waiting"
    next_at: datetime = Field(sa_type=Utc)
    tries: int = 0
    fence: int = 0
    epoch: str = ""
    remote_id: str = ""
    reason: str = ""
    detail: str = ""
    wire_at: datetime | None = Field(default=None, sa_type=Utc)
    done_at: datetime | None = Field(default=None, sa_type=Utc)


class Hold(SQLModel, table=True):
    """«Tạm dừng toàn bộ»: of a ward, or of the whole city (``ward_id`` None); ``kind`` is person, catch_up or safe_mode."""

    id: int | None = Field(default=None, primary_key=True)
    ward_id: int | None = Field(default=None, foreign_key="ward.id", index=True)
    kind: str = "person"
    reason: str = ""
    author_id: int | None = Field(default=None, foreign_key="staff.id")
    created_at: datetime = Field(sa_type=Utc)
    released_at: datetime | None = Field(default=None, sa_type=Utc)
    released_by: int | None = Field(default=None, foreign_key="staff.id")


class Instance(SQLModel, table=True):
    """The one installation that this database belongs to (a single row, id 1).

    ``epoch`` grows with every restore; ``home`` tells the machine and folder that the live one runs in; ``safe_mode``
    says why nothing is sent until a person confirms; ``seed`` makes delivery keys the same again after a restore.
    """

    id: int = Field(default=1, primary_key=True)
    name: str
    seed: str
    epoch: int = 1
    home: str = ""
    safe_mode: str = ""
    created_at: datetime = Field(sa_type=Utc)
    restored_at: datetime | None = Field(default=None, sa_type=Utc)
    proved_restore_at: datetime | None = Field(default=None, sa_type=Utc)


class Attempt(SQLModel, table=True):
    """One try («Lần thử») or one look-up of a delivery, on record before the wire."""

    id: int | None = Field(default=None, primary_key=True)
    ward_id: int = Field(foreign_key="ward.id")
    delivery_id: int = Field(foreign_key="delivery.id", index=True)
    fence: int
    part: int
    verb: str
    started_at: datetime = Field(sa_type=Utc)
    ended_at: datetime | None = Field(default=None, sa_type=Utc)
    outcome: str = ""
    reason: str = ""
    detail: str = ""


class Metric(SQLModel, table=True):
    """One figure at one moment, with its label (measured, estimated, declared) and formula."""

    __table_args__ = (Index("ix_metric_delivery_name", "delivery_id", "name", "taken_at"),)

    id: int | None = Field(default=None, primary_key=True)
    ward_id: int = Field(foreign_key="ward.id", index=True)
    delivery_id: int = Field(foreign_key="delivery.id")
    name: str
    value: int
    label: str
    formula: str
    taken_at: datetime = Field(sa_type=Utc)


class ShortLink(SQLModel, table=True):
    """A delivery's own short address: the marker in its text, and what counts its readers."""

    __tablename__ = "short_link"

    code: str = Field(primary_key=True)
    ward_id: int = Field(foreign_key="ward.id", index=True)
    delivery_id: int = Field(foreign_key="delivery.id", index=True)
    target: str
    created_at: datetime = Field(sa_type=Utc)


class DayCount(SQLModel, table=True):
    """Visits of one day to a short link or an article: ``raw`` hits, and those that look like people."""

    __tablename__ = "day_count"

    kind: str = Field(primary_key=True)
    subject: str = Field(primary_key=True)
    day: date = Field(primary_key=True)
    ward_id: int = Field(foreign_key="ward.id", index=True)
    raw: int = 0
    people: int = 0


class Article(SQLModel, table=True):
    """A page of the ward's public site, keyed by the delivery that published it; ``gallery`` follows its first picture."""

    __table_args__ = (UniqueConstraint("ward_id", "slug"),)

    key: str = Field(primary_key=True)
    ward_id: int = Field(foreign_key="ward.id", index=True)
    slug: str
    title: str
    summary: str = ""
    html: str = Field(sa_type=Text)
    picture: dict[str, Any] | None = Field(default=None, sa_type=JSON)
    gallery: list[dict[str, Any]] = Field(default_factory=list, sa_type=JSON)
    clip: dict[str, Any] | None = Field(default=None, sa_type=JSON)
    topics: list[str] = Field(default_factory=list, sa_type=JSON)
    source_name: str = ""
    source_url: str = ""
    event: dict[str, Any] | None = Field(default=None, sa_type=JSON)
    published_at: datetime = Field(sa_type=Utc, index=True)
    updated_at: datetime = Field(sa_type=Utc)
    corrections: list[dict[str, Any]] = Field(default_factory=list, sa_type=JSON)
    withdrawn_at: datetime | None = Field(default=None, sa_type=Utc)


class Broadcast(SQLModel, table=True):
    """What the ward's loudspeakers said, for the public archive: its words, and its sound where that was kept (MP3)."""

    __table_args__ = (Index("ix_broadcast_ward_id_aired_at", "ward_id", "aired_at"),)

    delivery_id: int = Field(primary_key=True, foreign_key="delivery.id")
    ward_id: int = Field(foreign_key="ward.id")
    title: str
    transcript: str = Field(sa_type=Text)
    sha256: str = ""
    seconds: int = 0
    synthetic: bool = False
    aired_at: datetime = Field(sa_type=Utc)


class Source(SQLModel, table=True):
    """An official feed («Nguồn chính thống») that is watched."""

    __table_args__ = (UniqueConstraint("ward_id", "url"),)

    id: int | None = Field(default=None, primary_key=True)
    ward_id: int = Field(foreign_key="ward.id", index=True)
    name: str
    url: str
    active: bool = True
    etag: str = ""
    modified: str = ""
    checked_at: datetime | None = Field(default=None, sa_type=Utc)
    next_at: datetime | None = Field(default=None, sa_type=Utc)
    failures: int = 0
    error: str = ""


class SourceItem(SQLModel, table=True):
    """One item of a feed, remembered for good; ``fingerprint`` is the same for the same article in any feed."""

    __tablename__ = "source_item"
    __table_args__ = (UniqueConstraint("source_id", "guid"), Index("ix_source_item_print", "ward_id", "fingerprint"))

    id: int | None = Field(default=None, primary_key=True)
    ward_id: int = Field(foreign_key="ward.id", index=True)
    source_id: int = Field(foreign_key="source.id")
    guid: str
    url: str
    title: str
    summary: str = Field(default="", sa_type=Text)
    published_at: datetime | None = Field(default=None, sa_type=Utc)
    fingerprint: str
    duplicate_of: int | None = Field(default=None, foreign_key="source_item.id")
    seen_at: datetime = Field(sa_type=Utc)


class Report(SQLModel, table=True):
    """A report as it was written: its period and figures, frozen."""

    id: int | None = Field(default=None, primary_key=True)
    ward_id: int = Field(foreign_key="ward.id", index=True)
    title: str
    period_from: datetime = Field(sa_type=Utc)
    period_to: datetime = Field(sa_type=Utc)
    figures: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)
    digest: str
    author_id: int | None = Field(default=None, foreign_key="staff.id")
    created_at: datetime = Field(sa_type=Utc)


class AuditEvent(SQLModel, table=True):
    """What was done, by whom, to what; each ward's events are a hash chain that only grows."""

    __tablename__ = "audit_event"
    __table_args__ = (UniqueConstraint("ward_id", "number"),)

    id: int | None = Field(default=None, primary_key=True)
    ward_id: int = Field(foreign_key="ward.id", index=True)
    number: int
    at: datetime = Field(sa_type=Utc)
    actor_id: int | None = Field(default=None, foreign_key="staff.id")
    actor: str
    action: str
    subject: str
    subject_id: str = Field(index=True)
    particulars: dict[str, Any] = Field(default_factory=dict, sa_type=JSON)
    previous: str
    hash: str


class Worker(SQLModel, table=True):
    """One start of a daemon or worker: its boot epoch, its lease (``seen_at``), its last full pass of the delivery loop."""

    epoch: str = Field(primary_key=True)
    role: str = "daemon"
    host: str
    pid: int
    started_at: datetime = Field(sa_type=Utc)
    seen_at: datetime = Field(sa_type=Utc)
    passed_at: datetime | None = Field(default=None, sa_type=Utc)
    stopped_at: datetime | None = Field(default=None, sa_type=Utc)


import store.airings  # noqa: E402, F401
import store.amendments  # noqa: E402, F401
import store.clips  # noqa: E402, F401
import store.notices  # noqa: E402, F401 - the rest of the schema; it needs ``Utc``, so it comes last
import store.programmes  # noqa: E402, F401
import store.recordings  # noqa: E402, F401
