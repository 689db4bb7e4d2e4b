"""What is heard: bulletins through a real Icecast and as real RTP, cut, stopped, refused and torn."""

import asyncio
import signal
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from channels.contract import (
    AIR_SECONDS,
    Certainty,
    Deferred,
    Handle,
    Message,
    Outcome,
    Pending,
    Published,
    Reason,
    Refused,
    Tools,
    Unknown,
)
from channels.loudspeaker import studio
from channels.loudspeaker.adapter import Loudspeaker
from channels.loudspeaker.settings import LoudspeakerSettings
from channels.loudspeaker.transports import airings
from channels.loudspeaker.transports.lines import Ending, NotBegun
from channels.loudspeaker.transports.pace import Pace
from channels.loudspeaker.transports.rtp import Packets, RtpLine
from channels.rehearsing import MemoryShelf
from channels.wire import Guard, Wire, may_leave
from content.audio import measure, programme, telephone
from content.document import Document, read
from tests.channels import air
from tests.channels.air import PASSWORD, Icecast, Listener, Receiver, short

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 11, 25, 10, 0, tzinfo=UTC)
HERTZ = 440.0


class Desk:
    """A ward's loudspeakers with real time in the lines and a clock of the test's own for the decisions."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.now = folder, NOW
        self.shelf = MemoryShelf("http://127.0.0.1")
        self.recording = self.shelf.add(air.tone(2.0, HERTZ), "audio/wav")
        self.wire = Wire()

    def channel(self, **settings: Any) -> Loudspeaker:
        places = [line.partition("=")[2].strip().removeprefix("http://") for line in settings.get("clusters", ())]
        named = frozenset(place.partition("/")[0] for place in places)
        self.wire.guard = Guard(self.wire.guard.allowed | named)
        given = LoudspeakerSettings.model_validate({"folder": self.folder, "ward": "phường Đông Hải", **settings})
        return Loudspeaker(given, Tools(wire=self.wire, shelf=self.shelf, now=lambda: self.now))

    def message(self, channel: Loudspeaker, key: str = "k3f9x2abcd", recorded: bool = True) -> Message:
        said = channel.render(Document(title="Lịch tiêm phòng", blocks=read("Mời bà con ra nhà văn hóa.")[1]), key)
        extra = {**said.extra, "recording": self.recording} if recorded else said.extra
        return said.model_copy(update={"due_at": self.now, "extra": extra})

    async def aired(self, channel: Loudspeaker, message: Message) -> tuple[Handle, Outcome]:
        handle = await channel.stage(message, 0)
        assert isinstance(handle, Handle), handle
        return handle, await channel.publish(message, 0, handle, ())

    async def silent(self, pending: Outcome) -> None:
        """Wait until the lines are silent, then let the clock go to the moment at which the engine looks."""
        assert isinstance(pending, Pending) and pending.retry_at, pending
        path = self.folder / airings.RECORDS / f"{pending.handle.data['airing']}.jsonl"
        while await asyncio.to_thread(airings.is_held, path):
            await asyncio.sleep(0.05)
        self.now = pending.retry_at


@pytest.fixture
async def desk(tmp_path: Path, anyio_backend: str) -> AsyncIterator[Desk]:
    made = Desk(tmp_path / "loa")
    yield made
    await made.wire.close()


@pytest.fixture
def brief(monkeypatch: pytest.MonkeyPatch) -> float:
    """Bulletins without chimes, so that a test is over soon; gives their length in seconds."""
    monkeypatch.setattr(studio, "programme", lambda *_, **__: short())
    return short().seconds


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Icecast]:
    silence = programme(air.tone(1.0, 50), "Yên lặng", "thử", synthetic=False).mp3
    with air.icecast(tmp_path_factory.mktemp("icecast") / "may-chu", silence) as running:
        yield running


async def test_what_a_listener_of_icecast_hears_is_the_programme(desk: Desk, server: Icecast) -> None:
    channel = desk.channel(
        transport="icecast",
        password=PASSWORD,
        clusters=[f"Cụm loa tổ 1 = {server.mount('x.mp3')}", f"Cụm loa tổ 2 = {server.mount('x.mp3')}"],
    )
    message = desk.message(channel)
    handle = await channel.stage(message, 0)
    assert isinstance(handle, Handle)
    due = time.monotonic()
    pending = await channel.publish(message, 0, handle, ())
    assert time.monotonic() - due < 1, "on air within a second"
    listener = Listener(server.mount("x.mp3"))
    try:
        assert isinstance(pending, Pending)
        during = await channel.find(message, 0, pending.handle, NOW)
        assert during.verdict == "unclear" and "Đang phát dở" in during.detail
        await desk.silent(pending)
        found = await channel.find(message, 0, pending.handle, NOW)
    finally:
        heard = listener.stop()
    took = listener.moments[-1][0] - listener.moments[0][0]
    sound = studio.where(desk.folder, studio.Take.model_validate(handle.data["take"]))
    want, got = measure(sound), measure(heard)
    assert got.seconds == pytest.approx(want.seconds, abs=0.3)
    assert got.integrated == pytest.approx(want.integrated, abs=0.5)
    assert took == pytest.approx(want.seconds, abs=1.5), "at the pace at which it is heard"
    assert found.verdict == "out" and found.detail == "Đã phát ở 2/2 cụm loa."
    figures = {one.name: one.value for one in (await channel.measure(str(found.remote_id))).figures}
    assert figures[AIR_SECONDS] == pytest.approx(want.seconds, abs=1) and figures["Cụm loa đã phát"] == 2
    gone = await channel.withdraw(str(found.remote_id))
    assert isinstance(gone, Refused) and "đã phát xong" in gone.detail


async def _until(true: Callable[[], bool]) -> None:
    for _ in range(100):
        if true():
            return
        await asyncio.sleep(0.05)


async def test_between_programmes_a_loudspeaker_stays_and_hears_silence(
    desk: Desk, server: Icecast, brief: float
) -> None:
    listener = Listener(server.mount())
    await _until(lambda: len(listener.heard) > 1000)
    before = len(listener.heard)
    channel = desk.channel(transport="icecast", password=PASSWORD, clusters=[f"Tổ 1 = {server.mount()}"])
    _, pending = await desk.aired(channel, desk.message(channel))
    await desk.silent(pending)
    await asyncio.sleep(0.3)
    heard, alive = len(listener.heard), listener.is_alive()
    listener.stop()
    assert before > 1000, "the fall-back plays"
    assert alive and heard > before, "still connected after the programme"


async def test_a_wrong_password_and_a_mount_in_use_are_told_apart(desk: Desk, server: Icecast, brief: float) -> None:
    place = [f"Tổ 1 = {server.mount('y.mp3')}"]
    stranger = desk.channel(transport="icecast", password="sai", clusters=place)
    handle, refused = await desk.aired(stranger, desk.message(stranger))
    assert isinstance(refused, Refused) and refused.reason is Reason.UNAUTHORIZED
    assert "sai mật khẩu" in refused.detail and PASSWORD not in repr(refused)
    assert await stranger.health() is Reason.UNAUTHORIZED
    assert airings.records(desk.folder, "k3f9x2abcd") == [], "nothing was heard, nothing is on record"
    channel = desk.channel(transport="icecast", password=PASSWORD, clusters=place)
    pending = await channel.publish(desk.message(channel), 0, handle, ())
    assert isinstance(pending, Pending) and await channel.health() is None
    other = desk.message(channel, "khachange1")
    _, busy = await desk.aired(channel, other)
    assert isinstance(busy, Deferred) and busy.reason is Reason.BUSY and "đang có nguồn khác" in busy.detail
    twice = await channel.publish(desk.message(channel), 0, handle, ())
    assert isinstance(twice, Unknown), "the same delivery is never on air twice at once"
    await desk.silent(pending)


async def test_a_server_that_dies_in_the_middle_is_told_with_the_second(
    desk: Desk, tmp_path: Path, brief: float
) -> None:
    with air.icecast(tmp_path / "may-chu", short().mp3) as server:
        channel = desk.channel(transport="icecast", password=PASSWORD, clusters=[f"Tổ 1 = {server.mount('z.mp3')}"])
        message = desk.message(channel)
        handle, pending = await desk.aired(channel, message)
        await asyncio.sleep(0.4)
        server.process.kill()
        await desk.silent(pending)
        assert isinstance(pending, Pending)
        found = await channel.find(message, 0, pending.handle, NOW)
        assert found.verdict == "unclear" and "ngắt giữa chừng" in found.detail
        server.process.wait()
        again = await channel.publish(desk.message(channel, "sauđó12345"), 0, handle, ())
        assert isinstance(again, Deferred) and again.reason is Reason.UNREACHABLE
        assert await channel.health() is Reason.UNREACHABLE


async def test_rtp_is_received_decoded_and_told_cluster_by_cluster(desk: Desk) -> None:
    one, group, closed = Receiver(), Receiver("239.192.77.1"), air.free_port(air.socket.SOCK_DGRAM)
    channel = desk.channel(
        transport="rtp",
        law="alaw",
        interface="127.0.0.1",
        clusters=[f"Tổ 1 = {one.address}", f"Tổ 2 = {group.address}", f"Tổ 3 = 127.0.0.1:{closed}"],
    )
    message = desk.message(channel)
    handle = await channel.stage(message, 0)
    assert isinstance(handle, Handle)
    due = time.monotonic()
    pending = await channel.publish(message, 0, handle, ())
    await desk.silent(pending)
    sound = studio.where(desk.folder, studio.Take.model_validate(handle.data["take"]))
    for packets in (one.stop(), group.stop()):
        _is_one_whole_stream(packets, 8)
        assert packets[0].at - due < 1, "on air within a second"
        assert air.jitter(packets) < 0.25
        assert b"".join(packet.payload for packet in packets).startswith(telephone(sound, "alaw"))
        got = measure(air.as_wav(b"".join(packet.payload for packet in packets), "alaw"))
        want = measure(air.as_wav(telephone(sound, "alaw"), "alaw"))
        assert got.seconds == pytest.approx(measure(sound).seconds, abs=0.1)
        assert got.integrated == pytest.approx(want.integrated, abs=0.3)
        assert got.integrated == pytest.approx(measure(sound).integrated, abs=2)
    assert isinstance(pending, Pending)
    found = await channel.find(message, 0, pending.handle, NOW)
    assert found.verdict == "out" and found.detail.startswith("Đã phát ở 2/3 cụm loa. Tổ 3: loa không nhận tiếng")
    figures = {one.name: one.value for one in (await channel.measure(str(found.remote_id))).figures}
    assert (figures["Cụm loa đã phát"], figures["Cụm loa không phát trọn"], figures["Cụm loa chưa rõ"]) == (2, 1, 0)


def _is_one_whole_stream(packets: list[air.Packet], kind: int) -> None:
    assert len({packet.ssrc for packet in packets}) == 1
    assert {(packet.kind, len(packet.payload)) for packet in packets} == {(kind, 160)}
    for before, packet in zip(packets, packets[1:], strict=False):
        assert (packet.sequence - before.sequence) & 0xFFFF == 1, "no packet lost, none doubled"
        step = (packet.timestamp - before.timestamp) & 0xFFFFFFFF
        assert (step > 160) if packet.marker else (step == 160), "the clock of 8 kHz, told where it was torn"
    assert packets[0].marker


async def test_the_pitch_is_kept_while_the_program_is_busy(desk: Desk, brief: float) -> None:
    receiver = Receiver()
    channel = desk.channel(transport="rtp", law="ulaw", clusters=[f"Tổ 1 = {receiver.address}"])
    _, pending = await desk.aired(channel, desk.message(channel))
    for _ in range(2):  # the event loop hangs, and another thread works without a pause
        hog = threading.Thread(target=_work)
        hog.start()
        time.sleep(0.5)
        hog.join()
    await desk.silent(pending)
    packets = receiver.stop()
    _is_one_whole_stream(packets, 0)
    assert len(packets) * 0.02 == pytest.approx(brief, abs=0.05)
    assert air.jitter(packets) < 0.25, "the event loop's delay does not tear the sound"
    assert _hertz(packets) == pytest.approx(HERTZ, rel=0.02)


def _work() -> int:
    total = 0
    for number in range(5_000_000):
        total += number
    return total


def _hertz(packets: list[air.Packet]) -> float:
    """The pitch of what arrived, by the times at which it rises through zero; µ-law keeps the sign in its first bit."""
    signs = [byte >> 7 for packet in packets[10:-10] for byte in packet.payload]
    rises = sum(1 for a, b in zip(signs, signs[1:], strict=False) if (a, b) == (0, 1))
    return rises / (len(signs) / 8000)


async def test_a_person_can_stop_what_is_on_the_air(desk: Desk, brief: float) -> None:
    receiver = Receiver()
    channel = desk.channel(transport="rtp", clusters=[f"Tổ 1 = {receiver.address}"])
    message = desk.message(channel)
    _, pending = await desk.aired(channel, message)
    assert isinstance(pending, Pending)
    await asyncio.sleep(0.3)
    gone = await channel.withdraw(str(pending.handle.remote_id))
    assert isinstance(gone, Published), gone
    assert len(receiver.stop()) * 0.02 < brief - 0.3
    assert await channel.withdraw(str(pending.handle.remote_id)) == gone, "asked again, it is silent already"
    found = await channel.find(message, 0, pending.handle, NOW)
    assert found.verdict == "out" and "Đã dừng theo yêu cầu" in found.detail


DYING = """
import asyncio, sys
from pathlib import Path
from tests.channels import test_on_air as here
async def main():
    here.studio.programme = lambda *_, **__: here.short()
    desk = here.Desk(Path(sys.argv[1]))
    channel = desk.channel(transport="rtp", clusters=[f"Tổ 1 = {sys.argv[2]}"])
    await desk.aired(channel, desk.message(channel))
    print("on air", flush=True)
    await asyncio.sleep(30)
