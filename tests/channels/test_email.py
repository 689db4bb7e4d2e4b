"""What a mail server says and what it means; what comes back and what is believed of it; a letter's own rules."""

import re
import unicodedata
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.header import decode_header, make_header
from email.policy import default
from typing import Any

import dkim
import pytest
from pydantic import ValidationError

from channels.contract import Deferred, Message, Outcome, Part, Picture, Reason, Refused, Unknown
from channels.email import answers, letter, render, returned, signing
from channels.email.address import readable
from channels.email.answers import Said, Silent, Step
from channels.email.letter import Way
from channels.email.settings import EmailSettings
from channels.email.smtp import _stuffed
from content.document import Block, Document, Source, Span, read

NOW = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
KEY = "0123456789abcdef0123456789abcdef"


def settings(**values: Any) -> EmailSettings:
    return EmailSettings.model_validate({"smtp_host": "smtp.example", "sender": "bantin@phuong.example", **values})


@pytest.mark.parametrize(
    ("step", "code", "words", "expected", "reason"),
    [
        ("connect", 421, "4.3.2 closing", Deferred, Reason.RATE_LIMITED),
        ("connect", 554, "5.7.1 no service", Refused, Reason.MISCONFIGURED),
        ("tls", 454, "4.7.0 TLS not available", Deferred, Reason.BUSY),
        ("auth", 535, "5.7.8 bad", Refused, Reason.UNAUTHORIZED),
        ("auth", 454, "4.7.0 later", Deferred, Reason.RATE_LIMITED),
        ("auth", 504, "", Refused, Reason.UNAUTHORIZED),
        ("sender", 530, "5.7.0 sign in", Refused, Reason.UNAUTHORIZED),
        ("sender", 550, "5.7.60 not yours", Refused, Reason.MISCONFIGURED),
        ("sender", 552, "5.3.4 too big", Refused, Reason.TOO_LONG),
        ("sender", 451, "4.3.0 later", Deferred, Reason.RATE_LIMITED),
        ("recipient", 550, "5.1.1 unknown", Refused, Reason.NOT_FOUND),
        ("recipient", 550, "No such user", Refused, Reason.NOT_FOUND),
        ("recipient", 550, "5.2.1 disabled", Refused, Reason.NOT_FOUND),
        ("recipient", 552, "5.2.2 full", Refused, Reason.REJECTED),
        ("recipient", 554, "5.7.1 relay", Refused, Reason.FORBIDDEN),
        ("recipient", 450, "4.7.1 greylisted", Deferred, Reason.BUSY),
        ("recipient", 452, "4.2.2 full", Deferred, Reason.BUSY),
        ("recipient", 450, "4.7.28 rate", Deferred, Reason.RATE_LIMITED),
        ("recipient", 421, "closing", Deferred, Reason.RATE_LIMITED),
        ("data", 451, "later", Deferred, Reason.BUSY),
        ("data", 554, "no", Refused, Reason.REJECTED),
        ("data", 250, "odd", Deferred, Reason.BUSY),
        ("dot", 451, "4.3.0 later", Deferred, Reason.BUSY),
        ("dot", 554, "5.7.1 spam", Refused, Reason.REJECTED),
        ("dot", 552, "5.3.4 too big", Refused, Reason.TOO_LONG),
        ("dot", 421, "4.3.2 closing", Unknown, None),
        ("dot", 354, "odd", Unknown, None),
    ],
)
def test_what_a_server_says(step: Step, code: int, words: str, expected: type[Outcome], reason: Reason | None) -> None:
    reply = answers.read(code, f"{words} <co.hoa@example.org>")
    assert reply is not None
    outcome: Any = answers.outcome(Said(step=step, reply=reply), NOW)
    assert type(outcome) is expected
    assert getattr(outcome, "reason", None) is reason
    assert "co.hoa" not in outcome.detail, "the server's words may name the reader"
    assert str(code) in outcome.detail
    if reason is Reason.RATE_LIMITED:
        assert outcome.retry_at > NOW


