"""What follows from what was seen: every outcome on every class of channel, as a table and as laws."""

from datetime import UTC, datetime, timedelta
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from campaigns.states import (
    FINISH_WITHIN,
    FIRST_BACK_OFF,
    LEGAL,
    LONGEST_BACK_OFF,
    LOOK_BUDGET,
    MAX_LOOKS,
    MAX_TRIES,
    SURELY,
    Move,
    Standing,
    State,
    after_crash,
    after_look,
    after_publish,
    after_stage,
    back_off,
)
from channels.contract import (
    Certainty,
    Deferred,
    Found,
    Handle,
    Outcome,
    Pending,
    Published,
    Reason,
    Refused,
    Unknown,
)

NOW = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
SETTLE = timedelta(seconds=20)
WINDOWS = (Reason.RATE_LIMITED, Reason.QUOTA, Reason.OUTSIDE_HOURS)
OUT = Published(remote_id="1")


def standing(**values: object) -> Standing:
    given_ = {
        "tries": 0, "looks": 0, "absents": 0, "part": 0, "parts": 1, "certainty": Certainty.LOOKUP, "settle": SETTLE,
        "wire_at": NOW - timedelta(minutes=1), "resent": False, "expires_at": NOW + timedelta(hours=6),
    }  # fmt: skip
    return Standing(**{**given_, **values})  # type: ignore[arg-type]


outcomes = st.one_of(
    st.just(OUT),
    st.builds(Pending, handle=st.just(Handle()), retry_at=st.none() | st.just(NOW + timedelta(seconds=9))),
    st.builds(Deferred, reason=st.sampled_from(Reason), retry_at=st.none() | st.just(NOW - timedelta(days=1))),
    st.builds(Refused, reason=st.sampled_from(Reason)),
    st.just(Unknown(detail="mất")),
)
founds = st.builds(Found, verdict=st.sampled_from(["out", "absent", "unclear"]))
standings = st.builds(
    Standing,
    tries=st.integers(0, MAX_TRIES),
    looks=st.integers(0, MAX_LOOKS),
    absents=st.integers(0, 2),
    part=st.integers(0, 2),
    parts=st.just(3),
    certainty=st.sampled_from(Certainty),
    settle=st.just(SETTLE),
    wire_at=st.timedeltas(timedelta(0), timedelta(hours=1)).map(lambda ago: NOW - ago),
    resent=st.booleans(),
    expires_at=st.timedeltas(timedelta(hours=-9), timedelta(hours=9)).map(lambda ahead: NOW + ahead),
)


@given(outcomes, standings)
def test_after_publishing_only_a_proof_leads_back_to_due(outcome: Outcome, at: Standing) -> None:
    move = after_publish(outcome, at, NOW, Random(1))
    assert (State.WIRE, move.state) in LEGAL
    if isinstance(outcome, Unknown | Pending):
        assert move.state is State.UNKNOWN
    if move.state is State.DUE:
        assert move.part_done or isinstance(outcome, Deferred | Refused)
    assert move.next_at >= NOW


@given(outcomes, standings)
def test_after_staging_nothing_is_ever_counted_as_out(outcome: Outcome, at: Standing) -> None:
    move = after_stage(outcome, at, NOW, Random(1))
    assert (State.PREPARED, move.state) in LEGAL
    assert move.state in (State.DUE, State.FAILED)
    assert not move.part_done


@given(founds, standings)
def test_after_a_look_only_proved_absence_leads_back_to_due(found: Found, at: Standing) -> None:
    move = after_look(found, at, NOW, NOW, Random(1))
    assert move.state is State.UNKNOWN or (State.UNKNOWN, move.state) in LEGAL
    if move.state is State.DUE and not move.part_done:
        assert found.verdict == "absent"
        assert at.certainty is not Certainty.BLIND
        assert at.wire_at is not None
        assert at.wire_at + SETTLE <= NOW
        assert at.certainty is not Certainty.LOOKUP or (at.absents >= 1 and not at.resent)


@given(st.sampled_from([State.PREPARED, State.WIRE]))
def test_after_a_crash_what_may_be_out_is_unknown(left_in: State) -> None:
    move = after_crash(left_in, SETTLE, NOW)
    assert (left_in, move.state) in LEGAL
    assert move.state is (State.DUE if left_in is State.PREPARED else State.UNKNOWN)


@pytest.mark.parametrize("certainty", Certainty)
@pytest.mark.parametrize(
    ("outcome", "state", "burns"),
    [
        (OUT, State.SENT, False),
        (Deferred(reason=Reason.UNREACHABLE), State.DUE, False),
        (Deferred(reason=Reason.BUSY), State.DUE, True),
        (Deferred(reason=Reason.RATE_LIMITED), State.DUE, False),
        (Deferred(reason=Reason.OUTSIDE_HOURS), State.DUE, False),
        (Deferred(reason=Reason.QUOTA), State.DUE, False),
        (Refused(reason=Reason.REJECTED), State.FAILED, False),
        (Refused(reason=Reason.UNAUTHORIZED), State.DUE, False),
        (Unknown(), State.UNKNOWN, False),
        (Pending(handle=Handle()), State.UNKNOWN, False),
    ],
)
def test_an_answer_means_the_same_on_every_class(
    certainty: Certainty, outcome: Outcome, state: State, burns: bool
) -> None:
    move = after_publish(outcome, standing(certainty=certainty), NOW, Random(1))
    assert (move.state, move.burns_try) == (state, burns)
    assert move.pauses_outlet is (isinstance(outcome, Refused) and outcome.reason is Reason.UNAUTHORIZED)


