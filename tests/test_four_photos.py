"""One long text with four photos, one of them HEIC and one of 12 megapixels, on every channel, through the twins.

What a citizen would see is compared with what was typed and uploaded: whole words, links and letters, composed (NFC), and
pictures that stand upright, tell no position, and were encoded once, from the upload's own bytes.
"""

import io
import re
import socket
import threading
import time
import unicodedata
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from html import unescape
from pathlib import Path

import pytest
from PIL import Image

from campaigns import composing, demo, drafting, photos
from campaigns.demo import Cast
from campaigns.drafting import Draft, DraftPicture
from campaigns.outlets import Desk
from campaigns.timetable import local
from channels.contract import Capability, Channel, Handle, Message, Outcome, Pending, Published
from channels.registry import kinds
from channels.twin import Place, Trace, TwinState
from channels.twins import build, server
from channels.wire import Guard, Wire
from content.pictures import fit
from content.plans import load_plans
from store.engine import Store
from store.files import Files
from store.vault import Vault
from tests.conftest import FakeClock
from web import public

pytestmark = pytest.mark.anyio

WARD = "le-thanh-nghi"
TOKEN = "mot-the-cua-trang-phuong"  # noqa: S105 - a token of the test's own site
LINK = "https://dichvucong.gov.vn/p/home/dvc-chi-tiet-thu-tuc-hanh-chinh.html?ma=2.000889&ngon-ngu=vi"
FAMILY = "👨‍👩‍👧‍👦"
ALTS = ("Bà con ở sân nhà văn hóa", "Cán bộ hướng dẫn nộp hồ sơ", "", "Bảng chỉ đường đến Bộ phận Một cửa")
BODY_LETTERS = 3_900
HOLDING = ("facebook", "telegram", "zalo")
"""The platforms whose twins keep the very files that they were given; others are given addresses."""


def test_the_photos_are_what_they_are_called() -> None:
    assert b"iPhone" in UPLOADS[1] and UPLOADS[1][4:12] == b"ftypheic"
    large = Image.open(io.BytesIO(UPLOADS[0]))
    assert large.width * large.height > 12_000_000 and large.getexif().get_ifd(0x8825)


async def test_a_long_text_with_four_photos_reaches_every_channel_whole(
    store: Store, desk: Desk, cast: Cast, place: Place
) -> None:
    body = _body()
    assert len(body) == BODY_LETTERS
    messages = _messages(store, desk, cast, unicodedata.normalize("NFD", body))
    assert set(messages) == set(kinds())
    for kind, (speaker, message) in messages.items():
        assert unicodedata.is_normalized("NFC", message.model_dump_json()), kind
        assert [p.text for p in speaker.validate(message) if p.level == "error"] == [], kind
        _pictures_are_right(kind, speaker, message, desk.files)
        if kind != "loudspeaker":
            _nothing_is_cut(kind, [part.body for part in message.parts], body)
        if Capability.FAN_OUT in speaker.capabilities:
            continue
        await _out(kind, speaker, message, desk)
        traces = await speaker.rehearsal().traces(place, desk.wire)
        shown = [trace for trace in traces if trace.account in (place.account, WARD)]
        assert len(shown) == len(message.parts) if Capability.PHOTO in speaker.capabilities else shown, kind
        _citizens_see(kind, speaker, message, shown, desk.files, body)


def _pictures_are_right(kind: str, speaker: Channel, message: Message, files: Files) -> None:
    spec, found = speaker.limits.picture, message.parts[0].pictures
    assert len(found) == (min(len(UPLOADS), speaker.limits.pictures) if spec else 0), kind
    assert not any(part.pictures for part in message.parts[1:]), kind
    for number, picture in enumerate(found):
        assert spec is not None
        data = files.read(picture.sha256)
        assert data == fit(UPLOADS[number], spec).bytes, f"{kind}: not made from the upload's own bytes"
        image = Image.open(io.BytesIO(data))
        assert len(data) <= spec.max_bytes and max(image.size) <= spec.max_side, kind
        assert (image.size, dict(image.getexif())) == ((picture.width, picture.height), {}), kind
        assert not {"exif", "xmp", "comment"} & set(image.info) and b"iPhone" not in data, kind
        _upright(kind, image)
        assert picture.alt == (ALTS[number] or f"Ảnh {number + 1}/{len(found)}: {message.parts[0].title}"), kind


