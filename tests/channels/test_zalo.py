"""Zalo OA: articles hidden first and shown by id, the token pair, and the twin that plays Zalo."""

import json
import logging
import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from channels.conformance import document
from channels.contract import (
    EMPTY,
    Deferred,
    Handle,
    Pending,
    Picture,
    Published,
    Reason,
    Refused,
    Tools,
    Unknown,
)
from channels.rehearsing import START, Scene
from channels.wire import Answer, Wire
from channels.zalo.adapter import Zalo, ZaloSettings
from channels.zalo.api import after_code
from channels.zalo.twin import ZaloTwin
from content.document import Block, Document, Span

pytestmark = pytest.mark.anyio


def zalo(scene: Scene, tools: Tools, **changed: Any) -> Zalo:
    settings = {**Zalo.rehearsal().settings(scene.place), **changed}
    return Zalo(ZaloSettings.model_validate(settings), tools)


async def staged(channel: Zalo, scene: Scene, number: int = 1) -> tuple[Any, Handle]:
    message = channel.render(document(number), f"khoa-{number}", (scene.picture(),))
    handle = await channel.stage(message, 0)
    assert isinstance(handle, Pending)
    ready = await channel.stage(message, 0, handle.handle)
    assert isinstance(ready, Handle)
    return message, ready


async def api(wire: Wire, scene: Scene, path: str, **request: Any) -> dict[str, Any]:
    token = Zalo.rehearsal().settings(scene.place)["access_token"]
    method = "POST" if "json" in request else "GET"
    seen = await wire.call(method, f"{scene.place.twins_url}/zalo{path}", headers={"access_token": token}, **request)
    assert isinstance(seen, Answer) and seen.status == 200
    return dict(json.loads(seen.body))


# ------------------------------------------------------------------ what is said


def test_an_article_carries_title_description_body_link_and_source(scene: Scene, tools: Tools) -> None:
    message = zalo(scene, tools, author="UBND phường").render(document(3), "k", (scene.picture(),))
    part = message.parts[0]
    assert part.title == "Thông báo số 3 của phường"
    assert part.summary == "Lịch làm việc mới của Bộ phận Một cửa."
    assert "<strong>làm việc cả sáng thứ Bảy</strong>" in part.body and "<li>" in part.body
    assert 'Chi tiết: <a href="https://lantoa.example/3abc">https://lantoa.example/3abc</a>' in part.body
    assert "Nguồn: Ủy ban nhân dân phường" in part.body and "#HảiPhòng" in part.body
    assert message.extra == {"author": "UBND phường"}


def test_text_cannot_break_out_of_the_body(scene: Scene, tools: Tools) -> None:
    sly = Document(
        title="T",
        blocks=(Block("paragraph", (Span("<script>alert(1)</script>"),)),),
        hashtags=("#<b>",),
        signature="<i>",
    )
    body = zalo(scene, tools).render(sly, "k").parts[0].body
    assert "<script" not in body and "<b>" not in body and "<i>" not in body


def test_the_channels_own_words_stand_in(scene: Scene, tools: Tools) -> None:
    own = Document(title="Tiêu đề riêng", blocks=(Block("paragraph", (Span("Lời riêng cho Zalo."),)),))
    part = zalo(scene, tools).render(replace(document(1), own_words={"zalo": own}), "k").parts[0]
    assert part.title == "Tiêu đề riêng" and "Lời riêng cho Zalo." in part.body


def test_a_missing_summary_is_the_lead_cut_at_a_word(scene: Scene, tools: Tools) -> None:
    long = replace(document(1), summary="", blocks=(Block("paragraph", (Span("phường " * 100),)),))
    channel = zalo(scene, tools)
    message = channel.render(long, "k", (scene.picture(),))
    assert len(message.parts[0].summary) <= 300 and message.parts[0].summary.endswith("phường…")
    assert channel.validate(message) == []