@pytest.mark.parametrize(
    ("certainty", "absents", "resent", "state"),
    [
        (Certainty.KEYED, 0, False, State.DUE),
        (Certainty.STAGED, 0, False, State.DUE),
        (Certainty.STAGED, 0, True, State.DUE),
        (Certainty.LOOKUP, 0, False, State.UNKNOWN),
        (Certainty.LOOKUP, 1, False, State.DUE),
        (Certainty.LOOKUP, 1, True, State.NEEDS_HUMAN),
        (Certainty.BLIND, 5, False, State.NEEDS_HUMAN),
    ],
)
def test_what_a_clean_absence_means(certainty: Certainty, absents: int, resent: bool, state: State) -> None:
    at = standing(certainty=certainty, absents=absents, resent=resent)
    assert after_look(Found(verdict="absent"), at, NOW, NOW, Random(1)).state is state


@pytest.mark.parametrize("certainty", Certainty)
def test_what_still_goes_on_is_looked_at_again_and_costs_no_look(certainty: Certainty) -> None:
    at = standing(certainty=certainty, looks=5)
    move = after_look(Found(verdict="unclear", detail="Đang phát.", again_at=NOW + SETTLE), at, NOW, NOW, Random(1))
    assert (move.state, move.next_at, move.detail) == (State.UNKNOWN, NOW + SETTLE, "Đang phát.")


def test_a_look_before_the_settle_time_proves_nothing() -> None:
    at = standing(wire_at=NOW - timedelta(seconds=5), looks=1, absents=1)
    assert after_look(Found(verdict="absent"), at, NOW, NOW, Random(1)).state is State.UNKNOWN


def test_unclear_looks_are_no_proof_of_absence() -> None:
    at = standing(looks=3, absents=0)
    assert after_look(Found(verdict="absent"), at, NOW, NOW, Random(1)).state is State.UNKNOWN


def test_publishing_by_id_is_repeated_with_growing_pauses_and_then_put_before_a_person() -> None:
    waits, at = [], standing(certainty=Certainty.STAGED, resent=True)
    for tries in range(MAX_TRIES - 1):
        move = after_look(
            Found(verdict="absent"), standing(certainty=Certainty.STAGED, resent=True, tries=tries), NOW, NOW, Random(1)
        )
        assert (move.state, move.burns_try) == (State.DUE, True)
        waits.append(move.next_at)
    assert waits == sorted(waits)
    at = standing(certainty=Certainty.STAGED, resent=True, tries=MAX_TRIES - 1)
    assert after_look(Found(verdict="absent"), at, NOW, NOW, Random(1)).state is State.NEEDS_HUMAN


@pytest.mark.parametrize("late", [{"looks": MAX_LOOKS - 1}, {"wire_at": NOW - LOOK_BUDGET, "looks": SURELY - 1}])
def test_looking_ends_with_a_person(late: dict[str, object]) -> None:
    move = after_look(Found(verdict="unclear", detail="Trang hỏng."), standing(**late), NOW, NOW, Random(1))
    assert (move.state, move.detail) == (State.NEEDS_HUMAN, "Trang hỏng.")


def test_who_was_asleep_past_the_budget_still_looks_before_a_person_must() -> None:
    asleep = standing(wire_at=NOW - 5 * LOOK_BUDGET)
    assert after_look(Found(verdict="absent"), asleep, NOW, NOW, Random(1)).state is State.UNKNOWN


def test_each_part_is_counted_and_the_last_one_ends_it() -> None:
    assert _of(after_publish(OUT, standing(part=0, parts=2), NOW, Random(1))) == (State.DUE, True)
    assert _of(after_publish(OUT, standing(part=1, parts=2), NOW, Random(1))) == (State.SENT, True)
    adopted = after_look(Found(verdict="out", remote_id="9"), standing(part=0, parts=2), NOW, NOW, Random(1))
    assert (*_of(adopted), adopted.adopted, adopted.remote_id) == (State.DUE, True, True, "9")


def _of(move: Move) -> tuple[State, bool]:
    return move.state, move.part_done


@pytest.mark.parametrize("reason", WINDOWS)
def test_waiting_for_a_window_burns_no_try_however_often(reason: Reason) -> None:
    move = after_publish(Deferred(reason=reason), standing(tries=MAX_TRIES), NOW, Random(1))
    assert (move.state, move.burns_try) == (State.DUE, False)


@pytest.mark.parametrize("reason", WINDOWS)
def test_a_half_posted_delivery_does_not_wait_for_ever(reason: Reason) -> None:
    too_late = standing(part=1, parts=3, expires_at=NOW - FINISH_WITHIN)
    move = after_publish(Deferred(reason=reason, detail="Hết lượt."), too_late, NOW, Random(1))
    assert (move.state, move.detail) == (State.FAILED, "Mới đăng được 1/3 phần. Hết lượt.")


def test_a_platform_that_names_a_past_moment_is_not_asked_in_a_hot_loop() -> None:
    answer = Deferred(reason=Reason.RATE_LIMITED, retry_at=NOW - timedelta(days=1))
    assert after_publish(answer, standing(), NOW, Random(1)).next_at >= NOW + timedelta(seconds=1)


@given(st.integers(0, 10_000), st.integers())
def test_back_off_stays_within_its_bounds(tries: int, seed: int) -> None:
    wait = back_off(tries, NOW, Random(seed)) - NOW
    assert FIRST_BACK_OFF <= wait <= LONGEST_BACK_OFF * 1.2


def test_tries_end_with_failure_in_words() -> None:
    move = after_publish(Deferred(reason=Reason.BUSY), standing(tries=MAX_TRIES - 1), NOW, Random(1))
    assert (move.state, move.reason, move.detail) == (
        State.FAILED, Reason.BUSY, "Đã thử nhiều lần mà không gửi được.",
    )  # fmt: skip
