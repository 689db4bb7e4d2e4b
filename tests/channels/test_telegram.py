"""Telegram, spoken to over real HTTP: the twin holds the truth, python-telegram-bot judges it strictly."""

import io
import logging
import re
import socket
import threading
import time
import unicodedata
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from starlette.applications import Starlette
from starlette.routing import Mount
from telegram import InputMediaPhoto

from channels.conformance import Conformance
from channels.contract import (
    EMPTY,
    Channel,
    Deferred,
    Measure,
    Message,
    Part,
    Picture,
    Published,
    Reason,
    Refused,
    Tools,
    Unknown,
)
from channels.rehearsing import START, Scene
from channels.rehearsing import stage as scenery
from channels.telegram import preview, twin_text
from channels.telegram.adapter import Telegram
from channels.telegram.api import Failure, ask
from channels.telegram.pieces import visible
from channels.telegram.rehearsal import TelegramRehearsal
from channels.telegram.render import CAPTION_LIMIT
from channels.telegram.twin import TelegramTwin
from channels.telegram.twin_channel import short_number, token_of, views
from channels.twin import Fault, Place, TwinState
from channels.twins import Faults, TwinClock, server
from channels.wire import Guard, Wire
from content.document import Block, Document, Source, Span, read

pytestmark = pytest.mark.anyio
LINK = "https://lethanhnghi.example/s/tgk7q2"


class Clock(TwinClock):
    """Time goes only when told to."""

    def forward(self, **by: float) -> None:
        self.fixed = self() + timedelta(**by)


class Shelf:
    def __init__(self) -> None:
        self.files: dict[str, bytes] = {}

    def read(self, sha256: str) -> bytes:
        try:
            return self.files[sha256]
        except KeyError as error:
            raise FileNotFoundError(sha256) from error

    def url(self, sha256: str) -> str:
        return f"https://lethanhnghi.example/tep/{sha256}"

    def picture(self, width: int = 1200, height: int = 630, name: str = "a" * 64) -> Picture:
        raw = io.BytesIO()
        Image.new("RGB", (width, height), (11, 79, 108)).save(raw, "JPEG")
        self.files[name] = raw.getvalue()
        return Picture(sha256=name, mime="image/jpeg", width=width, height=height, alt="Thẻ ảnh")


@dataclass
class Stage:
    """One ward's channel on the twin, and the means to look behind the curtain."""

    twin: TelegramTwin
    place: Place
    tools: Tools
    shelf: Shelf
    clock: Clock

    def channel(self, **changes: Any) -> Telegram:
        given = {**TelegramRehearsal("telegram").settings(self.place), **changes}
        return Telegram(Telegram.Settings.model_validate(given), self.tools)

    def order(self, kind: Any, path: str = "", times: int = 1) -> None:
        self.twin.faults.append(Fault(kind=kind, path=path, times=times))


def serve(app: Any) -> Iterator[str]:
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    running = server(app)
    thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]})
    thread.start()
    while not running.started:
        time.sleep(0.01)
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    running.should_exit = True
    thread.join()
    listener.close()


@pytest.fixture
def clock() -> Clock:
    made = Clock()
    made.fixed = START
    return made


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with scenery(tmp_path, {"telegram": Telegram}) as made:
        yield made


class TestConformance(Conformance):
    """Telegram keeps what every channel must keep."""

    channel = Telegram
    visible_path = "/sendPhoto"
    amend_path = "/editMessage"

    def edges(self, channel: Channel) -> Iterator[tuple[str, int]]:
        yield "body", CAPTION_LIMIT  # the suite's message carries a picture


@pytest.fixture
def twin(tmp_path: Path, clock: Clock) -> Iterator[TelegramTwin]:
    state = TwinState(tmp_path / "twins.db")
    made = TelegramTwin(state, clock, "")
    app = Faults(Starlette(routes=made.routes()), made.faults, made.upset)
    running = serve(Starlette(routes=[Mount("/telegram", app=app)]))
    made.base_url = f"{next(running)}/telegram"
    yield made
    next(running, None)
    state.close()


@pytest.fixture
async def stage(twin: TelegramTwin, tmp_path: Path, clock: Clock) -> AsyncIterator[Stage]:
    root = twin.base_url.removesuffix("/telegram")
    place = Place(account="Phường Lê Thanh Nghị", twins_url=root, site_url=root, site_token="x", folder=tmp_path)
    wire = Wire(Guard(frozenset({root.removeprefix("http://")})), timeout=5)
    shelf = Shelf()
    yield Stage(twin, place, Tools(wire=wire, shelf=shelf, now=clock), shelf, clock)
    await wire.close()


