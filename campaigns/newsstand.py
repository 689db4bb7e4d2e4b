"""Official feeds in people's hands: what is watched, what it brought with copies folded, pausing and removing."""

from dataclasses import dataclass
from datetime import datetime

from sqlmodel import Session, col, delete, func, select, update

from campaigns import views
from campaigns.audit import Actor, record
from campaigns.people import Action, Mistake, require
from store.tables import Post, Source, SourceItem

PER_PAGE = 30


@dataclass(frozen=True)
class Watched:
    """One feed with how many items it brought."""

    source: Source
    items: int


@dataclass(frozen=True)
class Item:
    """One piece of news: where it came from, where else it stood, and the drafts made of it."""

    item: SourceItem
    source: Source
    also: tuple[str, ...]
    post_id: int | None


@dataclass(frozen=True)
class Found:
    """One page of items, newest first."""

    items: list[Item]
    total: int
    page: int
    pages: int


def watched(session: Session, ward_id: int) -> list[Watched]:
    """Every feed of the ward, by name."""
    counts = dict(
        session.exec(
            select(SourceItem.source_id, func.count())
            .where(SourceItem.ward_id == ward_id)
            .group_by(col(SourceItem.source_id))
        ).all()
    )
    rows = session.exec(views.of_ward(Source, ward_id).order_by(Source.name)).all()
    return [Watched(row, counts.get(row.id or 0, 0)) for row in rows]


def items(session: Session, ward_id: int, source_id: int | None, page: int) -> Found:
    """The items of all feeds with copies folded into the first, or every item of one feed."""
    query = views.of_ward(SourceItem, ward_id)
    query = (
        query.where(SourceItem.source_id == source_id)
        if source_id
        else query.where(col(SourceItem.duplicate_of).is_(None))
    )
    total = session.exec(select(func.count()).select_from(query.subquery())).one()
    pages = max(1, -(-total // PER_PAGE))
    page = min(max(page, 1), pages)
    newest = func.coalesce(SourceItem.published_at, SourceItem.seen_at).desc()
    rows = list(
        session.exec(
            query.order_by(newest, col(SourceItem.id).desc()).limit(PER_PAGE).offset((page - 1) * PER_PAGE)
        ).all()
    )
    return Found(_told(session, ward_id, rows), total, page, pages)


def pause(session: Session, by: Actor, source: Source, now: datetime) -> None:
    """Stop reading a feed; what it brought stays. Raises Forbidden."""
    require(by, Action.MANAGE, source.ward_id)
    source.active = False
    session.add(source)
    record(session, source.ward_id, by, "source.paused", "source", source.id, now, name=source.name)


def resume(session: Session, by: Actor, source: Source, now: datetime) -> None:
    """Read a feed again, at the next beat. Raises Forbidden."""
    require(by, Action.MANAGE, source.ward_id)
    source.active, source.next_at, source.failures, source.error = True, now, 0, ""
    session.add(source)
    record(session, source.ward_id, by, "source.resumed", "source", source.id, now, name=source.name)


def remove(session: Session, by: Actor, source: Source, now: datetime) -> None:
    """Forget a feed and what it brought, unless a post was made of it. Raises Forbidden or Mistake."""
    require(by, Action.MANAGE, source.ward_id)
    mine = select(SourceItem.id).where(SourceItem.source_id == source.id)
    if session.exec(select(Post.id).where(col(Post.source_item_id).in_(mine)).limit(1)).first():
        raise Mistake("Đã có bài soạn từ nguồn này, nên không bỏ hẳn được. Hãy chọn «Tạm ngừng» để thôi đọc nguồn.")
    _hand_on(session, source)
    session.exec(delete(SourceItem).where(col(SourceItem.source_id) == source.id))
    session.delete(source)
    record(session, source.ward_id, by, "source.removed", "source", source.id, now, name=source.name, url=source.url)


def _hand_on(session: Session, source: Source) -> None:
    """Copies elsewhere of what is forgotten: the oldest becomes the first, the others its copies."""
    gone = select(SourceItem.id).where(SourceItem.source_id == source.id)
    copies = session.exec(
        select(SourceItem)
        .where(col(SourceItem.duplicate_of).in_(gone), SourceItem.source_id != source.id)
        .order_by(col(SourceItem.id))
    ).all()
    first: dict[int, int] = {}
    for copy in copies:
        kept = first.setdefault(copy.duplicate_of or 0, copy.id or 0)
        copy.duplicate_of = None if kept == copy.id else kept
        session.add(copy)
    session.flush()
    session.exec(update(SourceItem).where(col(SourceItem.source_id) == source.id).values(duplicate_of=None))


def _told(session: Session, ward_id: int, rows: list[SourceItem]) -> list[Item]:
    sources = {row.id: row for row in session.exec(views.of_ward(Source, ward_id)).all()}
    prints = {row.fingerprint for row in rows}
    same = (
        session.exec(views.of_ward(SourceItem, ward_id).where(col(SourceItem.fingerprint).in_(prints))).all()
        if prints
        else []
    )
    ids = [row.id for row in rows]
    pairs = select(Post.source_item_id, func.min(Post.id)).where(
        Post.ward_id == ward_id, col(Post.source_item_id).in_(ids)
    )
    drafts = dict(session.exec(pairs.group_by(col(Post.source_item_id))).all())
    return [Item(row, sources[row.source_id], _also(row, same, sources), drafts.get(row.id)) for row in rows]


def _also(row: SourceItem, same: list[SourceItem], sources: dict[int | None, Source]) -> tuple[str, ...]:
    names = (
        sources[one.source_id].name
        for one in same
        if one.fingerprint == row.fingerprint and one.source_id != row.source_id
    )
    return tuple(dict.fromkeys(names))
