"""Carrying one letter to the mail server, step by step, so that it is known at which step something went wrong.

aiosmtplib speaks (https://aiosmtplib.readthedocs.io/en/stable/, 5.1.3, MIT, read on 22/11/2026); every address goes through
the guard first. A letter's connection is kept for the next reader's, at most KEPT_SECONDS, so that a list costs few logins.
The visible step begins with the recipient's name; whether it may begin is asked just before, and again before the words.
"""

import asyncio
import logging
import re
import socket
import ssl
from contextlib import suppress
from dataclasses import dataclass, field, replace

import aiosmtplib
import certifi
from aiosmtplib import SMTP, SMTPResponse

from channels.email.answers import Heard, Reply, Said, Silent, Step, read
from channels.email.settings import EmailSettings
from channels.guard import Guard, Refusal
from channels.wire import KEPT_SECONDS, Wire, may_leave

logging.getLogger("mail.log").setLevel(logging.WARNING)

PORTS = frozenset({25, 465, 587, 2525, 993})
LETTERS_PER_CONNECTION = 100
WAIT_SECONDS = 25.0
BEFORE_SECONDS = 45.0
TOO_LATE = "TooLate"
NO_LINE_FREE = "NoLineFree"
_LONE_END = re.compile(rb"\r\n|\r|\n")
_DOT = re.compile(rb"(?m)^\.")


@dataclass(frozen=True)
class Envelope:
    """What the server is told: from whom (where it comes back to), for whom, and the letter."""

    sender: str
    recipient: str
    letter: bytes = field(repr=False)


@dataclass
class Line:
    """One open connection to the server."""

    smtp: SMTP
    idle_since: float = 0.0
    letters: int = 0

    @property
    def usable(self) -> bool:
        """Whether another letter may go over it."""
        fresh = asyncio.get_running_loop().time() - self.idle_since < KEPT_SECONDS
        return fresh and self.smtp.is_connected and self.letters < LETTERS_PER_CONNECTION

    async def quit(self) -> None:
        """Say good-bye and close."""
        with suppress(aiosmtplib.SMTPException, OSError, TimeoutError):
            await self.smtp.quit(timeout=2)
        self.smtp.close()


class Broken(Exception):
    """A step did not end with its yes."""

    def __init__(self, heard: Heard) -> None:
        super().__init__(heard.step)
        self.heard = heard


