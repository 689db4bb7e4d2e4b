"""Icecast: one source client a mount, HTTP PUT with ``Expect: 100-continue``, the MP3 at the pace at which it is heard.

https://people.xiph.org/~epirat/protocol_rfc_draft/ and https://cast.readme.io/docs/icecast (read 2026-11-22); Icecast
2.4.4 answers ``100 Continue`` and then at once ``HTTP/1.0 200 OK`` (https://github.com/xiph/Icecast-Server/issues/8).
401: wrong password; 403: mount in use, or a type it does not take. Until the first byte of sound has left, nothing was
heard. HTTP itself is spoken by h11 (https://h11.readthedocs.io/en/latest/api.html); the socket is ours, because the one
client of this program waits for no answer that takes a quarter of an hour.
"""

import base64
import math
import select
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import h11

from channels.contract import Reason
from channels.loudspeaker.transports.lines import TOO_SLOW, TORN, Ending, NotBegun, not_allowed
from channels.loudspeaker.transports.pace import Pace
from channels.loudspeaker.transports.ways import web_endpoint
from channels.wire import Guard, Refusal

ANSWER_SECONDS = 5.0
LEAD = 1.0  # seconds of sound that the server holds ahead of what is heard
PIECE = 0.1
_REFUSED = {
    401: (Reason.UNAUTHORIZED, "sai mật khẩu nguồn phát"),
    403: (Reason.BUSY, "điểm phát đang có nguồn khác, hoặc máy chủ không nhận loại tệp này"),
    404: (Reason.NOT_FOUND, "máy chủ không có điểm phát này"),
    503: (Reason.BUSY, "máy chủ đang quá tải"),
}


@dataclass
class IcecastLine:
    """One programme to one mount: ``sound`` is the MP3 without its tags, ``seconds`` how long it lasts."""

    address: str
    user: str
    password: str = field(repr=False)
    name: str
    sound: bytes = field(repr=False)
    seconds: float
    guard: Guard
    pace: Callable[[], Pace] = Pace

    def open(self, leave: Callable[[], bool]) -> None:
        """Be let in as the mount's source; raises NotBegun, after which nothing was heard."""
        self._http = h11.Connection(h11.CLIENT)
        self._socket = self._connected()
        try:
            if not leave():
                raise NotBegun(Reason.UNREACHABLE, TOO_SLOW)
            self._socket.sendall(self._http.send(self._request()) or b"")
            self._let_in()
        except (OSError, h11.ProtocolError) as error:
            self._socket.close()
            raise NotBegun(Reason.UNREACHABLE, "máy chủ Icecast không trả lời") from error
        except NotBegun:
            self._socket.close()
            raise
        self._pace = self.pace()

    def run(self, stopped: Callable[[], bool], progress: Callable[[float], None]) -> Ending:
        """Send the sound as it is heard, a second ahead; leave when the last of it was heard."""
        pieces = math.ceil(self.seconds / PIECE)
        with self._socket:
            for number in range(pieces + round(LEAD / PIECE)):
                heard = min(max(0.0, number * PIECE - LEAD), self.seconds)
                self._pace.wait(heard)
                if self._pace.torn:
                    return Ending("failed", heard, TORN)
                progress(heard)
                if stopped():
                    return Ending("stopped", heard)
                if not (self._sent(number) if number < pieces else self._alive()):
                    return Ending("failed", heard, "máy chủ Icecast ngắt giữa chừng")
            self._pace.wait(self.seconds)
        return Ending("played", self.seconds)

    def _connected(self) -> socket.socket:
        host, port = web_endpoint(self.address)
        try:
            found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            addresses = self.guard.check(host, port, dict.fromkeys(str(one[4][0]) for one in found))
            plain = socket.create_connection((addresses[0], port), timeout=ANSWER_SECONDS)
        except Refusal as error:
            raise NotBegun(Reason.MISCONFIGURED, not_allowed(host, port)) from error
        except OSError as error:
            raise NotBegun(Reason.UNREACHABLE, f"không kết nối được với {host}:{port}") from error
        if urlsplit(self.address).scheme != "https":
            return plain
        try:
            return ssl.create_default_context().wrap_socket(plain, server_hostname=host)
        except OSError as error:
            plain.close()
            raise NotBegun(Reason.UNREACHABLE, f"chứng thư TLS của {host} không dùng được") from error

    def _request(self) -> h11.Request:
        parts = urlsplit(self.address)
        pair = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        headers = {
            "Host": parts.netloc,
            "Authorization": f"Basic {pair}",
            "User-Agent": "LanToa/1.0",
            "Content-Type": "audio/mpeg",
            "Content-Length": str(len(self.sound)),
            "Ice-Public": "0",
            "Ice-Name": self.name,
            "Ice-Bitrate": str(round(len(self.sound) * 8 / self.seconds / 1000)),
            "Expect": "100-continue",
        }
        named = [(name.encode(), value.encode()) for name, value in headers.items()]
        return h11.Request(method="PUT", target=parts.path or "/", headers=named)

    def _let_in(self) -> None:
        answer = self._answer()
        if answer is not None and answer.status_code not in (100, 200):
            reason, detail = _REFUSED.get(
                answer.status_code, (Reason.BUSY, f"máy chủ trả lời HTTP {answer.status_code}")
            )
            raise NotBegun(reason, detail)
        if answer is None:
            raise NotBegun(Reason.UNREACHABLE, "máy chủ Icecast đóng kết nối")

    def _answer(self) -> h11.InformationalResponse | h11.Response | None:
        """The first answer; None where the connection was closed without one. Raises TimeoutError."""
        while True:
            event = self._http.next_event()
            if isinstance(event, h11.InformationalResponse | h11.Response):
                return event
            if event is not h11.NEED_DATA:
                return None
            received = self._socket.recv(4096)
            if not received:
                return None
            self._http.receive_data(received)

    def _sent(self, number: int) -> bool:
        size = len(self.sound) / self.seconds * PIECE
        piece = self.sound[round(number * size) : round((number + 1) * size)]
        try:
            self._socket.sendall(piece)
        except OSError:
            return False
        return self._alive()

    def _alive(self) -> bool:
        """Whether the server still holds the connection; what it says meanwhile (the 200 of 2.4.4) is read away."""
        try:
            while select.select([self._socket], [], [], 0)[0]:
                if not self._socket.recv(4096):
                    return False
        except TimeoutError:
            return True  # half a TLS record
        except OSError:
            return False
        return True
