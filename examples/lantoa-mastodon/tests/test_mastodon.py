"""Mastodon keeps what every channel must keep, and what is its own; run against its twin over real HTTP."""

from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from lantoa_mastodon.adapter import FOLLOWERS, Mastodon, MastodonSettings
from lantoa_mastodon.api import carries
from lantoa_mastodon.render import weight
from lantoa_mastodon.twin import MastodonTwin
from PIL import Image

from channels.conformance import Conformance, document
from channels.contract import EMPTY, Deferred, Handle, Message, Outcome, Pending, Picture, Published, Reason, Refused
from channels.rehearsing import START, Scene, stage
from channels.wire import Wire
from content.document import read

pytestmark = pytest.mark.anyio


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with stage(tmp_path, {Mastodon.kind: Mastodon}) as made:
        yield made


@pytest.fixture
async def wire(scene: Scene) -> AsyncIterator[Wire]:
    made = scene.wire()
    yield made
    await made.close()


class TestMastodon(Conformance):
    channel = Mastodon
    visible_path = "/api/v1/statuses"
    stage_path = "/api/v2/media"


def mastodon(scene: Scene, wire: Wire, **changes: Any) -> Mastodon:
    given = {**Mastodon.rehearsal().settings(scene.place), **changes}
    return Mastodon(MastodonSettings.model_validate(given), scene.tools(wire))


async def sent(channel: Mastodon, message: Message, handle: Handle = EMPTY) -> Outcome:
    return await channel.publish(message, 0, handle, ())


def noisy(scene: Scene) -> Picture:
    """A picture too large to be ready at once."""
    import io
    import os

    file = io.BytesIO()
    Image.frombytes("RGB", (400, 300), os.urandom(360_000)).save(file, "JPEG", quality=100)
    assert len(file.getvalue()) > 200_000
    sha256 = scene.shelf.add(file.getvalue(), "image/jpeg")
    return Picture(sha256=sha256, mime="image/jpeg", width=400, height=300, alt="Ảnh nhiều hạt")


async def test_a_key_is_kept_for_an_hour_and_no_longer(scene: Scene, wire: Wire) -> None:
    """Why the channel promises only class C."""
    channel = mastodon(scene, wire)
    message = channel.render(document(1), "khoa1")
    first = await sent(channel, message)
    scene.forward(3500)
    assert await sent(channel, message) == first
    scene.forward(200)
    late = await sent(channel, message)
    assert isinstance(late, Published) and late != first
    copies = await channel.copies(message, 0, START)
    assert copies is not None and len(copies) == 2


async def test_pictures_go_with_their_words_and_large_ones_are_waited_for(scene: Scene, wire: Wire) -> None:
    channel = mastodon(scene, wire)
    pictures = (scene.picture(), noisy(scene))
    message = channel.render(document(1), "khoa1", pictures)
    waiting = await channel.stage(message, 0)
    assert isinstance(waiting, Pending) and waiting.retry_at and waiting.retry_at > scene.clock()
    still = await channel.stage(message, 0, waiting.handle)
    assert isinstance(still, Pending) and still.handle == waiting.handle  # asked again, not uploaded again
    scene.forward(3)
    ready = await channel.stage(message, 0, still.handle)
    assert isinstance(ready, Handle) and isinstance(await sent(channel, message, ready), Published)
    (trace,) = await scene.traces("mastodon")
    assert [file.read_bytes() for file in trace.files] == [scene.shelf.read(one.sha256) for one in pictures]
    assert 'alt="Dải màu để thử"' in trace.html


async def test_no_more_than_four_pictures_are_carried(scene: Scene, wire: Wire) -> None:
    channel = mastodon(scene, wire)
    message = channel.render(document(1), "khoa1", tuple(scene.picture((100, size)) for size in range(50, 56)))
    assert len(message.parts[0].pictures) == channel.limits.pictures == 4


def test_links_and_mentions_cost_what_mastodon_says() -> None:
    assert weight("ở" * 10) == 10
    assert weight("xem https://example.org/" + "a" * 200 + " nhé") == 4 + 23 + 4
    assert weight("chào @phuong@mastodon.example") == len("chào @phuong")
    assert weight("(https://a.vn)") == 25


async def test_a_long_text_ends_at_a_word_and_keeps_its_link(scene: Scene, wire: Wire) -> None:
    channel = mastodon(scene, wire)
    words = "Bộ phận Một cửa làm việc cả sáng thứ Bảy. " * 60
    _, blocks = read(words + "https://example.org/" + "x" * 90)
    long = channel.render(replace(document(1), blocks=blocks), "khoa1").parts[0]
    assert 440 < weight(long.body) <= 500 and long.marker in long.body and long.body.endswith("#HảiPhòng")
    kept = long.body.partition("…")[0].split("\n\n")[1]
    assert words.startswith(kept) and words[len(kept)] in " ."
    assert isinstance(await sent(channel, channel.render(replace(document(1), blocks=blocks), "khoa1")), Published)
    roomy = mastodon(scene, wire, max_characters=5_000).render(replace(document(1), blocks=blocks), "khoa1")
    assert "…" not in roomy.parts[0].body and "x" * 90 in roomy.parts[0].body