@pytest.mark.parametrize(
    ("step", "kind", "expected", "reason"),
    [
        ("connect", "ConnectionRefusedError", Deferred, Reason.UNREACHABLE),
        ("connect", "Refusal", Refused, Reason.MISCONFIGURED),
        ("tls", "SSLCertVerificationError", Refused, Reason.MISCONFIGURED),
        ("sender", "SMTPServerDisconnected", Deferred, Reason.UNREACHABLE),
        ("recipient", "SMTPReadTimeoutError", Deferred, Reason.UNREACHABLE),
        ("data", "SMTPServerDisconnected", Deferred, Reason.UNREACHABLE),
        ("dot", "SMTPServerDisconnected", Unknown, None),
        ("dot", "SMTPReadTimeoutError", Unknown, None),
        ("dot", "Unreadable", Unknown, None),
    ],
)
def test_silence_is_unknown_only_after_the_final_dot(
    step: Step, kind: str, expected: type[Outcome], reason: Reason | None
) -> None:
    outcome = answers.outcome(Silent(step=step, kind=kind), NOW)
    assert type(outcome) is expected
    assert getattr(outcome, "reason", None) is reason


def test_a_reply_that_is_none() -> None:
    for code in (-1, 0, 99, 199, 600, 999):
        assert answers.read(code, "x") is None
    assert answers.read(550, "5.1.10 gone") == answers.Reply(code=550, enhanced="5.1.10", words="5.1.10 gone")
    assert answers.read(550, "5.1.10.9 odd") == answers.Reply(code=550, enhanced="", words="5.1.10.9 odd")


def dsn(action: str, status: str, to: str = f"tra-lai+{KEY}@phuong.example") -> bytes:
    return (
        f"From: MAILER-DAEMON@mx.example\r\nTo: {to}\r\nAuto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
        "--b\r\nContent-Type: text/plain\r\n\r\nxin loi\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n"
        "Reporting-MTA: dns; mx.example\r\n\r\n"
        f"Final-Recipient: rfc822; co.hoa@example.org\r\nAction: {action}\r\nStatus: {status}\r\n\r\n--b--\r\n"
    ).encode()


def arf(kind: str) -> bytes:
    return (
        f"From: fbl@mail.example\r\nTo: tra-lai+{KEY}@phuong.example\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/report; report-type=feedback-report; boundary="b"\r\n\r\n'
        "--b\r\nContent-Type: text/plain\r\n\r\nabuse\r\n--b\r\nContent-Type: message/feedback-report\r\n\r\n"
        f"Feedback-Type: {kind}\r\nUser-Agent: X/1\r\nVersion: 1\r\n\r\n--b--\r\n"
    ).encode()


@pytest.mark.parametrize(
    ("content", "kind", "detail"),
    [
        (dsn("failed", "5.1.1"), "gone", "5.1.1"),
        (dsn("Failed", "5.2.1 (disabled)"), "gone", "5.2.1"),
        (dsn("failed", "5.4.4"), "gone", "5.4.4"),
        (dsn("failed", "5.2.2"), "delayed", "5.2.2"),
        (dsn("failed", "5.7.1"), "delayed", "5.7.1"),
        (dsn("failed", "4.4.7"), "delayed", "4.4.7"),
        (dsn("delayed", "4.4.1"), "delayed", "4.4.1"),
        (dsn("delivered", "2.0.0"), "other", ""),
        (dsn("failed", "nonsense"), "other", ""),
        (dsn("exploded", "5.1.1"), "other", ""),
        (arf("abuse"), "complaint", "Người nhận bấm «Báo thư rác»"),
        (arf("not-spam"), "other", ""),
        (dsn("failed", "5.1.1", f"tra-lai+huy-{KEY}@phuong.example"), "leave", "Gửi thư xin hủy đăng ký"),
    ],
)
def test_what_comes_back(content: bytes, kind: str, detail: str) -> None:
    found = returned.read(content, "7", "tra-lai@phuong.example", "huy-")
    assert (found.id, found.key, found.kind, found.detail) == ("7", KEY, kind, detail)


