"""Counting visits to articles and short links: day counts only, nothing about anybody is kept.

``raw`` is every opening by a browser; ``people`` leaves out what the same place and browser opened again within
30 minutes. To know that, a keyed hash of link, shortened address and browser stays in memory for 30 minutes; its
key is thrown away every day. Requests that nobody made by hand (previews of messengers, search machines,
prefetching) are not counted at all.
"""

import hashlib
import ipaddress
import re
import secrets
import threading
from collections import OrderedDict
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal
from urllib.parse import urlsplit

from sqlalchemy import func
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session, col, select

from store.engine import Store
from store.tables import DayCount, ShortLink

AGAIN = timedelta(minutes=30)
MOST_REMEMBERED = 200_000

Kind = Literal["article", "link"]

# Agents that open addresses without a reader: messengers' previews, search machines, libraries and checkers. The
# messengers' own browsers («Zalo android/…», «Telegram-Android», «FBAN/…») are people; CUBOT is a make of telephone.
_MACHINES = re.compile(
    r"(?<!cu)bot\b|(?<!cu)bot[/;_ ]|crawl|spider|slurp|preview|facebookexternalhit|facebookcatalog|meta-external|"
    r"whatsapp/|slack-imgproxy|embedly|vkshare|google-|googleother|mediapartners|lighthouse|headless|phantomjs|"
    r"curl/|wget|python|httpx|aiohttp|okhttp|go-http|java/|libwww|axios|node-fetch|undici|feed|rss|uptime|monitor|"
    r"pingdom|lantoa",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Visit:
    """One opening of a page: what (kind and subject of which ward), on which day, from which place and browser."""

    kind: Kind
    subject: str
    ward_id: int
    day: date
    address: str
    agent: str


@dataclass(frozen=True)
class Count:
    """How often something was opened: by browsers, and without repeats."""

    raw: int = 0
    people: int = 0


class VisitCounter:
    """Counts visits in memory and writes them to the day counts together, ``delay`` seconds after the first of them.

    What a sudden death may lose is that delay's worth of counts; ``close`` writes what is left.
    """

    def __init__(self, store: Store, delay: float = 0.5) -> None:
        self._store = store
        self._delay = delay
        self._lock = threading.Lock()
        self._salt = secrets.token_bytes(32)
        self._salt_day: date | None = None
        self._remembered: OrderedDict[bytes, datetime] = OrderedDict()
        self._waiting: dict[tuple[Kind, str, date, int], Count] = {}
        self._timer: threading.Timer | None = None
        self._closed = False

    def note(self, visit: Visit, now: datetime) -> None:
        """Count one visit."""
        key = (visit.kind, visit.subject, visit.day, visit.ward_id)
        with self._lock:
            people = 0 if self._seen_lately(visit, now) else 1
            count = self._waiting.get(key, Count())
            self._waiting[key] = Count(count.raw + 1, count.people + people)
            self._wake()

    def flush(self) -> None:
        """Write the waiting counts now; they stay waiting when the database cannot take them."""
        with self._lock:
            waiting, self._waiting, self._timer = self._waiting, {}, None
        if not waiting:
            return
        try:
            with self._store.write() as session:
                for (kind, subject, day, ward_id), count in waiting.items():
                    _add(
                        session,
                        DayCount(
                            kind=kind, subject=subject, day=day, ward_id=ward_id, raw=count.raw, people=count.people
                        ),
                    )
        except SQLAlchemyError:
            self._put_back(waiting)

    def close(self) -> None:
        """Stop the timer and write what is left."""
        with self._lock:
            self._closed = True
            timer = self._timer
        if timer is not None:
            timer.cancel()
        self.flush()

    def _seen_lately(self, visit: Visit, now: datetime) -> bool:
        self._forget(visit.day, now)
        mark = hashlib.blake2b(
            "\0".join((visit.kind, visit.subject, shortened(visit.address), visit.agent)).encode("utf-8", "replace"),
            key=self._salt,
            digest_size=16,
        ).digest()
        if mark in self._remembered:
            return True
        self._remembered[mark] = now
        return False

    def _forget(self, day: date, now: datetime) -> None:
        if self._salt_day != day:
            self._salt, self._salt_day = secrets.token_bytes(32), day
            self._remembered.clear()
        while self._remembered:
            oldest = next(iter(self._remembered.values()))
            if timedelta(0) <= now - oldest < AGAIN and len(self._remembered) < MOST_REMEMBERED:
                return
            self._remembered.popitem(last=False)

    def _wake(self) -> None:
        if self._timer is None and not self._closed:
            self._timer = threading.Timer(self._delay, self.flush)
            self._timer.daemon = True
            self._timer.start()

    def _put_back(self, waiting: dict[tuple[Kind, str, date, int], Count]) -> None:
        with self._lock:
            for key, count in waiting.items():
                newer = self._waiting.get(key, Count())
                self._waiting[key] = Count(count.raw + newer.raw, count.people + newer.people)
            self._wake()


def by_hand(method: str, agent: str, purpose: str) -> bool:
    """Whether a request looks like a person's: a GET by a browser, not fetched ahead (``Sec-Purpose``, ``Purpose``)."""
    ahead = "prefetch" in purpose.lower() or "preview" in purpose.lower()
    return method == "GET" and not ahead and bool(agent.strip()) and not _MACHINES.search(agent)


def shortened(address: str) -> str:
    """The network of an address: /24 of IPv4, /64 of IPv6; what is no address stays as it is."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    return str(ipaddress.ip_network(f"{ip}/{24 if ip.version == 4 else 64}", strict=False))


def total(session: Session, ward_id: int, kind: Kind, subject: str) -> Count:
    """All visits that are on record, over all days."""
    row = session.exec(
        select(func.coalesce(func.sum(DayCount.raw), 0), func.coalesce(func.sum(DayCount.people), 0)).where(
            col(DayCount.ward_id) == ward_id, col(DayCount.kind) == kind, col(DayCount.subject) == subject
        )
    ).one()
    return Count(int(row[0]), int(row[1]))


def short_link(session: Session, code: str) -> ShortLink | None:
    """The short link of a code, if there is one that leads to a proper http(s) address."""
    if not re.fullmatch(r"[A-Za-z0-9_-]{1,32}", code):
        return None
    link = session.get(ShortLink, code)
    return link if link is not None and _proper(link.target) else None


def _proper(target: str) -> bool:
    if re.search(r"[\x00-\x20\x7f\\]", target):
        return False
    try:
        parts = urlsplit(target)
    except ValueError:
        return False
    return parts.scheme in ("http", "https") and bool(parts.hostname) and "@" not in parts.netloc


def _add(session: Session, count: DayCount) -> None:
    dialect = postgresql if session.get_bind().dialect.name == "postgresql" else sqlite
    statement = dialect.insert(DayCount).values(**count.model_dump())
    session.execute(
        statement.on_conflict_do_update(
            index_elements=["kind", "subject", "day"],
            set_={
                "raw": col(DayCount.raw) + statement.excluded.raw,
                "people": col(DayCount.people) + statement.excluded.people,
            },
        )
    )
