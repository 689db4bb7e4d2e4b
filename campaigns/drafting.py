"""Writing: a draft is always kept as it was typed, right or wrong; what is wrong is told, all at once."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, delete, select

from campaigns import announcing, clips, composing, dictionary, foretelling, photos, repeating, urgency
from campaigns.audit import Actor, record
from campaigns.drafts import Draft as Draft
from campaigns.drafts import DraftPicture as DraftPicture
from campaigns.drafts import DraftReading as DraftReading
from campaigns.outlets import Desk
from campaigns.people import Action, Mistake, require
from campaigns.photos import Shot
from campaigns.timetable import TimetableMistake, local, moment, passed, quiet
from channels.contract import Message, Problem
from channels.registry import channel
from content.document import plain
from content.pictures import PictureMistake
from content.stamps import CardMistake
from content.templates import FieldMistakes, TemplateMistake
from content.text import nfc
from store.clips import Clip, PostClip
from store.tables import Campaign, Delivery, Media, Outlet, Post, PostPicture, SourceItem, Task, Template, Variant, Ward
from store.vault import SealBroken

PREVIEW_KEY = "xemtruoc00"
APART = " · "
_ELSEWHERE = frozenset(
    {"day", "clock", "outlet_ids", "own_words", "readings", "slots", "pictures", "clip_id", "clip_about", "announce"}
)


class Stale(Mistake):
    """Somebody else saved this post meanwhile; nothing was overwritten."""


@dataclass(frozen=True)
class Preview:
    """A post as one outlet will show it, with everything that is wrong there.

    ``pictures`` says how many it takes of several, ``clip`` what becomes of a video or sound, ``pin`` whether it is pinned,
    ``announce`` whether followers are told.
    """

    outlet: Outlet
    message: Message | None
    problems: list[Problem]
    pictures: str = ""
    clip: str = ""
    pin: str = ""
    announce: str = ""


def save(
    session: Session, by: Actor, ward: Ward, draft: Draft, now: datetime, post: Post | None = None, revision: int = 0
) -> Post:
    """Keep what was typed; an approved or submitted post becomes a draft again. Raises Forbidden, Mistake or Stale."""
    assert ward.id is not None  # noqa: S101
    require(by, Action.WRITE, ward.id)
    _belongs(session, ward.id, draft)
    if post is None:
        new = Post(
            ward_id=ward.id,
            campaign_id=draft.campaign_id,
            title="",
            author_id=_user(by),
            created_at=now,
            updated_at=now,
        )
        return _keep(session, by, ward, new, draft, now)
    session.refresh(post, with_for_update={"key_share": True})
    if revision and post.revision != revision:
        raise Stale("Bài này vừa được người khác sửa. Hãy mở lại bài để xem bản mới; phần bạn đã nhập vẫn còn ở đây.")
    kept = draft_of(session, post, ward)
    if _same(kept, draft):
        return post
    if kept.repeat_ok and _text(kept) != _text(draft):
        draft = draft.model_copy(update={"repeat_ok": False})
    _back_to_draft(session, by, post, now)
    # Whoever changed the words last answers for them as their author, and so cannot approve them.
    post.author_id = _user(by)
    post.revision += 1
    return _keep(session, by, ward, post, draft, now)


def draft_of(session: Session, post: Post, ward: Ward) -> Draft:
    """The post as it stands in the form."""
    variants = session.exec(select(Variant).where(Variant.post_id == post.id)).all()
    day, clock = _day_and_clock(post.local_time)
    clip = clips.of_post(session, post)
    if post.due_at and not post.local_time:
        day, clock = local(post.due_at, ward.zone).strftime("%d/%m/%Y %Hh%M").split(" ")
    return Draft(
        **post.model_dump(include=set(Draft.model_fields) - _ELSEWHERE),
        pictures=[DraftPicture(media_id=one.media.id or 0, alt=one.alt) for one in photos.of_post(session, post)],
        clip_id=clip.row.id if clip else None,
        clip_about=clip.about if clip else "",
        day=day,
        clock=clock,
        outlet_ids=[variant.outlet_id for variant in variants],
        own_words={variant.outlet_id: variant.body for variant in variants if variant.body},
        readings={one.outlet_id: DraftReading(text=one.reading, of=one.reading_of) for one in variants if one.reading},
        announce={one.outlet_id: one.announce for one in variants if one.announce is not None},
        slots={one.outlet_id: one.slot_at for one in variants if one.slot_at},
    )


def from_source(
    session: Session, by: Actor, ward: Ward, campaign: Campaign, item: SourceItem, name: str, now: datetime
) -> Post:
    """A draft of an item of an official feed, with «Nguồn:» pinned."""
    assert campaign.id is not None  # noqa: S101
    draft = Draft(
        campaign_id=campaign.id, title=item.title[:150], body=item.summary, link=item.url, source_name=name,
        source_url=item.url, source_item_id=item.id,
    )  # fmt: skip
    return save(session, by, ward, draft, now)


def imagined(session: Session, by: Actor, ward: Ward, draft: Draft, now: datetime) -> composing.Scene:
    """The post that a draft would become, without keeping anything: for previews while typing. Raises Mistake."""
    assert ward.id is not None  # noqa: S101
    _belongs(session, ward.id, draft)
    post = Post(
        id=0,
        ward_id=ward.id,
        campaign_id=draft.campaign_id,
        title="",
        author_id=_user(by),
        created_at=now,
        updated_at=now,
    )
    _fill(post, draft, ward, now)
    outlets = session.exec(select(Outlet).where(col(Outlet.id).in_(draft.outlet_ids))).all() if draft.outlet_ids else []
    variants = {id: _variant(ward.id, 0, id, draft) for id in draft.outlet_ids}
    return composing.Scene(
        ward=ward,
        campaign=session.get_one(Campaign, draft.campaign_id),
        post=post,
        template=session.get(Template, draft.template_id) if draft.template_id else None,
        shots=tuple(Shot(session.get_one(Media, one.media_id), one.alt) for one in draft.pictures),
        clip=clips.Chosen(session.get_one(Clip, draft.clip_id), draft.clip_about) if draft.clip_id else None,
        variants=variants,
        outlets={outlet.id: outlet for outlet in outlets if outlet.id is not None},
        manner=dictionary.manner(session, ward),
    )


def problems(session: Session, post: Post, ward: Ward, now: datetime) -> list[Problem]:
    """Everything that keeps a post from being submitted, apart from the channels' own limits."""
    found = wrong(composing.scene(session, post), now) + repeating.errors(session, post, now)
    return found + announcing.errors(session, post, now)


