"""RTP: G.711 at 8 kHz mono in packets of 20 ms (RFC 3550, RFC 3551 payload types 0 and 8), unicast or multicast.

RTP has no acknowledgement: what is known is that every packet left this machine. A pause in the sending is told to the
receivers as RFC 3551 4.1 wants it: the timestamp goes on with the clock and the marker bit starts a new spurt of talk.
"""

import secrets
import socket
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from channels.contract import Reason
from channels.loudspeaker.transports.lines import TOO_SLOW, TORN, Ending, NotBegun, not_allowed
from channels.loudspeaker.transports.pace import Pace
from channels.loudspeaker.transports.ways import Law, is_multicast
from channels.wire import Guard, Refusal

RATE = 8000
PACKET_SECONDS = 0.02
SAMPLES = 160
PAYLOAD_TYPE: dict[Law, int] = {"ulaw": 0, "alaw": 8}
_SILENCE: dict[Law, bytes] = {"ulaw": b"\xff", "alaw": b"\xd5"}
_CLEAN = 50  # packets in a row without an error: the network is there
_PATIENCE = 5.0  # seconds of a closed port or a lost network, and the line has failed
_EVERY = 12  # packets between two looks at whether to stop


@dataclass
class Packets:
    """The packets of one stream: random SSRC, sequence number and timestamp to begin with (RFC 3550 5.1)."""

    law: Law
    sequence: int = field(default_factory=lambda: secrets.randbits(16))
    timestamp: int = field(default_factory=lambda: secrets.randbits(32))
    ssrc: int = field(default_factory=lambda: secrets.randbits(32))
    fresh: bool = True

    def next(self, payload: bytes) -> bytes:
        """The next 20 ms on the wire."""
        marker = 0x80 if self.fresh else 0
        head = struct.pack("!BBHII", 0x80, marker | PAYLOAD_TYPE[self.law], self.sequence, self.timestamp, self.ssrc)
        self.fresh = False
        self.sequence = (self.sequence + 1) & 0xFFFF
        self.timestamp = (self.timestamp + SAMPLES) & 0xFFFFFFFF
        return head + payload

    def pause(self, seconds: float) -> None:
        """Nothing was sent for so long: the clock went on, and a new spurt begins."""
        self.timestamp = (self.timestamp + round(seconds * RATE)) & 0xFFFFFFFF
        self.fresh = True


@dataclass
class RtpLine:
    """One programme to one address."""

    host: str
    port: int
    sound: bytes = field(repr=False)
    law: Law
    ttl: int
    interface: str
    guard: Guard
    pace: Callable[[], Pace] = Pace

    def open(self, leave: Callable[[], bool]) -> None:
        """Find the way and send the first packet; raises NotBegun, after which nothing was heard."""
        self._packets, self._chunks = Packets(self.law), _chunks(self.sound, self.law)
        try:
            self._socket = self._way()
        except Refusal as error:
            raise NotBegun(Reason.MISCONFIGURED, not_allowed(self.host, self.port)) from error
        except OSError as error:
            raise NotBegun(Reason.UNREACHABLE, self._no_way) from error
        detail = TOO_SLOW if not leave() else None if self._sent(next(self._chunks)) else self._no_way
        if detail is not None:
            self._socket.close()
            raise NotBegun(Reason.UNREACHABLE, detail)
        self._pace = self.pace()

    def run(self, stopped: Callable[[], bool], progress: Callable[[float], None]) -> Ending:
        """Send the rest at its own pace until its end, the wish to stop, or a network that stays away."""
        clean, good = 0, 0.0
        with self._socket:
            for number, chunk in enumerate(self._chunks, 1):
                seconds = number * PACKET_SECONDS
                if torn := self._pace.wait(seconds):
                    self._packets.pause(torn)
                if self._pace.torn:
                    return Ending("failed", seconds, TORN)
                if number % _EVERY == 0:
                    progress(seconds)
                    if stopped():
                        return Ending("stopped", seconds)
                clean = clean + 1 if self._sent(chunk) else 0
                good = seconds if clean >= _CLEAN else good
                if clean == 0 and seconds - good > _PATIENCE:
                    return Ending("failed", good, f"loa không nhận tiếng ở {self.host}:{self.port}")
        return Ending("played", len(self.sound) / RATE)

    def reach(self) -> Reason | None:
        """Why there is no way to the address, or None; sends nothing."""
        try:
            self._way().close()
        except Refusal:
            return Reason.MISCONFIGURED
        except OSError:
            return Reason.UNREACHABLE
        return None

    @property
    def _no_way(self) -> str:
        return f"không có đường tới {self.host}:{self.port}"

    def _sent(self, chunk: bytes) -> bool:
        try:
            self._socket.send(self._packets.next(chunk))
        except OSError:
            return False
        return True

    def _way(self) -> socket.socket:
        found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_DGRAM)[0]
        address = self.guard.check(self.host, self.port, [str(found[4][0])])[0]
        sending = socket.socket(found[0], socket.SOCK_DGRAM)
        try:
            if is_multicast(address):
                self._as_multicast(sending)
            sending.connect((address, self.port))  # so that a closed port is heard of
        except OSError:
            sending.close()
            raise
        return sending

    def _as_multicast(self, sending: socket.socket) -> None:
        if sending.family == socket.AF_INET6:
            sending.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, self.ttl)
            return
        sending.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, self.ttl)
        if self.interface:
            sending.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(self.interface))


def _chunks(sound: bytes, law: Law) -> Iterator[bytes]:
    """The sound in pieces of 20 ms, the last one filled up with silence."""
    for start in range(0, len(sound), SAMPLES):
        yield sound[start : start + SAMPLES].ljust(SAMPLES, _SILENCE[law])
