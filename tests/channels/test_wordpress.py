"""The WordPress channel against its twin: the conformance suite."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from channels.conformance import Conformance
from channels.rehearsing import Scene, stage
from channels.wordpress.adapter import WordPress

pytestmark = pytest.mark.anyio


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with stage(tmp_path, {"wordpress": WordPress}) as made:
        yield made


class TestWordPress(Conformance):
    channel = WordPress
    visible_path = "/wp/v2/posts/"
    stage_path = "/wp/v2/tags"
