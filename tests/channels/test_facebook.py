"""Facebook Page: posts with photo or link, the allow-list of errors, and the twin that plays Graph."""

import hashlib
import hmac
import json
import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from channels.conformance import document
from channels.contract import EMPTY, Deferred, Handle, Message, Published, Reason, Refused, Tools, Unknown
from channels.facebook.adapter import Facebook, FacebookSettings
from channels.facebook.api import _SUBCODES, GraphError, after_error, busiest, wait
from channels.facebook.twin import FacebookTwin
from channels.rehearsing import START, Scene
from channels.wire import Answer, Wire

pytestmark = pytest.mark.anyio


def facebook(scene: Scene, tools: Tools, **changed: Any) -> Facebook:
    return Facebook(FacebookSettings.model_validate({**Facebook.rehearsal().settings(scene.place), **changed}), tools)


async def posted(channel: Facebook, scene: Scene, number: int = 1, photo: bool = True) -> tuple[Message, Published]:
    message = channel.render(document(number), f"khoa-{number}", (scene.picture(),) if photo else ())
    handle = await channel.stage(message, 0)
    assert isinstance(handle, Handle)
    outcome = await channel.publish(message, 0, handle, ())
    assert isinstance(outcome, Published), outcome
    return message, outcome


async def graph(wire: Wire, scene: Scene, method: str, path: str, **fields: Any) -> tuple[int, dict[str, Any]]:
    given = Facebook.rehearsal().settings(scene.place)
    proof = hmac.new(given["app_secret"].encode(), given["page_token"].encode(), hashlib.sha256).hexdigest()
    said = {"access_token": given["page_token"], "appsecret_proof": proof, **fields}
    where = "data" if method == "POST" else "params"
    seen = await wire.call(method, f"{given['host']}/v26.0{path.format(page=given['page_id'])}", **{where: said})
    assert isinstance(seen, Answer)
    return seen.status, dict(json.loads(seen.body))


# ------------------------------------------------------------------ what is said


def test_a_post_reads_as_a_person_would_write_it(scene: Scene, tools: Tools) -> None:
    part = facebook(scene, tools).render(document(3), "k").parts[0]
    assert part.body == (
        "Thông báo số 3 của phường\n\nBộ phận Một cửa làm việc cả sáng thứ Bảy.\n\n• Nộp hồ sơ trực tuyến\n• Nhận kết quả tại nhà"
        "\n\nChi tiết: https://lantoa.example/3abc\n\nNguồn: Ủy ban nhân dân phường\n\n#HảiPhòng"
    )
    assert part.marker == "https://lantoa.example/3abc"


def test_too_long_and_no_link_are_said_before(scene: Scene, tools: Tools) -> None:
    channel = facebook(scene, tools)
    message = channel.render(document(1), "k")
    long = message.model_copy(
        update={"parts": (message.parts[0].model_copy(update={"body": "ờ" * 63_207, "marker": ""}),)}
    )
    assert [(p.level, p.text.partition(";")[0]) for p in channel.validate(long)] == [
        ("error", "Bài dài 63.207 ký tự"),
        ("warning", "Bài không có liên kết rút gọn, nên khi mất trả lời của Facebook sẽ cần người xem lại."),
    ]


def test_settings_are_checked(scene: Scene) -> None:
    given = Facebook.rehearsal().settings(scene.place)
    for bad in ({"page_id": "trang-cua-phuong"}, {"version": "26"}, {"khong_co": 1}):
        with pytest.raises(ValidationError) as caught:
            FacebookSettings.model_validate({**given, **bad})
        assert given["page_token"] not in str(caught.value)


# ------------------------------------------------------------------ a post's way


async def test_a_photo_is_unseen_until_its_post_is_out(scene: Scene, tools: Tools, wire: Wire) -> None:
    channel = facebook(scene, tools)
    message = channel.render(document(1), "k", (scene.picture(),))
    handle = await channel.stage(message, 0)
    assert isinstance(handle, Handle) and len(handle.data["photos"]) == 1
    assert await scene.traces("facebook") == []
    assert await channel.stage(message, 0, handle) == handle
    outcome = await channel.publish(message, 0, handle, ())
    assert isinstance(outcome, Published) and outcome.url is not None
    [trace] = await scene.traces("facebook")
    assert (trace.remote_id, trace.text) == (outcome.remote_id, message.parts[0].body)
    assert message.parts[0].picture is not None
    assert trace.files[0].read_bytes() == scene.shelf.read(message.parts[0].picture.sha256)
    page = await wire.call("GET", f"{scene.place.twins_url}/facebook/page/{scene.place.account}")
    assert isinstance(page, Answer) and "Thông báo số 1 của phường" in page.text and trace.files[0].name in page.text
    assert isinstance(await wire.call("GET", outcome.url), Answer)


