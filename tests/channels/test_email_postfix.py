"""Letters through a real mail server: signed, whole and known again after delivery; what cannot be delivered comes back."""

import asyncio
import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import parsedate_to_datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import dkim
import pytest

from channels.contract import Deferred, Message, Outcome, Picture, Published, Reason, Refused, Tools
from channels.email import signing
from channels.email.adapter import Email
from channels.email.settings import EmailSettings
from channels.rehearsing import MemoryShelf
from channels.wire import Guard, Wire, may_leave
from content.document import Document, Source, read
from tests.channels.mail_server import DOMAIN, MailServer, imap, running

pytestmark = pytest.mark.anyio

KEY = signing.new_key()
NOW = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
TITLE = "Lịch làm việc sáng thứ Bảy của Bộ phận Một cửa phường Đông Hải, mời bà con tới sớm"
LEAVE = "https://phuong.example/huy-nhan-tin/0123456789abcdef"


@pytest.fixture(scope="module")
def server(self_signed_file: Path) -> Iterator[MailServer]:
    with tempfile.TemporaryDirectory(prefix="lantoa-mail-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o755)  # postfix works as its own user, who must be able to get in
        with running(folder, self_signed_file) as made:
            yield made


class Office:
    """The channel as an outlet of this server has it."""

    def __init__(self, server: MailServer, certificate: Path, wire: Wire) -> None:
        self.server, self.certificate, self.wire = server, certificate, wire
        self.shelf = MemoryShelf("http://shelf.test")

    def channel(self, **values: Any) -> Email:
        given = {
            "smtp_host": "localhost", "smtp_port": self.server.port, "ca_file": str(self.certificate), "sender": f"bantin@{DOMAIN}",
            "sender_name": "Phường Đông Hải", "bounce_address": f"tra-lai@{DOMAIN}", "dkim_key": KEY, "returns": "maildir",
            "maildir": str(self.server.box("tra-lai")),
        }  # fmt: skip
        settings = EmailSettings.model_validate({**given, **values})
        tools = Tools(wire=self.wire, shelf=self.shelf, now=lambda: NOW, leave=lambda address: LEAVE)
        return Email(settings, tools)

    def picture(self, content: bytes = b"\xff\xd8\xff\xe0" + bytes(range(256)) * 40) -> Picture:
        sha256 = self.shelf.add(content, "image/jpeg")
        return Picture(sha256=sha256, mime="image/jpeg", width=1200, height=630, alt="Bà con làm thủ tục")


@pytest.fixture
async def office(server: MailServer, self_signed_file: Path, anyio_backend: str) -> AsyncIterator[Office]:
    wire = Wire(Guard(frozenset({f"localhost:{server.port}"})), timeout=10)
    yield Office(server, self_signed_file, wire)
    await wire.close()


def message(channel: Email, *pictures: Picture, number: int = 1) -> Message:
    _, blocks = read(
        "Bộ phận Một cửa **làm việc cả sáng thứ Bảy**.\n\n- Nộp hồ sơ trực tuyến\n- Nhận kết quả tại nhà\n\n.chấm đầu dòng"
    )
    document = Document(
        title=TITLE, blocks=blocks, link=f"https://lantoa.example/s/{number}abc", source=Source("Ủy ban nhân dân phường"),
        signature="Trung tâm Phục vụ hành chính công",
    )  # fmt: skip
    return channel.render(document, f"luot-{number}", pictures)


def key_of(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:32]


def record(name: bytes, timeout: int = 5) -> bytes:
    """The DNS as it stands after the record that the outlet's page shows was published."""
    assert name == b"lantoa._domainkey.phuong.example."
    return signing.record(KEY).encode()


def body(letter: EmailMessage, kind: str) -> str:
    part = letter.get_body((kind,))
    assert isinstance(part, EmailMessage)
    return str(part.get_content())


async def test_a_letter_arrives_whole_signed_and_with_its_way_out(server: MailServer, office: Office) -> None:
    channel, key = office.channel(), key_of("one")
    outcome = await channel.send(message(channel, office.picture()), f"co-hoa@{DOMAIN}", key)
    assert outcome == Published(remote_id=f"<{key}@{DOMAIN}>")
    [letter] = server.wait("co-hoa")
    raw = server.raw("co-hoa")
    assert dkim.verify(raw, dnsfunc=record), "the signature holds after delivery"
    assert not dkim.verify(raw.replace(b"huy-nhan-tin/0123", b"huy-nhan-tin/9999"), dnsfunc=record), (
        "and covers the way out"
    )
    assert not dkim.verify(b"Subject: Gia mao\r\n" + raw, dnsfunc=record), "no second subject can be put on top"
    signed = {
        name.strip() for name in str(letter["DKIM-Signature"]).split("h=")[1].split(";")[0].replace(" ", "").split(":")
    }
    assert {"from", "subject", "list-unsubscribe", "list-unsubscribe-post"} <= signed
    assert letter["Subject"] == TITLE
    assert letter["From"] == f"Phường Đông Hải <bantin@{DOMAIN}>"
    assert letter["To"] == f"co-hoa@{DOMAIN}"
    assert letter["Return-Path"] == f"<tra-lai+{key}@{DOMAIN}>"
    assert letter["Message-ID"] == f"<{key}@{DOMAIN}>"
    assert letter["List-Unsubscribe"] == f"<{LEAVE}>, <mailto:tra-lai+huy-{key}@{DOMAIN}?subject=huy>"
    assert letter["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert letter["List-Id"] == f"<bantin.{DOMAIN}>"
    assert letter["Auto-Submitted"] == "auto-generated"
    assert parsedate_to_datetime(letter["Date"]) == NOW
    assert max(len(line) for line in raw.split(b"\r\n")) < 998
    plain, page = body(letter, "plain"), body(letter, "html")
    for words in (plain, page):
        assert "làm việc cả sáng thứ Bảy" in words
        assert "https://lantoa.example/s/1abc" in words
        assert LEAVE in words
        assert ".chấm đầu dòng" in words
    assert "• Nhận kết quả tại nhà" in plain
    [picture] = [part for part in letter.walk() if part.get_content_maintype() == "image"]
    assert f'src="cid:{str(picture["Content-ID"])[1:-1]}" alt="Bà con làm thủ tục"' in page
    assert picture.get_payload(decode=True) == office.shelf.read(office.picture().sha256)
    assert 'src="http' not in page, "nothing is fetched when it is read, so nobody is told who reads"


async def test_a_letter_without_a_mailbox_comes_back_and_names_its_reader(server: MailServer, office: Office) -> None:
    channel, key = office.channel(), key_of("gone")
    assert isinstance(await channel.send(message(channel), f"khong-co@{DOMAIN}", key), Published)
    server.wait("tra-lai")
    found = await channel.returns(10)
    assert isinstance(found, tuple)
    [back] = [one for one in found if one.key == key]
    assert (back.kind, back.detail, back.remote_id) == ("gone", "5.1.1", f"<{key}@{DOMAIN}>")
    await channel.put_away(found)
    assert await channel.returns(10) == ()
    assert not list(server.box("tra-lai").glob("*/*.*")), "what names a reader is not kept"


async def test_the_same_over_imap(server: MailServer, office: Office) -> None:
    with imap(server) as port:
        office.wire.guard = Guard(frozenset({f"localhost:{server.port}", f"localhost:{port}"}))
        there = {"returns": "imap", "imap_host": "localhost", "imap_port": port, "imap_user": "tra-lai", "maildir": ""}
        channel, key = office.channel(**there, imap_password="mat-khau-hop-thu"), key_of("imap")
        assert await office.channel(**there, imap_password="sai").health() == Reason.UNAUTHORIZED
        assert await office.channel(**there, ca_file="", imap_password="sai").returns(1) == Reason.MISCONFIGURED
        assert isinstance(await channel.send(message(channel), f"khong-co-nua@{DOMAIN}", key), Published)
        server.wait("tra-lai")
        _put_in(server, "thu-thuong", "Thư thường, không phải thư báo.")
        found = await channel.returns(10)
        assert isinstance(found, tuple)
        assert sorted((one.kind, one.key) for one in found) == [("gone", key), ("other", "")]
        await channel.put_away(found)
        assert await channel.returns(10) == ()
        assert await channel.health() is None
    left = [path.read_text() for path in server.box("tra-lai").glob("cur/*")]
    assert len(left) == 1, "what is not understood stays for a person"
    assert "Thư thường" in left[0]
    for path in server.box("tra-lai").glob("cur/*"):
        path.unlink()


def _put_in(server: MailServer, name: str, words: str) -> None:
    path = server.box("tra-lai") / "new" / name
    path.write_text(f"From: ai-do@noi-khac.example\nTo: tra-lai@{DOMAIN}\nSubject: x\n\n{words}\n")
    owner = server.box("tra-lai").stat()
    os.chown(path, owner.st_uid, owner.st_gid)


@pytest.mark.parametrize(
    ("name", "expected", "reason"),
    [
        ("da-nghi", Refused, Reason.NOT_FOUND),
        ("day", Deferred, Reason.BUSY),
        ("xam", Deferred, Reason.BUSY),
        ("cham", Deferred, Reason.RATE_LIMITED),
    ],
)
async def test_what_the_server_says_of_a_reader(
    server: MailServer, office: Office, name: str, expected: type[Any], reason: Reason
) -> None:
    channel = office.channel()
    outcome: Any = await channel.send(message(channel), f"{name}@{DOMAIN}", key_of(name))
    assert isinstance(outcome, expected)
    assert outcome.reason is reason
    assert name not in outcome.detail, "no address in what is kept and logged"
    if expected is Deferred:
        assert outcome.retry_at > NOW
    after = await channel.send(message(channel), f"bac-nam@{DOMAIN}", key_of(f"after {name}"))
    assert isinstance(after, Published), "one reader's trouble is not the next one's"


async def test_a_letter_that_is_too_large_is_refused_before_it_is_sent(office: Office) -> None:
    channel = office.channel()
    outcome = await channel.send(
        message(channel, office.picture(b"\xff\xd8" + b"x" * 2_500_000)), f"co-hoa@{DOMAIN}", key_of("large")
    )
    assert isinstance(outcome, Refused)
    assert outcome.reason is Reason.TOO_LONG


async def test_many_letters_share_few_connections(server: MailServer, office: Office) -> None:
    channel = office.channel(connections=3, dkim_selector="")
    before, letters = server.log().count(": connect from"), len(server.letters("bac-nam"))
    sent = await asyncio.gather(
        *(channel.send(message(channel), f"bac-nam@{DOMAIN}", key_of(f"many {number}")) for number in range(60))
    )
    assert all(isinstance(one, Published) for one in sent)
    got = server.wait("bac-nam", letters + 60)
    assert len({str(letter["Message-ID"]) for letter in got}) == len(got)
    assert 1 <= server.log().count(": connect from") - before <= 3


async def test_nothing_leaves_when_it_is_too_late(server: MailServer, office: Office) -> None:
    channel, asked = office.channel(), list[int]()

    def once() -> bool:
        asked.append(1)
        return len(asked) < limit

    for limit in (1, 2):  # before the reader is named, and before the words
        asked.clear()
        token = may_leave.set(once)
        outcome: Outcome = await channel.send(message(channel), f"co-hoa@{DOMAIN}", key_of(f"late {limit}"))
        may_leave.reset(token)
        assert isinstance(outcome, Deferred)
        assert outcome.reason is Reason.UNREACHABLE
    await asyncio.sleep(0.3)
    assert not [one for one in server.letters("co-hoa") if str(one["Message-ID"]).startswith(f"<{key_of('late 1')}")]
    assert not [one for one in server.letters("co-hoa") if str(one["Message-ID"]).startswith(f"<{key_of('late 2')}")]


async def test_a_server_that_nobody_vouches_for_gets_nothing(office: Office) -> None:
    for values in ({"ca_file": ""}, {"security": "tls"}):
        channel = office.channel(**values)
        assert await channel.health() == Reason.MISCONFIGURED
        outcome = await channel.send(message(channel), f"co-hoa@{DOMAIN}", key_of("untrusted"))
        assert isinstance(outcome, Refused)
        assert outcome.reason is Reason.MISCONFIGURED
    assert await office.channel().health() is None
