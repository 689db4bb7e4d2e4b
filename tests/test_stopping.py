"""R19: asked to stop with 200 deliveries on the wire, the program finishes them and is gone within 20 seconds."""

import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from store.engine import Store
from tests.chaos.evidence import say
from tests.chaos.whole import PASSWORD, Place, furnished, until

IN_FLIGHT = 200
SILENT = 30
ANSWERED_AFTER = 1.0
GONE_WITHIN = 20.0


@pytest.fixture
def place(any_store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    with furnished(any_store, tmp_path / "du-lieu", monkeypatch, many=IN_FLIGHT) as made:
        yield made


@pytest.fixture
def silent(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """A smaller place whose platform takes everything and answers nothing."""
    with furnished(store, tmp_path / "du-lieu", monkeypatch, many=SILENT) as made:
        made.platform.silent = True
        yield made


def _in_flight(place: Place) -> None:
    place.ready()
    wanted = len(place.outlets)
    until(lambda: place.platform.in_flight >= wanted, 120, lambda: f"{place.states()} {place.said()[-3000:]}")


def test_what_is_in_flight_is_finished_and_nothing_is_left_unknown(place: Place) -> None:
    place.platform.silent = True  # until all of them are on the wire
    keys = place.plan()
    life = place.start()
    _in_flight(place)
    held = dict(place.platform.asked)
    asking = Asking(place)
    begun = time.monotonic()
    life.send_signal(signal.SIGTERM)
    answer = place.get("/readyz")
    while answer is not None and answer.status_code == 200 and time.monotonic() < begun + 5:
        answer = place.get("/readyz")
    assert answer is not None and answer.status_code == 503
    assert "đang dừng" in answer.json()["why"][0]
    time.sleep(ANSWERED_AFTER)
    place.platform.silent = False
    assert life.wait(60) == 0, place.said()[-3000:]
    took = time.monotonic() - begun
    states, unknown = place.states(), place.tried("unknown")
    counts = {"in_flight": len(held), "seconds": took, "unknown": unknown, "sent": states.get("sent", 0)}
    assert len(keys) == IN_FLIGHT == len(held)
    assert (states, unknown) == ({"sent": IN_FLIGHT}, 0), place.said()[-3000:]
    assert set(place.platform.copies.values()) == {1}
    assert asking.broken() == [], "a request of the console was cut off"
    assert took <= GONE_WITHIN
    say(
        f"R19-{place.store.dialect}",
        0,
        counts,
        "finished what was in flight, left nothing unknown, and was gone in time",
    )


class Asking:
    """Somebody at the console who asks for a page that takes a while, all the time until it is closed to them."""

    def __init__(self, place: Place) -> None:
        self.place, self.results = place, []
        self.thread = threading.Thread(target=self._ask, daemon=True)
        self.thread.start()

    def _ask(self) -> None:
        while True:
            try:
                given = {"username": "nguoi.duyet", "password": PASSWORD}
                headers = {"sec-fetch-site": "same-origin"}
                answer = httpx.post(f"{self.place.site}/quan-tri/dang-nhap", data=given, headers=headers, timeout=20)
                self.results.append(answer.status_code)
            except httpx.ConnectError:
                return  # nobody listens any more: nothing was begun
            except httpx.HTTPError as error:
                self.results.append(type(error).__name__)
                return

    def broken(self) -> list[object]:
        """What went wrong with requests that had begun."""
        self.thread.join(30)
        assert self.results, "nothing was asked"
        return [result for result in self.results if result != 303]


def test_a_silent_platform_makes_them_unknown_and_they_are_looked_up_after_the_restart(silent: Place) -> None:
    place = silent
    place.plan()
    life = place.start()
    _in_flight(place)
    begun = time.monotonic()
    life.send_signal(signal.SIGTERM)
    assert life.wait(60) == 0, place.said()[-3000:]
    took = time.monotonic() - begun
    assert took <= GONE_WITHIN
    left = place.states()
    assert set(left) <= {"unknown", "wire"}, left
    place.platform.silent = False
    until(lambda: place.platform.in_flight == 0, 20)
    place.start()
    place.settled(60)
    assert place.states() == {"sent": SILENT}
    assert set(place.platform.copies.values()) == {1}
    assert set(place.platform.asked.values()) == {1}, "something was sent a second time"
    counts = {"seconds": took, "left_unknown": left.get("unknown", 0) + left.get("wire", 0), "copies": SILENT}
    say(
        f"R19-silent-{place.store.dialect}",
        0,
        counts,
        "unknown only because the platform was silent; looked up, not sent again",
    )


def test_asked_twice_it_does_not_wait_for_a_silent_platform(silent: Place) -> None:
    place = silent
    place.plan()
    life = place.start()
    _in_flight(place)
    begun = time.monotonic()
    life.send_signal(signal.SIGTERM)
    time.sleep(0.5)
    life.send_signal(signal.SIGTERM)
    assert life.wait(60) == 0, place.said()[-3000:]
    took = time.monotonic() - begun
    assert took <= 6.0
    assert set(place.states()) <= {"unknown", "wire"}
    assert place.platform.copies == {}
    say(f"R19-twice-{place.store.dialect}", 0, {"seconds": took}, "a second signal ends it sooner")
