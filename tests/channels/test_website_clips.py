"""The ward's site shows a video or a sound in its article, with its words, and feeds name it with its exact length."""

# ruff: noqa: F811 - fixtures that are named by their parameters

import json
import re
from xml.etree import ElementTree

import feedparser
import pytest

from channels.contract import Clip, Published, Reason, Refused
from channels.website.adapter import Website
from channels.wire import Answer, Wire
from tests.channels.test_website import START, WARD, Town, document, picture, sent, town, website, wire  # noqa: F401
from tests.filming import film, sound

pytestmark = pytest.mark.anyio


def clip(town: Town, data: bytes, **more: object) -> Clip:
    moving = data[4:8] == b"ftyp"
    told = {"width": 320, "height": 180, "poster": picture(town)} if moving else {}
    given = {
        "kind": "video" if moving else "audio", "sha256": town.shelf.put(data), "size": len(data), "seconds": 2.0,
        "mime": "video/mp4" if moving else "audio/mpeg", "title": "Nộp hồ sơ", "about": "Bà con ở <sân> nhà văn hóa", **told,
    }  # fmt: skip
    return Clip.model_validate({**given, **more})


async def _get(wire: Wire, address: str, **headers: str) -> Answer:
    seen = await wire.call("GET", address, headers=headers)
    assert isinstance(seen, Answer)
    return seen


async def test_a_video_plays_in_its_article_and_says_what_is_seen(town: Town, website: Website, wire: Wire) -> None:
    shown = clip(town, film(2))
    made = website.render_clip(document(), "k1", shown).model_copy(update={"due_at": START})
    out = await sent(website, made)
    assert isinstance(out, Published) and out.url
    page = (await _get(wire, out.url)).text
    assert f'<source src="/tep/{shown.sha256}" type="video/mp4">' in page and 'preload="metadata"' in page
    assert f'poster="/tep/{shown.poster.sha256}"' in page and "Bà con ở &lt;sân&gt; nhà văn hóa" in page  # type: ignore[union-attr]
    assert page.count("<figure") == 1, "the frame is not shown once more as a picture"
    told = json.loads(re.findall(r'<script type="application/ld\+json">(.*?)</script>', page)[0])["video"]
    assert (told["@type"], told["contentSize"], told["duration"]) == ("VideoObject", str(shown.size), "PT2S")
    file = await _get(wire, f"{town.url}/tep/{shown.sha256}", range="bytes=10-19")
    assert (file.status, file.body, file.headers["content-type"]) == (206, film(2)[10:20], "video/mp4")
    assert "media-src 'self'" in (await _get(wire, out.url)).headers["content-security-policy"]


async def test_pictures_stay_beside_a_sound(town: Town, website: Website, wire: Wire) -> None:
    made = website.render_clip(document(), "k1", clip(town, sound(2)), (picture(town),))
    out = await sent(website, made.model_copy(update={"due_at": START}))
    assert isinstance(out, Published) and out.url
    page = (await _get(wire, out.url)).text
    assert "<audio controls" in page and page.count("<figure") == 2 and "Tải tệp tiếng (0:02" in page


async def test_feeds_name_what_comes_with_an_article_with_its_exact_length(
    town: Town,
    website: Website,
    wire: Wire,
) -> None:
    shown = clip(town, film(2))
    made = website.render_clip(document(), "k1", shown, (picture(town, 631),))
    await sent(website, made.model_copy(update={"due_at": START}))
    await sent(
        website, website.render(document(title="Bài khác"), "k2", (picture(town),)).model_copy(update={"due_at": START})
    )
    lengths = {}
    for name in ("rss.xml", "atom.xml"):
        feed = feedparser.parse((await _get(wire, f"{town.url}/{WARD}/{name}")).body)
        assert not feed.bozo
        lengths[name] = {
            entry.title: [(one.type, int(one.length)) for one in entry.enclosures] for entry in feed.entries
        }
        for entry in feed.entries:
            for one in entry.enclosures:
                assert len((await _get(wire, one.href)).body) == int(one.length)
    assert lengths["rss.xml"]["Nộp hồ sơ trực tuyến"] == [("video/mp4", shown.size)]
    assert [kind for kind, _ in lengths["atom.xml"]["Nộp hồ sơ trực tuyến"]] == ["video/mp4", "image/jpeg"]
    assert [kind for kind, _ in lengths["rss.xml"]["Bài khác"]] == ["image/jpeg"]
    rss = ElementTree.fromstring((await _get(wire, f"{town.url}/{WARD}/rss.xml")).body)
    assert all(len(item.findall("enclosure")) == 1 for item in rss.iter("item"))
    items = {
        item["title"]: item for item in json.loads((await _get(wire, f"{town.url}/{WARD}/feed.json")).body)["items"]
    }
    first = items["Nộp hồ sơ trực tuyến"]["attachments"][0]
    assert (first["mime_type"], first["size_in_bytes"], first["duration_in_seconds"]) == ("video/mp4", shown.size, 2)


async def test_a_video_that_is_no_video_is_not_taken(town: Town, website: Website) -> None:
    strange = clip(town, film(1)).model_copy(update={"sha256": town.shelf.put(b"<script>alert(1)</script>" * 9)})
    refused = await sent(website, website.render_clip(document(), "k1", strange).model_copy(update={"due_at": START}))
    assert isinstance(refused, Refused) and refused.reason is Reason.BAD_MEDIA
    assert town.articles() == []


def test_fifty_megabytes_and_a_missing_description_are_said_before(town: Town, website: Website) -> None:
    edge = clip(town, film(1), size=50_000_000, about="")
    said = website.validate(website.render_clip(document(), "k1", edge))
    assert [(one.level, one.field) for one in said if one.field.startswith("clip")] == [("warning", "clip_about")]
    over = website.validate(website.render_clip(document(), "k1", edge.model_copy(update={"size": 50_000_001})))
    assert [one.field for one in over if one.level == "error"] == ["clip"]
