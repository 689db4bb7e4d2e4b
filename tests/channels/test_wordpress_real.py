"""The WordPress channel against a real WordPress: the whole conformance suite, and what only the real one can prove."""

import asyncio
import hashlib
import html
import re
import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from channels.conformance import Conformance, document
from channels.contract import EMPTY, Deferred, Handle, Message, Picture, Published, Reason, Refused, Unknown
from channels.rehearsing import Scene, stage
from channels.wire import Answer, Wire
from content.document import read
from tests.channels.wordpress.gate import ACCOUNT, TLS, Gate, RealWordPress
from tests.channels.wordpress.site import ADMIN, CONTRIBUTOR, INSTALLED, Site
from tests.filming import clip, film

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.skipif(
        not INSTALLED, reason="needs Debian's WordPress and its SQLite drop-in (make tools installs them)"
    ),
]


@pytest.fixture
def scene(wordpress_site: Site, tmp_path: Path) -> Iterator[Scene]:
    wordpress_site.as_new()
    Gate.site, Gate.troubles, Gate.unheard = wordpress_site, {}, False
    Gate.calls.clear()
    with stage(tmp_path, {"wordpress": RealWordPress}, ACCOUNT) as made:
        yield made


class TestRealWordPress(Conformance):
    channel = RealWordPress
    visible_path = "/wp/v2/posts/"
    stage_path = "/wp/v2/tags"


# What only the real one can prove


class Author:
    """The channel on the real site, with ways to look behind it."""

    def __init__(self, scene: Scene, wire: Wire) -> None:
        self.scene, self.wire = scene, wire

    def channel(self, **changes: Any) -> RealWordPress:
        settings = {**RealWordPress.rehearsal().settings(self.scene.place), **changes}
        return RealWordPress(RealWordPress.Settings.model_validate(settings), self.scene.tools(self.wire))

    def message(self, **changes: Any) -> Message:
        return self.channel().render(replace(document(1), **changes), "khoa-1", (self.scene.picture(),))

    async def rest(self, method: str, route: str, user: str = ADMIN, **request: Any) -> Any:
        """The site's own answer to one of its users."""
        url = f"{Gate.site.url}/wordpress/wp-json/wp/v2{route}"
        host = {"host": self.scene.place.twins_url.removeprefix("http://")}
        async with httpx.AsyncClient(
            auth=(user, Gate.site.passwords[user]), headers=host, timeout=30, verify=TLS
        ) as client:
            return (await client.request(method, url, **request)).json()

    async def page(self, url: str) -> tuple[int, str]:
        """What a citizen's browser gets."""
        seen = await self.wire.call("GET", url)
        assert isinstance(seen, Answer)
        return seen.status, seen.text


@pytest.fixture
async def author(scene: Scene, wire: Wire) -> Author:
    return Author(scene, wire)


async def staged(channel: RealWordPress, message: Message, handle: Handle = EMPTY) -> Handle:
    found = await channel.stage(message, 0, handle)
    assert isinstance(found, Handle), found
    return found


async def test_a_video_plays_on_the_public_page_and_is_the_one_that_was_sent(author: Author) -> None:
    shown = clip(author.scene.shelf, film(1))
    channel = author.channel()
    message = channel.render_clip(document(1), "khoa-1", shown, (author.scene.picture(),))
    sent = await channel.publish(message, 0, await staged(channel, message), ())
    assert isinstance(sent, Published) and sent.url
    _, page = await author.page(sent.url)
    player = re.search(r'<video[^>]* src="([^"]+\.mp4)"', page)
    assert player and "controls" in player[0] and "Bà con nộp hồ sơ trên điện thoại." in page
    seen = await author.wire.call("GET", player[1])
    assert isinstance(seen, Answer) and seen.body == author.scene.shelf.read(shown.sha256)


