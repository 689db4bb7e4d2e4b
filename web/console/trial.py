"""«Đăng thử»: what a test publication of an outlet will do, the button, and step by step how the last one went."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from campaigns import diagnosing, outlets, trials, trying, views
from campaigns.people import Action, Mistake
from campaigns.trials import Step
from campaigns.trying import Asked
from channels.registry import kinds
from store.tables import Outlet
from web.console import words
from web.console.pages import done, page
from web.forms import Form
from web.session import Here, NotHere, Visitor

router = APIRouter()

STEPS = {"prepare": "Chuẩn bị", "publish": "Đăng", "find": "Tra cứu lại", "withdraw": "Gỡ"}
#: (step, result) -> tone, what happened, what to do
SAID: dict[tuple[str, str], tuple[str, str, str]] = {
    ("prepare", "done"): ("good", "Nội dung thử đã sẵn sàng.", ""),
    ("prepare", "waiting"): ("warn", "Nền tảng chưa chuẩn bị xong nên chưa đăng gì.", "Thử lại sau ít phút."),
    ("prepare", "later"): ("warn", "Chưa chuẩn bị được; chưa có gì được đăng.", ""),
    ("prepare", "refused"): ("bad", "Nền tảng không nhận phần chuẩn bị; chưa có gì được đăng.", ""),
    ("prepare", "unknown"): ("bad", "Chuẩn bị không xong; chưa có gì được đăng.", "Kiểm tra kết nối, rồi đăng thử lại."),
    ("publish", "done"): ("good", "Nền tảng đã nhận.", ""),
    ("publish", "waiting"): ("calm", "Nền tảng đã nhận và đang xử lý.", ""),
    ("publish", "stopped"): ("warn", "Dừng trước khi gửi; chưa có gì được đăng.", ""),
    ("publish", "later"): ("warn", "Nền tảng chưa nhận; chắc chắn chưa có gì được đăng.", ""),
    ("publish", "refused"): ("bad", "Nền tảng từ chối; chắc chắn chưa có gì được đăng.", ""),
    ("publish", "unknown"): ("bad", "Đã gửi nhưng không rõ nền tảng có nhận không.", "Mở kênh xem có tin thử không; nếu có, hãy gỡ bằng tay."),
    ("find", "out"): ("good", "Tìm lại được trên nền tảng.", ""),
    ("find", "absent"): ("warn", "Chưa thấy tin thử trên nền tảng.", "Mở kênh xem tin thử có hiện không; có nền tảng hiện chậm vài phút."),
    ("find", "mailbox"): ("calm", "Thư đã gửi thì không tra cứu từ đây được.", "Mở hộp thư của địa chỉ đó xem thư thử đã tới chưa, kể cả mục thư rác."),
    ("find", "unclear"): ("warn", "Không tra cứu được.", "Mở kênh xem tin thử có hiện không."),
    ("withdraw", "done"): ("good", "Đã gỡ tin thử.", ""),
    ("withdraw", "gone"): ("good", "Tin thử không còn trên nền tảng.", ""),
    ("withdraw", "over"): ("calm", "Đã phát xong, không có gì phải gỡ.", ""),
    ("withdraw", "cannot"): ("warn", "Kênh này không gỡ tự động được.", "Hãy tự gỡ tin thử trên kênh."),
    ("withdraw", "nameless"): ("warn", "Không có mã của tin thử nên không gỡ được.", "Hãy mở kênh xem; nếu có tin thử, hãy gỡ bằng tay."),
    ("withdraw", "later"): ("warn", "Chưa gỡ được.", "Bấm «Gỡ lại» sau ít phút, hoặc tự gỡ tin thử trên kênh."),
    ("withdraw", "refused"): ("bad", "Nền tảng không cho gỡ.", "Sửa chỗ vướng rồi bấm «Gỡ lại», hoặc tự gỡ tin thử trên kênh."),
    ("withdraw", "unknown"): ("bad", "Không rõ đã gỡ chưa.", "Hãy mở kênh xem; nếu còn tin thử, bấm «Gỡ lại» hoặc gỡ bằng tay."),
}  # fmt: skip


@router.get("/kenh/{outlet_id:int}/dang-thu")
def show(request: Request, here: Visitor, outlet_id: int) -> Response:
    """What a trial would do here, and how the last one went."""
    here.require(Action.SETTLE)
    return _page(request, here, outlet_id)


@router.post("/kenh/{outlet_id:int}/dang-thu")
async def make(request: Request, here: Visitor, form: Form, outlet_id: int) -> Response:
    """Make one trial, once, and show its steps."""
    asked = Asked(form.number("luot") or 0, form.on("hieu"), form.line("go"), form.line("dia_chi"))
    try:
        told = await trying.publish(here.store, here.desk, here.actor, here.ward_id, outlet_id, asked)
    except Mistake as mistake:
        return _page(request, here, outlet_id, 422, str(mistake), form.line("dia_chi"))
    went_well = told.left == "no" and not any(tone(step) in ("bad", "warn") for step in told.steps)
    said = "Đăng thử xong, mọi bước đều được." if went_well else "Đăng thử xong; hãy xem các bước còn vướng dưới đây."
    return done(here, f"/quan-tri/kenh/{outlet_id}/dang-thu", said, "ok" if went_well else "error")


@router.post("/kenh/{outlet_id:int}/go-lai")
async def remove(request: Request, here: Visitor, form: Form, outlet_id: int) -> Response:
    """Take down once more what the last trial left behind."""
    number, removal = form.number("luot") or 0, form.number("lan") or 0
    try:
        told = await trying.remove(here.store, here.desk, here.actor, here.ward_id, outlet_id, number, removal)
    except Mistake as mistake:
        return _page(request, here, outlet_id, 422, str(mistake))
    gone = told.left == "no"
    said = "Đã gỡ tin thử." if gone else "Chưa gỡ được tin thử; hãy xem bước gỡ dưới đây."
    return done(here, f"/quan-tri/kenh/{outlet_id}/dang-thu", said, "ok" if gone else "error")


def tone(step: Step) -> str:
    """How a step went: good, calm, warn or bad."""
    return SAID[step.name, step.result][0]


def _page(
    request: Request, here: Here, outlet_id: int, status: int = 200, error: str = "", address: str = ""
) -> Response:
    with here.store.read() as session:
        outlet = views.mine(session, Outlet, outlet_id, here.ward_id)
        told, number = trials.latest(session, outlet, here.now), trials.count(session, outlet) + 1
    if outlet.kind not in kinds():
        raise NotHere(outlet.kind)
    lines = [_line(here, outlet, step) for step in told.steps] if told else []
    return page(
        request, here, "outlet_trial.html", status, outlet=outlet, plan=trying.plan(outlets.kind_of(outlet)), told=told,
        lines=lines, number=number, error=error, address=address, typed=trying.TYPED,
    )  # fmt: skip


def _line(here: Here, outlet: Outlet, step: Step) -> dict[str, str]:
    """One step in words: its name and tone, what happened, why, and what to do."""
    tone, said, todo = SAID[step.name, step.result]
    reason = words.REASON.get(step.reason, "")
    todo = todo or diagnosing.advice(here.desk, outlet, step.reason)
    why = ". ".join(part.rstrip(".") for part in (reason, step.detail) if part)
    return {"name": STEPS[step.name], "tone": tone, "said": said, "why": f"{why}." if why else "", "todo": todo}
