"""Axis and Algo speakers, and a mount, as the rehearsal's doubles hold them: every answer told as what it is."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from channels.conformance import Conformance, document, promise
from channels.contract import (
    AIR_SECONDS,
    Channel,
    Deferred,
    Found,
    Handle,
    Message,
    Outcome,
    Pending,
    Published,
    Reason,
    Refused,
    Tools,
)
from channels.loudspeaker import studio
from channels.loudspeaker.adapter import Loudspeaker
from channels.loudspeaker.rehearsal import LoudspeakerRehearsal
from channels.loudspeaker.transports.algo import signature, signed
from channels.loudspeaker.transports.axis import Clips
from channels.loudspeaker.transports.ways import Law
from channels.loudspeaker.twin_axis import MOST_BYTES
from channels.loudspeaker.twin_ears import ALGO_PASSWORD, SOURCE_PASSWORD
from channels.rehearsing import START, Scene, stage
from channels.twin import FaultKind, Rehearsal
from channels.wire import Guard, Wire
from content.audio import Programme, measure, telephone
from tests.channels import air
from tests.channels.air import short

pytestmark = pytest.mark.anyio


class OnAxis(Loudspeaker):
    """The ward's loudspeakers, all of them Axis."""

    __module__ = Loudspeaker.__module__  # its icon and preview lie there

    @classmethod
    def rehearsal(cls) -> Rehearsal:
        return LoudspeakerRehearsal(cls.kind, "axis")