def post(body: str = "Bà con nộp hồ sơ trực tuyến tại nhà.", **more: Any) -> Document:
    given: dict[str, Any] = {"title": "Nộp hồ sơ trực tuyến", "blocks": read(body)[1], "link": LINK, **more}
    return Document(**given)


def long_text(characters: int) -> str:
    """Vietnamese paragraphs, each word different from the others so that a lost or cut one shows."""
    sentence = "Người dân mang theo căn cước, hồ sơ số {} và được cán bộ **hướng dẫn tận tình** tại quầy {}."
    paragraphs, number = [], 0
    while sum(map(len, paragraphs)) < characters:
        number += 4
        paragraphs.append(" ".join(sentence.format(n, n * 7) for n in range(number, number + 4)))
    return "\n\n".join(paragraphs)


async def publish(stage: Stage, message: Message) -> tuple[Published, ...]:
    """Every part, one after the other, as the core does it."""
    out: list[Published] = []
    for part in range(len(message.parts)):
        result = await stage.channel().publish(message, part, EMPTY, tuple(done.remote_id for done in out))
        assert isinstance(result, Published), result
        out.append(result)
    return tuple(out)


async def test_a_text_goes_out_and_reads_as_written(stage: Stage) -> None:
    document = post(
        "Có **ba bước**, *rất dễ*:\n\n1. Vào [Cổng dịch vụ công](https://dichvucong.gov.vn)\n2. Đăng nhập\n\n- Miễn phí",
        source=Source("Kế hoạch 12/KH-UBND"),
        hashtags=("LêThanhNghị", "#DịchVụCông"),
    )
    message = stage.channel().render(document, "k1")
    (done,) = await publish(stage, message)
    (trace,) = stage.twin.traces()
    assert trace.remote_id == done.remote_id and re.fullmatch(r"-100\d+:1", done.remote_id)
    assert trace.text == (
        "Nộp hồ sơ trực tuyến\n\nCó ba bước, rất dễ:\n\n1. Vào Cổng dịch vụ công\n2. Đăng nhập\n\n• Miễn phí\n\n"
        f"Nguồn: Kế hoạch 12/KH-UBND\n\n#LêThanhNghị #DịchVụCông\n\nChi tiết: {LINK}"
    )
    assert "<b>ba bước</b>, <i>rất dễ</i>" in trace.html and 'href="https://dichvucong.gov.vn"' in trace.html
    assert done.url == f"{stage.twin.base_url}/phuong_le_thanh_nghi/1"


async def test_markup_characters_arrive_as_they_were_written(stage: Stage) -> None:
    message = stage.channel().render(post('Phí <b> & "lệ phí" a<b, 5 > 3, &lt; &#65; </a>'), "k")
    await publish(stage, message)
    assert 'Phí <b> & "lệ phí" a<b, 5 > 3, < A </a>' in stage.twin.traces()[0].text
    assert stage.channel().validate(message) == []


async def test_decomposed_accents_come_out_composed(stage: Stage) -> None:
    torn = Block("paragraph", (Span("Phươ"), Span("\u0300ng ta", strong=True)))
    apart = unicodedata.normalize("NFD", "Đổi mới sáng tạo ở phường")
    document = post(blocks=(torn, Block("paragraph", (Span(apart),))), title=apart, hashtags=(apart.replace(" ", ""),))
    message = stage.channel().render(document, "k")
    await publish(stage, message)
    text = stage.twin.traces()[0].text
    assert unicodedata.is_normalized("NFC", text) and "Phường ta" in text and "Đổi mới sáng tạo ở phường" in text
    assert all(unicodedata.is_normalized("NFC", part.marker) for part in message.parts)


def exactly(characters: int, letter: str = "ả") -> Document:
    """A document whose single message has just so many characters, its markup not counted."""
    rest = characters - len("Tin\n\n") - len(f"\n\nChi tiết: {LINK}")
    words = ("từ " * rest)[: rest - 1].rstrip().ljust(rest, letter)
    return post(title="Tin", blocks=(Block("paragraph", (Span(words[:5], strong=True), Span(words[5:]))),))


@pytest.mark.parametrize(("characters", "parts"), [(1023, 1), (1024, 1), (1025, 2)])
async def test_a_caption_fits_up_to_its_limit(stage: Stage, characters: int, parts: int) -> None:
    message = stage.channel().render(exactly(characters), "k", (stage.shelf.picture(),))
    assert len(message.parts) == parts
    assert not [problem for problem in stage.channel().validate(message) if problem.level == "error"]
    await publish(stage, message)
    assert len(stage.twin.traces()) == parts
    assert parts > 1 or len(stage.twin.traces()[0].text) == characters


