"""Real parts for the loudspeakers' tests: an Icecast of its own, a listener, RTP receivers, sounds to be recognised."""

import math
import os
import shutil
import socket
import struct
import subprocess
import tempfile
import threading
import time
import wave
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from io import BytesIO
from pathlib import Path

from content.audio import Programme, lighter, untagged

ICECAST = """<icecast>
  <limits><clients>20</clients><sources>4</sources><source-timeout>5</source-timeout></limits>
  <authentication><source-password>{password}</source-password><admin-user>admin</admin-user>
    <admin-password>quan-tri-{password}</admin-password></authentication>
  <hostname>127.0.0.1</hostname>
  <listen-socket><port>{port}</port><bind-address>127.0.0.1</bind-address></listen-socket>
  <mount type="normal"><mount-name>/phuong.mp3</mount-name><fallback-mount>/yen-lang.mp3</fallback-mount>
    <fallback-override>1</fallback-override></mount>
  <fileserve>1</fileserve>
  <paths><basedir>{folder}</basedir><logdir>{folder}</logdir><webroot>{folder}/web</webroot>
    <adminroot>/usr/share/icecast2/admin</adminroot></paths>
  <logging><errorlog>error.log</errorlog><accesslog>access.log</accesslog><loglevel>3</loglevel></logging>
  <security><chroot>0</chroot><changeowner><user>icecast2</user><group>icecast</group></changeowner></security>
</icecast>
"""
PASSWORD = "mat-khau-nguon-9f3"


def free_port(kind: int = socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET, kind) as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@dataclass
class Icecast:
    port: int
    process: "subprocess.Popen[bytes]"

    def mount(self, name: str = "phuong.mp3") -> str:
        return f"http://127.0.0.1:{self.port}/{name}"


@contextmanager
def icecast(folder: Path, silence: bytes) -> Iterator[Icecast]:
    """Debian's icecast2 on a free port, with silence between the programmes."""
    program = shutil.which("icecast2")
    assert program, "icecast2 is not installed: make tools"
    port = free_port()
    (folder / "web").mkdir(parents=True)
    (folder / "web" / "yen-lang.mp3").write_bytes(silence)
    (folder / "icecast.xml").write_text(ICECAST.format(port=port, password=PASSWORD, folder=folder), "utf-8")
    for above in folder.parents:  # run as root, icecast works as its own user, who must be able to get in
        if above.stat().st_uid == os.getuid() and not above.stat().st_mode & 0o001:
            above.chmod(above.stat().st_mode | 0o005)
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o777)
    process = _started([program, "-c", str(folder / "icecast.xml")], port)
    try:
        yield Icecast(port, process)
    finally:
        process.kill()
        process.wait()


def _started(command: list[str], port: int) -> "subprocess.Popen[bytes]":
    """A running icecast2. 2.4.4 with a fallback file dies by SIGSEGV in about one start of 17 (9 of 150 measured)."""
    for _ in range(5):
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if _listens(process, port):
            return process
        process.kill()
    raise AssertionError("icecast2 does not listen after five starts")


def _listens(process: "subprocess.Popen[bytes]", port: int) -> bool:
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port), 0.2).close()
            return True
        except OSError:
            if process.poll() is not None:
                return False
            time.sleep(0.05)
    return False


class Listener(threading.Thread):
    """A loudspeaker that stays connected to a mount and keeps what it hears."""

    def __init__(self, url: str) -> None:
        super().__init__(daemon=True)
        host, port = url.removeprefix("http://").partition("/")[0].split(":")
        self._socket = socket.create_connection((host, int(port)), 10)
        path = "/" + url.removeprefix("http://").partition("/")[2]
        self._socket.sendall(f"GET {path} HTTP/1.0\r\nHost: {host}\r\n\r\n".encode())
        self.heard = bytearray()
        self.moments: list[tuple[float, int]] = []
        self.start()

    def run(self) -> None:
        try:
            while piece := self._socket.recv(4096):
                self.heard += piece
                self.moments.append((time.monotonic(), len(self.heard)))
        except OSError:
            return

    def stop(self) -> bytes:
        self._socket.close()
        self.join(2)
        return bytes(self.heard).partition(b"\r\n\r\n")[2]


@dataclass(frozen=True)
class Packet:
    at: float
    marker: bool
    kind: int
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes = field(repr=False)


class Receiver(threading.Thread):
    """What listens for RTP, unicast or as a member of a multicast group on the loopback."""

    def __init__(self, group: str = "") -> None:
        super().__init__(daemon=True)
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)
        self._socket.bind((group or "127.0.0.1", 0))
        if group:
            member = socket.inet_aton(group) + socket.inet_aton("127.0.0.1")
            self._socket.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, member)
        self.address = f"{group or '127.0.0.1'}:{self._socket.getsockname()[1]}"
        self._socket.settimeout(0.2)
        self._over = False
        self.packets: list[Packet] = []
        self.start()

    def run(self) -> None:
        while not self._over:
            try:
                data = self._socket.recv(2048)
            except TimeoutError:
                continue
            except OSError:
                return
            at = time.monotonic()
            first, second, sequence, timestamp, ssrc = struct.unpack("!BBHII", data[:12])
            assert first == 0x80
            self.packets.append(Packet(at, bool(second & 0x80), second & 0x7F, sequence, timestamp, ssrc, data[12:]))

    def stop(self) -> list[Packet]:
        self._over = True
        self.join(2)
        self._socket.close()
        return self.packets


def jitter(packets: list[Packet]) -> float:
    """How far from their place in the row of timestamps 19 of 20 packets arrive at most, in seconds.

    One in twenty may come later: these tests run on machines that do much else.
    """
    late = [packet.at - (packet.timestamp - packets[0].timestamp) % 2**32 / 8000 for packet in packets]
    middle = sorted(late)[len(late) // 2]
    return sorted(abs(one - middle) for one in late)[len(late) * 19 // 20]


def tone(seconds: float, hertz: float = 440.0) -> bytes:
    """A WAV of one pure tone, as a recording that can be recognised."""
    rate = 44_100
    samples = (round(9000 * math.sin(2 * math.pi * hertz * n / rate)) for n in range(round(seconds * rate)))
    file = BytesIO()
    with wave.open(file, "wb") as out:
        out.setnchannels(1)
        out.setsampwidth(2)
        out.setframerate(rate)
        out.writeframes(b"".join(struct.pack("<h", sample) for sample in samples))
    return file.getvalue()


@cache
def short() -> Programme:
    """A bulletin of a tone and nothing else, so that a test is over soon."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "tieng.wav"
        path.write_bytes(tone(1.2))
        mp3 = untagged(lighter(path, 128))
    return Programme(mp3, len(mp3) / 16_000, -16.0)


def as_wav(coded: bytes, law: str) -> bytes:
    """G.711 in a WAV, so that any program can read it (format 6: A-law, 7: µ-law)."""
    head = struct.pack("<HHIIHHH", {"alaw": 6, "ulaw": 7}[law], 1, 8000, 8000, 1, 8, 0)
    body = b"WAVEfmt " + struct.pack("<I", len(head)) + head + b"data" + struct.pack("<I", len(coded)) + coded
    return b"RIFF" + struct.pack("<I", len(body)) + body
