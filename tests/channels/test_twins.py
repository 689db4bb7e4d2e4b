"""The twins' server: its faults are real on the line, its switches are checked, its rows outlive it."""

import json
import logging
from pathlib import Path

import pytest

from channels.conformance import document
from channels.contract import Published
from channels.facebook.adapter import Facebook, FacebookSettings
from channels.rehearsing import START, Scene, stage
from channels.twin import TwinState
from channels.wire import Answer, Silence, Wire

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize("fault", ["drop_before", "drop_after"])
async def test_a_dropped_line_is_no_answer_at_all(
    scene: Scene, wire: Wire, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    url = f"{scene.place.twins_url}/zalo/v2.0/article/verify"
    for visible in (True, False):
        await scene.order("zalo", fault, "verify")  # type: ignore[arg-type]
        seen = await wire.call("POST", url, json={}, visible=visible)
        assert isinstance(seen, Silence) and seen.sent
        again = await wire.call("POST", url, json={}, visible=visible)
        assert isinstance(again, Answer), "one fault, one request"
    assert caplog.text == "", "the server saw nothing unexpected"


async def test_switches_are_checked(scene: Scene, wire: Wire) -> None:
    url = f"{scene.place.twins_url}/_control"
    for path, body in (
        ("/zalo/faults", {"kind": "explode"}),
        ("/khong-co/faults", {"kind": "slow"}),
        ("/zalo/faults", {}),
    ):
        seen = await wire.call("POST", url + path, json=body)
        assert isinstance(seen, Answer) and seen.status == 400
    missing = await wire.call("GET", f"{url}/khong-co/traces")
    assert isinstance(missing, Answer) and missing.status == 404


async def test_the_clock_can_be_set_and_given_back(scene: Scene, wire: Wire) -> None:
    url = f"{scene.place.twins_url}/_control/clock"
    seen = await wire.call("PUT", url, json={"now": "2026-12-01T00:00:00+00:00"})
    assert isinstance(seen, Answer) and json.loads(seen.body)["now"].startswith("2026-12-01")
    await wire.call("PUT", url, json={"now": None})
    assert scene.clock() != START and scene.clock.fixed is None


async def test_what_was_posted_outlives_the_server(tmp_path: Path) -> None:
    for number in (1, 2):
        with stage(tmp_path, {"facebook": Facebook}) as scene:
            wire = scene.wire()
            channel = Facebook(
                FacebookSettings.model_validate(Facebook.rehearsal().settings(scene.place)), scene.tools(wire)
            )
            message = channel.render(document(number), f"k{number}")
            assert isinstance(await channel.publish(message, 0, await channel.stage(message, 0), ()), Published)  # type: ignore[arg-type]
            await wire.close()
            assert len(await scene.traces("facebook")) == number


def test_rows_keep_their_order_and_counters_count(tmp_path: Path) -> None:
    state = TwinState(tmp_path / "t.db")
    for id in ("b", "a", "c"):
        state.put("s", id, {"id": id})
    state.put("s", "b", {"id": "b2"})
    assert [row["id"] for _, row in state.all("s")] == ["b2", "a", "c"]
    assert [state.next("n") for _ in range(3)] == [1, 2, 3]
    state.remove("s", "a")
    assert state.get("s", "a") is None
    kept = state.keep("../../ra-ngoai.jpg", b"x")
    assert kept.parent == tmp_path / "t.db.files" and state.file("ra-ngoai.jpg") == kept
    state.close()