@pytest.mark.parametrize(("characters", "parts"), [(4095, 1), (4096, 1), (4097, 2)])
async def test_a_text_fits_up_to_its_limit(stage: Stage, characters: int, parts: int) -> None:
    message = stage.channel().render(exactly(characters), "k")
    assert len(message.parts) == parts
    await publish(stage, message)
    assert parts > 1 or len(stage.twin.traces()[0].text) == characters


@pytest.mark.parametrize(("picture", "letters"), [(True, 1025), (False, 4097)])
async def test_one_over_the_limit_is_told_before_and_refused_by_telegram(
    stage: Stage, picture: bool, letters: int
) -> None:
    part = Part(body="a" * letters, format="telegram", pictures=(stage.shelf.picture(),) if picture else ())
    message = Message(kind="telegram", key="k", parts=(part,))
    (problem,) = stage.channel().validate(message)
    assert problem.level == "error" and str(letters) in problem.text
    result = await stage.channel().publish(message, 0, EMPTY, ())
    assert isinstance(result, Refused) and result.reason == Reason.TOO_LONG


@pytest.mark.parametrize("with_picture", [True, False])
async def test_nine_thousand_characters_arrive_whole_and_in_order(stage: Stage, with_picture: bool) -> None:
    source = long_text(9_000)
    document = post(source, summary="Một cửa, ít giấy tờ.", hashtags=("HảiPhòng",))
    message = stage.channel().render(document, "k", (stage.shelf.picture(),) if with_picture else ())
    done = await publish(stage, message)
    traces = stage.twin.traces()
    assert len(traces) == len(message.parts) == (4 if with_picture else 3)
    assert [trace.remote_id for trace in traces] == [each.remote_id for each in done]
    assert {trace.reply_to for trace in traces[1:]} == {done[0].remote_id} and traces[0].reply_to is None
    tails = [re.search(r"\((\d)/(\d)\) Chi tiết: " + re.escape(LINK) + "$", trace.text) for trace in traces]
    assert [tail and tail[1] for tail in tails] == [str(n) for n in range(1, len(traces) + 1)]
    said = "\n\n".join(re.sub(r"\n\n\(\d/\d\) Chi tiết:.*$", "", trace.text) for trace in traces)
    body = source.replace("**", "")
    assert body in said and said.endswith(body + "\n\n#HảiPhòng")
    assert "Một cửa, ít giấy tờ.\n\nXem tiếp bên dưới" in said if with_picture else "Xem tiếp" not in said
    assert sum(part.body.count("<b>") for part in message.parts) == source.count("**") // 2 + 1


async def test_one_endless_paragraph_is_cut_between_words_and_keeps_its_styles(stage: Stage) -> None:
    words = [f"chữ{n}" for n in range(1, 2000)]
    spans = tuple(
        Span(f"{word} ", strong=n % 50 == 0, href="https://hp.example/a?b=1&c=2" if n % 300 == 0 else None)
        for n, word in enumerate(words)
    )
    message = stage.channel().render(post(blocks=(Block("paragraph", spans),), title="Dài"), "k")
    await publish(stage, message)
    said = " ".join(re.sub(r"\(\d/\d\) Chi tiết:.*$", "", trace.text) for trace in stage.twin.traces())
    assert said.split() == ["Dài", *words]
    assert sum(part.body.count("<a href=") for part in message.parts) == 7


async def test_the_first_paragraph_stands_under_the_photo_and_is_not_said_twice(stage: Stage) -> None:
    message = stage.channel().render(post(long_text(3_000)), "k", (stage.shelf.picture(),))
    await publish(stage, message)
    first, second = (trace.text for trace in stage.twin.traces())
    assert "hồ sơ số 4 và" in first and "hồ sơ số 4 và" not in second and "hồ sơ số 8 và" in second


async def test_a_title_longer_than_a_caption_is_said_in_full_below(stage: Stage) -> None:
    title = " ".join(f"tiêu{n}" for n in range(300))
    message = stage.channel().render(post("Thân bài.", title=title), "k", (stage.shelf.picture(),))
    await publish(stage, message)
    assert title in stage.twin.traces()[1].text and len(stage.twin.traces()[0].text) <= 1024


