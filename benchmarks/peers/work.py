"""The work that is the same for every peer: post a kilobyte, keep a durable row of it in SQLite."""

import sqlite3
import threading

import requests

FILLING = "Bà con nộp hồ sơ trực tuyến, không phải đến trụ sở. " * 16
_here = threading.local()


class Record:
    """A durable row for each delivery, committed one by one as a plain program does (WAL, synchronous=FULL)."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._base = sqlite3.connect(path, check_same_thread=False, timeout=60)
        self._base.execute("pragma journal_mode=wal")
        self._base.execute("pragma synchronous=full")
        self._base.execute("create table if not exists sent (key text primary key, remote_id text)")
        self._base.commit()

    def keep(self, key: str, remote_id: str) -> None:
        """One row, one commit."""
        with self._lock:
            self._base.execute("insert into sent values (?, ?)", (key, remote_id))
            self._base.commit()

    def count(self) -> int:
        """How many are kept."""
        with self._lock:
            return int(self._base.execute("select count(*) from sent").fetchone()[0])


def post(sink: str, key: str) -> str:
    """One POST on the thread's own kept connection; gives the remote id."""
    if not hasattr(_here, "client"):
        _here.client = requests.Session()
        _here.client.trust_env = False
    answer = _here.client.post(f"{sink}/take", json={"key": key, "text": FILLING}, timeout=30)
    answer.raise_for_status()
    return str(answer.json()["id"])