@pytest.mark.parametrize(
    ("changed", "field", "words"),
    [
        ({"title": "ờ" * 151}, "title", "Tiêu đề dài 151 ký tự; Zalo cho tối đa 150"),
        ({"title": ""}, "title", "phải có tiêu đề"),
        ({"summary": "ờ" * 301}, "summary", "dài 301 ký tự"),
        ({"pictures": ()}, "picture", "phải có ảnh bìa"),
        ({"body": " "}, "body", "chưa có nội dung"),
        ({"pictures": (Picture(sha256="a", mime="image/png", width=10, height=10, alt=""),)}, "picture", "JPEG"),
        (
            {"pictures": (Picture(sha256="a", mime="image/jpeg", width=1281, height=10, alt=""),)},
            "picture",
            "1.280",
        ),
    ],
)
def test_what_zalo_would_refuse_is_said_before(
    scene: Scene, tools: Tools, changed: dict[str, Any], field: str, words: str
) -> None:
    channel = zalo(scene, tools)
    message = channel.render(document(1), "k", (scene.picture(),))
    part = message.parts[0].model_copy(update=changed)
    problems = channel.validate(message.model_copy(update={"parts": (part,)}))
    assert [(problem.level, problem.field) for problem in problems] == [("error", field)]
    assert words in problems[0].text


def test_settings_are_checked_and_keep_their_secrets(scene: Scene) -> None:
    good = Zalo.rehearsal().settings(scene.place)
    with pytest.raises(ValidationError, match="khong_co"):
        ZaloSettings.model_validate({**good, "khong_co": 1})
    with pytest.raises(ValidationError) as caught:
        ZaloSettings.model_validate({**good, "author": "dài" * 20, "app_secret": ["bí mật"]})
    assert "bí mật" not in str(caught.value)


# ------------------------------------------------------------------ a post's way


async def test_an_article_is_hidden_until_it_is_published(scene: Scene, tools: Tools, wire: Wire) -> None:
    channel = zalo(scene, tools)
    message, handle = await staged(channel, scene)
    assert await scene.traces("zalo") == []
    assert (await channel.find(message, 0, handle, START)).verdict == "absent"
    outcome = await channel.publish(message, 0, handle, ())
    assert isinstance(outcome, Published) and outcome.url is not None
    [trace] = await scene.traces("zalo")
    assert (trace.remote_id, trace.title) == (outcome.remote_id, message.parts[0].title)
    assert trace.files[0].read_bytes() == scene.shelf.read(message.parts[0].picture.sha256)
    page = await wire.call("GET", outcome.url)
    assert isinstance(page, Answer) and message.parts[0].title in page.text


async def test_staging_asks_again_at_growing_distances_and_then_gives_up_for_a_while(
    scene: Scene, tools: Tools, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ZaloTwin, "create_looks", 99)
    monkeypatch.setattr(ZaloTwin, "processing_seconds", 9999)
    channel = zalo(scene, tools)
    message = channel.render(document(1), "k", (scene.picture(),))
    outcome = await channel.stage(message, 0)
    waits = []
    while isinstance(outcome, Pending):
        assert outcome.retry_at is not None
        waits.append((outcome.retry_at - scene.clock()).total_seconds())
        outcome = await channel.stage(message, 0, outcome.handle)
    assert waits == [2, 4, 8, 15, 30]
    assert isinstance(outcome, Deferred) and outcome.reason is Reason.BUSY


async def test_a_second_attempt_uses_the_draft_of_the_first(scene: Scene, tools: Tools, wire: Wire) -> None:
    channel = zalo(scene, tools)
    message, handle = await staged(channel, scene)
    assert await channel.stage(message, 0, handle) == handle
    listed = await api(wire, scene, "/v2.0/article/getslice", params={"offset": 0, "limit": 10, "type": "normal"})
    assert listed["data"]["total"] == 1


async def test_a_forgotten_draft_is_made_again(scene: Scene, tools: Tools) -> None:
    channel = zalo(scene, tools)
    message = channel.render(document(1), "k", (scene.picture(),))
    pending = await channel.stage(message, 0, Handle(data={"token": "da-mat", "looks": 5}))
    assert isinstance(pending, Pending) and pending.handle.data["token"] != "da-mat"
    assert isinstance(await channel.stage(message, 0, pending.handle), Handle)


async def test_a_dead_token_while_waiting_is_said(scene: Scene, tools: Tools) -> None:
    channel = zalo(scene, tools)
    pending = await channel.stage(channel.render(document(1), "k", (scene.picture(),)), 0)
    assert isinstance(pending, Pending)
    await scene.order("zalo", "expire_token", "verify")
    outcome = await channel.stage(channel.render(document(1), "k", (scene.picture(),)), 0, pending.handle)
    assert isinstance(outcome, Refused) and outcome.reason is Reason.UNAUTHORIZED