@pytest.mark.parametrize(
    "content",
    [
        dsn("failed", "5.1.1", "tra-lai@phuong.example"),
        dsn("failed", "5.1.1", f"khac+{KEY}@phuong.example"),
        dsn("failed", "5.1.1", f"tra-lai+{KEY}@noi-khac.example"),
        dsn("failed", "5.1.1", "tra-lai+0123@phuong.example"),
        b"", b"\xff\xfe\x00 not a letter", b"To: =?utf-8?q?=\r\nContent-Type: multipart/report\r\n\r\n", b"To: " + b"a" * 100_000,
    ],
)  # fmt: skip
def test_who_does_not_know_the_mark_is_not_believed(content: bytes) -> None:
    assert returned.read(content, "7", "tra-lai@phuong.example", "huy-").key == ""


def test_addresses() -> None:
    assert readable(" Co.Hoa+tin@Example.ORG ") == "Co.Hoa+tin@example.org"
    assert readable("a@phường.vn") == "a@xn--phng-rib8295b.vn"
    wrong = (
        "", "a", "a@b", "@b.vn", "a@", "a b@c.vn", "a@b..vn", ".a@b.vn", "a.@b.vn", "a..b@c.vn", "a@-b.vn", "a@b.vn\r\nRCPT TO:<x@y.z>",
        "á@b.vn", f"{'a' * 65}@b.vn", f"a@{'b' * 250}.vn", "a@[127.0.0.1]", "<a@b.vn>", "a@b.vn,c@d.vn", "a@1.2.3.4",
    )  # fmt: skip
    assert [one for one in wrong if readable(one)] == []


def document(**values: Any) -> Document:
    _, blocks = read("Bà con **nhớ** mang theo giấy tờ.\n\n- Một\n- Hai")
    given = {"title": "Thông báo", "blocks": blocks, "link": "https://lantoa.example/s/abc", "signature": "Trung tâm"}
    return Document(**{**given, **values})  # type: ignore[arg-type]


def written(message: Message, way: Way | None = None, **values: Any) -> Any:
    way = way or Way("https://phuong.example/huy-nhan-tin/" + "a" * 40)
    raw = letter.written(
        settings(dkim_selector="", **values), message, "a@b.vn", KEY, way, NOW, lambda sha256: b"\xff\xd8"
    )
    return message_from_bytes(raw, policy=default)


def test_what_is_wrong_with_a_letter() -> None:
    good = render.rendered(document(), "k", ())
    assert render.problems(good) == []
    for field, limit in (("title", 200), ("body", 100_000)):
        for size, wrong in ((limit, False), (limit + 1, True)):
            part = good.parts[0].model_copy(update={field: "ở" * size})
            errors = [
                one.field
                for one in render.problems(Message(kind="email", key="k", parts=(part,)))
                if one.level == "error"
            ]
            assert (field in errors) is wrong
    empty = Message(kind="email", key="k", parts=(Part(body=" "),))
    assert {one.field for one in render.problems(empty) if one.level == "error"} == {"title", "body"}
    picture = Picture(sha256="0" * 64, mime="image/jpeg", width=1, height=1, alt=" ")
    assert any(one.field == "picture" for one in render.problems(render.rendered(document(), "k", (picture,))))


def test_words_are_composed_and_cannot_act() -> None:
    evil = Block(
        "paragraph",
        (
            Span("<script>alert(1)</script> "),
            Span("bấm", href="javascript:alert(1)"),
            Span("ok", href="https://a.vn/?x=1&y=2"),
        ),
    )
    title = unicodedata.normalize("NFD", "Phường <b>Đông Hải</b>")
    message = render.rendered(document(title=title, blocks=(evil,), source=Source("Ủy ban", "javascript:x")), "k", ())
    body = message.parts[0].body
    assert "<script" not in body
    assert "javascript" not in body
    assert 'href="https://a.vn/?x=1&amp;y=2"' in body
    assert unicodedata.is_normalized("NFC", message.model_dump_json())
    made = written(message)
    page = made.get_body(("html",)).get_content()
    assert "<b>Đông" not in page
    assert made["Subject"] == "Phường <b>Đông Hải</b>"


