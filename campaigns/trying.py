"""«Đăng thử»: one harmless text goes through the outlet's real channel, is looked up, and is taken down where it can be.

Asked for by a person, made once, by the engine's own laws: the intent is on record before the first byte, the answer
before the next step, nothing is repeated. Hidden where the channel's settings can hide it (a field that says
``json_schema_extra={"unseen": value}``); else the person was told that readers may see it for a moment.
"""

import asyncio
import hashlib
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from campaigns import hours, outlets, trials, views
from campaigns.audit import Actor
from campaigns.composing import as_card
from campaigns.delivering import LEAVE_WITHIN_SECONDS, written
from campaigns.outlets import Desk
from campaigns.people import Action, Mistake, require
from campaigns.trials import Step, Trial, Turn
from channels.contract import (
    EMPTY,
    Capability,
    Channel,
    Deferred,
    Found,
    Handle,
    Message,
    Outcome,
    Pending,
    Published,
    Reason,
    Refused,
    Unknown,
)
from channels.wire import may_leave
from content.document import Document, read
from store.engine import Store
from store.tables import Outlet, Ward
from store.vault import SealBroken

PATIENCE_SECONDS = 60.0
LOOKS = (0.0, 2.0, 4.0, 8.0, 16.0)
LOOK_BACK = timedelta(minutes=5)
TYPED = "phát thử"
OUR_BUG = "Lỗi chương trình; đã ghi vào nhật ký máy. Hãy báo người quản trị."
NO_ANSWER = "Nền tảng không trả lời trong thời gian chờ."
_WRITTEN = "Đây là tin thử để kiểm tra kết nối của kênh. Bà con không cần làm gì; tin này sẽ được gỡ."
_SPOKEN = "Đây là buổi phát thử hệ thống loa. Bà con không cần làm gì. Xin cảm ơn."

Told = TypeVar("Told")

log = logging.getLogger("lantoa.trial")


@dataclass(frozen=True)
class Plan:
    """What a trial of this outlet would be: ``way`` is hidden, seen, heard or letter."""

    way: str
    finds: bool
    withdraws: bool


@dataclass(frozen=True)
class Asked:
    """What the person sent: the number that the page showed, and the confirmation that this way needs."""

    number: int
    understood: bool = False
    typed: str = ""
    address: str = ""


@dataclass(frozen=True)
class _Made:
    """One trial under way."""

    store: Store
    desk: Desk
    turn: Turn
    outlet: Outlet
    speaker: Channel
    message: Message
    address: str


def plan(kind: type[Channel]) -> Plan:
    """How a channel of this kind is tried."""
    can = kind.capabilities
    seen = "heard" if hours.heard(kind.kind) else "hidden" if unseen(kind) else "seen"
    return Plan("letter" if Capability.FAN_OUT in can else seen, Capability.FIND in can, Capability.WITHDRAW in can)


def unseen(kind: type[Channel]) -> dict[str, Any]:
    """The settings under which what this kind publishes is seen by nobody; empty where there are none."""
    extras = ((name, field.json_schema_extra) for name, field in kind.Settings.model_fields.items())
    return {name: extra["unseen"] for name, extra in extras if isinstance(extra, dict) and "unseen" in extra}


async def publish(store: Store, desk: Desk, by: Actor, ward_id: int, outlet_id: int, asked: Asked) -> Trial:
    """Make the one trial that was asked for, and say how it went; raises Forbidden, NotInWard or Mistake (nothing was sent)."""
    require(by, Action.SETTLE, ward_id)
    made = await asyncio.to_thread(_begin, store, desk, Turn(by, ward_id, outlet_id, asked.number), asked)
    await _go(made)
    return await asyncio.to_thread(_latest, store, desk, made.outlet)


async def remove(store: Store, desk: Desk, by: Actor, ward_id: int, outlet_id: int, number: int, removal: int) -> Trial:
    """Take down once more what is left of the last trial; raises Forbidden, NotInWard or Mistake (nothing was asked)."""
    require(by, Action.SETTLE, ward_id)
    turn = Turn(by, ward_id, outlet_id, number)
    outlet, speaker, before = await asyncio.to_thread(_begin_removal, store, desk, turn, removal)
    outcome = await _tried(lambda: speaker.withdraw(before.remote_id), "withdraw")
    await written(_removed, store, desk, turn, *_after_removal(outcome, before))
    return await asyncio.to_thread(_latest, store, desk, outlet)


async def _go(made: _Made) -> None:
    staged = await _stage(made)
    if not isinstance(staged, Handle):
        await _end(made, [_step("prepare", staged)])
        return
    steps = [Step("prepare", "done")]
    try:
        await asyncio.to_thread(_to_wire, made)
    except Mistake as stopped:
        await _end(made, [*steps, Step("publish", "stopped", detail=str(stopped))])
        return
    outcome = await _leave(made, staged)
    steps.append(_step("publish", outcome))
    await written(_answered, made, steps[-1], *_whereabouts(outcome))
    if isinstance(outcome, Deferred | Refused):
        await _end(made, steps)
    else:
        await _afterwards(made, steps, outcome, staged)