async def test_an_update_still_worked_on_is_pending_and_then_found(scene: Scene, tools: Tools) -> None:
    channel = zalo(scene, tools)
    message, handle = await staged(channel, scene)
    await scene.order("zalo", "read_late", "/article/update")
    outcome = await channel.publish(message, 0, handle, ())
    assert isinstance(outcome, Pending)
    assert (await channel.find(message, 0, outcome.handle, START)).verdict == "absent"
    scene.forward(channel.settle_seconds)
    found = await channel.find(message, 0, outcome.handle, START)
    assert (found.verdict, found.remote_id) == ("out", handle.data["id"])


async def test_without_an_id_it_is_found_by_its_own_link_whatever_our_clock_says(scene: Scene, tools: Tools) -> None:
    channel = zalo(scene, tools)
    for number in range(12):
        message, handle = await staged(channel, scene, number)
        await channel.publish(message, 0, handle, ())
    first = channel.render(document(0), "k", (scene.picture(),))
    for since in (START, scene.clock() + timedelta(days=400)):
        assert (await channel.find(first, 0, EMPTY, since)).verdict == "out"
    other = channel.render(document(99), "k", (scene.picture(),))
    assert (await channel.find(other, 0, EMPTY, START)).verdict == "absent"


async def test_an_article_of_the_same_title_is_not_taken_for_ours(scene: Scene, tools: Tools) -> None:
    channel = zalo(scene, tools)
    message, handle = await staged(channel, scene)
    await channel.publish(message, 0, handle, ())
    again = channel.render(replace(document(1), link="https://lantoa.example/khac"), "k2", (scene.picture(),))
    assert again.parts[0].title == message.parts[0].title
    assert (await channel.find(again, 0, EMPTY, START)).verdict == "absent"
    await scene.order("zalo", "garbage", "getdetail")
    assert (await channel.find(again, 0, EMPTY, START)).verdict == "unclear", (
        "it could be ours: nobody was allowed to look"
    )


async def test_a_list_that_lags_is_no_proof_before_the_settle_time(scene: Scene, tools: Tools) -> None:
    channel = zalo(scene, tools)
    for number in (1, 2):
        message, handle = await staged(channel, scene, number)
        scene.forward(100 * (2 - number))
        await channel.publish(message, 0, handle, ())
    scene.forward(70)
    older, handle = await staged(channel, scene, 3)
    await channel.publish(older, 0, handle, ())
    await scene.order("zalo", "read_late", "getslice")
    assert (await channel.find(older, 0, EMPTY, START)).verdict == "absent", "the list does not show it yet"
    scene.forward(channel.settle_seconds)
    assert (await channel.find(older, 0, EMPTY, START)).verdict == "out"
    assert ZaloTwin.list_lag.total_seconds() < channel.settle_seconds


async def test_an_empty_or_failing_list_proves_nothing(scene: Scene, tools: Tools) -> None:
    channel = zalo(scene, tools)
    message = channel.render(document(1), "k", (scene.picture(),))
    assert (await channel.find(message, 0, EMPTY, START)).verdict == "unclear"
    _, handle = await staged(channel, scene)
    await scene.order("zalo", "garbage", "getdetail")
    assert (await channel.find(message, 0, handle, START)).verdict == "unclear"
    await scene.order("zalo", "rate_limit", "getslice")
    assert (await channel.find(message, 0, EMPTY, START)).verdict == "unclear"


async def test_views_grow_and_are_zalos_own(scene: Scene, tools: Tools) -> None:
    channel = zalo(scene, tools)
    message, handle = await staged(channel, scene)
    await channel.publish(message, 0, handle, ())
    seen = []
    for hours in (1, 5, 12):
        scene.forward(hours * 3600)
        measure = await channel.measure(handle.data["id"])
        seen.append(measure.figures[0].value)
        assert [figure.name for figure in measure.figures] == ["Lượt xem", "Lượt chia sẻ", "Người quan tâm OA"]
    assert "Người quan tâm OA" in Zalo.audience_figures, "the size of the account is never added up over articles"
    assert 0 < seen[0] < seen[1] < seen[2]
    assert (await channel.measure("khong-co")).reason is Reason.NOT_FOUND
    await scene.order("zalo", "garbage", "getslice")
    assert (await channel.measure(handle.data["id"])).reason is Reason.UNREACHABLE


async def test_a_hidden_trial_never_shows(scene: Scene, tools: Tools) -> None:
    channel = zalo(scene, tools, visibility="hide")
    message, handle = await staged(channel, scene)
    assert isinstance(await channel.publish(message, 0, handle, ()), Published)
    assert await scene.traces("zalo") == []
    assert (await channel.find(message, 0, handle, START)).verdict == "out"


