"""The webhook channel: against its twin, against the receiver printed in its page, and against careless ones."""

import json
import os
import re
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import ValidationError

from channels.conformance import Conformance, document
from channels.contract import (
    EMPTY,
    Certainty,
    Correction,
    Deferred,
    Message,
    Outcome,
    Pending,
    Published,
    Reason,
    Refused,
    Unknown,
)
from channels.rehearsing import START, MemoryShelf, Scene, stage
from channels.twin import Place
from channels.twins import TwinClock
from channels.webhook import signing
from channels.webhook.adapter import Webhook, WebhookSettings
from channels.webhook.api import SCHEMA, Sent
from channels.webhook.twin import secret
from channels.wire import Guard, Wire
from tests.filming import clip, film

pytestmark = pytest.mark.anyio

PAGE = Path(__file__).resolve().parents[2] / "docs" / "channels" / "webhook.md"
OLD = "whsec_" + "b2xk" * 8
NEW = "whsec_" + "bmV3" * 8


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with stage(tmp_path, {Webhook.kind: Webhook}) as made:
        yield made


class TestWebhook(Conformance):
    channel = Webhook
    visible_path = "/nhan/"
    amend_path = "/sua/"


def webhook(scene: Scene, wire: Wire, **changes: Any) -> Webhook:
    given = {**Webhook.rehearsal().settings(scene.place), **changes}
    return Webhook(WebhookSettings.model_validate(given), scene.tools(wire))


@pytest.fixture
def quiet(tmp_path: Path) -> Scene:
    """A scene without its servers: a shelf, a clock, a place where nobody listens."""
    place = Place(
        account="Phường Đông Hải", twins_url="http://127.0.0.1:1", site_url="", site_token="", folder=tmp_path
    )
    clock = TwinClock()
    clock.fixed = START
    return Scene(place, MemoryShelf("http://127.0.0.1:1/media"), clock, {Webhook.kind: Webhook})


@pytest.fixture
async def wire(scene: Scene, anyio_backend: str) -> Any:
    made = scene.wire()
    yield made
    await made.close()


def message(channel: Webhook, number: int = 1, **changes: Any) -> Message:
    return channel.render(replace(document(number), **changes), f"khoa{number}")


async def sent(channel: Webhook, what: Message) -> Outcome:
    return await channel.publish(what, 0, EMPTY, ())


# What is sent