async def test_the_server_s_own_limit_counts_before_anything_is_uploaded(scene: Scene, wire: Wire) -> None:
    channel = mastodon(scene, wire, max_characters=5_000)
    message = channel.render(document(1), "khoa1", (scene.picture(),))
    part = message.parts[0]
    for spare, wanted in ((500, Handle), (501, Refused)):
        body = part.body + " " + "ở" * (spare - weight(part.body) - 1)
        assert weight(body) == spare
        full = message.model_copy(update={"parts": (part.model_copy(update={"body": body}),)})
        staged = await channel.stage(full, 0)
        assert isinstance(staged, wanted), staged
    assert isinstance(staged, Refused) and staged.reason is Reason.TOO_LONG and "500" in staged.detail
    blunt = await sent(channel, full)
    assert isinstance(blunt, Refused) and blunt.reason is Reason.REJECTED and "500 exceeded" in blunt.detail
    assert await channel.health() is Reason.MISCONFIGURED
    assert await mastodon(scene, wire).health() is None


async def test_what_was_lost_is_found_on_a_later_page_and_never_by_a_longer_link(scene: Scene, wire: Wire) -> None:
    channel = mastodon(scene, wire)
    message = channel.render(document(1), "khoa1")
    assert (await channel.find(message, 0, EMPTY, START)).verdict == "absent"
    longer = replace(document(1), link="https://lantoa.example/1abcd")
    await sent(channel, channel.render(longer, "khac"))
    scene.forward(1)
    out = await sent(channel, message)
    for number in range(2, 50):
        scene.forward(1)
        await sent(channel, channel.render(document(number), f"khoa{number}"))
    found = await channel.find(message, 0, EMPTY, START)
    assert isinstance(out, Published) and (found.verdict, found.remote_id) == ("out", out.remote_id)
    assert isinstance(await channel.withdraw(out.remote_id), Published)
    scene.forward(3_600)
    assert (await channel.find(message, 0, EMPTY, scene.clock())).verdict == "absent"
    for fault in ("garbage", "refuse"):
        await scene.order("mastodon", fault, "/accounts/")  # type: ignore[arg-type]
        assert (await channel.find(message, 0, EMPTY, START)).verdict == "unclear", fault


def test_a_marker_is_read_from_links_and_from_words() -> None:
    page = '<p>Chi tiết: <a href="https://a.vn/1abc"><span class="invisible">https://</span>a.vn/1abc</a></p>'
    assert carries(page, "https://a.vn/1abc") and not carries(page, "https://a.vn/1ab") and not carries(page, "")
    assert carries("<p>xem https://a.vn/1abc<br>nhé</p>", "https://a.vn/1abc")


async def test_figures_and_followers(scene: Scene, wire: Wire) -> None:
    channel = mastodon(scene, wire)
    out = await sent(channel, channel.render(document(1), "khoa1"))
    assert isinstance(out, Published)
    scene.forward(3 * 86_400)
    measure = await channel.measure(out.remote_id)
    figures = {figure.name: figure.value for figure in measure.figures}
    assert list(figures) == ["Lượt thích", "Lượt chia sẻ", "Lượt trả lời", FOLLOWERS] and figures["Lượt thích"] > 0
    await channel.withdraw(out.remote_id)
    assert (await channel.measure(out.remote_id)).reason is Reason.NOT_FOUND
    assert await channel.withdraw(out.remote_id) == Published(remote_id=out.remote_id)


async def test_too_fast_waits_until_the_server_s_own_hour(
    scene: Scene, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MastodonTwin, "media_per_half_hour", 1)
    channel = mastodon(scene, wire)
    message = channel.render(document(1), "khoa1", (scene.picture(), scene.picture((600, 600))))
    limited = await channel.stage(message, 0)
    assert isinstance(limited, Deferred) and limited.reason is Reason.RATE_LIMITED and limited.retry_at
    assert (limited.retry_at - scene.clock()).total_seconds() == 1800


async def test_a_picture_that_is_none_is_refused_before_the_status(scene: Scene, wire: Wire) -> None:
    channel = mastodon(scene, wire)
    picture = scene.picture()
    scene.shelf.files[picture.sha256] = (b"GIF89a", "image/gif")
    refused = await channel.stage(channel.render(document(1), "khoa1", (picture,)), 0)
    assert isinstance(refused, Refused) and refused.reason is Reason.BAD_MEDIA and "content type" in refused.detail
    scene.shelf.files.clear()
    gone = await channel.stage(channel.render(document(1), "khoa1", (picture,)), 0)
    assert isinstance(gone, Refused) and gone.reason is Reason.BAD_MEDIA and "Kho tư liệu" in gone.detail
