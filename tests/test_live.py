"""``make live`` proved against the twins as if they were the real platforms: keys in the environment, nothing else known."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from channels.contract import Channel
from channels.email.adapter import Email
from channels.facebook.adapter import Facebook
from channels.facebook.twin import FacebookTwin
from channels.rehearsing import Scene, stage
from channels.telegram.adapter import Telegram
from channels.webhook.adapter import Webhook
from channels.wordpress.adapter import WordPress
from channels.zalo.adapter import Zalo
from settings import VERSION
from tests.house.test_docs import generator
from tests.house.tree import ROOT
from tests.live import keys
from tests.live.suite import LEFT_OUT, UNSEEN, VISIBLE

KINDS: dict[str, type[Channel]] = {
    one.kind: one for one in (Email, Facebook, Telegram, Webhook, WordPress, Zalo)
}  # fmt: skip

_FIGURES, _REPEATING = "test_figures_are_labelled", "test_repeating_is_harmless_where_promised"
CANNOT = {
    "email": {_FIGURES, _REPEATING, "test_a_withdrawn_post_is_gone"},
    "facebook": {_REPEATING},
    "telegram": {_REPEATING},
    "webhook": {_FIGURES},
    "wordpress": set[str](),
    "zalo": set[str](),
}


@pytest.fixture
def platforms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scene]:
    """The twins, in real time; Facebook's list lags by less than the suite's patience, which is short here."""
    monkeypatch.setattr(FacebookTwin, "lag_seconds", 0.2)
    with stage(tmp_path, KINDS, account="lethanhnghi") as made:
        made.clock.fixed = None
        yield made


def environment(scene: Scene, *kinds: str, visible: str = "") -> dict[str, str]:
    """What a person who tries these channels would have set."""
    root = scene.place.twins_url.removeprefix("http://")
    given = {
        keys.ALLOW: f"{root},{root.replace('127.0.0.1', '127.0.0.2')}",
        keys.WAIT: "0.25",
        keys.VISIBLE: visible,
        keys.PICTURE: scene.shelf.url(scene.picture().sha256),
        keys.recipient("email"): "thu.nghiem@example.org",
    }
    for kind in kinds:
        settings = scene.channels[kind].rehearsal().settings(scene.place)
        given |= {keys.variable(kind, name): _typed(value) for name, value in settings.items()}
    return given


def _typed(value: Any) -> str:
    return ",".join(value) if isinstance(value, list | tuple) else str(value)


def test_every_promise_that_is_tried_or_left_out_is_explained() -> None:
    page = (ROOT / "docs" / "channels" / "live.md").read_text("utf-8")
    steps = generator().live.STEPS
    assert set(steps) == {*UNSEEN, *VISIBLE, *LEFT_OUT}
    assert [words for words in steps.values() if words not in page] == []


def test_only_what_really_went_out_is_said_to_be_tried(tmp_path: Path) -> None:
    out = tmp_path / "live.json"
    out.write_text('{"zalo": {"real": true, "date": "2026-11-05"}, "telegram": {"real": false, "date": "2026-11-06"}}')
    assert generator().live.tried(out) == {"zalo": "05/11/2026"}


def run(given: dict[str, str], out: Path) -> subprocess.CompletedProcess[str]:
    bare = {name: value for name, value in os.environ.items() if not name.startswith("LANTOA_")}
    command = [sys.executable, "-W", "error", "-m", "tests.live", *KINDS, "--out", str(out)]
    return subprocess.run(command, cwd=ROOT, env=bare | given, capture_output=True, text=True, timeout=120)


@pytest.mark.anyio
async def test_the_real_platforms_are_held_to_the_contract_and_left_clean(platforms: Scene, tmp_path: Path) -> None:
    out = tmp_path / "live.json"
    given = environment(platforms, *KINDS, visible=",".join(KINDS))
    done = run(given, out)
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(out.read_text("utf-8"))
    assert set(told) == set(KINDS)
    for kind, found in told.items():
        assert found["real"] and found["version"] == VERSION and found["failed"] == [], (kind, found)
        assert set(LEFT_OUT) <= set(found["left_out"]), kind
        assert set(VISIBLE) - CANNOT[kind] <= set(found["passed"]), (kind, found)
        assert CANNOT[kind] <= set(found["left_out"]), (kind, found)
        assert kind == "email" or await platforms.traces(kind) == [], "a trial stays behind"
    assert [one for one in given.values() if len(one) > 15 and one in out.read_text("utf-8")] == []
    letters = await platforms.traces("email")
    assert letters and all("tin thử" in letter.text.lower() for letter in letters)


@pytest.mark.anyio
async def test_without_leave_nothing_is_seen_and_nothing_is_claimed(platforms: Scene, tmp_path: Path) -> None:
    out = tmp_path / "live.json"
    done = run(environment(platforms, "telegram", visible="zalo"), out)
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(out.read_text("utf-8"))
    assert set(told) == {"telegram"} and told["telegram"]["real"] is False
    assert keys.VISIBLE in told["telegram"]["left_out"][VISIBLE[0]]
    assert "zalo: bỏ qua, chưa có khóa; còn thiếu LANTOA_LIVE_ZALO_APP_ID" in done.stdout
    assert await platforms.traces("telegram") == []


def test_a_broken_channel_is_not_said_to_be_tried(platforms: Scene, tmp_path: Path) -> None:
    """The bot's key is wrong: nothing is published, the run is red, and the page will not say «thử thật»."""
    out = tmp_path / "live.json"
    given = environment(platforms, "telegram", visible="telegram")
    given[keys.variable("telegram", "token")] = "123456789:SAI-KHOA-SAI-KHOA-SAI-KHOA-SAI-KHOA"
    done = run(given, out)
    assert done.returncode == 1, done.stdout + done.stderr
    told = json.loads(out.read_text("utf-8"))["telegram"]
    assert told["real"] is False and "test_the_outlet_is_healthy" in told["failed"]
    assert "SAI-KHOA" not in done.stdout + done.stderr + out.read_text("utf-8")