async def test_a_post_stands_on_the_public_page_as_it_was_written(author: Author) -> None:
    _, blocks = read("Xem [gallery] và 5 > 3 & «ngoặc».\n\n## Cần mang theo\n\n1. Căn cước\n2. Đơn")
    second = author.scene.picture((800, 600)).model_copy(update={"alt": 'Sơ đồ "Một cửa"'})
    channel = author.channel()
    told = replace(document(1), title=unicodedata.normalize("NFD", "Thủ tục <mới> & phí"), blocks=blocks)
    message = channel.render(told, "khoa-1", (author.scene.picture(), second))
    sent = await channel.publish(message, 0, await staged(channel, message), ())
    assert isinstance(sent, Published)
    assert sent.url == f"{author.scene.place.twins_url}/wordpress/thu-tuc-moi-phi-{_mark('khoa-1')}/"
    status, page = await author.page(sent.url)
    assert status == 200
    words = html.unescape(page)
    assert "Thủ tục <mới> & phí</h1>" in words
    assert "Xem [gallery] và 5 > 3 & «ngoặc»." in words
    assert "<h2>Cần mang theo</h2>" in page and "<li>Căn cước</li>" in page
    assert 'href="https://lantoa.example/1abc"' in page
    assert "Nguồn: Ủy ban nhân dân phường" in page
    assert 'alt="Dải màu để thử"' in page and 'alt="Sơ đồ "Một cửa""' in words
    assert unicodedata.is_normalized("NFC", page)
    post = await author.rest("GET", f"/posts/{sent.remote_id}?context=edit")
    assert html.unescape(post["excerpt"]["raw"]) == "Lịch làm việc mới của Bộ phận Một cửa."
    assert post["featured_media"] and len(post["tags"]) == 1
    (category,) = [await author.rest("GET", f"/categories/{id}") for id in post["categories"]]
    assert html.unescape(category["name"]) == "Tin & bài"


async def test_what_was_uploaded_is_found_again_with_its_description(author: Author) -> None:
    channel, message = author.channel(), author.message()
    await author.scene.order("wordpress", "drop_after", "/wp/v2/media POST")
    lost = await channel.stage(message, 0)
    assert isinstance(lost, Deferred) and lost.reason is Reason.UNREACHABLE
    first = await staged(channel, message)
    other = channel.render(document(2), "khoa-2", message.parts[0].pictures)
    second = await staged(channel, other)
    (media,) = await author.rest("GET", "/media?context=edit")
    assert (media["id"], media["alt_text"]) == (first.data["pictures"][0]["id"], "Dải màu để thử")
    assert second.data["pictures"] == first.data["pictures"]


async def test_a_description_that_was_lost_with_the_upload_is_told_again(author: Author) -> None:
    channel, message = author.channel(), author.message()
    first = await staged(channel, message)
    id = first.data["pictures"][0]["id"]
    await author.rest("POST", f"/media/{id}", json={"alt_text": ""})
    await staged(channel, message)
    assert (await author.rest("GET", f"/media/{id}"))["alt_text"] == "Dải màu để thử"


async def test_a_draft_is_made_once_and_nobody_sees_it(author: Author) -> None:
    channel, message = author.channel(), author.message()
    await author.scene.order("wordpress", "drop_after", "/wp/v2/posts POST")
    assert isinstance(await channel.stage(message, 0), Deferred)
    handle = await staged(channel, message)
    assert await staged(channel, message, handle) == handle
    (draft,) = await author.rest("GET", "/posts?status=any,trash&context=edit")
    assert (draft["id"], draft["status"]) == (handle.data["id"], "draft")
    assert (await author.page(f"{author.scene.place.twins_url}/wordpress/{draft['slug']}/"))[0] == 404
    found = await channel.find(message, 0, handle, author.scene.clock())
    assert found.verdict == "absent"