def wrong(around: composing.Scene, now: datetime) -> list[Problem]:
    """Everything that is wrong with a post at any channel."""
    found: list[Problem] = []
    if not around.variants:
        found.append(Problem(level="error", text="Hãy chọn ít nhất một kênh.", field="outlet_ids"))
    found += _timing(around.post, around.ward, now)
    if around.clip is not None and not around.clip.ready:
        found.append(Problem(level="error", text=around.clip.row.trouble or clips.NOT_READY, field="clip"))
    try:
        made = composing.document(around)
    except FieldMistakes as mistakes:
        return found + [
            Problem(level="error", text=text, field=f"field.{key}") for key, text in mistakes.errors.items()
        ]
    except TemplateMistake as mistake:
        return [*found, Problem(level="error", text=str(mistake), field="template_id")]
    if not made.title.strip():
        found.append(Problem(level="error", text="Bài chưa có tiêu đề. Hãy nhập tiêu đề.", field="title"))
    if not plain(made.blocks).strip():
        found.append(Problem(level="error", text="Bài chưa có nội dung. Hãy nhập nội dung.", field="body"))
    return found


def previews(session: Session, post: Post, desk: Desk) -> list[Preview]:
    """The post on every chosen outlet, rendered and checked by the functions that will run at sending time."""
    return shown(composing.scene(session, post), desk)


def shown(around: composing.Scene, desk: Desk) -> list[Preview]:
    """A scene on every one of its outlets; needs no database."""
    return [
        _preview(around, outlet, desk) for outlet in sorted(around.outlets.values(), key=lambda outlet: outlet.kind)
    ]


def submit(session: Session, by: Actor, post: Post, ward: Ward, desk: Desk, now: datetime) -> list[Problem]:
    """Hand the post to the approver; gives the errors instead, and changes nothing, while there are any."""
    require(by, Action.WRITE, post.ward_id)
    if post.state not in ("draft", "returned"):
        raise Mistake("Bài này đã gửi duyệt rồi.")
    announcing.settle(session, post)
    errors = [p for p in problems(session, post, ward, now) if p.level == "error"]
    if errors:
        return errors
    there = previews(session, post, desk)
    told = [p for preview in there for p in preview.problems] + foretelling.heard_at(session, post, there, now)
    if errors := [p for p in told if p.level == "error"]:
        return errors
    post.state, post.submitted_at, post.updated_at = "submitted", now, now
    session.add(post)
    consent = {"repeat_ok": True} if post.repeat_ok else {}
    record(session, post.ward_id, by, "post.submitted", "post", post.id, now, revision=post.revision, **consent)
    return []


