"""The WordPress channel against its twin: the conformance suite, its words, and every answer that a site may give."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from channels.conformance import Conformance, document
from channels.contract import (
    EMPTY,
    Channel,
    Deferred,
    Handle,
    Message,
    Outcome,
    Picture,
    Published,
    Reason,
    Refused,
    Tools,
    Unknown,
)
from channels.rehearsing import START, Scene, stage
from channels.twin import TwinState
from channels.wire import Answer, Guard, Seen, Silence, Wire
from channels.wordpress.adapter import WordPress
from channels.wordpress.settings import WordPressSettings
from content.document import Document, Source, read
from tests.filming import clip, film

pytestmark = pytest.mark.anyio

HANDLE = Handle(data={"id": 7, "pictures": [], "categories": [], "tags": []})
PASSWORD = "abcd EFGH 1234 ijkl MNOP 6789"  # noqa: S105


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with stage(tmp_path, {"wordpress": WordPress}) as made:
        yield made


class TestWordPress(Conformance):
    channel = WordPress
    visible_path = "/wp/v2/posts/"
    stage_path = "/wp/v2/tags"


async def test_a_video_is_brought_once_played_above_the_words_and_kept_by_a_correction(scene: Scene) -> None:
    wire = scene.wire()
    channel = scene.channel("wordpress", wire)
    shown = clip(scene.shelf, film(1)).model_copy(update={"poster": scene.picture(), "about": "Bà con [ở] <sân>"})
    made = channel.render_clip(document(1), "khoa-1", shown)
    handle = await channel.stage(made, 0)
    assert isinstance(handle, Handle) and await channel.stage(made, 0) == handle, "nothing is brought twice"
    out = await channel.publish(made, 0, handle, ())
    assert isinstance(out, Published)
    content = await _content(scene, channel, out.remote_id)
    assert content.startswith('<figure class="wp-block-video"><video controls preload="metadata" src="http')
    assert "Bà con &#91;ở&#93; &lt;sân&gt;</figcaption>" in content and "<img" not in content
    assert sorted(path.suffix for path in (await scene.traces("wordpress"))[0].files) == [".jpg", ".mp4"]
    assert isinstance(await channel.amend(made, 0, out.remote_id), Published)
    assert await _content(scene, channel, out.remote_id) == content
    await wire.close()


async def _content(scene: Scene, channel: Channel, id: str) -> str:
    row = TwinState(scene.place.folder / "twins.db").get("wordpress.post", id)
    return str(row["content"]) if row else ""


# A site that says what it is told to


@dataclass
class Site(Wire):
    """Answers in turn, and remembers what was asked; the last answer is given again."""

    answers: list[Seen] = field(default_factory=list)
    asked: list[tuple[str, str, dict[str, Any]]] = field(default_factory=list)

    async def call(self, method: str, url: str, *, visible: bool = False, **request: Any) -> Seen:
        self.asked.append((method, url, request))
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def says(status: int, body: Any = None, **headers: str) -> Answer:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Answer(status, {name.replace("_", "-"): value for name, value in headers.items()}, content)


def no(status: int, code: str, **more: Any) -> Answer:
    return says(status, {"code": code, "message": "Sorry", "data": {"status": status, **more}})


def site(*answers: Seen, **changes: Any) -> tuple[WordPress, Site]:
    wire = Site(guard=Guard(), answers=list(answers))
    given = {"site_url": "https://phuong.example.vn/", "user": "dang-bai", "password": PASSWORD, **changes}
    tools = Tools(wire=wire, shelf=None, now=lambda: START)
    return WordPress(WordPressSettings.model_validate(given), tools), wire


def message(**changes: Any) -> Message:
    channel, _ = site(says(200))
    _, blocks = read("Bộ phận Một cửa làm việc cả sáng thứ Bảy.")
    told: dict[str, Any] = {"title": "Làm việc thứ Bảy", "blocks": blocks, "link": "https://l.example/s/1"} | changes
    return channel.render(Document(**told), "khoa-1")


POST = {"id": 7, "slug": "lam-viec-thu-bay", "status": "publish", "link": "https://phuong.example.vn/lam-viec/"}


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (no(401, "incorrect_password"), Reason.UNAUTHORIZED),
        (no(401, "invalid_username"), Reason.UNAUTHORIZED),
        (no(401, "rest_cannot_edit"), Reason.UNAUTHORIZED),
        (no(403, "rest_cannot_edit"), Reason.FORBIDDEN),
        (no(403, "rest_cannot_publish"), Reason.FORBIDDEN),
        (no(403, "mot_plugin_nao_do"), Reason.FORBIDDEN),
        (no(401, "application_passwords_disabled"), Reason.MISCONFIGURED),
        (no(404, "rest_no_route"), Reason.MISCONFIGURED),
        (no(404, "rest_post_invalid_id"), Reason.NOT_FOUND),
        (no(400, "rest_invalid_param"), Reason.REJECTED),
        (says(301, b"", location="https://www.phuong.example.vn/"), Reason.MISCONFIGURED),
        (says(403, b"<h1>Cloudflare</h1>"), Reason.FORBIDDEN),
        (says(404, b"<h1>Not Found</h1>"), Reason.MISCONFIGURED),
        (says(413, b""), Reason.TOO_LONG),
        (says(200, {**POST, "status": "pending"}), Reason.FORBIDDEN),
    ],
)
async def test_a_sure_no_names_its_reason(answer: Answer, reason: Reason) -> None:
    channel, wire = site(answer)
    outcome = await channel.publish(message(), 0, HANDLE, ())
    assert isinstance(outcome, Refused) and outcome.reason is reason
    assert outcome.detail and outcome.detail[0].isupper()
    assert len(wire.asked) == 1, "one visible step"


@pytest.mark.parametrize(
    "answer",
    [
        no(500, "internal_server_error"),
        no(500, "db_update_error"),
        no(400, "mot_plugin_nao_do"),
        no(409, "mot_plugin_nao_do"),
        says(502, b"<h1>502</h1>"),
        says(503, b"<h1>503</h1>"),
        says(200, b"<b>Warning</b>: {}"),
        says(200, {"id": 7}),
        says(200, {**POST, "status": "future"}),
        Silence(sent=True, kind="ReadTimeout"),
    ],
)
async def test_everything_else_is_unknown(answer: Seen) -> None:
    channel, _ = site(answer)
    assert isinstance(await channel.publish(message(), 0, HANDLE, ()), Unknown)


@pytest.mark.parametrize(
    ("answer", "reason", "seconds"),
    [
        (says(429, b"", retry_after="30"), Reason.RATE_LIMITED, 30),
        (says(503, b"<h1>Briefly unavailable for scheduled maintenance.</h1>", retry_after="600"), Reason.BUSY, 600),
        (Silence(sent=False, kind="ConnectError"), Reason.UNREACHABLE, None),
    ],
)
async def test_surely_not_out_waits_for_another_try(answer: Seen, reason: Reason, seconds: int | None) -> None:
    channel, _ = site(answer)
    outcome = await channel.publish(message(), 0, HANDLE, ())
    assert isinstance(outcome, Deferred) and outcome.reason is reason
    assert outcome.retry_at == (START + timedelta(seconds=seconds) if seconds else None)


async def test_published_carries_the_address_that_wordpress_gave() -> None:
    channel, wire = site(says(200, POST))
    outcome: Outcome = await channel.publish(message(), 0, HANDLE, ())
    assert outcome == Published(remote_id="7", url="https://phuong.example.vn/lam-viec/")
    method, url, request = wire.asked[0]
    assert (method, url) == ("POST", "https://phuong.example.vn/wp-json/wp/v2/posts/7")
    assert request["headers"]["authorization"].startswith("Basic ")
    assert request["json"]["status"] == "publish"


async def test_a_post_that_is_out_counts_before_a_draft_of_the_same_name() -> None:
    posts = [{**POST, "id": 9, "status": "draft"}, {**POST, "id": 8}, {**POST, "id": 7, "status": "trash"}]
    channel, _ = site(says(200, posts))
    found = await channel.find(message(), 0, EMPTY, START)
    assert (found.verdict, found.remote_id) == ("out", "8")


@pytest.mark.parametrize("answer", [says(200, b"<html>"), no(401, "rest_forbidden_context"), says(500, b"")])
async def test_a_look_up_that_cannot_tell_never_says_absent(answer: Answer) -> None:
    for handle in (HANDLE, EMPTY):
        channel, _ = site(answer)
        assert (await channel.find(message(), 0, handle, START)).verdict == "unclear"
        assert await channel.copies(message(), 0, START) is None


async def test_a_category_that_is_missing_is_named_before_anything_is_made() -> None:
    channel, wire = site(says(200, [{"id": 3, "name": "Tin &amp; bài"}]), categories=["tin & Bài", "Thông báo"])
    outcome = await channel.stage(message(), 0)
    assert isinstance(outcome, Refused) and outcome.reason is Reason.MISCONFIGURED
    assert "«Thông báo»" in outcome.detail and "tin & Bài" not in outcome.detail
    assert [method for method, _, _ in wire.asked] == ["GET"]


async def test_topics_become_tags_unless_told_otherwise() -> None:
    for topic_tags, names in ((True, ["Phường", "Y tế"]), (False, ["Phường"])):
        there = no(400, "term_exists", term_id=5)
        channel, wire = site(
            *[there] * len(names), says(200, []), says(201, POST), tags=["Phường"], topic_tags=topic_tags
        )
        told = await channel.stage(message(topics=("Y tế", "Phường")), 0)
        assert isinstance(told, Handle) and told.data["tags"] == [5] * len(names)
        assert [request["json"]["name"] for _, url, request in wire.asked if url.endswith("/tags")] == names


async def test_comments_that_are_not_counted_are_not_nought() -> None:
    channel, _ = site(says(200, POST), says(200, []))
    measure = await channel.measure("7")
    assert measure.figures == () and measure.reason is not None


# Words


def test_text_is_escaped_and_runs_nothing() -> None:
    _, blocks = read("Xem [gallery ids=1] <script>alert(1)</script>")
    made = message(
        title="A < B & C", blocks=blocks, link="javascript:alert(1)", source=Source("[Nguồn]", "javascript:x")
    )
    body = made.parts[0].body
    assert "[" not in body and "<script" not in body and "javascript:" not in body
    assert "<em>Nguồn: &#91;Nguồn&#93;</em>" in body
    assert made.parts[0].title == "A < B & C"


def test_the_name_is_readable_and_the_deliverys_own() -> None:
    from channels.wordpress.render import name

    first, second = (
        name(message(title="Đường Lê Thánh Tông")),
        name(message(title="Đường Lê Thánh Tông").model_copy(update={"key": "k2"})),
    )
    assert first.startswith("duong-le-thanh-tong-") and first != second
    assert name(message(title="«…»")).startswith("bai-")


def test_further_pictures_stand_below_the_text_and_the_first_where_it_is_wanted() -> None:
    from channels.wordpress.render import fields

    pictures = tuple(
        Picture(sha256=mark * 64, mime="image/jpeg", width=4, height=3, alt=f"Ảnh «{mark}»") for mark in "ab"
    )
    channel, _ = site(says(200))
    made = channel.render(document(1), "k", pictures)
    staged = {"pictures": [{"id": 1, "url": "https://x.vn/a.jpg"}, {"id": 2, "url": "https://x.vn/b.jpg"}]}
    apart, both = (fields(made, 0, staged, "draft", in_body)["content"] for in_body in (False, True))
    assert "a.jpg" not in apart and apart.endswith('alt="Ảnh «b»" width="4" height="3"></figure>')
    assert both.startswith('<figure class="wp-block-image"><img src="https://x.vn/a.jpg"') and "b.jpg" in both
    assert fields(made, 0, staged, "draft", False)["featured_media"] == 1
    many = channel.render(document(1), "k", pictures[:1] * 11)
    assert len(many.parts[0].pictures) == WordPress.limits.pictures == 10


def test_what_is_missing_is_said() -> None:
    picture = Picture(sha256="0" * 64, mime="image/webp", width=4, height=3, alt=" ")
    channel, _ = site(says(200))
    empty = channel.render(Document(title=" ", blocks=()), "k", (picture,))
    found = {(problem.level, problem.field) for problem in channel.validate(empty)}
    assert found == {("error", "title"), ("error", "body"), ("error", "picture"), ("warning", "picture")}


def test_settings_keep_the_password_and_never_send_it_in_the_clear() -> None:
    channel, _ = site(says(200), categories=[" Tin tức ", "", "Tin tức"])
    assert channel.settings.site_url == "https://phuong.example.vn"
    assert channel.settings.categories == ("Tin tức",)
    assert channel.home() == "https://phuong.example.vn/"
    assert PASSWORD not in repr(channel.settings)
    for wrong in (
        {"site_url": "http://phuong.example.vn"},
        {"site_url": "phuong.vn"},
        {"password": "ngan"},
        {"user": ""},
    ):
        with pytest.raises(ValidationError):
            site(says(200), **wrong)


@pytest.mark.parametrize(
    ("reason", "changes", "words"),
    [
        (Reason.UNAUTHORIZED, {}, "tạo mật khẩu ứng dụng mới"),
        (Reason.FORBIDDEN, {}, "Tác giả (Author)"),
        (Reason.MISCONFIGURED, {"categories": ["Tin tức"]}, "«Tin tức»"),
        (Reason.MISCONFIGURED, {}, "đánh dấu mục ấy"),
        (Reason.MISCONFIGURED, {"plain_permalinks": True}, "bỏ dấu ở mục ấy"),
    ],
)
def test_advice_tells_what_to_look_at(reason: Reason, changes: dict[str, Any], words: str) -> None:
    channel, _ = site(says(200), **changes)
    assert words in channel.advice(reason)
    assert channel.advice(Reason.UNREACHABLE) == ""


def test_the_preview_shows_every_picture() -> None:
    from channels import pages

    pictures = tuple(
        Picture(sha256=mark * 64, mime="image/jpeg", width=4, height=3, alt=f"Ảnh {mark}") for mark in "ab"
    )
    channel, _ = site(says(200))
    folder = Path(str(WordPress.__module__).replace(".", "/")).parent
    drawn = pages.card(
        Path(__file__).parents[2] / folder,
        channel.render(document(1), "k", pictures),
        "/a.jpg",
        picture_urls=["/a.jpg", "/b.jpg"],
    )
    assert drawn.count("/a.jpg") == 1 and '<img src="/b.jpg" alt="Ảnh b">' in drawn
