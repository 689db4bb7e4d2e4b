"""Three doors for machines: ``/healthz`` (does delivery run), ``/readyz`` (may people be sent here), ``/metrics``.

None needs a sign-in and none tells anything about a person. ``/metrics`` answers this machine only, or who brings the token.
"""

import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from ipaddress import ip_address
from typing import Generic, TypeVar

from fastapi import APIRouter, Request
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4, generate_latest
from starlette.responses import JSONResponse, Response

from campaigns import vitals
from campaigns.vitals import Pulse
from store.engine import OldSchema, Store
from store.troubles import trouble
from web.apologies import TROUBLES
from web.gauges import Gauges
from web.session import House

LOOP_LIMIT = timedelta(seconds=60)
OVERDUE_LIMIT = timedelta(minutes=5)
CACHED_SECONDS = 1.0
FORWARDED = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip")
FRESH = {"cache-control": "no-store"}
METRICS_ARE_CLOSED = (
    "Số liệu chỉ đọc được tại máy này, hoặc kèm mã ở thiết lập ops.metrics_token (Authorization: Bearer …)."
)

Made = TypeVar("Made")


class Life(StrEnum):
    """Where this process is in its life."""

    STARTING = "starting"
    READY = "ready"
    STOPPING = "stopping"


LIFE_WORDS = {
    Life.STARTING: "Chương trình đang khởi động; hãy thử lại sau ít giây.",
    Life.STOPPING: "Chương trình đang dừng: làm nốt việc dở và không nhận việc mới.",
}


@dataclass
class Watch:
    """What these doors are told by the program around them: its life, its version, who may read the metrics."""

    life: Life = Life.READY
    version: str = ""
    metrics_token: str = field(default="", repr=False)
    tick: Callable[[], float] = time.monotonic


class Kept(Generic[Made]):
    """An answer that is worked out at most once in ``seconds``, by one thread at a time."""

    def __init__(
        self, tick: Callable[[], float], work_out: Callable[[], Made], seconds: float = CACHED_SECONDS
    ) -> None:
        self._tick, self._work_out, self._seconds = tick, work_out, seconds
        self._lock = threading.Lock()
        self._answer: tuple[float, Made] | None = None

    def get(self) -> Made:
        """The kept answer, or a new one."""
        with self._lock:
            if self._answer is None or self._tick() - self._answer[0] >= self._seconds:
                self._answer = (self._tick(), self._work_out())
            return self._answer[1]


@dataclass(frozen=True)
class Judged:
    """Whether delivery runs, and in words why not; the ages are in seconds, None where there is nothing to measure."""

    why: tuple[str, ...]
    last_pass: float | None = None
    overdue: float | None = None
    safe_mode: bool = False


def judge(pulse: Pulse, now: datetime) -> Judged:
    """Healthy: the loop's last full pass is younger than 60 s and the oldest overdue delivery younger than 5 minutes."""
    passed = (now - pulse.passed_at).total_seconds() if pulse.passed_at else None
    overdue = (now - pulse.overdue_since).total_seconds() if pulse.overdue_since else None
    why = []
    if passed is None:
        why.append("Vòng gửi bài chưa chạy hết lượt nào kể từ khi khởi động.")
    elif passed >= LOOP_LIMIT.total_seconds():
        why.append(f"Vòng gửi bài đã đứng {passed:.0f} giây (cho phép {LOOP_LIMIT.total_seconds():.0f} giây).")
    if overdue is not None and overdue >= OVERDUE_LIMIT.total_seconds():
        why.append(f"Có lượt đăng đến giờ mà chưa được gửi; lượt lâu nhất đã {overdue / 60:.0f} phút.")
    return Judged(tuple(why), passed, overdue, pulse.safe_mode)


def router(house: House, watch: Watch) -> APIRouter:
    """The three doors of this house."""
    doors = APIRouter()
    health = Kept(watch.tick, lambda: _health(house.store, house.desk.now()))
    reach = Kept(watch.tick, lambda: _schema(house.store))
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Gauges(house, watch.version, watch.tick))

    @doors.get("/healthz")
    def healthz() -> Response:
        found = health.get()
        told = {
            "last_pass_seconds": found.last_pass,
            "oldest_overdue_seconds": found.overdue,
            "safe_mode": found.safe_mode,
        }
        return _answer(found.why, **told)

    @doors.get("/readyz")
    def readyz() -> Response:
        words = LIFE_WORDS.get(watch.life) or reach.get()
        return _answer((words,) if words else (), life=watch.life)

    @doors.get("/metrics")
    def metrics(request: Request) -> Response:
        if not may_read_metrics(request, watch.metrics_token):
            return JSONResponse({"status": "forbidden", "why": [METRICS_ARE_CLOSED]}, 403, FRESH)
        try:
            told = generate_latest(registry)
        except Exception as error:
            return _answer((_sorry(error),))
        return Response(told, headers={**FRESH, "content-type": CONTENT_TYPE_PLAIN_0_0_4})

    return doors


def may_read_metrics(request: Request, token: str) -> bool:
    """Whoever brings the token, or a program on this very machine that came straight here, through no proxy."""
    scheme, _, brought = request.headers.get("authorization", "").partition(" ")
    if token and scheme.lower() == "bearer" and secrets.compare_digest(brought.encode(), token.encode()):
        return True
    near = request.client is not None and _is_loopback(request.client.host)
    return near and _is_loopback(request.url.hostname or "") and not any(name in request.headers for name in FORWARDED)


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _health(store: Store, now: datetime) -> Judged:
    try:
        with store.read() as session:
            return judge(vitals.pulse(session, now), now)
    except Exception as error:
        return Judged((_sorry(error),))


def _schema(store: Store) -> str:
    try:
        store.check()
    except OldSchema as error:
        return str(error)
    except Exception as error:
        return _sorry(error)
    return ""


def _sorry(error: Exception) -> str:
    found = trouble(error)
    if found is None:
        raise error
    return f"{TROUBLES[found][0]}."


def _answer(why: tuple[str, ...], **told: object) -> Response:
    body = {"status": "failing" if why else "ok", "why": list(why), **told}
    return JSONResponse(body, 503 if why else 200, {**FRESH, **({"retry-after": "10"} if why else {})})