async def _afterwards(made: _Made, steps: list[Step], outcome: Outcome, staged: Handle) -> None:
    """Look it up, take it down, and write down what is left of it."""
    can, (remote_id, url) = plan(type(made.speaker)), _whereabouts(outcome)
    found = None
    if can.finds:
        found = await _look(made, outcome.handle if isinstance(outcome, Pending) else staged)
        steps.append(Step("find", found.verdict, detail=found.detail))
        remote_id, url = remote_id or found.remote_id or "", url or found.url or ""
    if can.way == "letter":
        await _end(made, [*steps, Step("find", "mailbox")])
        return
    if can.way == "heard" and isinstance(outcome, Pending) and found is not None and found.verdict == "out":
        await _end(made, [*steps, Step("withdraw", "over")], remote_id, url)
        return
    sure = isinstance(outcome, Published) or (found is not None and found.verdict == "out")
    if not can.withdraws or not remote_id:
        steps.append(Step("withdraw", "cannot" if not can.withdraws else "nameless"))
    else:
        steps.append(_step("withdraw", await _withdraw(made, remote_id)))
    gone = steps[-1].result == "done"
    await _end(made, steps, remote_id, url, "no" if gone else "yes" if sure else "maybe")


async def _stage(made: _Made) -> Handle | Outcome:
    """Everything that nobody can see; a platform that takes its time is asked again for as long as a person waits."""
    if plan(type(made.speaker)).way == "letter":
        return EMPTY
    staged = await _staged(made, EMPTY)
    for wait in LOOKS[1:]:
        if not isinstance(staged, Pending):
            break
        await asyncio.sleep(wait)
        staged = await _staged(made, staged.handle)
    return staged


async def _staged(made: _Made, handle: Handle) -> Handle | Outcome:
    return await _tried(lambda: made.speaker.stage(made.message, 0, handle), "stage")


async def _leave(made: _Made, handle: Handle) -> Outcome:
    """The one visible step; what has not left ten seconds after the intent was written stays."""
    loop = asyncio.get_running_loop()
    until = loop.time() + LEAVE_WITHIN_SECONDS
    before = may_leave.set(lambda: loop.time() < until)
    try:
        if made.address:
            key = made.message.key
            return await _tried(lambda: made.speaker.send(made.message, made.address, key), "send")
        return await _tried(lambda: made.speaker.publish(made.message, 0, handle, ()), "publish")
    finally:
        may_leave.reset(before)


async def _look(made: _Made, handle: Handle) -> Found:
    found = Found(verdict="unclear", detail=NO_ANSWER)
    since = made.desk.now() - LOOK_BACK
    for wait in LOOKS:
        await asyncio.sleep(_until(found, made.desk.now()) or wait)
        told = await _tried(lambda: made.speaker.find(made.message, 0, handle, since), "find")
        found = told if isinstance(told, Found) else Found(verdict="unclear", detail=getattr(told, "detail", ""))
        if found.verdict == "out":
            break
    return found


def _until(found: Found, now: datetime) -> float:
    return min(max(0.0, (found.again_at - now).total_seconds()), max(LOOKS)) if found.again_at else 0.0


async def _withdraw(made: _Made, remote_id: str) -> Outcome:
    return await _tried(lambda: made.speaker.withdraw(remote_id), "withdraw")


async def _tried(verb: Callable[[], Awaitable[Told]], name: str) -> Told | Unknown:
    """Once, with patience; what went wrong in between is not known to have done nothing."""
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await verb()
    except TimeoutError:
        return Unknown(detail=NO_ANSWER)
    except Exception:
        log.exception("trial: %s", name)
        return Unknown(detail=OUR_BUG)


def _step(name: str, outcome: Outcome | Handle) -> Step:
    match outcome:
        case Published():
            return Step(name, "done")
        case Pending():
            return Step(name, "waiting")
        case Deferred() | Refused():
            result = "later" if isinstance(outcome, Deferred) else "refused"
            return Step(name, result, outcome.reason.value, outcome.detail)
        case _:
            return Step(name, "unknown", detail=getattr(outcome, "detail", ""))


def _whereabouts(outcome: Outcome) -> tuple[str, str]:
    if isinstance(outcome, Published):
        return outcome.remote_id, outcome.url or ""
    return (outcome.handle.remote_id or "" if isinstance(outcome, Pending) else ""), ""


def _begin(store: Store, desk: Desk, turn: Turn, asked: Asked) -> _Made:
    with store.read() as session:
        outlet = views.mine(session, Outlet, turn.outlet_id, turn.ward_id)
        ward = session.get_one(Ward, turn.ward_id)
    speaker = _speaker(desk, outlet)
    way = plan(type(speaker)).way
    address = _confirmed(type(speaker), way, asked)
    message = _message(desk, ward, outlet, speaker, asked.number)
    with store.write("trial") as session:
        trials.begin(session, turn, way, desk.now())
    return _Made(store, desk, turn, outlet, speaker, message, address)