async def test_many_photos_make_one_post_in_their_order_with_their_words(scene: Scene, tools: Tools) -> None:
    channel = facebook(scene, tools)
    shots = tuple(
        scene.picture((600, 400 + at)).model_copy(update={"alt": f"Ảnh thứ {at}: bà con ở sân"}) for at in range(11)
    )
    message = channel.render(document(1), "k", shots)
    assert message.parts[0].pictures == shots[:10]
    handle = await channel.stage(message, 0)
    assert isinstance(handle, Handle) and len(handle.data["photos"]) == 10
    assert await scene.traces("facebook") == []
    outcome = await channel.publish(message, 0, handle, ())
    assert isinstance(outcome, Published), outcome
    [trace] = await scene.traces("facebook")
    assert trace.text == message.parts[0].body
    assert [file.read_bytes() for file in trace.files] == [scene.shelf.read(shot.sha256) for shot in shots[:10]]
    assert [trace.html.index(shot.alt) for shot in shots[:10]] == sorted(trace.html.index(s.alt) for s in shots[:10])
    scene.forward(channel.settle_seconds)
    found = await channel.find(message, 0, handle, scene.clock())
    assert (found.verdict, found.remote_id) == ("out", outcome.remote_id)
    assert isinstance(await channel.withdraw(outcome.remote_id), Published)
    assert await scene.traces("facebook") == []
    over = message.model_copy(update={"parts": (message.parts[0].model_copy(update={"pictures": shots}),)})
    assert [(p.level, p.field) for p in channel.validate(over)] == [("error", "picture")]


async def test_photos_that_facebook_has_thrown_away_are_uploaded_anew(scene: Scene, tools: Tools) -> None:
    channel = facebook(scene, tools)
    message = channel.render(document(1), "k", (scene.picture((600, 400)), scene.picture((600, 401))))
    old = await channel.stage(message, 0)
    assert isinstance(old, Handle)
    scene.forward(25 * 3600)
    assert not isinstance(await channel.publish(message, 0, old, ()), Published)
    fresh = await channel.stage(message, 0, old)
    assert isinstance(fresh, Handle) and not set(fresh.data["photos"]) & set(old.data["photos"])
    assert await channel.stage(message, 0, fresh) == fresh
    assert isinstance(await channel.publish(message, 0, fresh, ()), Published)


async def test_one_photo_that_fails_keeps_the_post_back(scene: Scene, tools: Tools) -> None:
    channel = facebook(scene, tools)
    gone = scene.picture((600, 400)).model_copy(update={"sha256": "0" * 64})
    lost = await channel.stage(channel.render(document(1), "k", (scene.picture((600, 401)), gone)), 0)
    assert isinstance(lost, Refused) and "Kho tư liệu" in lost.detail
    await scene.order("facebook", "rate_limit", "/photos")
    message = channel.render(document(1), "k", (scene.picture((600, 401)), scene.picture((600, 402))))
    assert isinstance(await channel.stage(message, 0), Deferred)
    assert await scene.traces("facebook") == []


async def test_a_photo_staged_before_posts_had_several_still_goes_out(scene: Scene, tools: Tools) -> None:
    channel = facebook(scene, tools)
    message = channel.render(document(1), "k", (scene.picture(),))
    staged = await channel.stage(message, 0)
    assert isinstance(staged, Handle)
    old = Handle(data={"photo": staged.data["photos"][0]})
    assert await channel.stage(message, 0, old) == old
    assert isinstance(await channel.publish(message, 0, old, ()), Published)
    assert len((await scene.traces("facebook"))[0].files) == 1


