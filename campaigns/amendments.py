"""Corrections («Đính chính») as people decide on them: written and sent by one, approved by another, for good or not.

The messages are frozen when they are submitted, so the approver decides on the very words that will stand there; the
approval is bound to their digest. The deliveries stay sent all the while: a post that reads wrongly is still out.
"""

from collections.abc import Iterable
from datetime import datetime

from sqlmodel import Session, col, select

from campaigns.amend_steps import Line, Next, move
from campaigns.approving import Changed, sha
from campaigns.audit import Actor, record
from campaigns.correcting import Sight, Words
from campaigns.people import Action, Mistake, require
from campaigns.states import State
from channels.contract import Problem
from content.text import length, squeeze
from store.amendments import Amendment, AmendmentLine
from store.tables import Delivery, Post

LONGEST_NOTE = 500
OPEN = ("submitted", "returned")
ALREADY = "Bài này đang có một đính chính chờ duyệt. Hãy mở đính chính đó để sửa tiếp hoặc rút lại."
UNDER_WAY_NOW = "Chương trình đang sửa bài theo lần đính chính trước. Hãy đợi vài phút rồi duyệt lại."
NOT_WAITING = "Đính chính này không còn ở trạng thái chờ duyệt."
SUPERSEDED = "Đã có đính chính mới hơn."


def open_one(session: Session, post: Post) -> Amendment | None:
    """The post's correction that is not decided yet."""
    mine = (Amendment.post_id == post.id, col(Amendment.state).in_(OPEN))
    return session.exec(select(Amendment).where(*mine)).first()


def lines_of(session: Session, amendment: Amendment) -> list[AmendmentLine]:
    """The deliveries that it changes."""
    mine = select(AmendmentLine).where(AmendmentLine.amendment_id == amendment.id)
    return list(session.exec(mine.order_by(col(AmendmentLine.id))).all())


def wrong(words: Words, chosen: list[Sight]) -> list[Problem]:
    """Everything that keeps a correction from being sent for approval."""
    found: list[Problem] = []
    if not words.note:
        text = "Hãy ghi sai ở đâu; lý do này hiện công khai trên trang thông tin của phường."
        found.append(Problem(level="error", text=text, field="note"))
    if length(words.note) > LONGEST_NOTE:
        text = f"Lý do dài {length(words.note)} ký tự; hãy viết trong {LONGEST_NOTE} ký tự."
        found.append(Problem(level="error", text=text, field="note"))
    if not chosen:
        found.append(Problem(level="error", text="Hãy chọn ít nhất một kênh để sửa.", field="deliveries"))
    problems = [problem for sight in chosen for problem in sight.errors]
    if chosen and not problems and not any(sight.changes for sight in chosen):
        text = "Chưa có chữ nào khác với bài đã đăng. Hãy sửa chỗ sai rồi gửi duyệt."
        found.append(Problem(level="error", text=text, field="body"))
    return list(dict.fromkeys([*found, *problems]))


def submit(session: Session, by: Actor, post: Post, words: Words, chosen: list[Sight], now: datetime) -> Amendment:
    """Freeze what is to be said and hand it to the approver; raises Forbidden or Mistake.

    ``chosen`` are of ``correcting.sights`` for the same words; a returned correction is taken up again.
    """
    require(by, Action.WRITE, post.ward_id)
    session.refresh(post, with_for_update={"key_share": True})
    errors = wrong(words, chosen)
    if errors:
        raise Mistake(errors[0].text)
    amendment = open_one(session, post)
    if amendment is not None and amendment.state == "submitted":
        raise Mistake(ALREADY)
    if amendment is None:
        amendment = Amendment(
            ward_id=post.ward_id, post_id=post.id or 0, note=words.note, author_id=_user(by), submitted_at=now, updated_at=now
        )  # fmt: skip
    _fill(session, amendment, by, words, now)
    _freeze(session, amendment, [sight for sight in chosen if sight.changes], now)
    told = {"post": post.id, "note": words.note, "digest": digest_of(session, amendment)}
    record(session, post.ward_id, by, "amendment.submitted", "amendment", amendment.id, now, **told)
    return amendment


def digest_of(session: Session, amendment: Amendment) -> str:
    """SHA-256 over everything that decides what will stand where, and why."""
    frozen = [[line.delivery_id, line.message] for line in lines_of(session, amendment)]
    words = amendment.model_dump(
        include={"ward_id", "post_id", "title", "summary", "body", "fields", "own_words", "note"}
    )
    return sha([words, sorted(frozen, key=lambda pair: int(str(pair[0])))])


