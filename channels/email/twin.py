"""The mail server of a rehearsal: takes letters over SMTP, keeps them, delivers none, and can be told to misbehave.

aiosmtpd speaks the protocol (https://aiosmtpd.readthedocs.io/, 1.4.6, Apache-2.0, read on 22/11/2026). Its pages show each
letter as its reader would see it; pictures come from the letter itself, nothing is fetched.
"""

import asyncio
import hashlib
import hmac
import logging
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any
from urllib.parse import urlsplit

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from starlette.routing import BaseRoute

from channels.email import twin_pages
from channels.twin import Trace, Twin, TwinState, side_door
from content.text import slug

log = logging.getLogger("lantoa.twin")
logging.getLogger("mail.log").setLevel(logging.ERROR)
logging.getLogger("mail.debug").setLevel(logging.ERROR)

KIND = "email"
LARGEST = 25_000_000
LETTER = "smtp/letter"
TRIES = 25


def login_of(account: str) -> str:
    """The name under which a ward signs in: its account in ASCII."""
    return slug(account) or "phuong"


def password_of(login: str) -> str:
    """The password that the twin takes for a name."""
    return hashlib.sha256(f"twin:{login}".encode()).hexdigest()[:24]


class EmailTwin(Twin):
    """The server and its mailboxes; letters are numbered as they come."""

    kind = KIND

    def __init__(self, state: TwinState, now: Callable[[], datetime], base_url: str) -> None:
        super().__init__(state, now, base_url)
        self._controller = _started(self)

    def routes(self) -> list[BaseRoute]:
        """The mailboxes as their owners see them, and the switches."""
        return twin_pages.routes(self)

    def traces(self) -> list[Trace]:
        """Each bulletin once, and once more for every copy that somebody got twice."""
        copies: dict[tuple[str, str], list[tuple[str, dict[str, Any]]]] = {}
        for id, kept in self.state.all(KIND):
            if kept["bulletin"]:
                copies.setdefault((kept["account"], kept["bulletin"]), []).append((id, kept))
        return [self._trace(bulletin, place, one) for (_, bulletin), all in copies.items() for place, one in _most(all)]

    def _trace(self, bulletin: str, place: int, one: tuple[str, dict[str, Any]]) -> Trace:
        id, kept = one
        letter = self.letter(id)
        return Trace(
            account=kept["account"], remote_id=bulletin if not place else f"{bulletin}#{place}",
            at=datetime.fromisoformat(kept["at"]), title=kept["subject"], text=twin_pages.words(letter),
            html=twin_pages.page_of(letter),
        )  # fmt: skip

    def letter(self, id: str) -> EmailMessage:
        """A letter as it came."""
        made = message_from_bytes(self.state.file(f"{id}.eml").read_bytes(), policy=default)
        assert isinstance(made, EmailMessage)  # noqa: S101
        return made

    def take(self, sender: str, recipient: str, content: bytes, account: str) -> None:
        """Keep a letter for its reader."""
        id = f"thu-{self.state.next(KIND)}"
        self.state.keep(f"{id}.eml", content)
        letter = self.letter(id)
        self.state.put(
            KIND, id,
            {
                "account": account, "to": recipient, "return_path": sender, "at": self.now().isoformat(),
                "subject": str(letter.get("subject", "")), "message_id": str(letter.get("message-id", "")),
                "bulletin": str(letter.get("feedback-id", "")).partition(":")[0],
            },
        )  # fmt: skip

    def close(self) -> None:
        """Stop listening."""
        if self._controller is not None:
            self._controller.stop()
            self._controller = None


def _most(all: list[tuple[str, dict[str, Any]]]) -> list[tuple[int, tuple[str, dict[str, Any]]]]:
    """The copies of whoever got the most, numbered: one where everybody got one."""
    by_reader: dict[str, list[tuple[str, dict[str, Any]]]] = {}
    for one in all:
        by_reader.setdefault(one[1]["to"].lower(), []).append(one)
    return list(enumerate(sorted(by_reader.values(), key=lambda copies: len(copies))[-1]))


def _started(twin: EmailTwin) -> Controller | None:
    """The server at the twins' side door; None where it cannot listen there, so that the other twins go on."""
    if urlsplit(twin.base_url).hostname != "127.0.0.1":
        return None
    for _ in range(TRIES):
        door = _listening(twin)
        if door is not None:
            return door
        time.sleep(0.2)  # the twins of a life that was ended just now may not have let go yet
    log.warning("the mail twin cannot listen at %s:%s", *side_door(twin.base_url))
    return None


def _listening(twin: EmailTwin) -> Controller | None:
    host, port = side_door(twin.base_url)
    door = Controller(
        _Door(twin), hostname=host, port=port, ident="Lan Toa dien tap", data_size_limit=LARGEST, authenticator=_authenticate,
        auth_require_tls=False,
    )  # fmt: skip
    try:
        door.start()
    except (OSError, TimeoutError):
        with suppress(AssertionError):
            door.stop()
        return None
    return door


def _authenticate(server: SMTP, session: Session, envelope: Envelope, mechanism: str, given: object) -> AuthResult:
    if not isinstance(given, LoginPassword):
        return AuthResult(success=False, handled=False)
    login = given.login.decode("utf-8", "replace")
    right = hmac.compare_digest(given.password.decode("utf-8", "replace"), password_of(login))
    return AuthResult(success=right, handled=False, auth_data=login if right else None)


class _Door:
    """What the server does at each step; aiosmtpd calls these by their names."""

    def __init__(self, twin: EmailTwin) -> None:
        self.twin = twin

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if not session.authenticated or self.twin.ordered("expire_token", LETTER):
            return "530 5.7.0 Authentication required"
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return "250 2.1.0 Sender OK"

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.twin.ordered("rate_limit", LETTER):
            return "450 4.7.28 Too many messages in a short time, try again later"
        if self.twin.ordered("refuse", LETTER):
            return f"550 5.1.1 <{address}>: Recipient address rejected: User unknown in virtual mailbox table"
        if envelope.rcpt_tos:
            return "452 4.5.3 Too many recipients"
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 Recipient OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        fault = self._due()
        if fault is not None and fault.kind == "drop_before":
            return _cut(server)
        wait = fault.seconds if fault is not None and fault.kind == "slow" else 0.0
        # who hangs up while the server dawdles was heard all the same
        await asyncio.shield(asyncio.ensure_future(self._taken(wait, session, envelope)))
        if fault is not None and fault.kind == "drop_after":
            return _cut(server)
        if fault is not None and fault.kind == "error_after":
            return "421 4.3.2 Service shutting down and closing transmission channel"
        if fault is not None and fault.kind == "garbage":
            return "<h1>Sorry, something went wrong.</h1>"
        return "250 2.0.0 OK: queued"

    async def _taken(self, wait: float, session: Session, envelope: Envelope) -> None:
        await asyncio.sleep(wait)
        content = envelope.original_content or b""
        self.twin.take(envelope.mail_from or "", envelope.rcpt_tos[0], content, str(session.auth_data or ""))

    def _due(self) -> Any:
        acting = ("slow", "drop_before", "drop_after", "error_after", "garbage")
        fault = next(
            (one for one in self.twin.faults if one.kind in acting and one.times > 0 and one.path in LETTER), None
        )
        if fault is not None:
            fault.times -= 1
        return fault


def _cut(server: SMTP) -> str:
    """Hang up as a dead line does."""
    assert isinstance(server.transport, asyncio.Transport)  # noqa: S101
    server.transport.abort()
    return "421 4.3.2 closing"
