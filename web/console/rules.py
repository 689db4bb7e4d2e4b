"""«Đăng thường kỳ»: standing rules, their next occurrences, writing one without JavaScript, approval, stopping."""

from dataclasses import dataclass, field
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from sqlmodel import Session, col

from campaigns import library, recurring, rules, views
from campaigns.approving import rule_digest
from campaigns.people import Action, Mistake
from campaigns.rules import Item, RuleDraft, Wrong
from campaigns.showing import plain_examples
from campaigns.timetable import TimetableMistake, local
from content import templates
from content.templates import Template as Parsed
from content.templates import format_date
from store.tables import Campaign, Outlet, Rule, Template
from web.console import sheets
from web.console.pages import done, page
from web.forms import Form, Typed
from web.session import Here, Visitor

router = APIRouter()

STATES: dict[str, tuple[str, str, str]] = {
    "draft": ("Bản nháp", "muted", "pencil"),
    "submitted": ("Chờ duyệt", "active", "hourglass"),
    "approved": ("Đang chạy", "good", "circle-check"),
    "stopped": ("Đã dừng", "muted", "player-stop"),
}
MOST_ITEMS = 60


@dataclass(frozen=True)
class Row:
    """One text of the rule on screen: its template and the fields as typed."""

    template: Template
    parsed: Parsed
    fields: dict[str, Any]


@dataclass
class RuleSheet:
    """The form of a rule: what was typed, what can be chosen, what is wrong."""

    draft: RuleDraft
    weekdays: list[int]
    clocks: str
    raw: str
    rows: list[Row]
    outlets: list[Outlet]
    campaigns: list[Campaign]
    shelf: list[tuple[int, str]]
    rule: Rule | None = None
    errors: dict[str, str] = field(default_factory=dict)


@router.get("/thuong-ky")
def all_rules(request: Request, here: Visitor) -> Response:
    """Every standing rule, with its next occurrence."""
    with here.store.read() as session:
        found = session.exec(views.of_ward(Rule, here.ward_id).order_by(col(Rule.state) == "stopped", Rule.name)).all()
        places = {outlet.id: outlet for outlet in views.outlets(session, here.ward_id)}
    rows = [(rule, _next(here, rule), [places[id] for id in rule.outlet_ids if id in places]) for rule in found]
    return page(request, here, "rules.html", rows=rows, states=STATES, when=when)


@router.get("/thuong-ky/moi")
def begin(request: Request, here: Visitor) -> Response:
    """An empty rule."""
    here.require(Action.WRITE)
    with here.store.read() as session:
        campaign = session.exec(views.of_ward(Campaign, here.ward_id).order_by(Campaign.id)).first()
        if campaign is None:
            raise Mistake("Phường chưa có chiến dịch nào. Hãy nhờ người quản trị tạo chiến dịch trước.")
        ids = [outlet.id or 0 for outlet in views.outlets(session, here.ward_id)]
        today = format_date(local(here.now, here.ward.zone).date())
        draft = RuleDraft(campaign_id=campaign.id or 0, outlet_ids=ids, starts=today)
        sheet = _sheet(session, here, draft, [], "07h00", "")
    return page(request, here, "rule_edit.html", sheet=sheet, errors={})


@router.post("/thuong-ky/moi")
def create(request: Request, here: Visitor, form: Form) -> Response:
    """Keep a new rule, or only change its list of texts."""
    return _save(request, here, form, None)


@router.get("/thuong-ky/{rule_id:int}")
def show(request: Request, here: Visitor, rule_id: int) -> Response:
    """One rule: its texts, its next ten occurrences, and what can be done with it."""
    return _page(request, here, rule_id)


@router.get("/thuong-ky/{rule_id:int}/sua")
def edit(request: Request, here: Visitor, rule_id: int) -> Response:
    """The form of a kept rule."""
    here.require(Action.WRITE)
    with here.store.read() as session:
        rule = views.mine(session, Rule, rule_id, here.ward_id)
        picked = recurring.picked(rule.cron)
        weekdays, clocks = picked or ([], "")
        sheet = _sheet(session, here, rules.draft_of(rule), weekdays, clocks, "" if picked else rule.cron, rule)
    return page(request, here, "rule_edit.html", sheet=sheet, errors={})


