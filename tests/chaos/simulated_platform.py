"""Platforms of every class in memory, with the truth of what readers see, and faults before and after the effect."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any

from channels.contract import (
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
from tests.chaos.simulated_life import LIFE

PUBLISH = {
    "ok": 56.0, "slow": 4.0, "lost_before": 4.0, "lost_after": 7.0, "error_500_before": 3.0, "error_500_after": 5.0,
    "garbage_before": 1.0, "garbage_after": 3.0, "silent_before": 0.7, "silent_after": 1.5, "crash_before": 0.7,
    "crash_after": 1.0, "limited": 5.0, "unreachable": 5.0, "refused": 1.0, "unauthorized": 0.4,
}  # fmt: skip
NO_EFFECT = frozenset(name for name in PUBLISH if name.endswith("_before")) | {"limited", "refused", "unauthorized"}
STAGE = {"ok": 82.0, "busy": 5.0, "unreachable": 3.0, "pending": 3.0, "crash": 1.0, "slow": 6.0}
LOOK = {"ok": 66.0, "stale": 8.0, "unclear": 12.0, "crash": 8.0, "slow": 4.0, "silent": 2.0}
AT_ONCE = frozenset({"keyed", "blind"})
"""Accounts that have nothing to make ready beforehand."""
REFUSED = Refused(reason=Reason.REJECTED, detail="Nền tảng từ chối nội dung.")


@dataclass(frozen=True)
class Copy:
    """One thing that readers see: since when (virtual seconds), and since when lists show it."""

    account: str
    key: str
    part: int
    text: str
    at: float
    listed_at: float
    moment: datetime
    remote_id: str


@dataclass
class Platforms:
    """Everything out there: one account per channel kind."""

    chance: Random
    now: Callable[[], float]
    moment: Callable[[], datetime]
    on_request: Callable[[str, Message, int], None]
    on_stage: Callable[[Message], None]
    on_copy: Callable[[str, int], None]
    counts: Counter[str]
    copies: list[Copy] = field(default_factory=list)
    drafts: dict[str, tuple[str, int]] = field(default_factory=dict)
    working: set[tuple[str, int]] = field(default_factory=set)
    outages: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    calls: dict[str, list[float]] = field(default_factory=dict)
    faulty: bool = True
    asked_to_wait: dict[str, datetime] = field(default_factory=dict)
    stale: set[tuple[str, int]] = field(default_factory=set)
    lagging: bool = False
    forgetful: bool = True
    lagged: set[str] = field(default_factory=set)

    def of(self, key: str, part: int | None = None) -> list[Copy]:
        """The copies of a delivery, of one part or of all."""
        return [copy for copy in self.copies if copy.key == key and part in (None, copy.part)]

    async def stage(self, account: str, message: Message, part: int, handle: Handle) -> Handle | Outcome:
        """A hidden draft where the platform has one."""
        if account in AT_ONCE:
            self.on_stage(message)
            await asyncio.sleep(self.chance.random() * 2)
            return handle
        await self._moment("net:stage")
        fault = self._draw(STAGE, account)
        self.counts[f"stage {fault}"] += 1
        self.on_stage(message)
        await asyncio.sleep(self.chance.random() * 4 if fault != "slow" else 70.0)
        if fault == "busy":
            return Deferred(reason=Reason.BUSY, detail="Máy chủ bận.")
        if fault in ("unreachable", "down"):
            return Deferred(reason=Reason.UNREACHABLE, detail="Không kết nối được.")
        if fault == "crash":
            raise RuntimeError("the adapter has a bug")
        draft = str(handle.data.get("draft") or f"d{len(self.drafts) + 1}")
        self.drafts.setdefault(draft, (message.key, part))
        made = Handle(data={"draft": draft})
        return Pending(handle=made) if fault == "pending" else made

    async def publish(
        self, account: str, certainty: str, message: Message, part: int, handle: Handle, settle: float
    ) -> Outcome:
        """The visible step, with whatever goes wrong drawn from the seed."""
        life = LIFE.get()
        if life is not None:
            life.step("net:connect")
            await life.gate()
        if not may_leave.get()():
            self.counts["publish too late to leave"] += 1
            return Deferred(reason=Reason.UNREACHABLE, detail="too late to leave")
        fault = self._draw(PUBLISH, account)
        self.counts[f"publish {fault}"] += 1
        if fault in ("unreachable", "down"):
            await asyncio.sleep(self.chance.random() * 3)
            return Deferred(reason=Reason.UNREACHABLE, detail="Không kết nối được.")
        self.on_request(account, message, part)
        self.calls.setdefault(account, []).append(self.now())
        copy = None if fault in NO_EFFECT else self._effect(account, certainty, message, part, handle, settle)
        await self._moment("net:remote")
        await self._latency(fault)
        await self._moment("net:answer")
        return self._answer(fault, certainty, message, part, handle, copy)

    def _effect(
        self, account: str, certainty: str, message: Message, part: int, handle: Handle, settle: float
    ) -> Copy | None:
        if account == "worked":
            self._work_on(account, message, part, settle)
            return None
        known = self.of(message.key, part)
        if known and certainty in ("A", "B"):
            return known[0]
        return self._show(account, message, part, settle)

    def _show(self, account: str, message: Message, part: int, settle: float) -> Copy:
        lag = self.chance.random() * 0.85 * settle
        if self.lagging and self.chance.random() < 0.25:
            lag = 10 * settle
            self.counts["lists that lagged"] += 1
            self.lagged.add(message.key)
        shown = Copy(
            account, message.key, part, message.parts[part].body, self.now(), self.now() + lag, self.moment(),
            f"{account}/{len(self.copies) + 1}",
        )  # fmt: skip
        self.copies.append(shown)
        self.on_copy(message.key, part)
        return shown

    def _work_on(self, account: str, message: Message, part: int, settle: float) -> None:
        """The platform takes it and shows it later; told twice, it still shows it once."""
        if (message.key, part) in self.working or self.of(message.key, part):
            return
        self.working.add((message.key, part))

        def done() -> None:
            self.working.discard((message.key, part))
            self._show(account, message, part, settle)

        asyncio.get_running_loop().call_later(self.chance.random() * 0.8 * settle, done)

    def _answer(
        self, fault: str, certainty: str, message: Message, part: int, handle: Handle, copy: Copy | None
    ) -> Outcome:
        if fault.startswith("crash"):
            raise RuntimeError("the adapter has a bug")
        if fault == "limited":
            wait = self.chance.choice((None, self.moment() + timedelta(minutes=self.chance.randint(1, 15))))
            if wait is not None:
                self.asked_to_wait[message.key] = wait
            return Deferred(reason=Reason.RATE_LIMITED, retry_at=wait, detail="Gửi quá nhanh.")
        if fault == "refused":
            return REFUSED
        if fault == "unauthorized":
            return Refused(reason=Reason.UNAUTHORIZED, detail="Mã truy cập hết hiệu lực.")
        if fault not in ("ok", "slow"):
            return Unknown(detail=fault)
        return Published(remote_id=copy.remote_id) if copy else Pending(handle=handle)

    async def find(self, account: str, certainty: str, message: Message, part: int, since: datetime) -> Found:
        """The look-up: what the list shows now, told honestly, or not told at all."""
        await self._moment("net:find")
        fault = self._draw(LOOK, account)
        self.counts[f"look {fault}"] += 1
        await asyncio.sleep({"slow": 40.0, "silent": 200.0}.get(fault, self.chance.random()))
        if fault == "crash":
            raise RuntimeError("the adapter has a bug")
        if fault in ("unclear", "silent", "down") or certainty == "D":
            return Found(verdict="unclear", detail="Không tra cứu được.")
        if (message.key, part) in self.working:
            return Found(verdict="unclear", detail="Đang xử lý.")
        if fault == "stale" and self.forgetful and certainty == "C" and (message.key, part) not in self.stale:
            self.stale.add((message.key, part))  # a replica that has fallen behind: once, which is why one look is none
            return Found(verdict="absent")
        hit = next((copy for copy in self.of(message.key, part) if self._listed(copy, certainty)), None)
        return Found(verdict="out", remote_id=hit.remote_id) if hit else Found(verdict="absent")

    def all_listed(self, message: Message, part: int) -> tuple[str, ...]:
        """What the list shows of a part now, honestly: every copy's id."""
        return tuple(copy.remote_id for copy in self.of(message.key, part) if copy.listed_at <= self.now())

    def _listed(self, copy: Copy, certainty: str) -> bool:
        return certainty != "C" or copy.listed_at <= self.now()

    async def _latency(self, fault: str) -> None:
        if fault.startswith("silent"):
            await asyncio.sleep(400.0)
        await asyncio.sleep(self.chance.random() * 0.6 if fault != "slow" else 5 + self.chance.random() * 60)

    async def _moment(self, name: str) -> None:
        life = LIFE.get()
        if life is not None:
            life.step(name)
            await life.gate()

    def _draw(self, mix: dict[str, float], account: str) -> str:
        if any(start <= self.now() < end for start, end in self.outages.get(account, ())):
            return "down"
        if not self.faulty:
            return "ok"
        return self.chance.choices(list(mix), list(mix.values()))[0]


class Nowhere:
    """Stands in for the platforms before a story begins."""

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"no story has begun: {name}")


HERE: list[Any] = [Nowhere()]
"""The platforms of the story that is being told (channels are built by the registry, so they find them here)."""