def test_the_signature_is_the_one_of_the_specification() -> None:
    """The vector of Standard Webhooks' own libraries, checked with their Python one (1.1.0)."""
    (key,) = signing.keys("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    at = datetime.fromtimestamp(1614265330, UTC)
    made = signing.headers([key], "msg_p5jXN8AQM9LWM0D4loKWxJek", at, b'{"test": 2432232314}')
    assert made == {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    assert signing.verified(key, made, b'{"test": 2432232314}', at)
    assert not signing.verified(key, made, b'{"test": 2432232315}', at)
    assert not signing.verified(key, made | {"webhook-id": "msg_other"}, b'{"test": 2432232314}', at)
    assert not signing.verified(key, made, b'{"test": 2432232314}', datetime.fromtimestamp(1614265330 + 301, UTC))
    assert not signing.verified(key, {}, b"", at)


def test_the_documented_schema_is_the_one_that_is_sent() -> None:
    written = json.loads(PAGE.with_suffix(".schema.json").read_text("utf-8"))
    assert written == SCHEMA
    (shown,) = re.findall(r"```json\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert json.loads(Sent.model_validate_json(shown).model_dump_json()) == json.loads(shown)


async def test_every_body_that_is_sent_keeps_the_published_schema(quiet: Scene) -> None:
    """What went over the wire for each verb, judged by jsonschema, which knows nothing of our models."""
    published = Draft202012Validator(json.loads(PAGE.with_suffix(".schema.json").read_text("utf-8")))
    told = Correction(note="Sai giờ", at=START)
    with receiver([(200, {"id": "7"})] * 2 + [(404, {"error": {"code": "not_found"}}), (200, {"id": "7"})]) as (
        url,
        heard,
    ):
        places = {"url": url, "amend_url": f"{url}/sua", "lookup_url": f"{url}/tra-cuu", "withdraw_url": f"{url}/go"}
        wire = open_wire(url)
        channel = webhook(quiet, wire, **places)
        what = channel.render(document(1), "khoa1", (quiet.picture(),)).model_copy(update={"due_at": START})
        await sent(channel, what)
        assert await channel.amend(what.model_copy(update={"correction": told}), 0, "7") == Published(remote_id="7")
        await channel.find(what, 0, EMPTY, START)
        await channel.withdraw("7")
        await wire.close()
    bodies = [(method, json.loads(body)) for method, _, _, body in heard if body]
    assert [(method, body["type"]) for method, body in bodies] == [
        ("POST", "lantoa.post.publish"),
        ("POST", "lantoa.post.amended"),
    ]
    assert [method for method, _, _, body in heard if not body] == ["GET", "DELETE"]
    for _, body in bodies:
        assert [error.message for error in published.iter_errors(body)] == []
        for spoiled in (body | {"type": "lantoa.post.khac"}, body | {"data": {**body["data"], "la": 1}}):
            assert not published.is_valid(spoiled)
    (_, amended) = bodies[1]
    del amended["data"]["note"]
    assert not published.is_valid(amended), "the schema must tell what a correction carries"


async def test_everything_a_receiver_needs_is_in_the_body(quiet: Scene) -> None:
    with receiver([(200, {"id": "7"})]) as (url, heard):
        channel = webhook(quiet, open_wire(url), url=url, secret=f"{NEW} {OLD}")
        pictures = (quiet.picture(), quiet.picture((600, 600)))
        what = channel.render(document(1), "khoa1", pictures).model_copy(update={"due_at": START})
        assert await sent(channel, what) == Published(remote_id="7")
    ((method, _, headers, body),) = heard
    assert method == "POST" and headers["content-type"] == "application/json; charset=utf-8"
    assert headers["webhook-id"] == headers["idempotency-key"] == "khoa1"
    told = json.loads(body)
    assert (told["type"], told["version"], told["timestamp"]) == ("lantoa.post.publish", 1, "2026-11-23T01:00:00Z")
    post = told["data"]
    assert post["key"] == "khoa1" and post["ward"] == "Phường Đông Hải" and post["due_at"] == "2026-11-23T01:00:00Z"
    assert post["title"] == "Thông báo số 1 của phường" and "làm việc cả sáng thứ Bảy" in post["text"]
    assert "<strong>làm việc cả sáng thứ Bảy</strong>" in post["html"] and post["link"] in post["text"]
    assert [one["url"] for one in post["pictures"]] == [quiet.shelf.url(one.sha256) for one in pictures]
    assert all(one["alt"] == "Dải màu để thử" and one["mime"] == "image/jpeg" for one in post["pictures"])
    for written in (NEW, OLD):  # two keys: a receiver that knows either is content
        assert signing.verified(signing.keys(written)[0], headers, body, START)


async def test_a_video_is_named_with_its_address_hash_and_words(quiet: Scene) -> None:
    with receiver([(200, {"id": "7"})]) as (url, heard):
        channel = webhook(quiet, open_wire(url), url=url)
        shown = clip(quiet.shelf, film(1)).model_copy(update={"poster": quiet.picture()})
        assert await sent(channel, channel.render_clip(document(1), "khoa1", shown)) == Published(remote_id="7")
    told = json.loads(heard[0][3])["data"]["clip"]
    assert (told["url"], told["sha256"], told["size"]) == (quiet.shelf.url(shown.sha256), shown.sha256, shown.size)
    assert (told["kind"], told["mime"], told["about"]) == ("video", "video/mp4", "Bà con nộp hồ sơ trên điện thoại.")
    assert told["poster"]["url"] == quiet.shelf.url(shown.poster.sha256)  # type: ignore[union-attr]


async def test_a_signing_key_is_exchanged_without_a_gap(scene: Scene, wire: Wire) -> None:
    theirs = secret(scene.place.account)
    both = webhook(scene, wire, secret=f"{NEW} {theirs}")
    assert isinstance(await sent(both, message(both)), Published)
    assert await both.health() is None
    alone = webhook(scene, wire, secret=NEW)
    early = await sent(alone, message(alone, 2))
    assert isinstance(early, Refused) and early.reason is Reason.UNAUTHORIZED and "khóa ký" in early.detail
    assert await alone.health() is Reason.UNAUTHORIZED
    assert "khóa ký ở hai bên" in alone.advice(Reason.UNAUTHORIZED) and alone.advice(Reason.QUOTA) == ""


# What a lost answer costs


@pytest.mark.parametrize(
    ("settings", "certainty"),
    [
        ({"lookup_url": "https://a.vn", "keyed": True}, Certainty.KEYED),
        ({"lookup_url": "https://a.vn", "keyed": False}, Certainty.LOOKUP),
        ({"lookup_url": "https://a.vn"}, Certainty.LOOKUP),
        ({"lookup_url": "", "keyed": True}, Certainty.BLIND),
        ({}, Certainty.BLIND),
    ],
)
def test_an_outlet_promises_what_its_receiver_does(settings: dict[str, Any], certainty: Certainty) -> None:
    assert Webhook.certainty_of(settings) is certainty


async def test_the_same_key_twice_is_one_post_only_where_the_receiver_keeps_keys(scene: Scene, wire: Wire) -> None:
    keeping, what = webhook(scene, wire), message(webhook(scene, wire))
    first, second = await sent(keeping, what), await sent(keeping, what)
    assert first == second and len(await scene.traces("webhook")) == 1
    careless = webhook(scene, wire, url=f"{keeping.settings.url}?keyed=0")
    await sent(careless, what)
    assert len(await scene.traces("webhook")) == 2


async def test_a_receiver_that_cannot_be_asked_leaves_it_to_a_person(scene: Scene, wire: Wire) -> None:
    plain = webhook(scene, wire, lookup_url="", withdraw_url="", keyed=False)
    found = await plain.find(message(plain), 0, EMPTY, START)
    assert found.verdict == "unclear" and "người quản lý nơi nhận" in found.detail and "an toàn" not in found.detail
    safe = webhook(scene, wire, lookup_url="", keyed=True)
    assert "đăng lại là an toàn" in (await safe.find(message(safe), 0, EMPTY, START)).detail
    done = await plain.withdraw("bai-1")
    assert isinstance(done, Refused) and "Tôi đã gỡ" in done.detail
    assert await plain.health() is None


async def test_taken_down_twice_is_taken_down(scene: Scene, wire: Wire) -> None:
    channel = webhook(scene, wire)
    out = await sent(channel, message(channel))
    assert isinstance(out, Published)
    for _ in range(2):
        assert await channel.withdraw(out.remote_id) == Published(remote_id=out.remote_id)
    found = await channel.find(message(channel), 0, EMPTY, START)
    assert found.verdict == "out"  # it was out once: never sent again


# What receivers say


@contextmanager
def receiver(script: list[tuple[int, Any] | tuple[int, Any, dict[str, str]]]) -> Iterator[tuple[str, list[Any]]]:
    """A server that answers as scripted and keeps what it heard; a text is sent as it is."""
    heard: list[Any] = []

    class Told(BaseHTTPRequestHandler):
        def _any(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            heard.append((self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body))
            status, said, *headers = script[min(len(heard), len(script)) - 1]
            self.send_response(status)
            for name, value in (headers[0] if headers else {}).items():
                self.send_header(name, value)
            self.end_headers()
            if status != 204 and self.command != "HEAD":
                self.wfile.write(said.encode() if isinstance(said, str) else json.dumps(said).encode())

        do_POST = do_GET = do_DELETE = do_HEAD = _any  # noqa: N815

        def log_message(self, format: str, *args: Any) -> None:
            return

    server = HTTPServer(("127.0.0.1", 0), Told)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/nhan?bang=1", heard
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def open_wire(url: str) -> Wire:
    return Wire(guard=Guard(frozenset({url.split("/")[2]})), timeout=3)


_SAID = [
    (200, {"id": "9", "url": "https://a.vn/9"}, Published(remote_id="9", url="https://a.vn/9")),
    (201, {"id": "9", "key": "khoa1", "more": 1}, Published(remote_id="9")),
    (200, {"id": "9", "key": "another"}, Unknown),
    (200, {"id": "9", "url": "javascript:alert(1)"}, Unknown),
    (200, {"id": "a b"}, Unknown),
    (200, "ok", Unknown),
    (204, "", Unknown),
    (202, {"id": "9"}, Pending),
    (301, "", Reason.MISCONFIGURED),
    (308, "", Reason.MISCONFIGURED),
    (400, {"error": {"code": "x", "message": "Thiếu chuyên mục"}}, Reason.REJECTED),
    (401, "", Reason.UNAUTHORIZED),
    (403, "", Reason.FORBIDDEN),
    (404, "", Reason.MISCONFIGURED),
    (408, "", Unknown),
    (409, "", Unknown),
    (410, "", Reason.MISCONFIGURED),
    (413, "", Reason.TOO_LONG),
    (422, "", Reason.REJECTED),
    (425, "", Unknown),
    (429, "", Reason.RATE_LIMITED),
    (500, {"id": "9"}, Unknown),
    (502, "", Unknown),
    (503, "", Unknown),
]


@pytest.mark.parametrize(("status", "said", "wanted"), _SAID, ids=lambda one: str(one)[:30])
async def test_every_answer_has_its_meaning(quiet: Scene, status: int, said: Any, wanted: Any) -> None:
    with receiver([(status, said, {"location": "http://127.0.0.1:1/"})]) as (url, heard):
        wire = open_wire(url)
        channel = webhook(quiet, wire, url=url)
        outcome = await sent(channel, message(channel))
        await wire.close()
    assert len(heard) == 1
    if isinstance(wanted, Reason):
        assert isinstance(outcome, Refused | Deferred) and outcome.reason is wanted and outcome.detail
        assert isinstance(said, str) or "«Thiếu chuyên mục»" in outcome.detail
    elif isinstance(wanted, type):
        assert isinstance(outcome, wanted)
    else:
        assert outcome == wanted


async def test_busy_with_an_hour_is_tried_again_then(quiet: Scene) -> None:
    with receiver([(503, "", {"retry-after": "120"})]) as (url, _):
        wire = open_wire(url)
        channel = webhook(quiet, wire, url=url, lookup_url=url)
        busy = await sent(channel, message(channel))
        assert isinstance(busy, Deferred) and busy.retry_at and (busy.retry_at - quiet.clock()).total_seconds() == 120
        assert await channel.health() is Reason.BUSY
        await wire.close()


async def test_any_2xx_is_enough_where_the_administrator_says_so(quiet: Scene) -> None:
    with receiver([(204, ""), (202, "ok"), (500, "")]) as (url, _):
        wire = open_wire(url)
        channel = webhook(quiet, wire, url=url, any_answer=True)
        for number in (1, 2):
            assert await sent(channel, message(channel, number)) == Published(remote_id=f"khoa{number}")
        assert isinstance(await sent(channel, message(channel, 3)), Unknown)
        await wire.close()


_LOOKS = [
    (200, {"id": "9", "key": "khoa1", "url": "https://a.vn/9"}, "out"),
    (200, {"id": "9"}, "unclear"),  # a receiver that does not say of which key it speaks
    (200, {"id": "9", "key": "khoa2"}, "unclear"),
    (200, {"key": "khoa1", "state": "working"}, "unclear"),
    (404, {"error": {"code": "not_found"}}, "absent"),
    (404, "<h1>404</h1>", "unclear"),
    (404, {"error": {"code": "no_such_route"}}, "unclear"),
    (401, {"error": {"code": "not_found"}}, "unclear"),
    (500, "", "unclear"),
]


@pytest.mark.parametrize(("status", "said", "verdict"), _LOOKS, ids=lambda one: str(one)[:30])
async def test_absent_is_only_what_the_receiver_itself_says(quiet: Scene, status: int, said: Any, verdict: str) -> None:
    with receiver([(status, said)]) as (url, heard):
        wire = open_wire(url)
        channel = webhook(quiet, wire, lookup_url=url)
        found = await channel.find(message(channel), 0, EMPTY, START)
        await wire.close()
    assert found.verdict == verdict
    ((method, path, headers, _),) = heard
    assert (method, path, headers["webhook-id"]) == ("GET", "/nhan?bang=1&key=khoa1", "lookup:khoa1")


async def test_private_addresses_are_never_dialled_and_redirects_never_followed(quiet: Scene) -> None:
    with receiver([(200, {"id": "1"})]) as (inside, heard):
        closed = Wire(timeout=3)
        for url in (inside, "http://169.254.169.254/latest", "http://[::ffff:10.0.0.1]/", "http://0x7f.1/"):
            channel = webhook(quiet, closed, url=url, lookup_url=url, withdraw_url=url)
            no = await sent(channel, message(channel))
            assert isinstance(no, Refused) and no.reason is Reason.MISCONFIGURED
            assert isinstance(await channel.withdraw("1"), Refused)
            assert await channel.health() is Reason.MISCONFIGURED
            assert (await channel.find(message(channel), 0, EMPTY, START)).verdict == "unclear"
        with receiver([(307, "", {"location": inside})]) as (outside, _):
            wire = open_wire(outside)
            channel = webhook(quiet, wire, url=outside, lookup_url=outside)
            assert isinstance(await sent(channel, message(channel)), Refused)
            assert (await channel.find(message(channel), 0, EMPTY, START)).verdict == "unclear"
            await wire.close()
        await closed.close()
    assert heard == []


# Settings


@pytest.mark.parametrize(
    "written",
    ["", "whsec_", "whsec_c2hvcnQ=", "mat-khau", "whsec_@@@@", f"{NEW} {OLD} {NEW}", "whsec_" + "QUFB" * 30],
)
def test_a_bad_key_is_told_without_being_repeated(written: str) -> None:
    with pytest.raises(ValidationError) as error:
        WebhookSettings.model_validate({"url": "https://a.vn/", "secret": written})
    told = str(error.value)
    assert "khóa" in told and (len(written) < 8 or written not in told)


@pytest.mark.parametrize("url", ["ftp://a.vn", "a.vn", "https://ten:mat-khau@a.vn/", "https://a.vn/#x", "https://a b"])
def test_an_address_is_plain_http(url: str) -> None:
    for field in ("url", "lookup_url", "withdraw_url"):
        given = {"url": "https://a.vn/", "secret": NEW, field: url}
        with pytest.raises(ValidationError):
            WebhookSettings.model_validate(given)


# The receiver printed in the page


@pytest.fixture
def printed(tmp_path: Path) -> Iterator[str]:
    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    assert len([line for line in code.splitlines() if line]) <= 40
    (tmp_path / "nhan_tin.py").write_text(code, "utf-8")
    with receiver([(200, "")]) as (taken, _):
        port = int(taken.split(":")[2].split("/")[0])
    environment = {**os.environ, "LANTOA_SECRET": NEW}
    running = subprocess.Popen(
        [sys.executable, "-W", "ignore", "nhan_tin.py", str(port)],
        cwd=tmp_path,
        env=environment,
        stderr=subprocess.DEVNULL,
    )
    try:
        _await_port(port)
        yield f"http://127.0.0.1:{port}/"
    finally:
        running.kill()
        running.wait()


def _await_port(port: int) -> None:
    import socket

    for _ in range(200):
        with socket.socket() as tried:
            if tried.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError("the printed receiver does not listen")


async def test_the_printed_receiver_keeps_its_promises(quiet: Scene, printed: str) -> None:
    quiet.clock.fixed = None  # the receiver reads the real time
    wire = open_wire(printed)
    channel = webhook(quiet, wire, url=printed, lookup_url=printed, withdraw_url=printed, secret=f"{OLD} {NEW}")
    what = message(channel)
    assert await channel.health() is None
    assert (await channel.find(what, 0, EMPTY, START)).verdict == "absent"
    first, second = await sent(channel, what), await sent(channel, what)
    assert first == second == Published(remote_id="khoa1")
    assert (await channel.find(what, 0, EMPTY, START)).verdict == "out"
    for _ in range(2):
        assert await channel.withdraw("khoa1") == Published(remote_id="khoa1")
    assert (await channel.find(what, 0, EMPTY, START)).verdict == "out"
    stranger = webhook(quiet, wire, url=printed, lookup_url=printed, secret=OLD)
    no = await sent(stranger, message(stranger, 2))
    assert isinstance(no, Refused) and no.reason is Reason.UNAUTHORIZED
    assert await stranger.health() is Reason.UNAUTHORIZED
    assert (await channel.find(message(channel, 2), 0, EMPTY, START)).verdict == "absent"
    await wire.close()
