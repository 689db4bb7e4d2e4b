"""An article of several pictures: the cover first, the others below the words in their order, each within Zalo's rules."""

from pathlib import Path
from typing import Any

import pytest

from channels import pages
from channels.conformance import document
from channels.contract import Handle, Message, Pending, Picture, Published, Reason, Refused, Tools
from channels.rehearsing import Scene
from channels.wire import Answer, Wire
from channels.zalo import adapter
from channels.zalo.adapter import Zalo
from tests.channels.test_zalo import api, article, zalo

pytestmark = pytest.mark.anyio
MEGABYTE = 1_000_000


def shots(scene: Scene, count: int) -> tuple[Picture, ...]:
    """Different pictures, each with words of its own."""
    made = [scene.picture((200 + number, 120)) for number in range(count)]
    return tuple(one.model_copy(update={"alt": f"Ảnh thứ {number} <b>"}) for number, one in enumerate(made, 1))


async def ready(channel: Zalo, message: Message) -> Any:
    staged = await channel.stage(message, 0)
    return await channel.stage(message, 0, staged.handle) if isinstance(staged, Pending) else staged


async def shown(channel: Zalo, message: Message) -> Published:
    handle = await ready(channel, message)
    assert isinstance(handle, Handle)
    out = await channel.publish(message, 0, handle, ())
    assert isinstance(out, Published) and out.url is not None
    return out


def in_order(page: str, count: int) -> bool:
    places = [page.rfind(f"Ảnh thứ {number} &lt;b&gt;") for number in range(2, count + 1)]
    return -1 not in places and places == sorted(places) and "<b>" not in page


async def test_ten_pictures_stand_in_their_order_with_their_words(scene: Scene, tools: Tools, wire: Wire) -> None:
    channel = zalo(scene, tools)
    message = channel.render(document(1), "k", shots(scene, 11))
    assert len(message.parts[0].pictures) == 10 and channel.validate(message) == []
    out = await shown(channel, message)
    [trace] = await scene.traces("zalo")
    assert [file.read_bytes() for file in trace.files] == [
        scene.shelf.read(one.sha256) for one in message.parts[0].pictures
    ]
    page = await wire.call("GET", str(out.url))
    assert isinstance(page, Answer) and in_order(page.text, 10) and page.text.count("<img") == 10
    urls = [scene.shelf.url(one.sha256) for one in message.parts[0].pictures]
    preview = pages.card(Path(adapter.__file__).parent, message, urls[0], picture_urls=urls)
    assert in_order(preview, 10) and all(url in preview for url in urls), "the editor sees what a citizen sees"


async def test_a_correction_and_a_hiding_keep_every_picture(scene: Scene, tools: Tools, wire: Wire) -> None:
    channel = zalo(scene, tools, withdrawal="hide")
    message = channel.render(document(1), "k", shots(scene, 3))
    out = await shown(channel, message)
    amended = channel.render(document(2), "k", message.parts[0].pictures)
    assert isinstance(await channel.amend(amended, 0, out.remote_id), Published)
    [trace] = await scene.traces("zalo")
    assert trace.title == amended.parts[0].title and len(trace.files) == 3
    assert isinstance(await channel.withdraw(out.remote_id), Published)
    kept = await api(wire, scene, "/v2.0/article/getdetail", params={"id": out.remote_id})
    blocks = [block for block in kept["data"]["body"] if block["type"] == "image"]
    assert kept["data"]["status"] == "hide" and [one["caption"] for one in blocks] == ["Ảnh thứ 2 <b>", "Ảnh thứ 3 <b>"]


async def test_the_twin_takes_a_picture_of_one_megabyte_and_not_a_byte_more(scene: Scene, wire: Wire) -> None:
    cover = scene.shelf.url(scene.picture().sha256)
    jpeg = scene.shelf.read(scene.picture().sha256)
    cases: list[tuple[dict[str, Any], int]] = [
        ({"url": scene.shelf.url(scene.shelf.add(jpeg.ljust(MEGABYTE, b"\0"), "image/jpeg"))}, 0),
        ({"url": scene.shelf.url(scene.shelf.add(jpeg.ljust(MEGABYTE + 1, b"\0"), "image/jpeg"))}, -201),
        ({"url": scene.shelf.url(scene.shelf.add(b"GIF89a", "image/gif"))}, -201),
        ({"url": "http://10.0.0.1/x.jpg"}, -201),
        ({"caption": "không có địa chỉ"}, -201),
    ]
    for block, code in cases:
        body = [{"type": "text", "content": "<p>x</p>"}, {"type": "image", "caption": "", **block}]
        seen = await api(wire, scene, "/v2.0/article/create", json=article(url=cover, body=body))
        assert seen["error"] == code, block


@pytest.mark.parametrize(("side", "fits"), [(1280, True), (1281, False)])
def test_a_further_picture_keeps_to_the_covers_side(scene: Scene, tools: Tools, side: int, fits: bool) -> None:
    channel = zalo(scene, tools)
    cover, other = shots(scene, 2)
    wide = other.model_copy(update={"width": side})
    found = channel.validate(channel.render(document(1), "k", (cover, wide)))
    assert [one.field for one in found] == ([] if fits else ["picture"])


async def test_a_further_picture_that_zalo_cannot_fetch_lets_nothing_out(scene: Scene, tools: Tools) -> None:
    channel = zalo(scene, tools)
    cover, other = shots(scene, 2)
    lost = other.model_copy(update={"sha256": "0" * 64})
    refused = await ready(channel, channel.render(document(1), "k", (cover, lost)))
    assert isinstance(refused, Refused) and refused.reason is Reason.REJECTED
    assert await scene.traces("zalo") == []