class Lines:
    """The connections to one server: no more at once than the settings allow, kept for a moment after use."""

    def __init__(self, wire: Wire, settings: EmailSettings) -> None:
        self.settings = settings
        self.guard = replace(wire.guard, ports=PORTS)
        self.timeout = wire.timeout
        self._free: list[Line] = []
        self._slots = asyncio.Semaphore(settings.connections)
        self._sweep: asyncio.TimerHandle | None = None

    async def carry(self, envelope: Envelope) -> Heard | None:
        """Hand one letter over, tried once; None when the server took it."""
        try:
            async with asyncio.timeout(WAIT_SECONDS):
                await self._slots.acquire()
        except TimeoutError:
            return Silent(step="connect", kind=NO_LINE_FREE)
        try:
            return await self._carry(envelope)
        except Broken as broken:
            return broken.heard
        finally:
            self._slots.release()

    async def knock(self) -> Heard | None:
        """Open a connection, sign in and leave; None when all went well."""
        try:
            line = await self._opened()
        except Broken as broken:
            return broken.heard
        await line.quit()
        return None

    async def close(self) -> None:
        """Close what is kept."""
        if self._sweep is not None:
            self._sweep.cancel()
        while self._free:
            await self._free.pop().quit()

    async def _carry(self, envelope: Envelope) -> Heard | None:
        try:
            async with asyncio.timeout(BEFORE_SECONDS):
                line = await self._introduced(envelope)
        except TimeoutError as error:
            raise Broken(Silent(step="connect", kind="TimeoutError")) from error
        try:
            await self._hand_over(line, envelope.letter)
        except Broken as broken:
            await self._put_back(line, broken.heard)
            raise
        except BaseException:
            line.smtp.close()
            raise
        await self._put_back(line, None)
        return None

    async def _introduced(self, envelope: Envelope) -> Line:
        """A line whose server waits for the words: who writes and for whom are said, nothing is sent yet."""
        line = await self._with_sender(envelope)
        try:
            if not may_leave.get()():
                raise Broken(Silent(step="recipient", kind=TOO_LATE))
            await self._step(line, "recipient", f"RCPT TO:<{envelope.recipient}>", (250, 251, 252))
            await self._step(line, "data", "DATA", (354,))
        except Broken as broken:
            await self._put_back(line, broken.heard)
            raise
        except BaseException:
            line.smtp.close()
            raise
        return line

    async def _with_sender(self, envelope: Envelope) -> Line:
        """A line on which the sender was named. A kept one may have been hung up meanwhile: then a fresh one is opened."""
        while (line := self._kept()) is not None:
            try:
                await self._named(line, envelope)
                return line
            except Broken as broken:
                line.smtp.close()
                if isinstance(broken.heard, Said) and broken.heard.reply.code != 421:
                    raise
        line = await self._opened()
        try:
            await self._named(line, envelope)
        except BaseException:
            line.smtp.close()
            raise
        return line

    async def _named(self, line: Line, envelope: Envelope) -> None:
        size = f" SIZE={len(envelope.letter)}" if line.smtp.supports_extension("size") else ""
        await self._step(line, "sender", f"MAIL FROM:<{envelope.sender}>{size}", (250,))

    async def _hand_over(self, line: Line, letter: bytes) -> None:
        """The words themselves; after the final dot only the server knows."""
        protocol = line.smtp.protocol
        if not may_leave.get()() or protocol is None:
            raise Broken(Silent(step="data", kind=TOO_LATE))  # closed without the final dot, nothing is delivered
        try:
            protocol.write(_stuffed(letter))
            reply = _read(await protocol.read_response(timeout=self.timeout * 2))
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            raise Broken(Silent(step="dot", kind=type(error).__name__)) from error
        if reply is None:
            raise Broken(Silent(step="dot", kind="Unreadable"))
        if not 200 <= reply.code < 300:
            raise Broken(Said(step="dot", reply=reply))

    async def _step(self, line: Line, step: Step, command: str, yes: tuple[int, ...]) -> None:
        try:
            reply = _read(await line.smtp.execute_command(command.encode("ascii"), timeout=self.timeout))
        except (aiosmtplib.SMTPException, OSError, TimeoutError, ValueError) as error:
            raise Broken(Silent(step=step, kind=type(error).__name__)) from error
        if reply is None:
            raise Broken(Silent(step=step, kind="Unreadable"))
        if reply.code not in yes:
            raise Broken(Said(step=step, reply=reply))

    def _kept(self) -> Line | None:
        while self._free:
            line = self._free.pop()
            if line.usable:
                return line
            line.smtp.close()
        return None

    async def _put_back(self, line: Line, heard: Heard | None) -> None:
        """Keep the line for the next letter where the server is still there and listens for one."""
        line.letters += 1
        try:
            if heard is not None:
                if not isinstance(heard, Said) or heard.reply.code == 421:
                    raise Broken(heard)
                await self._step(line, "sender", "RSET", (250,))
        except Broken:
            line.smtp.close()
            return
        line.idle_since = asyncio.get_running_loop().time()
        self._free.append(line)
        self._sweep_later()

    def _sweep_later(self) -> None:
        if self._sweep is not None:
            self._sweep.cancel()
        self._sweep = asyncio.get_running_loop().call_later(KEPT_SECONDS + 0.5, self._drop_idle)

    def _drop_idle(self) -> None:
        for line in self._free:
            line.smtp.close()
        self._free.clear()

    async def _opened(self) -> Line:
        """A fresh connection, encrypted and signed in as the settings say."""
        own = self.settings
        smtp = SMTP(
            hostname=own.smtp_host, timeout=self.timeout, use_tls=own.security == "tls", start_tls=False,
            tls_context=trusted(own.ca_file) if own.security != "plain" else None, local_hostname=own.domain,
            sock=await _dialled(self.guard, own.smtp_host, own.smtp_port, self.timeout),
        )  # fmt: skip
        try:
            await self._greeted(smtp)
            if own.security == "starttls":
                await self._encrypted(smtp)
            if own.username:
                await self._signed_in(smtp)
        except BaseException:
            smtp.close()
            raise
        return Line(smtp, asyncio.get_running_loop().time())

    async def _greeted(self, smtp: SMTP) -> None:
        try:
            await smtp.connect()
            await smtp.ehlo()
        except aiosmtplib.SMTPResponseException as error:
            raise Broken(_refusal("connect", error)) from error
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            raise Broken(Silent(step=_stage(error), kind=_name(error))) from error

    async def _encrypted(self, smtp: SMTP) -> None:
        try:
            await smtp.starttls(server_hostname=self.settings.smtp_host)
            await smtp.ehlo()
        except aiosmtplib.SMTPResponseException as error:
            raise Broken(_refusal("tls", error)) from error
        except (ssl.SSLError, aiosmtplib.SMTPNotSupported) as error:
            raise Broken(Silent(step="tls", kind=_name(error))) from error
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            raise Broken(Silent(step=_stage(error), kind=_name(error))) from error

    async def _signed_in(self, smtp: SMTP) -> None:
        try:
            await smtp.login(self.settings.username, self.settings.password)
        except aiosmtplib.SMTPResponseException as error:
            raise Broken(_refusal("auth", error)) from None
        except (aiosmtplib.SMTPServerDisconnected, OSError, TimeoutError) as error:
            raise Broken(Silent(step="connect", kind=_name(error))) from None
        except aiosmtplib.SMTPException:  # the server offers no way of signing in that we know
            raise Broken(Said(step="auth", reply=Reply(code=504))) from None


