"""Pages of the mail twin: who got what, each letter as its reader sees it, and the switches for training."""

from email.message import EmailMessage
from html import escape
from typing import TYPE_CHECKING
from urllib.parse import quote

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from channels import pages
from channels.twin import Fault, FaultKind

if TYPE_CHECKING:
    from channels.email.twin import EmailTwin

SWITCHES: tuple[tuple[FaultKind, str], ...] = (
    ("refuse", "Từ chối một người nhận"),
    ("rate_limit", "Báo gửi quá nhanh"),
    ("expire_token", "Đòi đăng nhập lại"),
    ("slow", "Trả lời chậm 60 giây"),
    ("drop_before", "Đứt đường truyền trước khi nhận"),
    ("drop_after", "Nhận thư rồi mất câu trả lời"),
    ("error_after", "Nhận thư rồi báo ngừng phục vụ"),
    ("garbage", "Nhận thư rồi trả lời không đọc được"),
)
_LOOK = (
    "body{margin:0;padding:1rem;background:#eef3f6;color:#14242f;font:16px/1.55 'Be Vietnam Pro',system-ui,sans-serif}"
    "main{max-width:46rem;margin:0 auto;display:grid;gap:1rem}.note{font-size:.85rem;color:#4a5a66;margin:0}"
    "ul{list-style:none;margin:0;padding:0}.list li,.head,.switches{background:#fff;border-radius:.6rem;padding:.75rem 1rem}"
    ".list{display:grid;gap:.5rem}.list a{color:#07304a;font-weight:600}h1{font-size:1.35rem;margin:0}"
    "small{display:block;color:#4a5a66;overflow-wrap:anywhere}iframe{width:100%;height:42rem;border:0;border-radius:.6rem;background:#fff}"
    ".switches ul{display:flex;flex-wrap:wrap;gap:.5rem}button{font:inherit;min-height:44px;padding:.3rem .9rem;border:1px solid #9fb2be;border-radius:.5rem;background:#fff;color:#07304a}"
)
_SAFE = {
    "content-security-policy": "default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'; frame-src 'self'; form-action 'self'",
    "x-content-type-options": "nosniff",
}


def routes(twin: "EmailTwin") -> list[BaseRoute]:
    """Everything that can be looked at, and the switches."""
    shown = _Pages(twin)
    return [
        Route("/", shown.letters),
        Route("/thu/{id:str}", shown.letter),
        Route("/thu/{id:str}/noi-dung", shown.content),
        Route("/thu/{id:str}/anh/{cid:str}", shown.picture),
        Route("/cong-tac/{kind:str}", shown.switch, methods=["POST"]),
    ]


def words(letter: EmailMessage) -> str:
    """The plain words of a letter."""
    part = letter.get_body(("plain",))
    return str(part.get_content()) if isinstance(part, EmailMessage) else ""


def page_of(letter: EmailMessage) -> str:
    """The HTML of a letter."""
    part = letter.get_body(("html",))
    return str(part.get_content()) if isinstance(part, EmailMessage) else ""


class _Pages:
    def __init__(self, twin: "EmailTwin") -> None:
        self.twin = twin

    def letters(self, request: Request) -> Response:
        """Every letter, newest first."""
        base = self.twin.base_url
        rows = "".join(
            f'<li><a href="{base}/thu/{quote(id)}">{escape(kept["subject"] or "(không có tiêu đề)")}</a>'
            f"<small>Gửi {escape(kept['to'])} lúc {pages.local(kept['at'])}</small></li>"
            for id, kept in reversed(self.twin.state.all("email"))
        )
        due = {fault.kind: fault.times for fault in self.twin.faults if fault.times > 0}
        buttons = "".join(
            f'<li><form method="post" action="{base}/cong-tac/{kind}"><button>{said}{" (đang chờ)" if due.get(kind) else ""}</button></form></li>'
            for kind, said in SWITCHES
        )
        body = (
            f"<h1>Hộp thư của người nhận</h1><ul class=list>{rows or '<li>Chưa có thư nào.</li>'}</ul>"
            f"<section class=switches><h1>Công tắc tập dượt</h1><p class=note>Mỗi lần bấm tác động tới một lá thư kế tiếp.</p><ul>{buttons}</ul></section>"
        )
        return _answer("Thư diễn tập", body)

    def letter(self, request: Request) -> Response:
        """One letter: its head, and its content in a frame of its own."""
        id = request.path_params["id"]
        kept = self.twin.state.get("email", id)
        if kept is None:
            return HTMLResponse("", 404)
        found = self.twin.letter(id)
        leave = str(found.get("list-unsubscribe", ""))
        head = (
            f"<section class=head><h1>{escape(kept['subject'])}</h1><small>Từ: {escape(str(found.get('from', '')))}</small>"
            f"<small>Tới: {escape(kept['to'])}, {pages.local(kept['at'])}</small>"
            f"<small>Hủy đăng ký: {escape(leave) or 'không có'}{', một bấm' if found.get('list-unsubscribe-post') else ''}</small>"
            f"<small>Chữ ký DKIM: {'có' if found.get('dkim-signature') else 'không có'}</small></section>"
        )
        frame = f'<iframe title="Nội dung thư" sandbox src="{self.twin.base_url}/thu/{quote(id)}/noi-dung"></iframe>'
        return _answer(kept["subject"], f'<p class=note><a href="{self.twin.base_url}/">Mọi thư</a></p>{head}{frame}')

    def content(self, request: Request) -> Response:
        """The HTML as a mail program draws it, its pictures from the letter itself."""
        id = request.path_params["id"]
        if self.twin.state.get("email", id) is None:
            return HTMLResponse("", 404)
        return HTMLResponse(
            page_of(self.twin.letter(id)).replace("cid:", f"{self.twin.base_url}/thu/{quote(id)}/anh/"), headers=_SAFE
        )

    def picture(self, request: Request) -> Response:
        """A picture that came with a letter."""
        id, cid = request.path_params["id"], request.path_params["cid"]
        if self.twin.state.get("email", id) is None:
            return HTMLResponse("", 404)
        for part in self.twin.letter(id).walk():
            if str(part.get("content-id", "")) == f"<{cid}>" and part.get_content_maintype() == "image":
                return Response(part.get_payload(decode=True), media_type=part.get_content_type(), headers=_SAFE)
        return HTMLResponse("", 404)

    def switch(self, request: Request) -> Response:
        """Have the server misbehave at the next letter."""
        kind = next((kind for kind, _ in SWITCHES if kind == request.path_params["kind"]), None)
        if kind is None:
            return HTMLResponse("", 404)
        self.twin.faults.append(Fault(kind=kind, seconds=60 if kind == "slow" else 0))
        return RedirectResponse(f"{self.twin.base_url}/", 303)


def _answer(title: str, body: str) -> Response:
    note = "<p class=note>Diễn tập: máy chủ thư mô phỏng; không có thư nào ra khỏi máy này.</p>"
    page = (
        f'<!doctype html><html lang="vi"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_LOOK}</style></head><body><main>{note}{body}</main></body></html>"
    )
    return HTMLResponse(page, headers=_SAFE)
