"""R14, short: a backup is brought back six hours after it was taken; what went out since is not sent again."""

from pathlib import Path

from store.engine import Store
from tests.chaos.restores import restore, say

SEED = 7
DELIVERIES = 54


def test_nothing_is_sent_blind_after_a_restore(any_store: Store, tmp_path: Path) -> None:
    done = restore(any_store, tmp_path, DELIVERIES, 4, SEED)
    say(f"R14-short-{any_store.dialect}", any_store, SEED, done)
    assert not done.wrong, "\n".join(done.wrong[:20])
    assert done.sent == DELIVERIES
    assert sorted(done.of) == ["A", "B", "C", "D"]