def lines(wire: Wire, settings: EmailSettings) -> Lines:
    """The connections of these settings, shared by everybody who speaks through this client."""
    return wire.keep(("smtp", settings), lambda: Lines(wire, settings))


def _read(response: SMTPResponse) -> Reply | None:
    return read(response.code, response.message)


def _refusal(step: Step, error: aiosmtplib.SMTPResponseException) -> Heard:
    reply = read(error.code, error.message)
    return Said(step=step, reply=reply) if reply else Silent(step="connect", kind="Unreadable")


def _stage(error: BaseException) -> Step:
    """A certificate that cannot be trusted is for a person; a line that broke is not."""
    return "tls" if isinstance(error, ssl.SSLError) or isinstance(error.__cause__, ssl.SSLError) else "connect"


def _name(error: BaseException) -> str:
    return type(error.__cause__ or error).__name__


def _stuffed(letter: bytes) -> bytes:
    """With ends of line as they must be, a dot before each dot that begins a line, and the final one (RFC 5321 4.5.2)."""
    whole = _DOT.sub(b"..", _LONE_END.sub(b"\r\n", letter))
    return whole + (b"" if whole.endswith(b"\r\n") else b"\r\n") + b".\r\n"


def trusted(ca_file: str) -> ssl.SSLContext:
    """Whom we believe: the machine's own certificates, the usual ones, and an office's own where it has one."""
    context = ssl.create_default_context()
    if ca_file:
        context.load_verify_locations(ca_file)
    context.load_verify_locations(certifi.where())
    return context


async def _dialled(guard: Guard, host: str, port: int, timeout: float) -> socket.socket:
    """A connected socket to one of the host's checked addresses; raises Broken."""
    try:
        guard.check_target(host, port)
        addresses = await guard.resolve(host, port)
    except Refusal as error:
        raise Broken(Silent(step="connect", kind="Refusal")) from error
    except OSError as error:
        raise Broken(Silent(step="connect", kind=type(error).__name__)) from error
    failure: Exception = OSError()
    for address in addresses:
        try:
            return await connected(address, port, timeout)
        except (OSError, TimeoutError) as error:
            failure = error
    raise Broken(Silent(step="connect", kind=type(failure).__name__)) from failure


async def connected(address: str, port: int, timeout: float) -> socket.socket:
    """A socket connected to an address that was checked before; raises OSError, TimeoutError."""
    sock = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        async with asyncio.timeout(timeout):
            await asyncio.get_running_loop().sock_connect(sock, (address, port))
    except BaseException:
        sock.close()
        raise
    return sock
