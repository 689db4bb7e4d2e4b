"""``make live``: holds the channels whose keys the environment gives to the conformance suite, on the real platforms.

Nothing visible is done for a channel that ``LANTOA_LIVE_VISIBLE`` does not name. What was found is written to
docs/evidence/live.json, from which ``make docs`` fills the support column of the channels' table.
"""

import argparse
import asyncio
import os
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from channels.contract import Capability, Channel, Grassroots
from channels.registry import kinds
from tests.live import evidence, keys
from tests.live.evidence import Tried
from tests.live.keys import Given
from tests.live.scene import LiveScene, Wanting, live, today
from tests.live.suite import UNSEEN, VISIBLE, Live, left_out

HEARD = "được nghe tại chỗ: hãy dùng «Đăng thử» ở trang của kênh, cạnh loa"
EVIDENCE = Path("docs/evidence/live.json")


def main() -> int:
    """Try every channel that was asked for; 0 where nothing was broken, 1 where something was."""
    asked = _asked()
    found = {kind: one for kind, one in kinds().items() if not asked.kinds or kind in asked.kinds}
    runs = [run for one in found.values() if (run := _channel(one, os.environ)) is not None]
    if runs:
        evidence.write(asked.out, runs)
        _say(f"đã ghi {asked.out}; chạy «make docs» để bảng của các kênh đổi theo")
    else:
        _say("Chưa có khóa của nền tảng nào nên chưa thử gì; xem docs/channels/live.md.")
    return 1 if any(run.failed or run.left_behind for run in runs) else 0


def _asked() -> argparse.Namespace:
    reader = argparse.ArgumentParser(prog="make live", description=__doc__)
    reader.add_argument("kinds", nargs="*", help="these channels only")
    reader.add_argument("--out", type=Path, default=EVIDENCE, help="where the evidence is written")
    return reader.parse_args()


def _channel(kind: type[Channel], environment: Mapping[str, str]) -> Tried | None:
    """One channel's run; None where its keys are not there, which is said."""
    given = keys.given(kind, environment)
    if kind.grassroots_kind == Grassroots.STATION:
        _say(f"{kind.kind}: bỏ qua, {HEARD}")
    elif given.missing:
        why = "chưa có khóa" if given.absent else "khóa chưa đủ"
        _say(f"{kind.kind}: bỏ qua, {why}; còn thiếu {', '.join(given.missing)}")
    else:
        return _tried(given, environment)
    return None


def _tried(given: Given, environment: Mapping[str, str]) -> Tried:
    run = Tried(given.kind.kind, today(), left_out=left_out())
    named = {"channel": given.kind, "recipient": given.recipient, "link": environment.get(keys.LINK, Live.link)}
    suite: Live = type("Suite", (Live,), named)()
    agreed = given.kind.kind in keys.listed(environment, keys.VISIBLE)
    for name in (*UNSEEN, *VISIBLE):
        if name in VISIBLE and (why := _not_now(run, given, agreed)):
            run.left_out[name] = why
        else:
            _hold(suite, name, given, environment, run)
    return run


def _not_now(run: Tried, given: Given, agreed: bool) -> str:
    """Why nothing visible is done."""
    if run.failed:
        return "một bước không ai thấy đã hỏng, nên không đăng gì"
    return "" if agreed else f"chưa được phép đăng thử: {keys.VISIBLE} không có {given.kind.kind}"


def _hold(suite: Live, name: str, given: Given, environment: Mapping[str, str], run: Tried) -> None:
    """Hold the channel to one promise, and take down what that published."""
    with tempfile.TemporaryDirectory() as folder:
        scene = live(given, environment, Path(folder))
        scene.forward(given.kind.spacing_seconds if name in VISIBLE else 0)
        try:
            asyncio.run(getattr(suite, name)(scene))
            run.passed.append(name)
            broken = ""
        except Wanting as wanting:
            run.left_out[name] = str(wanting)
            _say(f"{given.kind.kind}: để lại {name}: {wanting}")
            return
        except Exception as error:  # a fault of the channel's own, told like a broken promise
            run.failed.append(name)
            broken = f"{type(error).__name__}: {error}"
        stays = _cleared(suite, scene)
    run.left_behind += len(stays) if Capability.WITHDRAW in given.kind.capabilities else 0
    _say(f"{given.kind.kind}: {'HỎNG ' if broken else 'giữ  '} {name} {_scrubbed(broken, given)}".rstrip())
    for one in stays:
        _say(f"{given.kind.kind}: tin thử còn trên kênh, hãy tự gỡ: {_scrubbed(one, given)}")


def _cleared(suite: Live, scene: LiveScene) -> list[str]:
    try:
        return asyncio.run(suite.clear_away(scene))
    except Exception as error:  # whatever stays must be told, and the other channels still have their turn
        return [f"không dọn được ({type(error).__name__})"]


def _scrubbed(text: str, given: Given) -> str:
    for secret in given.secrets():
        text = text.replace(secret, "•••")
    return text


def _say(words: str) -> None:
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    raise SystemExit(main())
