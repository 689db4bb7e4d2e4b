"""A fan-out in a lane of its own: single posts beside it are not kept waiting, and it ends as politely as before."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable

import pytest

from campaigns.fan_lane import FanLane
from campaigns.recipients import Tally
from channels.contract import Deferred, Outcome, Published
from tests.campaigns.test_fanning import Letters, Office, letters, office  # noqa: F401 - fixtures

pytestmark = pytest.mark.anyio

HEAVY_SECONDS = 0.02
BESIDE_SECONDS = 0.002


@pytest.fixture
async def lane() -> AsyncIterator[FanLane]:
    made = FanLane()
    yield made
    await made.close()


async def _work(_: str) -> None:
    """A recipient that costs the processor's time, as thousands of cheap ones do together."""
    until = time.perf_counter() + HEAVY_SECONDS
    while time.perf_counter() < until:
        pass


async def _drained(place: Office, lane: FanLane, **options: asyncio.Event) -> Outcome:
    fence = place.claim()
    courier = place.house.courier("one")
    outcome = await lane.drain(courier, place.delivery.id or 0, fence, place.speaker(), place.message(), **options)
    if isinstance(outcome, Deferred):
        place.put_back()
    return outcome


async def _turns(until: "asyncio.Future[Outcome]") -> tuple[int, float]:
    """How many steps another task of this loop made meanwhile, and the seconds that took."""
    began, turns = time.perf_counter(), 0
    while not until.done():
        await asyncio.sleep(BESIDE_SECONDS)
        turns += 1
    return turns, time.perf_counter() - began


async def test_what_is_done_beside_a_heavy_fan_out_goes_on(office: Callable[..., Office], lane: FanLane) -> None:  # noqa: F811
    place = office(number=60)
    Letters.hook = _work
    turns, seconds = await _turns(running := asyncio.ensure_future(_drained(place, lane)))
    assert running.result() == Published(remote_id=place.delivery.key)
    assert place.tally() == Tally(sent=60)
    assert turns > seconds / HEAVY_SECONDS, f"{turns} steps in {seconds:.2f} s: it waited for each recipient's turn"


async def test_in_the_same_loop_it_would_have_waited(office: Callable[..., Office]) -> None:  # noqa: F811
    place = office(number=60)
    Letters.hook = _work
    turns, seconds = await _turns(running := asyncio.ensure_future(place.drain()))
    assert running.result() == Published(remote_id=place.delivery.key)
    assert turns < seconds / HEAVY_SECONDS, "the test beside this one proves nothing"


async def test_a_stop_ends_it_between_two_groups_and_nobody_is_told_twice(
    office: Callable[..., Office],  # noqa: F811
    lane: FanLane,
) -> None:
    place, stopping = office(number=300), asyncio.Event()

    async def stop(_: str) -> None:
        if len(Letters.got) >= 100:
            stopping.set()

    Letters.hook = stop
    assert isinstance(await _drained(place, lane, stopping=stopping), Deferred)
    told = place.tally()
    assert told.sent == len(Letters.got) < 300
    assert told.waiting == 300 - told.sent
    Letters.hook = None
    assert isinstance(await _drained(place, lane), Published)
    assert set(Letters.got.values()) == {1}
    assert place.tally() == Tally(sent=300)


async def test_whoever_stops_waiting_leaves_no_result_unwritten(office: Callable[..., Office]) -> None:  # noqa: F811
    place, lane = office(number=200), FanLane()

    async def wait(_: str) -> None:
        await asyncio.sleep(0.05)

    Letters.hook = wait
    running = asyncio.ensure_future(_drained(place, lane))
    while len(Letters.got) < 20:
        await asyncio.sleep(0.01)
    running.cancel()
    await asyncio.wait([running])
    await lane.close()
    told = place.tally()
    assert told.sent == len(Letters.got)
    assert told.wire == 0
    await lane.close()