async def test_a_cover_that_zalo_cannot_fetch_is_a_refusal(scene: Scene, tools: Tools) -> None:
    channel = zalo(scene, tools)
    message = channel.render(
        document(1), "k", (Picture(sha256="0" * 64, mime="image/jpeg", width=10, height=10, alt=""),)
    )
    outcome = await channel.stage(message, 0)
    assert isinstance(outcome, Refused) and outcome.reason is Reason.REJECTED
    bare = channel.render(document(1), "k")
    assert isinstance(await channel.stage(bare, 0), Refused)


async def test_health_says_why(scene: Scene, tools: Tools) -> None:
    assert await zalo(scene, tools).health() is None
    assert await zalo(scene, tools, access_token="wrong").health() is Reason.UNAUTHORIZED
    assert await zalo(scene, tools, host="http://10.1.2.3").health() is Reason.MISCONFIGURED
    scene.forward(90_001)
    assert await zalo(scene, tools).health() is Reason.UNAUTHORIZED


# ------------------------------------------------------------------ the token pair


async def test_a_pair_is_renewed_at_75_percent_and_the_old_one_is_spent(scene: Scene, tools: Tools) -> None:
    old = zalo(scene, tools)
    changed = await old.renew()
    assert isinstance(changed, dict) and set(changed) == {
        "access_token",
        "refresh_token",
        "expires_at",
        "renew_at",
        "refresh_until",
    }
    new = zalo(scene, tools, **changed)
    assert new.settings.renew_at == START + timedelta(seconds=67_500)
    assert not new.renewal_due()
    assert await new.renew() is None
    assert await new.health() is None
    assert await old.renew() is Reason.UNAUTHORIZED
    scene.forward(67_500)
    assert new.renewal_due()
    again = await new.renew()
    assert isinstance(again, dict) and again["refresh_token"] != changed["refresh_token"]


async def test_a_lost_answer_spends_the_pair_and_is_told_apart(scene: Scene, tools: Tools) -> None:
    channel = zalo(scene, tools)
    await scene.order("zalo", "drop_before", "access_token")
    assert isinstance(await channel.renew(), Unknown)
    assert isinstance(await channel.renew(), dict), "nothing had reached Zalo: the pair still works"
    other = zalo(scene, tools, refresh_token=(await _pair(channel, scene, tools)))
    await scene.order("zalo", "drop_after", "access_token")
    assert isinstance(await other.renew(), Unknown)
    assert await other.renew() is Reason.UNAUTHORIZED
    assert await other.health() is None, "the access token goes on working"


async def _pair(channel: Zalo, scene: Scene, tools: Tools) -> str:
    place = scene.place.model_copy(update={"account": "Phường Lê Thanh Nghị"})
    changed = await Zalo(ZaloSettings.model_validate(Zalo.rehearsal().settings(place)), tools).renew()
    assert isinstance(changed, dict)
    return str(changed["refresh_token"])


async def test_a_broken_answer_of_the_token_endpoint_is_no_verdict(scene: Scene, tools: Tools) -> None:
    await scene.order("zalo", "garbage", "access_token")
    assert isinstance(await zalo(scene, tools).renew(), Unknown)