@pytest.fixture(autouse=True)
def brief(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(studio, "programme", lambda *_, **__: short())


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with stage(tmp_path, {"loudspeaker": OnAxis}) as made:
        yield made


class TestAxis(Conformance):
    """The whole suite; what differs is said where it differs: it is heard, so there is no text and nothing to look up."""

    channel = OnAxis
    visible_path = "/axis-cgi/mediaclip.cgi"
    stage_path = "/axis-cgi/mediaclip.cgi"

    def message(self, channel: Channel, scene: Scene, number: int = 1) -> Message:
        said = channel.render(document(number), f"khoaphat{number}")
        recording = scene.shelf.add(air.tone(0.1), "audio/wav")
        return said.model_copy(update={"extra": {**said.extra, "recording": recording}, "due_at": START})

    async def test_rendering_is_pure_and_composed(self, scene: Scene) -> None:
        async with self._open(scene) as channel:
            promise(self.message(channel, scene) == self.message(channel, scene), "two different messages")

    async def test_staging_may_fail_and_be_done_again(self, scene: Scene) -> None:
        faults: tuple[FaultKind, ...] = ("drop_before", "drop_after", "error_after", "garbage", "rate_limit")
        async with self._open(scene) as channel:
            for number, fault in enumerate(faults, 40):
                message = self.message(channel, scene, number)
                await scene.order(channel.kind, fault, self.stage_path)
                staged = await channel.stage(message, 0)
                promise(isinstance(staged, Deferred | Pending), f"{fault} while staging: {staged}")
                promise(isinstance(await self._staged(channel, scene, message), Handle), f"{fault}: no second try")
                promise(not await self._copies(scene, message), "staged, and already heard")
            await self._play(channel, scene, message)
            await self._one_copy(scene, message)

    async def test_a_withdrawn_post_is_gone(self, scene: Scene) -> None:
        async with self._open(scene) as channel:
            message = self.message(channel, scene)
            pending = await self._play(channel, scene, message)
            found = await channel.find(message, 0, pending.handle, START)
            assert found.verdict == "unclear" and "Đang phát dở" in found.detail
            gone = await channel.withdraw(str(pending.handle.remote_id))
            assert isinstance(gone, Published) and not await self._copies(scene, message)
            assert await channel.withdraw(gone.remote_id) == gone
            found = await channel.find(message, 0, pending.handle, START)
            assert found.verdict == "out" and "Đã dừng theo yêu cầu" in found.detail

    @asynccontextmanager
    async def _open(self, scene: Scene, timeout: float = 5) -> AsyncIterator[Channel]:
        async with super()._open(scene, timeout) as channel:
            await channel.health()  # the device's challenge is known: what follows is one request each
            yield channel

    async def _play(self, channel: Channel, scene: Scene, message: Message) -> Pending:
        handle = await self._staged(channel, scene, message)
        assert isinstance(handle, Handle), handle
        outcome = await channel.publish(message, 0, handle, ())
        assert isinstance(outcome, Pending), outcome
        return outcome

    async def _settled(self, channel: Channel, scene: Scene, message: Message, handle: Handle) -> Found:
        scene.forward(60)
        found = await channel.find(message, 0, handle, START)
        # A device that was told to play cannot be asked: with no answer nothing is proved, neither way.
        return (
            found.model_copy(update={"verdict": "absent"}) if self._in_doubt and found.verdict == "unclear" else found
        )

    async def _found_out(self, channel: Channel, scene: Scene, message: Message, handle: Handle) -> None:
        await self._one_copy(scene, message)
        scene.forward(60)
        found = await channel.find(message, 0, handle, START)
        promise(found.verdict in ("out", "unclear"), f"look-up says {found}")

    async def _copies(self, scene: Scene, message: Message) -> list[Any]:
        return [trace for trace in await scene.traces(self.channel.kind) if message.key in trace.text]

    _in_doubt = True


def _axis(scene: Scene, wire: Wire, **settings: Any) -> Loudspeaker:
    given = {**OnAxis.rehearsal().settings(scene.place), **settings}
    return OnAxis(OnAxis.Settings.model_validate(given), Tools(wire=wire, shelf=scene.shelf, now=scene.clock))


def _device(scene: Scene, way: str, name: str) -> str:
    return f"{scene.place.twins_url}/loudspeaker/{way}/{quote(name)}"


def _message(channel: Channel, scene: Scene, key: str = "k3f9x2abcd") -> Message:
    said = channel.render(document(1), key)
    recording = scene.shelf.add(air.tone(0.1), "audio/wav")
    return said.model_copy(update={"extra": {**said.extra, "recording": recording}, "due_at": scene.clock()})


@pytest.fixture
async def wire(scene: Scene, anyio_backend: str) -> AsyncIterator[Wire]:
    made = scene.wire()
    made.guard = Guard(made.guard.allowed | {"127.0.0.1:1"})
    yield made
    await made.close()


async def _aired(channel: Loudspeaker, message: Message) -> Outcome:
    handle = await channel.stage(message, 0)
    return await channel.publish(message, 0, handle, ()) if isinstance(handle, Handle) else handle


async def test_each_axis_cluster_is_told_by_itself(scene: Scene, wire: Wire) -> None:
    places = [f"Tổ 1 = {_device(scene, 'axis', 'Phường Đông Hải')}", f"Tổ 2 = {_device(scene, 'axis', 'C1410')}"]
    channel = _axis(scene, wire, clusters=[*places, "Tổ 3 = http://127.0.0.1:1"])
    message = _message(channel, scene)
    pending = await _aired(channel, message)
    assert isinstance(pending, Pending) and pending.retry_at and pending.retry_at > scene.clock() + timedelta(seconds=1)
    scene.forward(30)
    found = await channel.find(message, 0, pending.handle, START)
    assert found.verdict == "out" and found.detail.startswith("Đã phát ở 2/3 cụm loa. Tổ 3: chưa nạp được")
    figures = {one.name: one.value for one in (await channel.measure(str(found.remote_id))).figures}
    assert figures == {
        AIR_SECONDS: round(short().seconds),
        "Cụm loa đã phát": 2,
        "Cụm loa không phát trọn": 1,
        "Cụm loa chưa rõ": 0,
    }
    over = await channel.withdraw(str(found.remote_id))
    assert isinstance(over, Refused) and "đã phát xong" in over.detail
    assert await channel.health() is Reason.UNREACHABLE


async def test_one_axis_cluster_in_doubt_does_not_hide_the_others(scene: Scene, wire: Wire) -> None:
    places = [f"Tổ 1 = {_device(scene, 'axis', 'Phường Đông Hải')}", f"Tổ 2 = {_device(scene, 'axis', 'C1410')}"]
    channel = _axis(scene, wire, clusters=places)
    message = _message(channel, scene)
    handle = await channel.stage(message, 0)
    assert isinstance(handle, Handle)
    await scene.order("loudspeaker", "drop_after", "C1410/axis-cgi/mediaclip.cgi")
    pending = await channel.publish(message, 0, handle, ())
    assert isinstance(pending, Pending)
    scene.forward(30)
    found = await channel.find(message, 0, pending.handle, START)
    figures = {one.name: one.value for one in (await channel.measure(str(found.remote_id))).figures}
    assert (figures["Cụm loa đã phát"], figures["Cụm loa chưa rõ"]) == (1, 1)


async def test_an_axis_clip_is_uploaded_once_and_old_ones_make_room(scene: Scene, wire: Wire) -> None:
    channel = _axis(scene, wire)
    message = _message(channel, scene)
    first = await channel.stage(message, 0)
    assert await channel.stage(message, 0) == first, "staged again, the clip is found"
    for number in range(9):
        assert isinstance(await channel.stage(_message(channel, scene, f"tinthu{number}"), 0), Handle)
    full = await channel.stage(_message(channel, scene, "muoimot111"), 0)
    assert isinstance(full, Refused) and full.reason is Reason.REJECTED, (
        "ten clips wait for their hour: there is no room"
    )
    scene.forward(3 * 3600)
    assert isinstance(await channel.stage(_message(channel, scene, "muoimot111"), 0), Handle)


async def test_a_sound_too_large_for_axis_is_made_smaller_or_refused(
    scene: Scene, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    long = Programme(short().mp3 * 85, short().seconds * 85, -16.0)
    assert len(long.mp3) > MOST_BYTES > len(long.mp3) / 2
    monkeypatch.setattr(studio, "programme", lambda *_, **__: long)
    channel = _axis(scene, wire)
    assert isinstance(await channel.stage(_message(channel, scene), 0), Handle)
    monkeypatch.setattr("channels.loudspeaker.transports.axis.KILOBITS", (128,))
    refused = await channel.stage(_message(channel, scene, "daiquadai1"), 0)
    assert isinstance(refused, Refused) and refused.reason is Reason.BAD_MEDIA and "quá dài" in refused.detail


def test_the_limits_that_axis_names_are_read() -> None:
    read = Clips.read(
        {"root.mediaclip.m3.name": "a", "root.mediaclip.maxuploadsize": "20", "root.mediaclip.m3.type": "x"}
    )
    assert (read.names, read.most, read.megabytes) == ({"a": 3}, 10, 20)


def test_the_signature_is_the_one_of_algo_s_guide() -> None:
    path, about = "/api/controls/tone/start", ("6e43c05d82f71e77c586e29edb93b129", "application/json")
    first = signature("algo", "POST", path, about, 1_601_312_252, "49936")
    assert first == "2e109d7aeed54a1cb04c6b72b1d854f442cf1ca15eb0af32f2512dd77ab6b330"
    second = signature("algo", "POST", path, about, 1_601_312_838, "1028014788")
    assert second == "c450024af4493f9cdf582499456bf58d7e134b161566e764e61bd52d24f759dc"
    now = datetime.fromtimestamp(1_601_312_838, UTC)
    headers = signed("algo", "GET", "/api/info/about", b"", now, "1")
    assert headers["Date"] == "Mon, 28 Sep 2020 17:07:18 GMT" and "Content-MD5" not in headers


def _algo(scene: Scene, wire: Wire, port: int, **settings: Any) -> Loudspeaker:
    given = {**LoudspeakerRehearsal("loudspeaker", "algo").settings(scene.place), "rtp_port": port, **settings}
    wire.guard = Guard(wire.guard.allowed | {f"127.0.0.1:{port}"})
    return Loudspeaker(Loudspeaker.Settings.model_validate(given), Tools(wire=wire, shelf=scene.shelf, now=scene.clock))


@pytest.mark.parametrize("auth", ["standard", "basic"])
async def test_algo_hears_the_bulletin_and_stops_listening(scene: Scene, wire: Wire, auth: str) -> None:
    channel = _algo(scene, wire, air.free_port(air.socket.SOCK_DGRAM), auth=auth)
    assert await channel.health() is None
    message = _message(channel, scene)
    pending = await _aired(channel, message)
    assert isinstance(pending, Pending), pending
    for _ in range(100):
        if traces := await Rehearsal.traces(LoudspeakerRehearsal("loudspeaker", "algo"), scene.place, wire):
            break
        await asyncio.sleep(0.05)
    (heard,) = traces
    got, sound = heard.files[0].read_bytes(), next(iter((scene.place.folder / "truyen-thanh").rglob("*.ulaw")))
    assert heard.files[0].suffix == ".ulaw"
    assert got.rstrip(b"\xff") == sound.read_bytes().rstrip(b"\xff"), "what arrived is the programme, to the byte"
    assert measure(air.as_wav(got, "ulaw")).seconds == pytest.approx(short().seconds, abs=0.1)
    found = await channel.find(message, 0, pending.handle, START)
    assert found.verdict == "out" and found.detail == "Đã phát ở 1/1 cụm loa."


@pytest.mark.parametrize(
    ("fault", "kind", "reason"),
    [
        ("expire_token", Refused, Reason.UNAUTHORIZED),
        ("refuse", Refused, Reason.REJECTED),
        ("drop_after", Deferred, Reason.UNREACHABLE),
        ("error_after", Deferred, Reason.BUSY),
    ],
)
async def test_what_algo_answers_before_any_sound_is_surely_not_out(
    scene: Scene, wire: Wire, fault: Any, kind: type, reason: Reason
) -> None:
    channel = _algo(scene, wire, air.free_port(air.socket.SOCK_DGRAM))
    message = _message(channel, scene)
    handle = await channel.stage(message, 0)
    assert isinstance(handle, Handle)
    await scene.order("loudspeaker", fault, "/rx/start")
    outcome = await channel.publish(message, 0, handle, ())
    assert isinstance(outcome, kind) and outcome.reason is reason, outcome  # type: ignore[attr-defined]
    assert await Rehearsal.traces(LoudspeakerRehearsal("loudspeaker", "algo"), scene.place, wire) == []
    assert (await channel.find(message, 0, handle, START)).verdict == "absent"
    assert ALGO_PASSWORD not in f"{outcome!r} {channel.settings!r} {channel!r} {channel.transport!r}"


async def test_an_algo_clock_that_is_off_is_named(scene: Scene, wire: Wire) -> None:
    channel = _algo(scene, wire, 50_004)
    late = Loudspeaker(channel.settings, channel.tools.model_copy(update={"now": lambda: START + timedelta(minutes=2)}))
    assert await late.health() is Reason.UNAUTHORIZED
    refused = await _aired(late, _message(late, scene))
    assert isinstance(refused, Refused) and "lệch quá 30 giây" in refused.detail


async def test_a_mount_of_the_rehearsal_takes_the_bulletin(scene: Scene, wire: Wire) -> None:
    rehearsal = LoudspeakerRehearsal("loudspeaker", "icecast")
    settings = Loudspeaker.Settings.model_validate(rehearsal.settings(scene.place))
    channel = Loudspeaker(settings, Tools(wire=wire, shelf=scene.shelf, now=scene.clock))
    message = _message(channel, scene)
    await scene.order("loudspeaker", "refuse", "/icecast/")
    refused = await _aired(channel, message)
    assert isinstance(refused, Deferred) and refused.reason is Reason.BUSY
    assert isinstance(await _aired(channel, message), Pending)
    await asyncio.sleep(short().seconds + 0.3)
    (heard,) = await rehearsal.traces(scene.place, wire)
    assert heard.files[0].read_bytes() == short().mp3 and SOURCE_PASSWORD not in repr(heard)


async def test_the_default_of_a_rehearsal_stays_the_folder(scene: Scene) -> None:
    assert "transport" not in LoudspeakerRehearsal("loudspeaker").settings(scene.place)
    assert (
        Loudspeaker.Settings.model_validate(LoudspeakerRehearsal("loudspeaker").settings(scene.place)).transport
        == "folder"
    )


def test_g711_keeps_length_and_loudness(tmp_path: Path) -> None:
    (tmp_path / "tieng.wav").write_bytes(air.tone(2.0))
    laws: tuple[Law, ...] = ("alaw", "ulaw")
    for law in laws:
        got = measure(air.as_wav(telephone(tmp_path / "tieng.wav", law), law))
        assert got.seconds == pytest.approx(2.0, abs=0.05)
        assert got.integrated == pytest.approx(measure(air.tone(2.0)).integrated, abs=1)
