"""A webhook through the whole engine: what a lost answer costs follows the receiver that the outlet names."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from campaigns.states import State
from channels.rehearsing import Scene, stage
from channels.twin import FaultKind
from channels.webhook.adapter import Webhook
from store.engine import Store
from tests.campaigns.conftest import House, build_house
from tests.conftest import FakeClock

pytestmark = pytest.mark.anyio

Build = Callable[..., House]
BLIND = {"lookup_url": "", "keyed": True}


@pytest.fixture
def scene(tmp_path: Path, clock: FakeClock) -> Iterator[Scene]:
    folder = tmp_path / "ban-sao"
    folder.mkdir()
    with stage(folder, {Webhook.kind: Webhook}) as made:
        made.clock.fixed = clock()
        yield made


@pytest.fixture
def build(store: Store, tmp_path: Path, clock: FakeClock, scene: Scene, monkeypatch: pytest.MonkeyPatch) -> Build:
    monkeypatch.setattr("channels.registry.installed", lambda: {"webhook": Webhook})

    def made(**changes: Any) -> House:
        settings = {**Webhook.rehearsal().settings(scene.place), **changes}
        house = build_house(store, tmp_path, clock, "webhook", settings)
        house.desk.wire.guard = scene.wire().guard
        return house

    return made


async def _carried(house: House, scene: Scene, clock: FakeClock, fault: FaultKind) -> Any:
    """A delivery whose one answer was lost, after everything that the machine does by itself."""
    delivery, courier = house.planned(clock()), house.courier()
    await scene.order("webhook", fault, "/nhan/")
    for _ in range(8):
        await courier.deliver(10)
        clock.forward(seconds=45)
        scene.clock.fixed = clock()
        await courier.look(10)
    await house.desk.wire.close()
    return house.see(delivery)


@pytest.mark.parametrize("fault", ["drop_after", "error_after", "garbage", "drop_before"])
async def test_a_receiver_that_keeps_keys_and_can_be_asked_gets_it_exactly_once(
    build: Build, scene: Scene, clock: FakeClock, fault: FaultKind
) -> None:
    house = build()
    told = await _carried(house, scene, clock, fault)
    (seen,) = await scene.traces("webhook")
    assert told.state == State.SENT and told.remote_ids == [seen.remote_id]
    assert told.adopted == (fault != "drop_before")


@pytest.mark.parametrize(("fault", "copies"), [("drop_after", 1), ("drop_before", 0)])
async def test_a_receiver_that_cannot_be_asked_is_tried_once_and_then_a_person_decides(
    build: Build, scene: Scene, clock: FakeClock, fault: FaultKind, copies: int
) -> None:
    told = await _carried(build(**BLIND), scene, clock, fault)
    assert told.state == State.NEEDS_HUMAN and "đăng lại là an toàn" in told.detail
    assert len(await scene.traces("webhook")) == copies


async def test_the_signing_key_is_sealed(build: Build, scene: Scene) -> None:
    house = build()
    secret = Webhook.rehearsal().settings(scene.place)["secret"]
    assert secret not in str(house.outlet.settings) + house.outlet.secrets
    assert house.desk.channel(house.outlet).settings.secret.get_secret_value() == secret