async def test_renewal_says_no_secret(scene: Scene, tools: Tools, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    changed = await zalo(scene, tools).renew()
    assert isinstance(changed, dict)
    for secret in (changed["access_token"], changed["refresh_token"], "rehearsal-app-secret"):
        assert secret not in caplog.text


# ------------------------------------------------------------------ error codes


@pytest.mark.parametrize(
    ("code", "reason"),
    [(-201, Reason.REJECTED), (-210, Reason.TOO_LONG), (-216, Reason.UNAUTHORIZED), (-220, Reason.UNAUTHORIZED), (-221, Reason.FORBIDDEN),
     (-223, Reason.QUOTA), (-224, Reason.FORBIDDEN), (-240, Reason.MISCONFIGURED), (-248, Reason.REJECTED)],
)  # fmt: skip
def test_codes_that_need_a_person(code: int, reason: Reason) -> None:
    outcome = after_code(code, START)
    assert isinstance(outcome, Refused) and outcome.reason is reason and str(code) in outcome.detail


@pytest.mark.parametrize(("code", "reason"), [(-32, Reason.RATE_LIMITED), (-211, Reason.QUOTA), (-214, Reason.BUSY)])
def test_codes_that_pass(code: int, reason: Reason) -> None:
    outcome = after_code(code, START)
    assert isinstance(outcome, Deferred) and outcome.reason is reason and outcome.retry_at and outcome.retry_at > START


@pytest.mark.parametrize("code", [-200, -1, 1, -999, -217])
def test_any_other_code_is_unknown(code: int) -> None:
    assert isinstance(after_code(code, START), Unknown)


# ------------------------------------------------------------------ the twin plays Zalo


def article(**changed: Any) -> dict[str, Any]:
    cover = {"cover_type": "photo", "photo_url": changed.pop("url", ""), "status": "show"}
    given = {
        "type": "normal",
        "title": "T",
        "author": "A",
        "description": "D",
        "cover": cover,
        "body": [{"type": "text", "content": "<p>x</p>"}],
    }
    return {**given, **changed}


@pytest.mark.parametrize(
    "changed",
    [{"title": "ờ" * 151}, {"title": ""}, {"description": "ờ" * 301}, {"author": "ờ" * 51}, {"body": []}, {"body": "x"},
     {"body": [{"type": "text"}]}, {"status": "draft"}, {"type": "video"}, {"url": "http://10.0.0.1/x.jpg"}, {"url": ""}, {"cover": None}],
)  # fmt: skip
async def test_the_twin_refuses_bad_fields(scene: Scene, wire: Wire, changed: dict[str, Any]) -> None:
    good = article(url=scene.shelf.url(scene.picture().sha256))
    assert (await api(wire, scene, "/v2.0/article/create", json=good))["error"] == 0
    bad = article(**{"url": scene.shelf.url(scene.picture().sha256), **changed})
    assert (await api(wire, scene, "/v2.0/article/create", json=bad))["error"] == -201


async def test_the_twin_refuses_a_heavy_or_strange_cover(scene: Scene, wire: Wire) -> None:
    heavy = scene.shelf.add(b"\xff\xd8\xff" + b"x" * 1_000_001, "image/jpeg")
    strange = scene.shelf.add(b"GIF89a", "image/gif")
    lying = scene.shelf.add(b"<html>", "image/jpeg")
    for sha256 in (heavy, strange, lying):
        assert (await api(wire, scene, "/v2.0/article/create", json=article(url=scene.shelf.url(sha256))))[
            "error"
        ] == -201


async def test_the_twin_hides_by_default_and_lists_ten_at_most(scene: Scene, wire: Wire) -> None:
    made = await api(wire, scene, "/v2.0/article/create", json=article(url=scene.shelf.url(scene.picture().sha256)))
    scene.forward(60)
    listed = await api(wire, scene, "/v2.0/article/getslice", params={"offset": 0, "limit": 10, "type": "normal"})
    assert [row["status"] for row in listed["data"]["medias"]] == ["hide"]
    assert (await api(wire, scene, "/v2.0/article/getslice", params={"offset": 0, "limit": 11, "type": "normal"}))[
        "error"
    ] == -210
    assert (await api(wire, scene, "/v2.0/article/verify", json={"token": made["data"]["token"]}))["data"]["id"]
    assert (await api(wire, scene, "/v2.0/article/verify", json={"token": "x"}))["error"] == -201


async def test_the_twin_counts_requests_by_the_minute(
    scene: Scene, tools: Tools, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ZaloTwin, "per_minute", 2)
    channel = zalo(scene, tools)
    assert [await channel.health() for _ in range(3)] == [None, None, Reason.RATE_LIMITED]
    scene.forward(60)
    assert await channel.health() is None


async def test_accounts_do_not_see_each_other(scene: Scene, tools: Tools) -> None:
    message, handle = await staged(zalo(scene, tools), scene)
    place = scene.place.model_copy(update={"account": "Phường Lê Thanh Nghị"})
    neighbour = Zalo(ZaloSettings.model_validate(Zalo.rehearsal().settings(place)), tools)
    outcome = await neighbour.publish(message, 0, handle, ())
    assert isinstance(outcome, Refused)
    assert isinstance(await neighbour.withdraw(handle.data["id"]), Refused)
    assert (await neighbour.find(message, 0, handle, START)).verdict == "unclear"


def test_the_page_in_the_docs_names_every_setting_and_every_code() -> None:
    page = Path("docs/channels/zalo.md").read_text(encoding="utf-8")
    codes = [str(code) for code in range(-400, 0) if not isinstance(after_code(code, START), Unknown)]
    codes = [code for code in codes if code not in ("-100", "-233")]  # cannot come from an article
    missing = [name for name in ZaloSettings.model_fields if f"`{name}`" not in page]
    assert missing + [code for code in codes if re.search(rf"(?<![\d/]){code}(?!\d)", page) is None] == []
