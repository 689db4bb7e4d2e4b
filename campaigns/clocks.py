"""The machine's clock is watched: when it jumps, people are told, because every hour of the timetable depends on it.

The wall clock is compared with the monotonic one between two passes. Corrections of a few seconds are everyday work
of NTP; a jump of more than half a minute is a person, a dead battery or a machine that slept.
"""

import logging
import time
from collections.abc import Callable
from datetime import datetime, timedelta

from sqlmodel import col, select

from campaigns.audit import MACHINE, Entry, record_all
from store.engine import Store
from store.tables import Ward

JUMP = timedelta(seconds=30)

log = logging.getLogger("lantoa.clock")


class ClockWatch:
    """Notices when the wall clock and the monotonic clock part. Small steps add up, so a clock that creeps is noticed too.

    ``now`` gives the wall clock (aware), ``monotonic`` seconds that never jump.
    """

    def __init__(self, now: Callable[[], datetime], monotonic: Callable[[], float] = time.monotonic) -> None:
        self._now, self._monotonic = now, monotonic
        self._wall, self._steady = now(), monotonic()

    def check(self) -> float | None:
        """Seconds that the wall clock jumped since the last jump was told (negative: back); None for no jump."""
        wall, steady = self._now(), self._monotonic()
        jumped = wall - self._wall - timedelta(seconds=steady - self._steady)
        if abs(jumped) <= JUMP:
            return None
        self._wall, self._steady = wall, steady
        return jumped.total_seconds()


def tell(store: Store, seconds: float, now: datetime) -> str:
    """Record in every ward's log that the clock jumped by so many seconds; gives the words."""
    words = f"Đồng hồ máy vừa nhảy {'tới' if seconds > 0 else 'lùi'} {_span(abs(seconds))}."
    log.warning("%s Hãy kiểm tra giờ của máy chủ và dịch vụ đồng bộ giờ (NTP).", words)
    told = {"seconds": round(seconds), "words": words}
    with store.write("clock") as session:
        wards = session.exec(select(Ward.id).order_by(col(Ward.id))).all()
        record_all(session, MACHINE, [Entry(id or 0, "clock.jumped", "clock", "", told) for id in wards], now)
    return words


def _span(seconds: float) -> str:
    minutes, left = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = ((hours, "giờ"), (minutes, "phút"), (left, "giây"))
    return " ".join(f"{number} {unit}" for number, unit in parts if number) or "0 giây"