async def test_a_lost_answer_is_found_by_name_and_publishing_again_changes_nothing(author: Author) -> None:
    channel, message = author.channel(), author.message()
    handle = await staged(channel, message)
    await author.scene.order("wordpress", "drop_after", "/wp/v2/posts/")
    assert isinstance(await channel.publish(message, 0, handle, ()), Unknown)
    before = await author.rest("GET", f"/posts/{handle.data['id']}")
    for known in (handle, EMPTY):
        found = await channel.find(message, 0, known, author.scene.clock())
        assert (found.verdict, found.remote_id) == ("out", str(handle.data["id"]))
        assert found.url and (await author.page(found.url))[0] == 200
    assert isinstance(await channel.publish(message, 0, handle, ()), Published)
    after = await author.rest("GET", f"/posts/{handle.data['id']}")
    assert (after["date_gmt"], after["slug"], after["content"]) == (
        before["date_gmt"],
        before["slug"],
        before["content"],
    )
    assert await channel.copies(message, 0, author.scene.clock()) == (str(handle.data["id"]),)


async def test_a_post_is_dated_by_its_publication_not_by_its_draft(author: Author) -> None:
    channel, message = author.channel(), author.message()
    handle = await staged(channel, message)
    made = datetime.fromisoformat((await author.rest("GET", f"/posts/{handle.data['id']}"))["date_gmt"])
    await asyncio.sleep(1.1)
    await channel.publish(message, 0, handle, ())
    out = datetime.fromisoformat((await author.rest("GET", f"/posts/{handle.data['id']}"))["date_gmt"])
    assert out > made


async def test_taken_down_is_in_the_trash_and_stays_there(author: Author) -> None:
    channel, message = author.channel(), author.message()
    handle = await staged(channel, message)
    sent = await channel.publish(message, 0, handle, ())
    assert isinstance(sent, Published) and sent.url
    for _ in range(2):
        assert await channel.withdraw(sent.remote_id) == Published(remote_id=sent.remote_id)
    assert (await author.page(sent.url))[0] == 404
    assert await author.scene.traces("wordpress") == []
    for known in (handle, EMPTY):
        assert (await channel.find(message, 0, known, author.scene.clock())).verdict == "unclear"
        again = await channel.stage(message, 0, known)
        assert isinstance(again, Refused) and "thùng rác" in again.detail
    assert (await channel.measure(sent.remote_id)).reason is Reason.NOT_FOUND


async def test_without_a_trash_it_goes_back_to_the_drafts(author: Author) -> None:
    channel, message = author.channel(), author.message()
    sent = await channel.publish(message, 0, await staged(channel, message), ())
    assert isinstance(sent, Published)
    Gate.troubles = {"x-site-no-trash": "1"}
    assert await channel.withdraw(sent.remote_id) == Published(remote_id=sent.remote_id)
    assert await author.scene.traces("wordpress") == []
    assert (await author.rest("GET", f"/posts/{sent.remote_id}?context=edit"))["status"] == "draft"


async def test_a_draft_that_was_deleted_for_good_is_made_anew(author: Author) -> None:
    channel, message = author.channel(), author.message()
    handle = await staged(channel, message)
    await author.rest("DELETE", f"/posts/{handle.data['id']}?force=true")
    gone = await channel.publish(message, 0, handle, ())
    assert isinstance(gone, Refused) and gone.reason is Reason.NOT_FOUND
    assert await channel.withdraw(str(handle.data["id"])) == gone
    fresh = await staged(channel, message, handle)
    assert fresh.data["id"] != handle.data["id"]
    assert isinstance(await channel.publish(message, 0, fresh, ()), Published)


async def test_a_site_that_holds_posts_back_is_said(author: Author) -> None:
    channel, message = author.channel(), author.message()
    handle = await staged(channel, message)
    Gate.troubles = {"x-site-moderated": "1"}
    held = await channel.publish(message, 0, handle, ())
    assert isinstance(held, Refused) and held.reason is Reason.FORBIDDEN and "«pending»" in held.detail
    assert await author.scene.traces("wordpress") == []
    Gate.troubles = {}
    await author.rest(
        "POST", f"/posts/{handle.data['id']}", json={"status": "future", "date_gmt": "2040-01-01T00:00:00"}
    )
    assert isinstance(await channel.publish(message, 0, handle, ()), Unknown), "it will be out one day, by itself"
    assert (await channel.find(message, 0, handle, author.scene.clock())).verdict == "unclear"