async def test_a_post_that_the_public_cannot_see_is_told_with_what_to_do(
    scene: Scene, tools: Tools, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = facebook(scene, tools)
    _, open_post = await posted(channel, scene, 1)
    monkeypatch.setattr(FacebookTwin, "development", True)
    _, outcome = await posted(channel, scene, 2)
    assert [trace.remote_id for trace in await scene.traces("facebook")] == [open_post.remote_id]
    measured = await channel.measure(outcome.remote_id)
    assert measured.reason is Reason.FORBIDDEN and "chế độ hoạt động" in measured.detail and measured.figures
    assert (await channel.measure(open_post.remote_id)).reason is None


async def test_without_a_photo_the_link_makes_the_card(scene: Scene, tools: Tools) -> None:
    message, _ = await posted(facebook(scene, tools), scene, photo=False)
    [trace] = await scene.traces("facebook")
    assert trace.files == () and f'facebook-card__link">{message.parts[0].link}' in trace.html


async def test_the_list_lags_and_the_settle_time_covers_it(scene: Scene, tools: Tools) -> None:
    channel = facebook(scene, tools)
    await posted(channel, scene, 1)
    scene.forward(60)
    message, outcome = await posted(channel, scene, 2)
    assert (await channel.find(message, 0, EMPTY, scene.clock())).verdict == "absent"
    since = scene.clock()
    scene.forward(channel.settle_seconds)
    found = await channel.find(message, 0, EMPTY, since)
    assert (found.verdict, found.remote_id, found.url) == ("out", outcome.remote_id, outcome.url)


async def test_a_list_later_than_the_settle_time_is_found_on_a_later_look(scene: Scene, tools: Tools) -> None:
    channel = facebook(scene, tools)
    await posted(channel, scene, 1)
    await scene.order("facebook", "read_late", "/feed")
    message, _ = await posted(channel, scene, 2)
    since = scene.clock()
    scene.forward(channel.settle_seconds)
    assert (await channel.find(message, 0, EMPTY, since)).verdict == "absent"
    scene.forward(3600)
    assert (await channel.find(message, 0, EMPTY, since)).verdict == "out"


async def test_an_empty_or_failing_list_proves_nothing(scene: Scene, tools: Tools) -> None:
    channel = facebook(scene, tools)
    message = channel.render(document(1), "k")
    assert (await channel.find(message, 0, EMPTY, START)).verdict == "unclear"
    await posted(channel, scene, 2)
    scene.forward(60)
    assert (await channel.find(message, 0, EMPTY, START)).verdict == "absent"
    for fault in ("garbage", "error_after", "drop_after", "rate_limit", "expire_token"):
        await scene.order("facebook", fault, "/posts", times=2)  # type: ignore[arg-type]
        assert (await facebook(scene, tools).find(message, 0, EMPTY, START)).verdict == "unclear", fault
        await scene.forget("facebook")


async def test_a_link_is_found_whatever_our_clock_says_but_not_in_a_longer_link(scene: Scene, tools: Tools) -> None:
    channel = facebook(scene, tools)
    await posted(channel, scene, 1)
    scene.forward(60)
    shorter = channel.render(document(1), "k")
    part = shorter.parts[0].model_copy(update={"marker": "https://lantoa.example/1ab"})
    assert (await channel.find(shorter.model_copy(update={"parts": (part,)}), 0, EMPTY, START)).verdict == "absent"
    assert (await channel.find(shorter, 0, EMPTY, scene.clock() + timedelta(hours=26))).verdict == "out"


async def test_every_copy_that_carries_the_link_is_told(scene: Scene, tools: Tools) -> None:
    channel = facebook(scene, tools)
    message, first = await posted(channel, scene, 1)
    again = message.parts[0].model_copy(update={"body": f"Lần hai. {message.parts[0].body}"})
    second = await channel.publish(message.model_copy(update={"parts": (again,)}), 0, EMPTY, ())
    await posted(channel, scene, 2)
    scene.forward(60)
    copies = await channel.copies(message, 0, START)
    assert sorted(copies or ()) == sorted([first.remote_id, second.remote_id])  # type: ignore[union-attr]
    await scene.order("facebook", "garbage", "/posts")
    assert await channel.copies(message, 0, START) is None


async def test_a_long_list_is_read_page_by_page(scene: Scene, tools: Tools) -> None:
    channel = facebook(scene, tools)
    message, first = await posted(channel, scene, 0, photo=False)
    for number in range(1, 60):
        await posted(channel, scene, number, photo=False)
    scene.forward(60)
    found = await channel.find(message, 0, EMPTY, START)
    assert (found.verdict, found.remote_id) == ("out", first.remote_id)


async def test_figures_grow_and_one_removed_metric_loses_nothing_else(
    scene: Scene, tools: Tools, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = facebook(scene, tools)
    _, outcome = await posted(channel, scene)
    scene.forward(86_400)
    whole = await channel.measure(outcome.remote_id)
    names = [figure.name for figure in whole.figures]
    assert names == [
        "Lượt chia sẻ",
        "Lượt bày tỏ cảm xúc",
        "Lượt bình luận",
        "Lượt xem",
        "Lượt tiếp cận",
        "Lượt bấm",
    ]
    monkeypatch.setattr(
        "channels.facebook.adapter._METRICS",
        {"post_impressions": ("Cũ", "x"), "post_media_view": ("Lượt xem", "y")},
    )
    part = await channel.measure(outcome.remote_id)
    assert [figure.name for figure in part.figures] == names[:4]
    monkeypatch.setattr("channels.facebook.adapter._METRICS", {"post_reactions_by_type_total": ("Theo loại", "z")})
    summed = await channel.measure(outcome.remote_id)
    assert summed.figures[-1].name == "Theo loại" and summed.figures[-1].value > 0
    assert (await channel.measure("1_2")).reason is Reason.NOT_FOUND


async def test_health_says_why(scene: Scene, tools: Tools, monkeypatch: pytest.MonkeyPatch) -> None:
    assert await facebook(scene, tools).health() is None
    assert await facebook(scene, tools, page_token="wrong").health() is Reason.UNAUTHORIZED
    assert await facebook(scene, tools, page_id="12345").health() is Reason.NOT_FOUND
    assert await facebook(scene, tools, app_secret="wrong").health() is Reason.REJECTED
    monkeypatch.setattr(FacebookTwin, "calls_per_hour", 3)
    assert await facebook(scene, tools).health() is Reason.RATE_LIMITED, "the whole limit is used"


async def test_withdrawing_twice_says_not_found(scene: Scene, tools: Tools) -> None:
    channel = facebook(scene, tools)
    _, outcome = await posted(channel, scene)
    assert isinstance(await channel.withdraw(outcome.remote_id), Published)
    again = await channel.withdraw(outcome.remote_id)
    assert isinstance(again, Refused) and again.reason is Reason.NOT_FOUND


async def test_a_photo_that_is_no_photo_is_refused(scene: Scene, tools: Tools) -> None:
    channel = facebook(scene, tools)
    picture = scene.picture().model_copy(update={"sha256": scene.shelf.add(b"no picture", "image/jpeg")})
    outcome = await channel.stage(channel.render(document(1), "k", (picture,)), 0)
    assert isinstance(outcome, Refused) and outcome.reason is Reason.BAD_MEDIA


# ------------------------------------------------------------------ errors


def error(code: int, subcode: int = 0, headers: dict[str, str] | None = None) -> Any:
    return after_error(GraphError(code=code, error_subcode=subcode), headers or {}, START)


@pytest.mark.parametrize("code", [4, 17, 32, 341, 613, 80001])
def test_limits_are_deferred_by_the_headers_own_estimate(code: int) -> None:
    header = {"x-business-use-case-usage": '{"1": [{"call_count": 100, "estimated_time_to_regain_access": 45}]}'}
    outcome = error(code, headers=header)
    assert isinstance(outcome, Deferred) and (outcome.reason, outcome.retry_at) == (
        Reason.RATE_LIMITED,
        START + timedelta(minutes=45),
    )


def test_being_blocked_pauses_for_hours() -> None:
    outcome = error(368, 1390008)
    assert isinstance(outcome, Deferred) and outcome.retry_at == START + timedelta(hours=6)


@pytest.mark.parametrize(
    ("code", "subcode", "reason"),
    [(190, 463, Reason.UNAUTHORIZED), (102, 0, Reason.UNAUTHORIZED), (10, 0, Reason.FORBIDDEN), (200, 0, Reason.FORBIDDEN),
     (299, 0, Reason.FORBIDDEN), (100, 0, Reason.REJECTED), (100, 33, Reason.NOT_FOUND), (1, 1366046, Reason.BAD_MEDIA),
     (1609005, 0, Reason.REJECTED), (100, 1404078, Reason.FORBIDDEN)],
)  # fmt: skip
def test_documented_refusals_need_a_person(code: int, subcode: int, reason: Reason) -> None:
    outcome = error(code, subcode)
    assert isinstance(outcome, Refused) and outcome.reason is reason


@pytest.mark.parametrize(
    ("code", "subcode"),
    [(1, 0), (2, 0), (1, 99), (506, 0), (100, 1366051), (300, 0), (0, 0), (-1, 0), (1, 1363047), (33, 0)],
)
def test_every_other_error_may_hide_a_post(code: int, subcode: int) -> None:
    assert isinstance(error(code, subcode), Unknown)


@pytest.mark.parametrize("header", ["", "x", "[]", '{"1": 5}', "{}"])
def test_unreadable_usage_headers_say_nothing(header: str) -> None:
    assert busiest({"x-app-usage": header, "x-business-use-case-usage": header}) == 0
    assert wait({"x-business-use-case-usage": header}) == timedelta(minutes=10)


# ------------------------------------------------------------------ the twin plays Graph


async def test_the_twin_checks_token_and_proof(scene: Scene, wire: Wire) -> None:
    assert (await graph(wire, scene, "GET", "/{page}"))[0] == 200
    for wrong, code in (
        ({"access_token": "x"}, 190),
        ({"appsecret_proof": "x"}, 100),
        ({"access_token": "rehearsal-page-token-$"}, 190),
    ):
        status, said = await graph(wire, scene, "GET", "/{page}", **wrong)
        assert status >= 400 and said["error"]["code"] == code


async def test_the_twin_refuses_what_graph_refuses(scene: Scene, wire: Wire) -> None:
    for path, fields, code in (
        ("/{page}/feed", {}, 100),
        ("/{page}/feed", {"message": "x" * 63_207}, 100),
        ("/{page}/feed", {"message": "x", "attached_media[0]": '{"media_fbid":"7"}'}, 100),
        ("/{page}/feed", {"message": "x", "attached_media[0]": "x"}, 100),
        ("/123/feed", {"message": "x"}, 100),
        ("/{page}/photos", {"published": "false"}, 324),
    ):
        assert (await graph(wire, scene, "POST", path, **fields))[1]["error"]["code"] == code, path
    assert (await graph(wire, scene, "POST", "/{page}/feed", message="x"))[0] == 200
    assert (await graph(wire, scene, "POST", "/{page}/feed", message="x"))[1]["error"]["code"] == 506


async def test_one_removed_metric_fails_a_whole_batch(scene: Scene, tools: Tools, wire: Wire) -> None:
    _, outcome = await posted(facebook(scene, tools), scene)
    path = f"/{outcome.remote_id}/insights"
    assert (await graph(wire, scene, "GET", path, metric="post_media_view"))[0] == 200
    assert (await graph(wire, scene, "GET", path, metric="post_media_view,post_impressions"))[1]["error"]["code"] == 100
    assert (await graph(wire, scene, "GET", path))[1]["error"]["code"] == 3001


async def test_the_twins_500_is_graphs_own(scene: Scene, wire: Wire) -> None:
    await scene.order("facebook", "error_after", "/feed")
    status, said = await graph(wire, scene, "POST", "/{page}/feed", message="đăng rồi")
    assert (status, said["error"]["code"]) == (500, 2)
    assert [trace.text for trace in await scene.traces("facebook")] == ["đăng rồi"]


async def test_pages_do_not_see_each_other(scene: Scene, tools: Tools) -> None:
    message, outcome = await posted(facebook(scene, tools), scene)
    place = scene.place.model_copy(update={"account": "Phường Lê Thanh Nghị"})
    neighbour = Facebook(FacebookSettings.model_validate(Facebook.rehearsal().settings(place)), tools)
    assert isinstance(await neighbour.withdraw(outcome.remote_id), Refused)
    assert (await neighbour.find(message, 0, EMPTY, START)).verdict == "unclear"


def test_the_page_in_the_docs_names_every_setting_and_every_code() -> None:
    page = Path("docs/channels/facebook.md").read_text(encoding="utf-8")
    codes = [
        str(code)
        for code in [*range(1, 1000), 80001, *(code for code in _SUBCODES if code > 1_000_000)]
        if code not in range(201, 299) and not isinstance(error(code), Unknown)
    ]
    missing = [name for name in FacebookSettings.model_fields if f"`{name}`" not in page]
    assert missing + [code for code in codes if re.search(rf"(?<![\d/]){code}(?!\d)", page) is None] == []