def test_a_title_cannot_add_headers_and_addresses_are_not_broken() -> None:
    message = render.rendered(document(title="Tin\r\nBcc: x@y.vn\r\n\r\nthân"), "k", ())
    way = Way("https://phuong.example/huy-nhan-tin/" + "a" * 120, f"tra-lai+huy-{KEY}@phuong.example")
    made = written(message, way)
    assert made["Bcc"] is None
    assert made["Subject"] == "Tin Bcc: x@y.vn thân"
    raw = letter.written(settings(dkim_selector=""), message, "a@b.vn", KEY, way, NOW, lambda sha256: b"")
    assert f"List-Unsubscribe: <{way.url}>,\r\n <mailto:{way.mailbox}?subject=huy>\r\n".encode() in raw


@pytest.mark.parametrize(
    ("url", "promised"),
    [("https://phuong.vn/x", True), ("http://127.0.0.1:8000/x", True), ("http://phuong.vn/x", False), ("", False)],
)
def test_one_click_is_promised_only_over_https(url: str, promised: bool) -> None:
    made = written(render.rendered(document(), "k", ()), Way(url))
    assert (made["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click") is promised
    assert bool(made["List-Unsubscribe"]) is bool(url)


def test_long_vietnamese_subjects_and_names_survive() -> None:
    for size in range(1, 200, 7):
        title = ("Đổi mới sáng tạo ở phường " * 10)[:size].strip()
        made = written(render.rendered(document(title=title), "k", ()))
        assert made["Subject"] == title
        raw = letter._encoded("From", "Trung tâm Phục vụ hành chính công phường Lê Thanh Nghị", "a@b.vn").decode(
            "ascii"
        )
        said = str(make_header(decode_header(raw.removeprefix("From: ").replace("\r\n", ""))))
        assert said == "Trung tâm Phục vụ hành chính công phường Lê Thanh Nghị <a@b.vn>"
        assert max(len(line) for line in raw.splitlines()) <= 76


def test_a_question_is_no_bulletin() -> None:
    message = render.rendered(document(), "k", ())
    made = written(message.model_copy(update={"extra": {**message.extra, "service": True}}))
    assert [
        made[name] for name in ("List-Unsubscribe", "List-Unsubscribe-Post", "List-Id", "Precedence", "Feedback-ID")
    ] == [None] * 5
    assert "bỏ qua thư này" in made.get_body(("plain",)).get_content()


def test_dots_and_line_ends_go_over_the_wire_as_they_must() -> None:
    assert _stuffed(b"a\r\n.b\n..c\rd") == b"a\r\n..b\r\n...c\r\nd\r\n.\r\n"
    assert _stuffed(b"") == b"\r\n.\r\n"


def test_a_key_is_made_where_none_is_given() -> None:
    made = EmailSettings.made({})["dkim_key"]
    assert signing.readable_key(made)
    assert EmailSettings.made({"dkim_key": made}) == {}
    assert EmailSettings.made({"dkim_selector": ""}) == {}
    signed = signing.signed(b"From: a@b.vn\r\nSubject: x\r\n\r\ny\r\n", "s", "b.vn", made)
    assert dkim.verify(signed, dnsfunc=lambda name, timeout=5: signing.record(made).encode())
    other = signing.record(signing.new_key()).encode()
    assert not dkim.verify(signed, dnsfunc=lambda name, timeout=5: other)


@pytest.mark.parametrize(
    "values",
    [
        {"sender": "khong"}, {"sender": ""}, {"dkim_key": "khong phai khoa"}, {"dkim_selector": "a b"}, {"security": "plain", "username": "x"},
        {"returns": "maildir"}, {"returns": "maildir", "bounce_address": "b@phuong.example"}, {"returns": "imap", "bounce_address": "b@phuong.example"},
        {"ca_file": "/khong/co"}, {"smtp_port": 0}, {"khong_co": 1},
    ],
)  # fmt: skip
def test_settings_that_cannot_work_are_refused(values: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        settings(**values)


def test_every_copy_has_a_return_path_of_its_own() -> None:
    assert settings(bounce_address="tra-lai@phuong.example").return_path(KEY) == f"tra-lai+{KEY}@phuong.example"
    assert settings().return_path(KEY) == "bantin@phuong.example"
    assert re.fullmatch(rf"<{KEY}@phuong\.example>", letter.message_id(settings(), KEY))
    assert timedelta(0) < answers.SLOWER < answers.GREYLISTED