asyncio.run(main())
"""


async def test_a_process_that_dies_on_the_air_leaves_word_and_nothing_begins_again(desk: Desk) -> None:
    receiver = Receiver()
    child = subprocess.Popen(
        [sys.executable, "-c", DYING, str(desk.folder), receiver.address],
        stdout=subprocess.PIPE, cwd=Path(__file__).parents[2],
    )  # fmt: skip
    assert child.stdout
    with child.stdout as said:
        assert await asyncio.to_thread(said.readline) == b"on air\n"
        await asyncio.sleep(0.4)
        child.send_signal(signal.SIGKILL)
        child.wait()
    heard = len(receiver.packets)
    channel = desk.channel(transport="rtp", clusters=[f"Tổ 1 = {receiver.address}"])
    found = await channel.find(desk.message(channel), 0, Handle(), NOW)
    assert found.verdict == "unclear" and found.detail.startswith("Bị ngắt giữa chừng")
    await asyncio.sleep(0.3)
    assert len(receiver.stop()) == heard > 10
    stored = {"transport": "rtp"}
    assert channel.promise is Certainty.BLIND and Loudspeaker.certainty_of(stored) is Certainty.BLIND
    assert (
        Loudspeaker.certainty_of({}) is Certainty.KEYED
        and Loudspeaker.certainty_of({"transport": 7}) is Certainty.BLIND
    )


async def test_nothing_leaves_when_it_may_not_any_more(desk: Desk, brief: float) -> None:
    receiver = Receiver()
    channel = desk.channel(transport="rtp", clusters=[f"Tổ 1 = {receiver.address}"])
    message = desk.message(channel)
    handle = await channel.stage(message, 0)
    assert isinstance(handle, Handle)
    token = may_leave.set(lambda: False)
    try:
        outcome = await channel.publish(message, 0, handle, ())
    finally:
        may_leave.reset(token)
    assert isinstance(outcome, Deferred) and "chưa có gì được phát" in outcome.detail
    assert receiver.stop() == [] and airings.records(desk.folder, "k3f9x2abcd") == []


async def test_an_address_that_is_not_allowed_says_what_to_do(desk: Desk, brief: float) -> None:
    channel = desk.channel(transport="rtp", clusters=["Tổ 1 = 127.0.0.1:50044"])
    desk.wire.guard = Guard()
    _, outcome = await desk.aired(channel, desk.message(channel))
    assert isinstance(outcome, Refused) and outcome.reason is Reason.MISCONFIGURED
    assert "«127.0.0.1:50044» vào network.allow" in outcome.detail
    assert await channel.health() is Reason.MISCONFIGURED


async def test_the_preview_voice_does_not_go_on_the_air_by_itself(desk: Desk, brief: float) -> None:
    place = ["Tổ 1 = 127.0.0.1:50044"]
    channel = desk.channel(transport="rtp", clusters=place)
    refused = await channel.stage(desk.message(channel, recorded=False), 0)
    assert isinstance(refused, Refused) and "bản nghe thử" in refused.detail
    silent = desk.channel(transport="rtp", clusters=place, voice=False)
    refused = await silent.stage(desk.message(silent, recorded=False), 0)
    assert isinstance(refused, Refused) and "chưa có âm thanh" in refused.detail
    urgent = desk.channel(transport="rtp", clusters=place, preview_on_air=True)
    assert isinstance(await urgent.stage(desk.message(urgent, recorded=False), 0), Handle)


async def test_a_sound_that_is_gone_is_made_again_before_anything_is_heard(desk: Desk, brief: float) -> None:
    receiver = Receiver()
    channel = desk.channel(transport="rtp", clusters=[f"Tổ 1 = {receiver.address}"])
    message = desk.message(channel)
    handle = await channel.stage(message, 0)
    assert isinstance(handle, Handle)
    studio.where(desk.folder, studio.Take.model_validate(handle.data["take"])).unlink()
    outcome = await channel.publish(message, 0, handle, ())
    assert isinstance(outcome, Deferred) and receiver.stop() == []
    assert (await channel.find(message, 0, handle, NOW)).verdict == "absent"


def test_a_pause_moves_the_rest_back_and_a_long_one_ends_the_airing() -> None:
    clock = [100.0]
    pace = Pace(now=lambda: clock[0], sleep=lambda seconds: clock.__setitem__(0, clock[0] + seconds))
    assert pace.wait(1.0) == 0 and clock[0] == 101.0
    clock[0] += 3.0
    assert pace.wait(1.02) == pytest.approx(2.98) and not pace.torn
    pace.wait(2.02)
    assert clock[0] == pytest.approx(105.0), "after a pause it goes on at its own pace, without a burst"
    clock[0] += 40
    pace.wait(2.04)
    assert pace.torn


def test_packets_go_round_and_tell_of_a_pause() -> None:
    packets = Packets("ulaw", sequence=65_535, timestamp=2**32 - 160, ssrc=7)
    first, second = packets.next(b"a" * 160), packets.next(b"b" * 160)
    assert first[1] == 0x80 and second[1] == 0
    assert second[2:8] == b"\0\0\0\0\0\0"
    packets.pause(1.0)
    third = packets.next(b"c" * 160)
    assert third[1] == 0x80 and int.from_bytes(third[4:8], "big") == 160 + 8000


def test_a_sleeping_machine_ends_the_airing_with_the_second() -> None:
    clock = [0.0]
    receiver = Receiver()
    host, _, port = receiver.address.partition(":")
    pace = Pace(now=lambda: clock[0], sleep=lambda seconds: clock.__setitem__(0, clock[0] + seconds))
    guard = Guard(frozenset({receiver.address}))
    line = RtpLine(host, int(port), bytes(16_000), "ulaw", 1, "", guard, lambda: pace)
    line.open(lambda: True)
    clock[0] = 3600.0
    ending = line.run(lambda: False, lambda _: None)
    assert ending == Ending("failed", 0.02, "máy phát bị ngắt quãng quá lâu (máy ngủ hoặc treo)")
    receiver.stop()
    with pytest.raises(NotBegun):
        RtpLine("khong-co-may-nay.invalid", 5004, bytes(160), "ulaw", 1, "", guard).open(lambda: True)


async def test_records_survive_a_full_day_of_damage(desk: Desk, brief: float) -> None:
    receiver = Receiver()
    channel = desk.channel(transport="rtp", clusters=[f"Tổ 1 = {receiver.address}"])
    message = desk.message(channel)
    _, pending = await desk.aired(channel, message)
    await desk.silent(pending)
    receiver.stop()
    (path,) = airings.records(desk.folder, "k3f9x2abcd")
    path.write_bytes(path.read_bytes() + b'{"event":"cluster"\n\xff\xfe')
    assert isinstance(pending, Pending)
    assert (await channel.find(message, 0, pending.handle, NOW)).verdict == "out"
    path.write_bytes(b"rac")
    assert (await channel.find(message, 0, pending.handle, NOW)).verdict == "absent"
    assert (await channel.measure("../../etc")).reason is Reason.NOT_FOUND
    assert isinstance(await channel.withdraw("../../etc"), Refused)
    desk.now += timedelta(days=1)