def _upright(kind: str, image: Image.Image) -> None:
    """Red on the left, white above, blue on the right, however the camera was held."""
    width, height = image.size
    places = [(width // 12, height // 2), (width // 2, height // 12), (width * 11 // 12, height // 2)]
    red, white, blue = (image.convert("RGB").getpixel(place) for place in places)
    assert isinstance(red, tuple) and isinstance(white, tuple) and isinstance(blue, tuple)
    assert red[0] > 150 > red[2] and min(white) > 200 and blue[2] > 150 > blue[0], kind


def _nothing_is_cut(kind: str, bodies: list[str], source: str) -> None:
    """Every word, link and letter of the source stands there whole and in its order, whatever is said between."""
    said = [unescape(re.sub(r"<[^>]*>", " ", body)) for body in bodies]
    words = iter(word for text in said for word in text.split())
    missing = next((word for word in source.split() if word not in words), None)
    assert missing is None, f"{kind}: «{missing}»"
    assert sum(text.count(FAMILY) for text in said) >= source.count(FAMILY), kind
    for text in said:
        first = text.strip()[:1]
        assert not unicodedata.combining(first) and first not in "\u200d\ufe0f", kind


def _citizens_see(kind: str, speaker: Channel, message: Message, shown: list[Trace], files: Files, body: str) -> None:
    if Capability.PHOTO not in speaker.capabilities:
        return
    sent = [files.read(picture.sha256) for picture in message.parts[0].pictures]
    held = [file.read_bytes() for file in shown[0].files]
    assert held == sent or (not held and kind not in HOLDING), kind
    text = "\n".join(trace.text for trace in shown)
    assert unicodedata.is_normalized("NFC", text) and FAMILY in text, kind
    words = iter(text.split())
    assert all(word in words for word in body.split()), kind


async def _out(kind: str, speaker: Channel, message: Message, desk: Desk) -> None:
    """Every part staged and published, as the couriers do it."""
    ids: list[str] = []
    for part in range(len(message.parts)):
        handle: Handle | Outcome = await speaker.stage(message, part)
        outcome = await speaker.publish(message, part, await _ready(speaker, message, part, handle), tuple(ids))
        for _ in range(20):
            if not isinstance(outcome, Pending):
                break
            _forward(desk, 30)
            found = await speaker.find(message, part, outcome.handle, desk.now())
            outcome = Published(remote_id=found.remote_id or "") if found.verdict == "out" else outcome
        assert isinstance(outcome, Published), f"{kind}: {outcome}"
        ids.append(outcome.remote_id)
        _forward(desk, 3)


async def _ready(speaker: Channel, message: Message, part: int, staged: Handle | Outcome) -> Handle:
    for _ in range(20):
        if not isinstance(staged, Pending):
            break
        assert isinstance(speaker.tools.now, FakeClock)
        speaker.tools.now.forward(seconds=30)
        staged = await speaker.stage(message, part, staged.handle)
    assert isinstance(staged, Handle), f"{speaker.kind}: {staged}"
    return staged


def _forward(desk: Desk, seconds: float) -> None:
    assert isinstance(desk.now, FakeClock)
    desk.now.forward(seconds=seconds)


def _messages(store: Store, desk: Desk, cast: Cast, body: str) -> dict[str, tuple[Channel, Message]]:
    """The post as it will go out, through the same doors as an editor: upload, draft, check, compose."""
    at = local(desk.now() + timedelta(hours=2), cast.ward.zone)
    cleaned = [photos.clean(upload) for upload in UPLOADS]
    with store.write() as session:
        ward_id = cast.ward.id or 0
        kept = [photos.keep(session, cast.editor, ward_id, one, desk.files, "", desk.now()) for one in cleaned]
        draft = Draft(
            campaign_id=cast.campaign.id or 0,
            title=unicodedata.normalize("NFD", "Buổi hỗ trợ dịch vụ công trực tuyến ở nhà văn hóa"),
            body=body,
            day=f"{at:%d/%m/%Y}",
            clock=f"{at:%Hh%M}",
            pictures=[DraftPicture(media_id=one.id or 0, alt=alt) for one, alt in zip(kept, ALTS, strict=True)],
            outlet_ids=[outlet.id or 0 for outlet in cast.outlets],
            own_words={o.id or 0: "Chiều nay có buổi hỗ trợ." for o in cast.outlets if o.kind == "loudspeaker"},
        )
        post = drafting.save(session, cast.editor, cast.ward, draft, desk.now())
        assert drafting.draft_of(session, post, cast.ward).pictures == draft.pictures
        assert drafting.submit(session, cast.editor, post, cast.ward, desk, desk.now()) == []
        around = composing.scene(session, post)
        found = {}
        for outlet in cast.outlets:
            speaker = desk.channel(outlet)
            link = None if composing.is_home(speaker) else f"{desk.files.public_url}/s/a1b2c3d4e5"
            made = composing.message(around, outlet, speaker, "a1b2c3d4e5", link, desk.files)
            found[outlet.kind] = (speaker, made.model_copy(update={"due_at": desk.now()}))
        return found


def _body() -> str:
    """3,900 letters with a long link, a family of one grapheme, and paragraphs longer than a caption."""
    sentence = "Bà con chuẩn bị giấy tờ, chụp rõ bốn góc, rồi gửi hồ sơ qua mạng; cán bộ phường trả lời trong ngày. "
    paragraph = f"{sentence * 6}Xem {LINK} trước khi đến, cả nhà {FAMILY} cùng đi. {sentence * 4}".strip()
    text = "\n\n".join([paragraph] * 4)
    text = text[: text.rindex(" ", 0, BODY_LETTERS - 20)]
    return text + " h" + "ế" * (BODY_LETTERS - len(text) - 3) + "t"


def _camera(size: tuple[int, int], turn: Image.Transpose | None, orientation: int, kind: str = "JPEG") -> bytes:
    """A photo of a known scene, held in some way, with the place where it was taken."""
    width, height = size
    scene = Image.linear_gradient("L").resize(size).convert("RGB")
    scene.paste((200, 30, 40), (0, 0, width // 3, height))
    scene.paste((20, 40, 200), (width * 2 // 3, 0, width, height))
    scene.paste((250, 250, 250), (width // 3, 0, width * 2 // 3, height // 4))
    exif = Image.Exif()
    exif[0x0112], exif[0x0110] = orientation, "iPhone thử"
    exif.get_ifd(0x8825).update({1: "N", 2: (20.0, 56.0, 12.5), 3: "E", 4: (106.0, 19.0, 30.0)})
    out = io.BytesIO()
    (scene.transpose(turn) if turn is not None else scene).save(out, kind, exif=exif, quality=92)
    return out.getvalue()


UPLOADS = (
    _camera((3024, 4032), Image.Transpose.ROTATE_90, 6),
    (Path(__file__).parent / "content" / "photos" / "iphone.heic").read_bytes(),
    _camera((1600, 1200), Image.Transpose.ROTATE_180, 3, "WEBP"),
    _camera((1000, 750), None, 1, "PNG"),
)


@pytest.fixture
def ports() -> tuple[int, int]:
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        return one.getsockname()[1], other.getsockname()[1]


@pytest.fixture
def place(ports: tuple[int, int], tmp_path: Path) -> Place:
    twins, site = (f"http://127.0.0.1:{port}" for port in ports)
    return Place(account=WARD, twins_url=twins, site_url=site, site_token=TOKEN, folder=tmp_path / WARD)


@pytest.fixture
async def desk(place: Place, ports: tuple[int, int], tmp_path: Path, clock: FakeClock) -> AsyncIterator[Desk]:
    wire = Wire(Guard(frozenset(f"127.0.0.1:{port}" for port in ports)))
    yield Desk(wire, Files(tmp_path / "tep", place.site_url), Vault.open(tmp_path / "khoa"), clock)
    await wire.close()


@pytest.fixture
def cast(
    store: Store, desk: Desk, place: Place, ports: tuple[int, int], tmp_path: Path, clock: FakeClock
) -> Iterator[Cast]:
    state = TwinState(tmp_path / "ban-sao.db")
    site = public.build(store, desk.files, clock, {WARD: TOKEN}.get, place.site_url)
    places = {plan.ward.slug: place.model_copy(update={"account": plan.ward.slug}) for plan in load_plans()}
    with _served(build(state, place.twins_url, clock), ports[0]), _served(site, ports[1]):
        with store.write() as session:
            made = demo.seed(session, desk, places, _now(clock), 1)
        yield next(one for one in made if one.ward.slug == WARD)
    site.state.site.visits.close()
    state.close()


def _now(clock: FakeClock) -> datetime:
    return clock()


@contextmanager
def _served(app: object, port: int) -> Iterator[None]:
    running = server(app, port=port)  # type: ignore[arg-type]
    thread = threading.Thread(target=running.run, daemon=True)
    thread.start()
    while not running.started:
        time.sleep(0.01)
    yield
    running.should_exit = True
    thread.join(10)