def _preview(around: composing.Scene, outlet: Outlet, desk: Desk) -> Preview:
    try:
        speaker = desk.channel(outlet)
        link = None if composing.is_home(speaker) else f"{desk.files.public_url}/s/{PREVIEW_KEY}"
        made = composing.message(around, outlet, speaker, PREVIEW_KEY, link, desk.files)
    except (FieldMistakes, TemplateMistake, Mistake, CardMistake, PictureMistake, SealBroken) as mistake:
        return Preview(outlet, None, [Problem(level="error", text=str(mistake))])
    named = [
        problem.model_copy(update={"text": f"{channel(outlet.kind).name}: {problem.text}"})
        for problem in speaker.validate(made)
    ]
    told = (
        clips.fate(around.clip, made, speaker),
        clips.pinned(made, around.post.pin, speaker),
        announcing.fate(made, speaker, outlet),
    )
    return Preview(outlet, made, named, photos.taken(around.shots, made, speaker.limits), *told)


def _timing(post: Post, ward: Ward, now: datetime) -> list[Problem]:
    day, clock = _day_and_clock(post.local_time)
    kind = urgency.of(post)
    if not day and not clock and kind.at_once:
        return []
    if not day or not clock:
        missing = ", ".join(word for word, typed in (("ngày", day), ("giờ", clock)) if not typed)
        return [Problem(level="error", text=f"Chưa chọn {missing} đăng.", field="day")]
    try:
        due = moment(day, clock, ward.zone)
    except TimetableMistake as mistake:
        return [Problem(level="error", text=str(mistake), field="day")]
    if kind.at_once and urgency.at_once(post, now):
        text = "Giờ đã chọn đã qua: tin khẩn cấp sẽ được đăng ngay khi duyệt."
        return [Problem(level="warning", text=text, field="day")]
    if passed(due, now):
        return [Problem(level="error", text="Giờ đăng đã qua. Hãy chọn một thời điểm sau bây giờ.", field="day")]
    if quiet(due, ward.zone, ward.quiet) and not kind.in_quiet:
        return [
            Problem(
                level="warning",
                text="Giờ đăng rơi vào giờ yên tĩnh của phường. Nếu không khẩn, hãy chọn giờ khác.",
                field="day",
            )
        ]
    return []


def _together(day: str, clock: str) -> str:
    """Day and clock as one text that can be taken apart again, whatever was typed."""
    if not day and not clock:
        return ""
    return f"{day} {clock}" if day and clock and " " not in day else f"{day}{APART}{clock}"


def _day_and_clock(text: str) -> tuple[str, str]:
    day, _, clock = text.partition(APART if APART in text else " ")
    return day, clock


def _fill(post: Post, draft: Draft, ward: Ward, now: datetime) -> None:
    values = draft.model_dump(exclude=set(_ELSEWHERE))
    for name, value in values.items():
        setattr(post, name, value)
    post.media_id = draft.pictures[0].media_id if draft.pictures else None
    post.local_time = _together(draft.day, draft.clock)
    try:
        post.due_at = moment(draft.day, draft.clock, ward.zone)
    except TimetableMistake:
        post.due_at = None
    post.updated_at = now


def _put_variants(session: Session, post: Post, draft: Draft) -> None:
    session.exec(delete(Variant).where(col(Variant.post_id) == post.id))
    for outlet_id in dict.fromkeys(draft.outlet_ids):
        session.add(_variant(post.ward_id, post.id or 0, outlet_id, draft))
    session.flush()


def _variant(ward_id: int, post_id: int, outlet_id: int, draft: Draft) -> Variant:
    reading = draft.readings.get(outlet_id, DraftReading())
    return Variant(
        ward_id=ward_id, post_id=post_id, outlet_id=outlet_id, body=nfc(draft.own_words.get(outlet_id, "")).strip() or None,
        reading=reading.text or None, reading_of=reading.of if reading.text else "", announce=draft.announce.get(outlet_id),
        slot_at=draft.slots.get(outlet_id),
    )  # fmt: skip


def _put_clip(session: Session, post: Post, draft: Draft) -> None:
    session.exec(delete(PostClip).where(col(PostClip.post_id) == post.id))
    if draft.clip_id:
        session.add(PostClip(ward_id=post.ward_id, post_id=post.id or 0, clip_id=draft.clip_id, about=draft.clip_about))
    session.flush()


