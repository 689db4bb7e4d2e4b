"""One copy of a letter for one reader, whole: headers, plain words, HTML with its pictures, and the way out.

Nothing in it is fetched from afar when it is read, so that nobody is told who read it: pictures travel inside (cid).
Headers: RFC 2047 and 5322 by Python's own ``email``; List-Id RFC 2919; List-Unsubscribe RFC 2369 and, for one click,
List-Unsubscribe-Post RFC 8058; Auto-Submitted RFC 3834.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from email.header import Header
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime, formataddr
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, Template
from markupsafe import Markup

from channels.contract import Message, Picture
from channels.email.settings import EmailSettings, loopback
from channels.email.signing import signed
from content.text import nfc

_FOLD = "\r\n "
_POLICY = SMTP.clone(max_line_length=76)
#: looks of the words, put on each element because many readers drop style sheets (https://www.caniemail.com, 22/11/2026)
_LOOKS = {
    "<p>": '<p style="margin:0 0 16px">',
    "<h2>": '<h2 style="margin:24px 0 8px;font-size:20px;line-height:1.35;color:#07304a">',
    "<ul>": '<ul style="margin:0 0 16px;padding-left:24px">',
    "<ol>": '<ol style="margin:0 0 16px;padding-left:24px">',
    "<li>": '<li style="margin:0 0 6px">',
    '<p class="action"><a ': '<p style="margin:24px 0"><a style="display:inline-block;padding:12px 20px;background:#0b5a7a;color:#ffffff;border-radius:6px;font-weight:600;text-decoration:none" ',
    '<p class="source">': '<p style="margin:0 0 16px;color:#4a5a66">',
    "<small>": '<small style="color:#4a5a66;word-break:break-all">',
}


@dataclass(frozen=True)
class Way:
    """Where a reader leaves the list: a page and, for one click, the same address by POST; a mailbox of its own."""

    url: str = ""
    mailbox: str = ""

    @property
    def one_click(self) -> bool:
        """Whether the address may be promised to mail programs: RFC 8058 asks for https (this machine itself is a trial)."""
        host = self.url.partition("://")[2].partition("/")[0].partition(":")[0]
        return self.url.startswith("https://") or (self.url.startswith("http://") and loopback(host))


def message_id(settings: EmailSettings, key: str) -> str:
    """The Message-ID of a recipient's copy: the same again for the same key, so that a second copy is known as one."""
    return f"<{key}@{settings.domain}>"


def written(
    settings: EmailSettings, message: Message, address: str, key: str, way: Way, now: datetime,
    shelf: Callable[[str], bytes],
) -> bytes:  # fmt: skip
    """The letter as it goes over the wire, signed where the settings say so. Raises FileNotFoundError, ValueError."""
    made = _headed(settings, message, address, key, now)
    part, service = message.parts[0], bool(message.extra.get("service"))
    cids = {picture.sha256: f"{picture.sha256[:24]}@{settings.domain}" for picture in part.pictures}
    made.set_content(_plain(settings, message, way, service), cte="base64")
    made.add_alternative(_page(settings, message, way, service, cids), subtype="html", cte="base64")
    _put_pictures(made, part.pictures, cids, shelf)
    raw = _encoded("From", settings.sender_name, settings.sender) + _encoded("Subject", part.title)
    raw += (b"" if service else _ways(way)) + made.as_bytes()
    if not settings.dkim_selector or not settings.dkim_key:
        return raw
    return signed(raw, settings.dkim_selector, settings.signing_domain, settings.dkim_key)


def _headed(settings: EmailSettings, message: Message, address: str, key: str, now: datetime) -> EmailMessage:
    made = EmailMessage(policy=_POLICY)
    made["To"] = address
    made["Date"] = format_datetime(now)
    made["Message-ID"] = message_id(settings, key)
    if settings.reply_to:
        made["Reply-To"] = settings.reply_to
    made["Auto-Submitted"] = "auto-generated"
    if not message.extra.get("service"):
        made["Precedence"] = "list"
        made["List-Id"] = f"<{settings.sender.partition('@')[0].lower()}.{settings.domain}>"
        made["Feedback-ID"] = f"{message.key}:ban-tin:lantoa"
    return made


def _ways(way: Way) -> bytes:
    """The ways out as they must stand: an address is never broken or encoded, as Python's folding would."""
    ways = [f"<{way.url}>"] if way.url else []
    ways += [f"<mailto:{way.mailbox}?subject=huy>"] if way.mailbox else []
    lines = [f"List-Unsubscribe: {f',{_FOLD}'.join(ways)}\r\n"] if ways else []
    lines += ["List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"] if way.one_click else []
    return "".join(lines).encode("ascii")


def _put_pictures(
    made: EmailMessage, pictures: tuple[Picture, ...], cids: dict[str, str], shelf: Callable[[str], bytes]
) -> None:
    page = made.get_body(("html",))
    assert isinstance(page, EmailMessage)  # noqa: S101
    for number, picture in enumerate(pictures, 1):
        main, _, sub = picture.mime.partition("/")
        name = f"anh-{number}.{'png' if sub == 'png' else 'jpg'}"
        page.add_related(
            shelf(picture.sha256), main, sub, cid=f"<{cids[picture.sha256]}>", disposition="inline", filename=name
        )


def _plain(settings: EmailSettings, message: Message, way: Way, service: bool) -> str:
    said = [str(message.extra.get("plain") or message.parts[0].title)]
    said += [f"[Ảnh: {picture.alt}]" for picture in message.parts[0].pictures if picture.alt]
    if signature := str(message.extra.get("signature", "")):
        said.append(signature)
    foot = [_why(settings, service)]
    if way.url and not service:
        foot.append(f"Không muốn nhận nữa: {way.url}")
    return "\n\n".join([*said, "-- \n" + "\n".join(foot)]) + "\n"


def _why(settings: EmailSettings, service: bool) -> str:
    if service:
        return "Nếu không phải bạn đăng ký, xin bỏ qua thư này: bạn sẽ không nhận thêm thư nào."
    who = settings.sender_name or settings.sender
    return f"Bạn nhận thư này vì đã đăng ký nhận bản tin của {who}."


def _page(settings: EmailSettings, message: Message, way: Way, service: bool, cids: dict[str, str]) -> str:
    part = message.parts[0]
    return _template().render(
        settings=settings, part=part, body=Markup(_dressed(part.body)), cids=cids, way=way, service=service,  # noqa: S704 - escaped by render
        signature=str(message.extra.get("signature", "")), why=_why(settings, service),
    )  # fmt: skip


def _dressed(body: str) -> str:
    for plain, dressed in _LOOKS.items():
        body = body.replace(plain, dressed)
    return body


@cache
def _template() -> Template:
    folder = FileSystemLoader(Path(__file__).parent)
    return Environment(loader=folder, autoescape=True, trim_blocks=True, lstrip_blocks=True).get_template("letter.html")


def _encoded(name: str, words: str, address: str = "") -> bytes:
    """A header with words in any letters, as RFC 2047 has them, an address after them.

    Python's newer folding loses a space where an encoded word meets a plain one (https://github.com/python/cpython/issues/92081).
    """
    words = nfc(words)
    if not words.isascii():
        words = Header(words, "utf-8", maxlinelen=75, header_name=name).encode(linesep="\r\n")
        value = f"{words}\r\n <{address}>" if address else words
    else:
        value = (
            formataddr((words, address)) if address else Header(words, "ascii", header_name=name).encode(linesep="\r\n")
        )
    return f"{name}: {value}\r\n".encode("ascii")