def _speaker(desk: Desk, outlet: Outlet) -> Channel:
    try:
        usual = desk.channel(outlet)
        kind = type(usual)
        return kind(outlets.read_settings(kind, {**desk.values(outlet), **unseen(kind)}), usual.tools)
    except KeyError as error:
        raise Mistake("Nền tảng của kênh không còn được cài đặt. Hãy báo người quản trị máy.") from error
    except SealBroken as error:
        raise Mistake("Không mở được mã bí mật của kênh. Hãy nhập lại ở phần Thiết lập.") from error


def _confirmed(kind: type[Channel], way: str, asked: Asked) -> str:
    """The address of a letter, or nothing; raises Mistake where the person has not confirmed what this way needs."""
    if way == "heard" and asked.typed.casefold() != TYPED:
        raise Mistake(f"Loa sẽ phát thật. Hãy gõ đúng hai chữ «{TYPED}» để xác nhận.")
    if way == "seen" and not asked.understood:
        raise Mistake("Hãy đánh dấu xác nhận rằng người đọc có thể thấy tin thử trong chốc lát.")
    if way != "letter":
        return ""
    address = kind.reachable(asked.address)
    if address is None:
        raise Mistake("Hãy nhập đúng địa chỉ nhận thư thử, ví dụ địa chỉ của chính bạn.")
    return address


def _message(desk: Desk, ward: Ward, outlet: Outlet, speaker: Channel, number: int) -> Message:
    """The harmless text in the channel's own form; raises Mistake where the channel would not take it."""
    key = hashlib.blake2b(f"trial|{outlet.id}|{number}|{desk.now().isoformat()}".encode(), digest_size=8).hexdigest()
    heard = hours.heard(outlet.kind)
    said = Document(
        title="Phát thử hệ thống loa" if heard else f"Tin thử kết nối số {number}",
        blocks=read(_SPOKEN if heard else _WRITTEN)[1],
        summary="" if heard else "Tin thử để kiểm tra kết nối của kênh.",
        link=f"{desk.files.public_url}/{ward.slug}/?thu={key}",
        signature=ward.centre,
    )
    message = speaker.render(said, key, as_card(said, ward.name, speaker.limits, desk.files))
    errors = [problem.text for problem in speaker.validate(message) if problem.level == "error"]
    if errors:
        raise Mistake(f"Kênh không nhận tin thử: {' '.join(errors)}")
    service = {"service": True} if Capability.FAN_OUT in speaker.capabilities else {}
    return message.model_copy(update={"extra": {**message.extra, **service}})


def _to_wire(made: _Made) -> None:
    with made.store.write("trial") as session:
        trials.to_wire(session, made.turn, made.message.key, made.desk.now())


def _answered(made: _Made, step: Step, remote_id: str, url: str) -> None:
    with made.store.write("trial") as session:
        trials.answered(session, made.turn, step, remote_id, url, made.desk.now())


async def _end(made: _Made, steps: list[Step], remote_id: str = "", url: str = "", left: str = "no") -> None:
    await written(_ended, made, steps, remote_id, url, left)


def _ended(made: _Made, steps: list[Step], remote_id: str, url: str, left: str) -> None:
    with made.store.write("trial") as session:
        trials.ended(session, made.turn, steps, remote_id, url, left, made.desk.now())


def _begin_removal(store: Store, desk: Desk, turn: Turn, removal: int) -> tuple[Outlet, Channel, Trial]:
    with store.read() as session:
        outlet = views.mine(session, Outlet, turn.outlet_id, turn.ward_id)
    speaker = _speaker(desk, outlet)
    if not plan(type(speaker)).withdraws:
        raise Mistake("Kênh này không gỡ tự động được. Hãy tự gỡ tin thử trên kênh.")
    with store.write("trial") as session:
        return outlet, speaker, trials.removing(session, turn, removal, desk.now())


def _after_removal(outcome: Outcome, before: Trial) -> tuple[Step, str]:
    """The step, and what is left: what the platform no longer knows is gone, what it did not answer may be."""
    if isinstance(outcome, Refused) and outcome.reason is Reason.NOT_FOUND:
        return Step("withdraw", "gone"), "no"
    step = _step("withdraw", outcome)
    if step.result == "done":
        return step, "no"
    return step, before.left if step.result in ("later", "refused") else "maybe"


def _removed(store: Store, desk: Desk, turn: Turn, step: Step, left: str) -> None:
    with store.write("trial") as session:
        trials.removed(session, turn, step, left, desk.now())


def _latest(store: Store, desk: Desk, outlet: Outlet) -> Trial:
    with store.read() as session:
        told = trials.latest(session, outlet, desk.now())
    assert told is not None  # noqa: S101 - its end was just written
    return told
