"""R5, short: the power is cut at random moments of the real daemon's writes; nothing acknowledged is lost."""

import shutil
from pathlib import Path

import pytest

from tests.chaos import evidence
from tests.chaos.power import power_cuts, verdict

SEED = 7


@pytest.mark.skipif(shutil.which("strace") is None, reason="needs strace (make chaos installs it)")
def test_power_cuts(tmp_path: Path) -> None:
    cuts, careless, counts = power_cuts(tmp_path, approvals=4, images=150, seed=SEED)
    evidence.say("R5-short", SEED, counts, verdict(cuts, careless))
    assert cuts.green, cuts.said[:10]
    assert careless.lossy, "with synchronous=NORMAL this test must find a loss"