def _put_pictures(session: Session, post: Post, draft: Draft) -> None:
    session.exec(delete(PostPicture).where(col(PostPicture.post_id) == post.id))
    for position, one in enumerate(draft.pictures):
        session.add(
            PostPicture(
                ward_id=post.ward_id, post_id=post.id or 0, media_id=one.media_id, position=position, alt=one.alt
            )
        )
    session.flush()


def _keep(session: Session, by: Actor, ward: Ward, post: Post, draft: Draft, now: datetime) -> Post:
    _fill(post, draft, ward, now)
    session.add(post)
    session.flush()
    _put_variants(session, post, draft)
    _put_pictures(session, post, draft)
    _put_clip(session, post, draft)
    post.text_digest = repeating.text_digest(session, post)
    session.add(post)
    record(session, post.ward_id, by, "post.saved", "post", post.id, now, title=post.title, revision=post.revision)
    return post


def reopen(session: Session, by: Actor, post: Post, now: datetime) -> None:
    """Something of a kept post changes: its approval is void, its deliveries are cancelled. Raises Mistake once it is out."""
    session.refresh(post, with_for_update={"key_share": True})
    _back_to_draft(session, by, post, now)
    post.revision, post.updated_at = post.revision + 1, now


def _same(kept: Draft, draft: Draft) -> bool:
    """Whether two drafts say the same, in whatever order their outlets were ticked."""

    def said(one: Draft) -> dict[str, Any]:
        words = {id: text.strip() for id, text in one.own_words.items() if text.strip() and id in one.outlet_ids}
        readings = {id: reading for id, reading in one.readings.items() if reading.text and id in one.outlet_ids}
        told = {id: wanted for id, wanted in one.announce.items() if id in one.outlet_ids}
        slots = {id: at for id, at in one.slots.items() if id in one.outlet_ids}
        mine = {"own_words": words, "readings": readings, "announce": told, "slots": slots}
        return {**one.model_dump(), "outlet_ids": set(one.outlet_ids), **mine}

    return said(kept) == said(draft)


def _text(draft: Draft) -> dict[str, Any]:
    """What a reader reads of a draft, and where: what a consent to repeat was given for."""
    said = draft.model_dump(include={"title", "body", "template_id", "fields"})
    words = {id: text.strip() for id, text in draft.own_words.items() if text.strip() and id in draft.outlet_ids}
    return {**said, "own_words": words, "outlet_ids": set(draft.outlet_ids)}


def _back_to_draft(session: Session, by: Actor, post: Post, now: datetime) -> None:
    if post.state == "withdrawn":
        raise Mistake("Bài đã gỡ, không sửa được nữa. Hãy soạn bài mới.")
    wanted = (
        select(Delivery).where(Delivery.post_id == post.id).order_by(col(Delivery.id)).with_for_update(key_share=True)
    )
    deliveries = session.exec(wanted.execution_options(populate_existing=True)).all()
    if any(delivery.state not in ("due", "held", "cancelled") or delivery.part for delivery in deliveries):
        raise Mistake("Bài đã bắt đầu được đăng, không sửa được nữa. Hãy soạn bài mới hoặc gỡ bài.")
    for delivery in deliveries:
        if delivery.state != "cancelled":
            delivery.state, delivery.reason, delivery.updated_at = "cancelled", "edited", now
            session.add(delivery)
            record(session, post.ward_id, by, "delivery.cancelled", "delivery", delivery.id, now, reason="edited")
    if post.state in ("approved", "submitted"):
        record(session, post.ward_id, by, "post.approval_void", "post", post.id, now, was=post.state)
    post.state, post.approver_id, post.approved_at, post.digest = "draft", None, None, ""


def _belongs(session: Session, ward_id: int, draft: Draft) -> None:
    wanted: list[tuple[type[Any], list[int]]] = [
        (Campaign, [draft.campaign_id]),
        (Task, [draft.task_id] if draft.task_id else []),
        (Template, [draft.template_id] if draft.template_id else []),
        (SourceItem, [draft.source_item_id] if draft.source_item_id else []),
        (Media, [one.media_id for one in draft.pictures]),
        (Clip, [draft.clip_id] if draft.clip_id else []),
        (Outlet, list(draft.outlet_ids)),
    ]
    for table, ids in wanted:
        for id in ids:
            row = session.get(table, id)
            if row is None or row.ward_id != ward_id:
                raise Mistake("Bài nhắc tới một mục không có trong phường này. Hãy tải lại trang.")


def _user(by: Actor) -> int:
    if by.user_id is None:
        raise Mistake("Bài phải có người soạn.")
    return by.user_id
