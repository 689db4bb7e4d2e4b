"""Official feeds («Nguồn chính thống»): watched behind the guarded client, every item remembered for good."""

import asyncio
import logging
from datetime import datetime, timedelta

from sqlmodel import Session, col, select

from campaigns.audit import MACHINE, Actor, record
from campaigns.delivering import Courier
from campaigns.people import Action, Mistake, require
from channels.wire import Answer, Refusal, Seen, Wire
from content.feeds import Feed, FeedMistake, parse
from content.text import squeeze
from store.tables import Source, SourceItem, Ward

EVERY = timedelta(minutes=30)
LONGEST = timedelta(hours=12)
PATIENCE_SECONDS = 60.0

log = logging.getLogger("lantoa.sources")


def watch(session: Session, by: Actor, ward_id: int, name: str, url: str, now: datetime) -> Source:
    """Start watching a feed; raises Forbidden or Mistake."""
    require(by, Action.MANAGE, ward_id)
    url = url.strip()
    if not url.startswith(("https://", "http://")):
        raise Mistake("Địa chỉ nguồn phải bắt đầu bằng https:// hoặc http://.")
    if session.exec(select(Source.id).where(Source.ward_id == ward_id, Source.url == url)).first():
        raise Mistake("Nguồn này đã được theo dõi.")
    source = Source(ward_id=ward_id, name=squeeze(name) or url, url=url, next_at=now)
    session.add(source)
    session.flush()
    record(session, ward_id, by, "source.watched", "source", source.id, now, url=url)
    return source


async def refresh(courier: Courier, limit: int = 8) -> int:
    """Read every feed that is due; gives how many new items were remembered."""
    due = await asyncio.to_thread(_due, courier, limit)
    return sum(await asyncio.gather(*(_read(courier, source) for source in due)))


def _due(courier: Courier, limit: int) -> list[Source]:
    now = courier.desk.now()
    with courier.store.read() as session:
        wanted = select(Source).where(
            col(Source.active), (col(Source.next_at).is_(None)) | (col(Source.next_at) <= now)
        )
        return list(session.exec(wanted.order_by(col(Source.next_at), col(Source.id)).limit(limit)).all())


async def _read(courier: Courier, source: Source) -> int:
    try:
        return await _look_into(courier, source)
    except Exception:
        log.exception("source %s", source.id)
        failed = "Lỗi chương trình khi đọc nguồn; đã ghi vào nhật ký máy."
        return await asyncio.to_thread(_keep, courier, source.id or 0, None, None, failed)


async def _look_into(courier: Courier, source: Source) -> int:
    seen, problem = await _fetch(courier.desk.wire, source)
    feed: Feed | None = None
    if seen is not None and seen.status == 200:
        try:
            feed = await asyncio.to_thread(parse, seen.body, source.url)
        except FeedMistake as mistake:
            problem = str(mistake)
    return await asyncio.to_thread(_keep, courier, source.id or 0, seen, feed, problem)


async def _fetch(wire: Wire, source: Source) -> tuple[Answer | None, str]:
    known = {"if-none-match": source.etag, "if-modified-since": source.modified}
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            seen: Seen = await wire.fetch(source.url, {name: value for name, value in known.items() if value})
    except TimeoutError:
        return None, "Nguồn trả lời quá chậm; sẽ thử lại."
    except Refusal as refusal:
        return None, f"Không được phép đọc địa chỉ này: {refusal}."
    if not isinstance(seen, Answer):
        return None, "Không kết nối được tới nguồn; sẽ thử lại."
    if seen.status not in (200, 304):
        return None, f"Nguồn trả lời mã {seen.status}; sẽ thử lại."
    return seen, ""


def _keep(courier: Courier, source_id: int, seen: Answer | None, feed: Feed | None, problem: str) -> int:
    now = courier.desk.now()
    with courier.store.write() as session:
        source = session.get_one(Source, source_id)
        # One feed of a ward after the other: the same article in two of them is known as one.
        session.exec(select(Ward.id).where(Ward.id == source.ward_id).with_for_update(key_share=True)).one()
        source.checked_at, source.error = now, problem
        source.failures = source.failures + 1 if problem else 0
        source.next_at = now + min(EVERY * 2 ** min(source.failures, 8), LONGEST)
        new = _remember(session, source, feed, now) if feed else 0
        if feed is not None and seen is not None:
            source.etag, source.modified = (
                seen.headers.get("etag", "")[:200],
                seen.headers.get("last-modified", "")[:100],
            )
        session.add(source)
        if new:
            record(session, source.ward_id, MACHINE, "source.read", "source", source.id, now, new=new)
        return new


def _remember(session: Session, source: Source, feed: Feed, now: datetime) -> int:
    known = set(session.exec(select(SourceItem.guid).where(SourceItem.source_id == source.id)).all())
    new = 0
    for item in feed.items:
        if item.guid in known:
            continue
        known.add(item.guid)
        session.add(
            SourceItem(
                ward_id=source.ward_id, source_id=source.id or 0, guid=item.guid, url=item.url, title=item.title,
                summary=item.summary, published_at=item.published, fingerprint=item.fingerprint,
                duplicate_of=_same(session, source.ward_id, item.fingerprint), seen_at=now,
            )
        )  # fmt: skip
        session.flush()
        new += 1
    return new


def _same(session: Session, ward_id: int, fingerprint: str) -> int | None:
    first = select(SourceItem.id).where(SourceItem.ward_id == ward_id, SourceItem.fingerprint == fingerprint)
    return session.exec(first.order_by(col(SourceItem.id)).limit(1)).first()
