"""A platform that fails on purpose, as a process of its own: its truth survives everybody else's death.

Four classes of channels (keyed, staged, looked up, blind) on one port; seeded faults before and after the visible
effect; every copy that a reader would see is in memory and in a file. ``serving.py`` puts it on a port.
"""

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import parse_qs, urlsplit

FAULTS = {
    "drop_before": 0.04,
    "drop_after": 0.05,
    "error_before": 0.02,
    "error_after": 0.03,
    "slow_after": 0.02,
    "busy": 0.03,
    "garbage": 0.01,
}
"""How often each fault comes to a visible request: a fifth of all, as in the measured prototype."""
SHY = {"drop_before": 0.03, "error_before": 0.03, "garbage": 0.02}
"""How often a request that shows nothing (a draft, a look-up) fails."""
BEFORE = frozenset({"drop_before", "error_before", "busy"})
TRUTH = "truth.jsonl"


@dataclass
class Ways:
    """How the platform behaves now; ``share`` multiplies every fault, ``lag`` and ``slow`` are real seconds."""

    share: float = 1.0
    lag: float = 0.05
    slow: float = 1.5
    retry_after: int = 1


@dataclass
class Post:
    """What stands in a list of recent posts."""

    id: str
    key: str
    part: int
    at: float


@dataclass
class State:
    """Everything the platform knows."""

    copies: dict[str, list[tuple[int, str]]] = field(default_factory=dict)
    requests: dict[str, int] = field(default_factory=dict)
    drafts: dict[str, tuple[str, int, bool]] = field(default_factory=dict)
    lists: dict[str, list[Post]] = field(default_factory=dict)
    scripts: dict[str, list[str]] = field(default_factory=dict)
    faults: dict[str, int] = field(default_factory=dict)
    number: int = 0