async def test_a_file_that_is_no_picture_is_refused_though_wordpress_says_500(author: Author) -> None:
    sha256 = author.scene.shelf.add(b"day khong phai anh", "image/jpeg")
    picture = Picture(sha256=sha256, mime="image/jpeg", width=10, height=10, alt="Không phải ảnh")
    message = author.channel().render(document(1), "khoa-1", (picture,))
    refused = await author.channel().stage(message, 0)
    assert isinstance(refused, Refused) and refused.reason is Reason.BAD_MEDIA
    assert "rest_upload_unknown_error" in refused.detail


async def test_comments_are_counted_and_nothing_else(author: Author) -> None:
    channel, message = author.channel(), author.message()
    sent = await channel.publish(message, 0, await staged(channel, message), ())
    assert isinstance(sent, Published)
    for words in ("Cảm ơn phường", "Rất rõ ràng"):
        await author.rest(
            "POST", "/comments", json={"post": int(sent.remote_id), "content": words, "status": "approve"}
        )
    (figure,) = (await channel.measure(sent.remote_id)).figures
    assert (figure.name, figure.value, figure.label) == ("Lượt bình luận", 2, "measured")


async def test_a_site_with_plain_addresses_is_served_by_query(author: Author) -> None:
    Gate.troubles = {"x-site-plain": "1"}
    channel, message = author.channel(plain_permalinks=True), author.message()
    assert await channel.examine() is None
    sent = await channel.publish(message, 0, await staged(channel, message), ())
    assert isinstance(sent, Published) and sent.url
    found = await channel.find(message, 0, EMPTY, author.scene.clock())
    assert (found.verdict, found.remote_id) == ("out", sent.remote_id)
    assert (await channel.measure(sent.remote_id)).figures
    assert await channel.withdraw(sent.remote_id) == Published(remote_id=sent.remote_id)


@pytest.mark.parametrize(
    ("troubles", "changes", "reason", "words"),
    [
        ({}, {}, None, ""),
        ({}, {"password": "mot mat khau khong dung"}, Reason.UNAUTHORIZED, "tạo mật khẩu ứng dụng mới"),
        ({"x-site-production": "1"}, {}, Reason.MISCONFIGURED, "bật https"),
        ({"x-site-closed": "1"}, {}, Reason.MISCONFIGURED, "plugin bảo mật"),
        ({"x-site-plain": "1"}, {}, Reason.MISCONFIGURED, "đường dẫn tĩnh"),
        ({}, {"site": "/khong-co"}, Reason.MISCONFIGURED, "địa chỉ trang"),
        ({}, {"user": CONTRIBUTOR}, Reason.FORBIDDEN, "Tác giả (Author)"),
        ({}, {"categories": ["Tin & bài", "Không có"]}, Reason.MISCONFIGURED, "«Không có»"),
    ],
)
async def test_what_is_wrong_is_named(
    author: Author, troubles: dict[str, str], changes: dict[str, Any], reason: Reason | None, words: str
) -> None:
    given = dict(changes)
    if "user" in given:
        given["password"] = Gate.site.passwords[given["user"]]
    if "site" in given:
        given["site_url"] = f"{author.scene.place.twins_url}{given.pop('site')}"
    channel = author.channel(**given)
    Gate.troubles = troubles
    ailment = await channel.examine()
    assert (ailment and ailment.reason, await channel.health()) == (reason, reason)
    assert words in (ailment.words if ailment else "")
    if reason is not None and "site_url" not in given:
        stopped = await channel.stage(channel.render(document(1), "khoa-1"), 0)
        assert isinstance(stopped, Refused) or reason is Reason.FORBIDDEN


async def test_a_server_that_loses_the_password_is_named(author: Author) -> None:
    Gate.unheard = True
    ailment = await author.channel().examine()
    assert ailment and ailment.reason is Reason.UNAUTHORIZED and "SetEnvIf Authorization" in ailment.words


def _mark(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:12]