@router.post("/thuong-ky/{rule_id:int}/sua")
def save(request: Request, here: Visitor, form: Form, rule_id: int) -> Response:
    """Keep a changed rule; its approval is void."""
    return _save(request, here, form, rule_id)


@router.post("/thuong-ky/{rule_id:int}/gui")
def submit(request: Request, here: Visitor, rule_id: int) -> Response:
    """Hand the rule over for approval."""
    try:
        with here.store.write() as session:
            rules.submit(
                session, here.actor, views.mine(session, Rule, rule_id, here.ward_id), here.ward, here.desk, here.now
            )
    except Wrong as wrong:
        return _page(request, here, rule_id, 422, wrong.errors)
    return done(here, f"/quan-tri/thuong-ky/{rule_id}", "Đã gửi duyệt. Người duyệt sẽ thấy lịch ở mục Chờ duyệt.")


@router.post("/thuong-ky/{rule_id:int}/duyet")
def approve(request: Request, here: Visitor, form: Form, rule_id: int) -> Response:
    """Approve the rule as it was shown."""
    with here.store.write() as session:
        rules.approve(
            session, here.actor, views.mine(session, Rule, rule_id, here.ward_id), form.line("digest"), here.now
        )
    return done(here, f"/quan-tri/thuong-ky/{rule_id}", "Đã duyệt. Lịch bắt đầu chạy từ lần đăng kế tiếp.")


@router.post("/thuong-ky/{rule_id:int}/tra-lai")
def send_back(request: Request, here: Visitor, form: Form, rule_id: int) -> Response:
    """Return the rule to its author with a note."""
    try:
        with here.store.write() as session:
            rules.send_back(
                session, here.actor, views.mine(session, Rule, rule_id, here.ward_id), form.line("note"), here.now
            )
    except Mistake as mistake:
        return _page(request, here, rule_id, 422, {"": str(mistake)})
    return done(here, f"/quan-tri/thuong-ky/{rule_id}", "Đã trả lại lịch cho người lập.")


@router.post("/thuong-ky/{rule_id:int}/dung")
def stop(request: Request, here: Visitor, form: Form, rule_id: int) -> Response:
    """Stop the rule; what it planned and has not begun is called off."""
    try:
        with here.store.write() as session:
            stopped = rules.stop(
                session, here.actor, views.mine(session, Rule, rule_id, here.ward_id), form.line("note"), here.now
            )
    except Mistake as mistake:
        return _page(request, here, rule_id, 422, {"": str(mistake)})
    return done(
        here,
        f"/quan-tri/thuong-ky/{rule_id}",
        f"Đã dừng lịch; hủy {stopped} lượt đăng chưa bắt đầu." if stopped else "Đã dừng lịch.",
    )


def when(cron: str) -> str:
    """A cron line in words where it is a plain one, else the line itself."""
    picked = recurring.picked(cron)
    if picked is None:
        return f"Lịch nâng cao: {cron}"
    days, clocks = picked
    return f"{clocks} {', '.join(_DAYS[day] for day in days) if days else 'hằng ngày'}"


_DAYS = ("thứ Hai", "thứ Ba", "thứ Tư", "thứ Năm", "thứ Sáu", "thứ Bảy", "Chủ nhật")


def _next(here: Here, rule: Rule) -> recurring.Coming | None:
    if rule.state == "stopped":
        return None
    return next((one for one in recurring.coming(rule, here.ward, here.now, 1) if not one.skipped), None)


def _save(request: Request, here: Here, form: Typed, rule_id: int | None) -> Response:
    here.require(Action.WRITE)
    errors: dict[str, str] = {}
    draft, weekdays = _typed(form, errors)
    todo = form.line("do") or "save"
    if todo not in ("save", "submit"):
        with here.store.read() as session:
            _rearrange(session, here, draft, todo, form.number("add_template"), errors)
            sheet = _sheet(
                session, here, draft, weekdays, form.text("clocks"), form.text("cron"), _rule(session, here, rule_id)
            )
        return page(request, here, "rule_edit.html", sheet=sheet, errors={})
    try:
        if errors:
            raise Wrong(errors)
        with here.store.write() as session:
            kept = rules.save(session, here.actor, here.ward, draft, here.now, _rule(session, here, rule_id))
            if todo == "submit":
                rules.submit(session, here.actor, kept, here.ward, here.desk, here.now)
    except Wrong as wrong:
        with here.store.read() as session:
            sheet = _sheet(
                session, here, draft, weekdays, form.text("clocks"), form.text("cron"), _rule(session, here, rule_id)
            )
        return page(request, here, "rule_edit.html", 422, sheet=sheet, errors=wrong.errors)
    said = (
        "Đã gửi duyệt. Người duyệt sẽ thấy lịch ở mục Chờ duyệt." if todo == "submit" else "Đã lưu bản nháp của lịch."
    )
    return done(here, f"/quan-tri/thuong-ky/{kept.id}", said)