def test_a_heading_does_not_stay_behind_alone() -> None:
    body = "A " * 1900 + "\n\n## Mục hai\n\n" + "B " * 1000
    message = Telegram.render(Telegram.__new__(Telegram), post(body), "k")
    assert "Mục hai" not in message.parts[0].body and message.parts[1].body.startswith("<b>Mục hai</b>\n\nB B")


def test_own_words_for_telegram_are_used_and_a_post_without_link_is_known_by_its_beginning() -> None:
    own = Document(title="", blocks=read("Lời riêng " + "cho kênh " * 30)[1])
    document = replace(post(own_words={"telegram": own}), link=None)
    (part,) = Telegram.render(Telegram.__new__(Telegram), document, "k").parts
    assert part.marker.startswith("Nộp hồ sơ trực tuyến Lời riêng cho kênh") and preview.holds(
        visible(part.body), part.marker
    )


async def test_flood_is_put_off_until_the_moment_telegram_names(stage: Stage) -> None:
    channel, message = stage.channel(), stage.channel().render(post(), "k")
    results = [await channel.publish(message, 0, EMPTY, ()) for _ in range(21)]
    assert all(isinstance(result, Published) for result in results[:20])
    last = results[20]
    assert isinstance(last, Deferred) and last.reason == Reason.RATE_LIMITED
    assert last.retry_at == stage.clock() + timedelta(seconds=60)
    stage.clock.forward(seconds=60)
    assert isinstance(await channel.publish(message, 0, EMPTY, ()), Published)
    assert len(stage.twin.traces()) == 21


async def test_a_lost_answer_is_unknown_and_then_found(stage: Stage) -> None:
    channel, since = stage.channel(), stage.clock()
    message = channel.render(post(long_text(6_000)), "k", (stage.shelf.picture(),))
    first = await channel.publish(message, 0, EMPTY, ())
    assert isinstance(first, Published)
    assert (await channel.find(message, 1, EMPTY, since)).verdict == "absent"
    stage.order("drop_after", "sendMessage")
    result = await channel.publish(message, 1, EMPTY, (first.remote_id,))
    assert isinstance(result, Unknown)
    found = await stage.channel().find(message, 1, EMPTY, since)
    assert (found.verdict, found.remote_id) == ("out", stage.twin.traces()[1].remote_id)
    assert (await channel.find(message, 2, EMPTY, since)).verdict == "absent"