class Platform:
    """The platform itself: what each request does, and which fault meets it."""

    def __init__(self, folder: Path, seed: int, ways: Ways) -> None:
        self.state, self.ways, self.chance = State(), ways, Random(seed)
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / TRUTH
        self._restore(path)
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)

    def handle(self, method: str, target: str, body: bytes) -> "Reply":
        """What is answered, after what was done."""
        url = urlsplit(target)
        steps = url.path.strip("/").split("/")
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        if steps[0] in CONTROLS:
            return CONTROLS[steps[0]](self, body)
        if len(steps) == 2:
            return self._read("list", lambda: self._listing(steps[1], int(query.get("newest", 300))))
        letter, outlet, key, part = steps[0], steps[1], steps[2], int(steps[3])
        if method == "GET":
            return self._read("read", lambda: self._look(letter, outlet, key, part, query.get("id", "")))
        if letter == "b" and steps[4:] == ["draft"]:
            return self._read("draft", lambda: self._draft(key, part), self._scripted(f"{key}/draft"))
        return self._visible(key, lambda: self._effect(letter, outlet, key, part, query.get("id", "")))

    def _visible(self, key: str, effect: Callable[[], "Reply"]) -> "Reply":
        self.state.requests[key] = self.state.requests.get(key, 0) + 1
        fault = self._scripted(key) or self._fault(FAULTS)
        self._write(["request", key, fault])
        self.state.faults[fault] = self.state.faults.get(fault, 0) + 1
        if fault in BEFORE:
            return _failing(fault, None, self.ways)
        return _failing(fault, effect(), self.ways)

    def _read(self, what: str, answer: Callable[[], "Reply"], scripted: str = "") -> "Reply":
        fault = scripted or self._fault(SHY)
        if fault != "ok":
            self.state.faults[f"{what}_{fault}"] = self.state.faults.get(f"{what}_{fault}", 0) + 1
        return answer() if fault == "ok" else _failing(fault, None, self.ways)

    def _scripted(self, name: str) -> str:
        script = self.state.scripts.get(name)
        return script.pop(0) if script else ""

    def _fault(self, table: dict[str, float]) -> str:
        drawn = self.chance.random()
        for name, chance in table.items():
            drawn -= chance * self.ways.share
            if drawn < 0:
                return name
        return "ok"

    def _effect(self, letter: str, outlet: str, key: str, part: int, id: str) -> "Reply":
        if letter == "a":
            made = f"a-{outlet}-{key}-{part}"
            if (part, made) not in self.state.copies.get(key, []):
                self._show(outlet, key, part, made)
            return Reply(200, {"id": made})
        if letter == "b":
            draft = self.state.drafts.get(id)
            if draft is None or draft[:2] != (key, part):
                return Reply(404, {"error": "no such draft"})
            if not draft[2]:
                self.state.drafts[id] = (key, part, True)
                self._show(outlet, key, part, id)
            return Reply(200, {"id": id})
        made = self._new_id(letter)
        self._show(outlet, key, part, made)
        return Reply(200, {"id": made})

    def _draft(self, key: str, part: int) -> "Reply":
        made = self._new_id("b")
        self.state.drafts[made] = (key, part, False)
        self._write(["draft", made, key, part])
        return Reply(200, {"id": made})

    def _look(self, letter: str, outlet: str, key: str, part: int, id: str) -> "Reply":
        if letter == "a":
            made = f"a-{outlet}-{key}-{part}"
            return Reply(200, {"id": made}) if (part, made) in self.state.copies.get(key, []) else Reply(404, {})
        if not id:  # whoever lost the draft's id with a database asks by the text's own key
            shown = [made for of, made in self.state.copies.get(key, []) if of == part]
            return Reply(200, {"id": shown[0], "out": True}) if shown else Reply(404, {})
        draft = self.state.drafts.get(id)
        return Reply(200, {"id": id, "out": draft[2]}) if draft else Reply(404, {})

    def _listing(self, outlet: str, newest: int) -> "Reply":
        until = time.time() - self.ways.lag
        posts = self.state.lists.get(outlet, [])[-newest:]
        return Reply(200, {"posts": [[post.id, post.key, post.part] for post in posts if post.at <= until]})

    def _new_id(self, letter: str) -> str:
        self.state.number += 1
        return f"{letter}{self.state.number}"

    def _show(self, outlet: str, key: str, part: int, id: str) -> None:
        post = Post(id, key, part, time.time())
        self._keep(outlet, post)
        self._write(["copy", key, part, id, outlet, post.at])

    def _keep(self, outlet: str, post: Post) -> None:
        self.state.copies.setdefault(post.key, []).append((post.part, post.id))
        self.state.lists.setdefault(outlet, []).append(post)

    def _write(self, line: list[Any]) -> None:
        os.write(self._file, (json.dumps(line) + "\n").encode())

    def _restore(self, path: Path) -> None:
        if not path.exists():
            return
        for text in path.read_text().splitlines():
            line = json.loads(text)
            self._count(line)
            if line[0] == "request":
                self.state.requests[line[1]] = self.state.requests.get(line[1], 0) + 1
                self.state.faults[line[2]] = self.state.faults.get(line[2], 0) + 1
            elif line[0] == "draft":
                self.state.drafts[line[1]] = (line[2], line[3], False)
            else:
                self._keep(line[4], Post(line[3], line[1], line[2], line[5]))
                if line[3] in self.state.drafts:
                    self.state.drafts[line[3]] = (line[1], line[2], True)

    def _count(self, line: list[Any]) -> None:
        """The ids of an earlier life are never given again."""
        id = str({"draft": line[1], "copy": line[3] if len(line) > 3 else ""}.get(line[0], ""))
        if id[1:].isdigit():
            self.state.number = max(self.state.number, int(id[1:]))


@dataclass
class Reply:
    """What goes back: None as status is a connection that breaks; ``after`` waits first."""

    status: int | None
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)
    after: float = 0.0


def _failing(fault: str, done: Reply | None, ways: Ways) -> Reply:
    """The reply of a request that met a fault, after (``done``) or before the effect."""
    if fault == "ok" and done is not None:
        return done
    if fault in ("drop_before", "drop_after"):
        return Reply(None)
    if fault == "slow_after":
        return Reply(None, after=ways.slow)
    if fault == "busy":
        return Reply(429, {"error": "slow down"}, {"retry-after": str(ways.retry_after)})
    if fault == "garbage":
        return Reply(200, "<html>Bảo trì hệ thống")
    return Reply(500, {"error": {"code": 2, "message": "An unexpected error has occurred."}})


def _truth(platform: Platform, _: bytes) -> Reply:
    state = platform.state
    return Reply(200, {"copies": state.copies, "requests": state.requests, "faults": state.faults})


def _script(platform: Platform, body: bytes) -> Reply:
    platform.state.scripts.update(json.loads(body))
    return Reply(200, {})


def _ways(platform: Platform, body: bytes) -> Reply:
    platform.ways.__dict__.update(json.loads(body))
    return Reply(200, {})


CONTROLS: dict[str, Callable[[Platform, bytes], Reply]] = {"truth": _truth, "script": _script, "ways": _ways}