def _rule(session: Session, here: Here, rule_id: int | None) -> Rule | None:
    return views.mine(session, Rule, rule_id, here.ward_id) if rule_id else None


def _typed(form: Typed, errors: dict[str, str]) -> tuple[RuleDraft, list[int]]:
    weekdays = [day for day in form.numbers("weekday") if day < 7]
    cron = form.line("cron")
    if not cron:
        try:
            cron = recurring.cron_line(weekdays, form.line("clocks"))
        except TimetableMistake as mistake:
            errors["clocks"] = str(mistake)
    items = []
    for place in form.numbers("item")[:MOST_ITEMS]:
        template_id = form.number(f"item.{place}.template")
        if template_id:
            items.append(Item(template_id=template_id, fields=dict(form.under(f"item.{place}.field"))))
    draft = RuleDraft(
        campaign_id=form.number("campaign_id") or 0, name=form.line("name"), cron=cron, outlet_ids=form.numbers("outlet"), items=items,
        on_holidays=form.on("on_holidays"), starts=form.line("starts"), ends=form.line("ends"),
    )  # fmt: skip
    return draft, weekdays


def _rearrange(
    session: Session, here: Here, draft: RuleDraft, todo: str, add: int | None, errors: dict[str, str]
) -> None:
    verb, _, text = todo.partition(".")
    place = int(text) if text.isdigit() and len(text) < 4 else 0
    items = draft.items
    if verb == "add" and add and len(items) < MOST_ITEMS:
        items.append(Item(template_id=views.mine(session, Template, add, here.ward_id).id or 0))
    elif place < len(items) and verb == "remove":
        items.pop(place)
    elif verb == "up" and 0 < place < len(items):
        items[place - 1], items[place] = items[place], items[place - 1]
    elif verb == "down" and place + 1 < len(items):
        items[place + 1], items[place] = items[place], items[place + 1]
    elif verb == "fill" and place < len(items):
        template = views.mine(session, Template, items[place].template_id, here.ward_id)
        items[place].fields = plain_examples(templates.load(template.source))


def _sheet(
    session: Session, here: Here, draft: RuleDraft, weekdays: list[int], clocks: str, raw: str, rule: Rule | None = None
) -> RuleSheet:
    rows = []
    for item in draft.items:
        template = views.mine(session, Template, item.template_id, here.ward_id)
        rows.append(Row(template, templates.load(template.source), item.fields))
    named = [(row.id or 0, templates.load(row.source).head.name) for row in library.all_current(session, here.ward_id)]
    return RuleSheet(
        draft=draft, weekdays=weekdays, clocks=clocks, raw=raw, rows=rows, outlets=views.outlets(session, here.ward_id),
        campaigns=list(session.exec(views.of_ward(Campaign, here.ward_id).order_by(Campaign.id)).all()),
        shelf=sorted(named, key=lambda pair: pair[1]), rule=rule,
    )  # fmt: skip


def _page(
    request: Request, here: Here, rule_id: int, status: int = 200, errors: dict[str, str] | None = None
) -> Response:
    with here.store.read() as session:
        rule = views.mine(session, Rule, rule_id, here.ward_id)
        sheet = _sheet(session, here, rules.draft_of(rule), [], "", "", rule)
        names = views.people_names(session, (rule.author_id, rule.approver_id))
        digest, note = rule_digest(session, rule), rules.returned_note(session, rule)
    coming = recurring.coming(rule, here.ward, here.now) if rule.state != "stopped" else []
    return page(
        request, here, "rule.html", status, rule=rule, sheet=sheet, coming=coming, digest=digest, note=note, names=names,
        states=STATES, when=when, errors=errors or {}, example=sheets.example,
    )  # fmt: skip