def approve(session: Session, by: Actor, amendment: Amendment, seen: str, now: datetime) -> None:
    """Approve what was seen (its digest); raises Forbidden, Mistake or Changed."""
    require(by, Action.APPROVE, amendment.ward_id)
    _latest(session, amendment, "submitted")
    if by.user_id == amendment.author_id:
        raise Mistake("Người soạn không được tự duyệt đính chính của mình. Hãy nhờ người duyệt khác.")
    digest = digest_of(session, amendment)
    if seen != digest:
        raise Changed("Đính chính đã thay đổi sau khi bạn mở. Hãy xem lại bản mới rồi duyệt.")
    lines = lines_of(session, amendment)
    out = _out(session, lines)
    if not out:
        raise Mistake("Bài không còn trên kênh nào trong đính chính này. Hãy trả lại hoặc rút đính chính.")
    _supersede(session, amendment, set(out), now)
    amendment.state, amendment.digest, amendment.approver_id = "approved", digest, by.user_id
    amendment.approved_at = amendment.updated_at = now
    session.add(amendment)
    record(session, amendment.ward_id, by, "amendment.approved", "amendment", amendment.id, now,
           post=amendment.post_id, note=amendment.note, digest=digest)  # fmt: skip
    for line in lines:
        if line.delivery_id in out:
            move(session, line, Next(Line.DUE, now), now, by, "delivery.amending")
        else:
            move(session, line, Next(Line.VOID, now, detail="Bài không còn trên kênh."), now, by)


def send_back(session: Session, by: Actor, amendment: Amendment, answer: str, now: datetime) -> None:
    """Return it to its author with a reason; raises Forbidden or Mistake."""
    require(by, Action.APPROVE, amendment.ward_id)
    _latest(session, amendment, "submitted")
    if not squeeze(answer):
        raise Mistake("Hãy ghi lý do trả lại để biên tập viên biết cần sửa gì.")
    amendment.state, amendment.answer, amendment.updated_at = "returned", squeeze(answer)[:500], now
    session.add(amendment)
    _record(session, by, amendment, "amendment.returned", now, answer=amendment.answer)


def recall(session: Session, by: Actor, amendment: Amendment, now: datetime) -> None:
    """Give an undecided correction up; the post stays as it is. Raises Forbidden or Mistake."""
    require(by, Action.WRITE, amendment.ward_id)
    session.refresh(amendment, with_for_update={"key_share": True})
    if amendment.state not in OPEN:
        raise Mistake("Đính chính này đã được quyết định, không rút lại được.")
    amendment.state, amendment.updated_at = "cancelled", now
    session.add(amendment)
    for line in lines_of(session, amendment):
        line.state = Line.VOID.value
        session.add(line)
    _record(session, by, amendment, "amendment.recalled", now)


def _fill(session: Session, amendment: Amendment, by: Actor, words: Words, now: datetime) -> None:
    amendment.title, amendment.summary, amendment.body, amendment.note = (
        words.title,
        words.summary,
        words.body,
        words.note,
    )
    amendment.fields = dict(words.fields)
    amendment.own_words = {str(id): text for id, text in words.own_words.items()}
    # Whoever changed the words last answers for them as their author, and so cannot approve them.
    amendment.author_id, amendment.state, amendment.answer = _user(by), "submitted", ""
    amendment.submitted_at = amendment.updated_at = now
    session.add(amendment)
    session.flush()


def _freeze(session: Session, amendment: Amendment, chosen: list[Sight], now: datetime) -> None:
    kept = {line.delivery_id: line for line in lines_of(session, amendment)}
    for id in set(kept) - {sight.delivery.id for sight in chosen}:
        session.delete(kept[id])
    for sight in chosen:
        line = kept.get(sight.delivery.id or 0) or AmendmentLine(
            ward_id=amendment.ward_id, amendment_id=amendment.id or 0, delivery_id=sight.delivery.id or 0, next_at=now
        )
        assert sight.after is not None  # noqa: S101 - what has errors or no words was turned away
        line.message = sight.after.model_dump(mode="json")
        session.add(line)
    session.flush()


def _supersede(session: Session, amendment: Amendment, deliveries: set[int], now: datetime) -> None:
    """What earlier corrections still wanted of these deliveries is over: the new words are the whole text."""
    wanted = [Line.DUE, Line.WIRE, Line.REFUSED, Line.NEEDS_HUMAN]
    older = (col(AmendmentLine.delivery_id).in_(deliveries), AmendmentLine.amendment_id != amendment.id)
    lines = select(AmendmentLine).where(*older, col(AmendmentLine.state).in_(wanted))
    for line in session.exec(lines.with_for_update()).all():
        if line.state == Line.WIRE:
            raise Mistake(UNDER_WAY_NOW)
        move(session, line, Next(Line.VOID, now, detail=SUPERSEDED), now)


def _out(session: Session, lines: Iterable[AmendmentLine]) -> list[int]:
    ids = [line.delivery_id for line in lines]
    found = select(Delivery.id).where(col(Delivery.id).in_(ids), Delivery.state == State.SENT)
    return [id or 0 for id in session.exec(found).all()]


def _latest(session: Session, amendment: Amendment, state: str) -> None:
    session.refresh(amendment, with_for_update={"key_share": True})
    if amendment.state != state:
        raise Mistake(NOT_WAITING)


def _record(session: Session, by: Actor, amendment: Amendment, action: str, now: datetime, **said: str) -> None:
    session.flush()
    told = {"post": amendment.post_id, "note": amendment.note, **said}
    record(session, amendment.ward_id, by, action, "amendment", amendment.id, now, **told)


def _user(by: Actor) -> int:
    if by.user_id is None:
        raise Mistake("Chỉ người có tài khoản mới soạn được đính chính.")
    return by.user_id
