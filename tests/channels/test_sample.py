"""Sample keeps what every channel must keep, and what is its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from channels.conformance import Conformance, document
from channels.contract import EMPTY, Published, Reason, Refused
from channels.rehearsing import START, Scene, stage
from channels.scaffold.sample.adapter import Sample

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with stage(tmp_path, {Sample.kind: Sample}) as made:
        yield made


class TestSample(Conformance):
    channel = Sample
    visible_path = "/v1/posts"


async def test_absent_is_only_what_the_platform_itself_says(scene: Scene) -> None:
    wire = scene.wire()
    channel = scene.channel("sample", wire)
    message = channel.render(document(1), "khoa1")
    assert (await channel.find(message, 0, EMPTY, START)).verdict == "absent"
    await scene.order("sample", "garbage", "/v1/posts")
    assert (await channel.find(message, 0, EMPTY, START)).verdict == "unclear"
    await wire.close()


async def test_taken_down_twice_is_taken_down(scene: Scene) -> None:
    wire = scene.wire()
    channel = scene.channel("sample", wire)
    out = await channel.publish(channel.render(document(1), "khoa1"), 0, EMPTY, ())
    assert isinstance(out, Published)
    for _ in range(2):
        assert await channel.withdraw(out.remote_id) == Published(remote_id=out.remote_id)
    await wire.close()


async def test_what_the_platform_refuses_is_told_in_its_words(scene: Scene) -> None:
    wire = scene.wire()
    channel = scene.channel("sample", wire)
    await scene.order("sample", "refuse", "/v1/posts")
    refused = await channel.publish(channel.render(document(1), "khoa1"), 0, EMPTY, ())
    assert isinstance(refused, Refused) and refused.reason is Reason.FORBIDDEN and "không được đăng" in refused.detail
    await wire.close()