@pytest.mark.parametrize("fault", ["drop_before", "error_after", "garbage"])
async def test_an_unreadable_answer_is_never_taken_for_a_refusal(
    stage: Stage, fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    stage.order(fault)
    with caplog.at_level(logging.DEBUG):
        result = await stage.channel().publish(stage.channel().render(post(), "k"), 0, EMPTY, ())
    assert isinstance(result, Unknown) and token_of("Phường Lê Thanh Nghị") not in caplog.text + repr(result)


async def test_a_server_that_hangs_up_leaves_the_result_unknown(stage: Stage) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def hang_up() -> None:
            connection, _ = listener.accept()
            connection.recv(65536)
            connection.close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        port = listener.getsockname()[1]
        assert isinstance(await _publish_at(stage, port), Unknown)
        thread.join()


async def test_a_refused_connection_is_surely_not_out(stage: Stage) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    result = await _publish_at(stage, port)
    assert isinstance(result, Deferred) and result.reason == Reason.UNREACHABLE


async def _publish_at(stage: Stage, port: int) -> Any:
    wire = Wire(Guard(frozenset({f"127.0.0.1:{port}"})), timeout=3)
    channel = Telegram(
        stage.channel(api_url=f"http://127.0.0.1:{port}").settings, stage.tools.model_copy(update={"wire": wire})
    )
    return await channel.publish(channel.render(post(), "k"), 0, EMPTY, ())


async def test_an_address_that_was_not_named_is_never_dialled(stage: Stage) -> None:
    closed = stage.tools.model_copy(update={"wire": Wire()})
    channel = Telegram(stage.channel().settings, closed)
    result = await channel.publish(channel.render(post(), "k"), 0, EMPTY, ())
    assert isinstance(result, Refused) and result.reason == Reason.MISCONFIGURED
    await closed.wire.close()


@pytest.mark.parametrize("token", ["7000000001:AAFalse-token", "not a token"])
async def test_a_bad_token_is_refused_and_told_nowhere(
    stage: Stage, token: str, caplog: pytest.LogCaptureFixture
) -> None:
    channel = stage.channel(token=token)
    with caplog.at_level(logging.DEBUG):
        result = await channel.publish(channel.render(post(), "k"), 0, EMPTY, ())
        health = await channel.health()
        measure = await channel.measure("-1001:1")
    assert isinstance(result, Refused) and result.reason == health == measure.reason == Reason.UNAUTHORIZED
    everything = caplog.text + repr(result) + repr(channel.settings) + str(channel.settings) + repr(measure)
    assert token not in everything and token.replace(" ", "%20") not in everything
    assert "@BotFather" in result.detail


async def test_what_telegram_refuses_is_told_in_vietnamese(stage: Stage) -> None:
    message = stage.channel().render(post(), "k")
    gone = await stage.channel(chat_id="@kenh_da_xoa").publish(message, 0, EMPTY, ())
    assert isinstance(gone, Refused) and gone.reason == Reason.NOT_FOUND and "kiểm tra lại tên kênh" in gone.detail
    stage.order("refuse", "sendMessage")
    kicked = await stage.channel().publish(message, 0, EMPTY, ())
    assert isinstance(kicked, Refused) and kicked.reason == Reason.FORBIDDEN and "quản trị viên" in kicked.detail
    stage.order("expire_token", "sendMessage")
    expired = await stage.channel().publish(message, 0, EMPTY, ())
    assert isinstance(expired, Refused) and expired.reason == Reason.UNAUTHORIZED
    broken = message.model_copy(update={"parts": (Part(body="<h1>Xin chào</h1>", format="telegram"),)})
    assert "thẻ định dạng" in stage.channel().validate(broken)[0].text
    unread = await stage.channel().publish(broken, 0, EMPTY, ())
    assert isinstance(unread, Refused) and unread.reason == Reason.REJECTED and "định dạng" in unread.detail
    stranger = await stage.channel(token=token_of("Phường Đông Hải")).publish(message, 0, EMPTY, ())
    assert isinstance(stranger, Refused) and stranger.reason == Reason.FORBIDDEN
    assert stage.twin.traces() == []


def several(stage: Stage, count: int) -> tuple[Picture, ...]:
    return tuple(stage.shelf.picture(640, 400 + at, name=f"{at:064x}") for at in range(count))


@pytest.mark.parametrize("letters", [300, 3_900])
async def test_an_album_is_one_post_whose_every_message_is_accounted_for(stage: Stage, letters: int) -> None:
    channel, shots = stage.channel(), several(stage, 4)
    message = channel.render(post(long_text(letters)), "k", shots)
    assert not [problem for problem in channel.validate(message) if problem.level == "error"]
    outcome = await channel.publish(message, 0, EMPTY, ())
    assert isinstance(outcome, Published), outcome
    first = outcome.remote_id.partition(":")[2].split(",")
    assert len(first) == 4 and outcome.url is not None and outcome.url.endswith(f"/{first[0]}")
    earlier = [outcome.remote_id]
    for part in range(1, len(message.parts)):
        later = await channel.publish(message, part, EMPTY, tuple(earlier))
        assert isinstance(later, Published), later
        earlier.append(later.remote_id)
    traces = stage.twin.traces()
    assert [trace.remote_id for trace in traces] == earlier
    assert len(message.parts) == len(traces) == (1 if letters == 300 else 2)
    assert [file.read_bytes() for file in traces[0].files] == [stage.shelf.read(shot.sha256) for shot in shots]
    assert [trace.reply_to for trace in traces[1:]] == [f"{earlier[0].partition(':')[0]}:{first[0]}"] * (
        len(traces) - 1
    )
    assert all(len(trace.text) <= (4096 if at else 1024) for at, trace in enumerate(traces))
    stage.clock.forward(seconds=channel.settle_seconds)
    found = await channel.find(message, 0, EMPTY, stage.clock())
    assert (found.verdict, found.remote_id, found.url) == ("out", outcome.remote_id, outcome.url)
    assert await channel.copies(message, 0, stage.clock()) == (outcome.remote_id,)
    assert (await channel.measure(outcome.remote_id)).reason is None
    assert await channel.withdraw(outcome.remote_id) == Published(remote_id=outcome.remote_id)
    assert [trace.remote_id for trace in stage.twin.traces()] == earlier[1:]
    assert await channel.withdraw(outcome.remote_id) == Published(remote_id=outcome.remote_id)


async def test_an_album_takes_ten_photos_and_no_more(stage: Stage) -> None:
    channel, shots = stage.channel(), several(stage, 11)
    message = channel.render(post(), "k", shots)
    assert message.parts[0].pictures == shots[:10] and not channel.validate(message)
    assert isinstance(await channel.publish(message, 0, EMPTY, ()), Published)
    assert len(stage.twin.traces()[0].files) == 10
    over = message.model_copy(update={"parts": (message.parts[0].model_copy(update={"pictures": shots}),)})
    assert channel.validate(over)[0].field == "picture"
    refused = await channel.publish(over, 0, EMPTY, ())
    assert isinstance(refused, Refused), refused


async def test_an_album_counts_as_all_of_its_messages_against_the_speed_limit(stage: Stage) -> None:
    channel, message = stage.channel(), stage.channel().render(post(), "k", several(stage, 10))
    outcomes = [await channel.publish(message, 0, EMPTY, ()) for _ in range(3)]
    assert [type(outcome) for outcome in outcomes] == [Published, Published, Deferred]
    assert len(stage.twin.traces()) == 2


async def test_a_picture_that_is_no_picture_is_refused(stage: Stage) -> None:
    picture = stage.shelf.picture()
    stage.shelf.files[picture.sha256] = b"\xff\xd8\xff not a picture"
    message = stage.channel().render(post(), "k", (picture,))
    result = await stage.channel().publish(message, 0, EMPTY, ())
    assert isinstance(result, Refused) and result.reason == Reason.BAD_MEDIA
    stage.shelf.files.clear()
    missing = await stage.channel().publish(message, 0, EMPTY, ())
    assert isinstance(missing, Refused) and missing.reason == Reason.BAD_MEDIA
    flat = stage.channel().render(post(), "k", (stage.shelf.picture(2500, 100),))
    assert stage.channel().validate(flat)[0].field == "picture"
    assert await stage.channel().publish(flat, 0, EMPTY, ()) == result


async def test_find_says_absent_only_of_a_listing_that_works(stage: Stage) -> None:
    channel, message, since = stage.channel(), stage.channel().render(post(), "k"), stage.clock()
    assert (await channel.find(message, 0, EMPTY, since)).verdict == "unclear"  # the twin knows no such channel yet
    assert await channel.health() is None
    assert (await channel.find(message, 0, EMPTY, since)).verdict == "absent"
    for fault in ("refuse", "garbage", "drop_before"):
        stage.order(fault, "/s/", times=2 if fault == "drop_before" else 1)  # a read is tried again on a new line
        assert (await channel.find(message, 0, EMPTY, since)).verdict == "unclear", fault
    private = stage.channel(public=False)
    assert (await private.find(message, 0, EMPTY, since)).verdict == "unclear"
    await publish(stage, message)
    stage.order("read_late", "/s/")
    assert (await channel.find(message, 0, EMPTY, since)).verdict == "absent"
    assert (await channel.find(message, 0, EMPTY, since)).verdict == "out"
    assert (await channel.find(message, 0, EMPTY, since + timedelta(hours=26))).verdict == "out"  # our clock is ahead
    assert await private.copies(message, 0, since) is None
    await publish(stage, message)
    copies = await channel.copies(message, 0, since)
    assert copies is not None and len(set(copies)) == 2


async def test_find_turns_the_pages_and_does_not_take_a_longer_link_for_its_own(stage: Stage) -> None:
    channel, since = stage.channel(), stage.clock()
    message = channel.render(post(), "k")
    (done,) = await publish(stage, message)
    for number in range(45):
        stage.clock.forward(seconds=5)
        other = channel.render(post(link=f"{LINK}{number}"), f"o{number}")
        await publish(stage, other)
    found = await channel.find(message, 0, EMPTY, since)
    assert (found.verdict, found.remote_id) == ("out", done.remote_id)
    assert (await channel.find(message, 0, EMPTY, stage.clock())).verdict == "absent"


async def test_members_and_views_are_counted_and_rounding_is_said(stage: Stage) -> None:
    channel = stage.channel()
    (done,) = await publish(stage, channel.render(post(), "k"))
    own = stage.twin.shelves.channel("Phường Lê Thanh Nghị")
    stage.clock.forward(minutes=20)
    early = _figures(await channel.measure(done.remote_id))
    assert early["Người theo dõi kênh"] == (own.members, "measured")
    exact = views(own, stage.twin.shelves.messages(own)[0], stage.clock())
    assert 0 < exact < 1000 and early["Lượt xem"] == (exact, "measured")
    stage.clock.forward(days=7)
    late = stage.twin.shelves.messages(own)[0]
    exact = views(own, late, stage.clock())
    value, label = _figures(await channel.measure(done.remote_id))["Lượt xem"]
    assert exact > 1000 and label == "estimated" and abs(value - exact) <= 10
    assert isinstance(await channel.withdraw(done.remote_id), Published)
    assert (await channel.measure(done.remote_id)).reason == Reason.NOT_FOUND


def _figures(measure: Measure) -> dict[str, tuple[int, str]]:
    assert measure.reason is None, measure
    return {figure.name: (figure.value, figure.label) for figure in measure.figures}


async def test_a_post_is_taken_down_once_and_for_all(stage: Stage) -> None:
    channel = stage.channel()
    message = channel.render(post(long_text(5_000)), "k")
    done = await publish(stage, message)
    for each in done:
        assert await channel.withdraw(each.remote_id) == Published(remote_id=each.remote_id)
    assert stage.twin.traces() == []
    assert await channel.withdraw(done[0].remote_id) == Published(remote_id=done[0].remote_id)
    assert isinstance(await channel.withdraw("?"), Refused)


async def test_a_deleted_first_part_does_not_keep_the_rest_back(stage: Stage) -> None:
    channel = stage.channel()
    message = channel.render(post(long_text(5_000)), "k")
    first = await channel.publish(message, 0, EMPTY, ())
    assert isinstance(first, Published)
    await channel.withdraw(first.remote_id)
    assert isinstance(await channel.publish(message, 1, EMPTY, (first.remote_id,)), Published)


async def test_health_names_what_is_wrong(stage: Stage) -> None:
    assert await stage.channel().health() is None
    assert await stage.channel(username="kenh_khac").health() == Reason.MISCONFIGURED
    assert await stage.channel(chat_id="@kenh_khac").health() == Reason.NOT_FOUND
    stage.order("refuse", "getChatMember")
    assert await stage.channel().health() == Reason.FORBIDDEN
    stage.order("rate_limit", "getMe")
    assert await stage.channel().health() == Reason.RATE_LIMITED


def test_settings_are_refused_in_words_and_hide_the_token() -> None:
    with pytest.raises(ValueError, match="kênh công khai cần tên kênh") as caught:
        Telegram.Settings.model_validate({"token": "1:secret-token", "chat_id": "-1001234567890"})
    assert "secret-token" not in str(caught.value)
    settings = Telegram.Settings.model_validate({"token": "1:secret-token", "chat_id": "@phuong_le_thanh_nghi"})
    assert "secret-token" not in repr(settings) and settings.model_dump()["username"] == "phuong_le_thanh_nghi"


async def test_the_twin_keeps_what_citizens_saw_pictures_included(stage: Stage) -> None:
    channel = stage.channel()
    await publish(stage, channel.render(post(), "k", (stage.shelf.picture(),)))
    (trace,) = stage.twin.traces()
    (file,) = trace.files
    assert file.read_bytes() == stage.shelf.read("a" * 64) and f'<img src="{file.name}"' in trace.html
    page = await stage.tools.wire.call("GET", f"{stage.twin.base_url}/s/phuong_le_thanh_nghi")
    shown = re.search(r"url\('([^']+)'\)", page.text)
    assert shown and (await stage.tools.wire.call("GET", shown[1])).body == file.read_bytes()


def test_numbers_are_written_and_read_as_on_the_page() -> None:
    written = {987: "987", 1_500: "1.5K", 4_020: "4.02K", 35_600: "35.6K", 2_000_000: "2M"}
    assert {value: short_number(value) for value in written} == written
    assert {value: preview.views(text) for value, text in written.items()} == {
        value: (value, value >= 1000) for value in written
    }
    assert preview.views("") is None and preview.views("nhiều") is None


def test_the_real_pages_markup_is_read_reply_quotes_and_emoji_included() -> None:
    page = """<div class="tgme_channel_info_header_username"><a href="https://t.me/PhuongTa">@PhuongTa</a></div>
      <div class="tgme_widget_message text_not_supported_wrap js-widget_message" data-post="PhuongTa/8">
      <a class="tgme_widget_message_reply" href="#"><div class="tgme_widget_message_text js-message_reply_text">https://x.vn/cu</div></a>
      <div class="tgme_widget_message_text js-message_text" dir="auto"><div class="tgme_widget_message_text js-message_text">Chào
      <i class="emoji" style="x"><b>😀</b></i> &amp; <b>bà con</b><br/><a href="https://x.vn/moi">https://x.vn/moi</a></div> hết</div>
      <time class="message_video_duration">0:42</time><span class="tgme_widget_message_views">4.02K</span>
      <a class="tgme_widget_message_date"><time datetime="2026-11-22T09:15:00+00:00" class="time">16:15</time></a></div>"""
    read_page = preview.read(page, "phuongta")
    assert read_page is not None
    (seen,) = read_page.posts
    assert (seen.id, seen.views, seen.at.hour) == (8, "4.02K", 9)
    assert " ".join(seen.text.split()) == "Chào 😀 & bà con https://x.vn/moi hết" and not preview.holds(
        seen.text, "https://x.vn/cu"
    )
    assert preview.read(page, "kenhkhac") is None and preview.read("<h1>Sorry</h1>", "phuongta") is None
    assert preview.read(page.replace('datetime="2026', 'datetime="hôm qua'), "phuongta") is None


async def test_the_twin_knows_the_library_by_its_other_methods_too(stage: Stage) -> None:
    own = stage.channel().settings
    jpeg = stage.shelf.read(stage.shelf.picture().sha256)

    async def say(call: Any) -> Any:
        return await ask(stage.tools.wire, own.api_url, own.token, call)

    album = [InputMediaPhoto(jpeg, caption="<b>Ảnh một</b>", parse_mode="HTML"), InputMediaPhoto(jpeg)]
    first, second = await say(lambda bot: bot.send_media_group(own.chat_id, album))
    assert first.media_group_id == second.media_group_id and first.caption_entities[0].type == "bold"
    assert (
        await say(lambda bot: bot.edit_message_caption(own.chat_id, second.message_id, caption="Ảnh hai"))
    ).caption == "Ảnh hai"
    assert await say(lambda bot: bot.pin_chat_message(own.chat_id, first.message_id)) is True
    text = await say(lambda bot: bot.send_message(own.chat_id, "Đính chính"))
    for words, error in {
        "Đính chính": "message is not modified",
        "a" * 4097: "MESSAGE_TOO_LONG",
        " ": "message text is empty",
    }.items():
        failed = await say(lambda bot, words=words: bot.edit_message_text(words, own.chat_id, text.message_id))
        assert (
            isinstance(failed, Failure)
            and failed.error
            and failed.error.description.startswith(f"Bad Request: {error}")
        )
    edited = await say(lambda bot: bot.edit_message_text("Đã sửa", own.chat_id, text.message_id))
    assert edited.edit_date and stage.twin.traces()[-1].text == "Đã sửa"
    one = await say(lambda bot: bot.send_media_group(own.chat_id, album[:1]))
    assert isinstance(one, Failure) and one.error and one.error.error_code == 400
    nowhere = await say(lambda bot: bot.log_out())
    assert isinstance(nowhere, Failure) and nowhere.error and nowhere.error.description == "Not Found"


_WORDS = st.text(st.sampled_from("aăâđếộ <&>\"'0🏟️\u0301\u200d"), min_size=1, max_size=40)
_SPANS = st.builds(
    Span,
    text=_WORDS,
    strong=st.booleans(),
    emphasis=st.booleans(),
    href=st.sampled_from([None, 'https://x.vn/?a=1&b="2"']),
)
_BLOCKS = st.builds(
    lambda kind, spans, times: Block(kind, tuple(spans) * times, 1 if kind == "item" and times % 2 else None),
    st.sampled_from(["paragraph", "heading", "item"]),
    st.lists(_SPANS, min_size=1, max_size=4),
    st.integers(1, 120),
)


@settings(max_examples=60, deadline=None)
@given(
    title=_WORDS,
    summary=st.just("") | _WORDS,
    blocks=st.lists(_BLOCKS, max_size=12),
    link=st.sampled_from([None, LINK]),
    pictured=st.booleans(),
)
def test_whatever_is_written_telegram_can_read_it_and_nothing_is_lost(
    title: str, summary: str, blocks: list[Block], link: str | None, pictured: bool
) -> None:
    document = Document(title=title, summary=summary, blocks=tuple(blocks), link=link)
    picture = Picture(sha256="a" * 64, mime="image/jpeg", width=1200, height=630, alt="")
    message = Telegram.render(Telegram.__new__(Telegram), document, "k", (picture,) if pictured else ())
    read_back = [twin_text.html(part.body)[0] for part in message.parts]
    assert all(len(text) <= (1024 if pictured and not number else 4096) for number, text in enumerate(read_back))
    assert all(text == visible(part.body) for text, part in zip(read_back, message.parts, strict=True))
    assert all(
        not part.marker or preview.holds(text, part.marker) for text, part in zip(read_back, message.parts, strict=True)
    )
    said = "".join("".join(read_back).split())
    at = 0
    for block in blocks:
        words = "".join(unicodedata.normalize("NFC", block.text).split())
        if pictured and len(message.parts) > 1:
            assert all(chunk in said for chunk in re.findall(".{1,20}", words[:20]))
        else:
            for letter in words:
                at = said.index(letter, at) + 1
