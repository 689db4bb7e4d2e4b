"""The composer's sheet: what was typed, read from a form or a post, with everything its page shows beside it."""

from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from typing import Any

from sqlmodel import Session, col

from campaigns import (
    announcing,
    dictionary,
    drafting,
    foretelling,
    library,
    programme,
    repeating,
    takes,
    urgency,
    views,
)
from campaigns.catalogue import fold
from campaigns.clips import Chosen
from campaigns.drafting import Draft, Preview
from campaigns.foretelling import Fate
from campaigns.people import Mistake
from campaigns.photos import Shot
from campaigns.repeating import Echo
from campaigns.timetable import TimetableMistake, holiday, local, moment, next_slot, quiet
from channels.contract import Capability, Problem
from channels.registry import kinds
from content import events, templates
from content.templates import Template as Parsed
from content.templates import format_date, format_time
from store.clips import Clip
from store.tables import Campaign, Outlet, Post, Task, Template
from web.console import album, readings
from web.forms import Typed
from web.session import Here


@dataclass(frozen=True)
class Look:
    """How a draft looks now: its previews, what is wrong, and which fields were lent their examples for looking.

    ``repeats`` are earlier posts that say the same at the same outlet; ``seal`` is what a consent to repeat is bound to.
    ``fates`` tell where it would be heard, by loudspeaker.
    """

    previews: list[Preview]
    problems: list[Problem]
    lent: list[str]
    repeats: list[Echo] = field(default_factory=list)
    seal: str = ""
    fates: dict[int, Fate] = field(default_factory=dict)

    @property
    def errors(self) -> list[Problem]:
        """What keeps the post from being submitted."""
        return [problem for problem in self.problems if problem.level == "error"]

    @property
    def warnings(self) -> list[Problem]:
        """What the editor should know."""
        return [problem for problem in self.problems if problem.level == "warning"]


@dataclass
class Sheet:
    """One composer page. ``post_id`` and ``revision`` are empty until the draft is kept for the first time."""

    draft: Draft
    template: Template | None
    parsed: Parsed | None
    outlets: list[Outlet]
    tasks: list[Task]
    campaigns: list[Campaign]
    shots: list[Shot]
    clip: Chosen | None = None
    post: Post | None = None
    revision: int = 0
    errors: dict[str, str] = field(default_factory=dict)
    look: Look | None = None
    told: tuple[str, str] = ("", "")
    airtimes: list[tuple[Outlet, list[tuple[str, str]]]] = field(default_factory=list)

    @property
    def post_id(self) -> int | None:
        """The kept post, once there is one."""
        return self.post.id if self.post else None

    @property
    def invites(self) -> bool:
        """Whether something was typed into the fields of an event, or is wrong there."""
        return any(self.draft.fields.values()) or any(f"field.{key}" in self.errors for key in events.FREE)

    @property
    def graces(self) -> list[tuple[object, str]]:
        """What may be chosen as the time within which a late post is made good; empty: as its class says."""
        kept = self.draft.grace_minutes or 0
        usual = kept == urgency.grace_minutes(self.draft.urgency)
        others = [] if usual or kept in dict(urgency.GRACES) else [(kept, urgency.span(kept))]
        return [("", "Theo mức đã chọn"), *urgency.GRACES, *others]

    @property
    def grace(self) -> int | str:
        """What is chosen of them."""
        kept = self.draft.grace_minutes or 0
        return "" if kept == urgency.grace_minutes(self.draft.urgency) else kept

    @property
    def pins(self) -> bool:
        """Whether any channel of the ward can pin a post."""
        return any(Capability.PIN in kinds()[one.kind].capabilities for one in self.outlets if one.kind in kinds())

    @property
    def tellers(self) -> list[tuple[Outlet, bool]]:
        """The ward's channels that can tell their followers of a post, and whether this one has them told."""
        found = [(one, announcing.offered(one)) for one in self.outlets]
        return [(one, self.draft.announce.get(one.id or 0, can.usual)) for one, can in found if can]

    @property
    def silent(self) -> bool:
        """Whether what is typed must not be kept by itself: keeping it would undo an approval or a submission."""
        return self.post is not None and self.post.state in ("submitted", "approved")


def blank(session: Session, here: Here, template_id: int | None, day: str, clock: str, with_examples: bool) -> Draft:
    """A new draft: the template's channels, its task, and a sensible moment."""
    template = views.mine(session, Template, template_id, here.ward_id) if template_id else None
    head = templates.load(template.source).head if template else None
    kinds = head.channels if head else ()
    at = local(next_slot(here.now, here.ward.zone, here.ward.quiet, _date(day)), here.ward.zone)
    tasks = session.exec(views.of_ward(Task, here.ward_id).where(col(Task.code).in_(head.tasks if head else ()))).all()
    codes = {task.code: task.id for task in tasks}
    return Draft(
        campaign_id=_campaigns(session, here)[0].id or 0,
        template_id=template.id if template else None,
        task_id=next((codes[code] for code in (head.tasks if head else ()) if code in codes), None),
        fields=examples(templates.load(template.source)) if template and with_examples else {},
        outlet_ids=[one.id or 0 for one in views.outlets(session, here.ward_id) if not kinds or one.kind in kinds],
        day=format_date(at.date()),
        clock=clock or format_time(at.time()),
    )


def typed_draft(session: Session, here: Here, form: Typed) -> Draft:
    """The draft as it was typed; fields that the template does not have are left out."""
    template_id = form.number("template_id")
    template = views.mine(session, Template, template_id, here.ward_id) if template_id else None
    known = templates.load(template.source).head.fields if template else events.FREE
    draft = Draft(
        campaign_id=form.number("campaign_id") or _campaigns(session, here)[0].id or 0,
        template_id=template_id,
        task_id=form.number("task_id"),
        source_item_id=form.number("source_item_id"),
        title=form.text("title"),
        summary=form.text("summary"),
        body=form.text("body").strip("\n"),
        fields={key: text for key, text in form.under("field").items() if key in known},
        link=form.text("link"),
        source_name=form.text("source_name"),
        source_url=form.text("source_url"),
        card=form.on("card"),
        card_words=form.text("card_words"),
        pictures=album.chosen(form),
        clip_id=form.number("clip"),
        clip_about=form.text("clip_about"),
        pin=form.on("pin"),
        day=form.text("day"),
        clock=form.text("clock"),
        outlet_ids=list(dict.fromkeys(form.numbers("outlet"))),
        own_words={int(key): text for key, text in form.under("own").items() if key.isdigit() and text.strip()},
        readings=readings.typed(form),
        announce={id: form.on(f"announce.{id}") for id in form.numbers("announce_of")},
        slots={int(key): at for key, text in form.under("slot").items() if key.isdigit() and (at := _moment(text))},
        urgency=form.line("urgency") or urgency.NORMAL,
        grace_minutes=_grace(form.number("grace")),
    )
    if given := form.line("repeat_ok"):
        # The tick was given for the text that stood there: under any other text it says nothing.
        draft.repeat_ok = given == repeating.seal(drafting.imagined(session, here.actor, here.ward, draft, here.now))
    return draft


def _grace(minutes: int | None) -> int | None:
    return minutes if minutes and minutes <= urgency.LONGEST_GRACE_MINUTES else None


def sheet(session: Session, here: Here, draft: Draft, post: Post | None = None, revision: int = 0) -> Sheet:
    """The page of a draft; raises NotInWard when it names what is not in this ward."""
    template = views.mine(session, Template, draft.template_id, here.ward_id) if draft.template_id else None
    return Sheet(
        draft=draft,
        template=template,
        parsed=templates.load(template.source) if template else None,
        outlets=views.outlets(session, here.ward_id),
        tasks=list(session.exec(views.of_ward(Task, here.ward_id).order_by(Task.id)).all()),
        campaigns=_campaigns(session, here),
        shots=album.shots(session, here, draft.pictures),
        clip=Chosen(views.mine(session, Clip, draft.clip_id, here.ward_id), draft.clip_about)
        if draft.clip_id
        else None,
        post=post,
        revision=revision or (post.revision if post else 0),
        airtimes=_airtimes(session, here, draft),
    )


def look(here: Here, draft: Draft, post: Post | None = None) -> Look:
    """The previews of a draft that need not be kept, and everything that is wrong with it; ``post`` is what it changes."""
    with here.store.read() as session:
        exact = drafting.imagined(session, here.actor, here.ward, draft, here.now)
        filled, lent = _with_examples(draft, templates.load(exact.template.source) if exact.template else None)
        around = drafting.imagined(session, here.actor, here.ward, filled, here.now)
        if post is not None:
            exact.post.id, exact.post.state, exact.post.submitted_at = post.id, post.state, post.submitted_at
            recorded = takes.of_post(session, post.id)
            around = replace(around, manner=dictionary.manner(session, here.ward, post), recordings=recorded)
        echoes = repeating.echoes(session, exact, here.now)
        months = announcing.months(session, exact, here.now)
    previews = drafting.shown(around, here.desk)
    with here.store.read() as session:
        fates = foretelling.fates(session, exact, foretelling.lengths(previews), here.now)
    problems = drafting.wrong(exact, here.now) + _timely(here, draft) + _untouched(draft, exact.template)
    problems += repeating.problems(echoes, exact) + announcing.problems(months) + foretelling.problems(exact, fates)
    for preview in previews:
        told = {problem.text for problem in problems}
        incomplete = preview.message is None and any(problem.level == "error" for problem in problems)
        problems += [] if incomplete else [problem for problem in preview.problems if problem.text not in told]
    same = [echo for echo in echoes if echo.exact and not echo.from_rule]
    return Look(previews, problems, lent, same, repeating.seal(exact), fates)


def examples(parsed: Parsed) -> dict[str, Any]:
    """The example of every field as an editor would type it."""
    return {key: example(value) for key, value in parsed.examples().items()}


def example(value: object) -> str:
    """An example as it would be typed."""
    if isinstance(value, list | tuple):
        return "\n".join(str(item) for item in value)
    return format_date(value) if isinstance(value, date) else str(value)


def by_field(problems: list[Problem]) -> dict[str, str]:
    """The errors, each under the form field where it can be mended."""
    found: dict[str, str] = {}
    for problem in problems:
        if problem.level == "error":
            found.setdefault(problem.field, problem.text)
    return found


def groups(session: Session, here: Here, words: str) -> list[tuple[str, list[tuple[Template, Parsed]]]]:
    """The ward's templates that have every word, by topic."""
    wanted = fold(words).split()
    found: dict[str, list[tuple[Template, Parsed]]] = {}
    for row in library.all_current(session, here.ward_id):
        parsed = templates.load(row.source)
        text = f"{parsed.head.name} {parsed.head.topic} {parsed.head.audience} {parsed.head.summary}"
        if all(word in fold(text) for word in wanted):
            found.setdefault(parsed.head.topic or "Khác", []).append((row, parsed))
    return sorted(found.items())


def _campaigns(session: Session, here: Here) -> list[Campaign]:
    found = list(session.exec(views.of_ward(Campaign, here.ward_id).order_by(Campaign.id)).all())
    if not found:
        raise Mistake("Phường chưa có chiến dịch nào. Hãy nhờ người quản trị tạo chiến dịch trước khi soạn tin.")
    return found


def _with_examples(draft: Draft, parsed: Parsed | None) -> tuple[Draft, list[str]]:
    if parsed is None:
        return draft, []
    known = examples(parsed)
    empty = [
        key for key, one in parsed.head.fields.items() if one.required and not str(draft.fields.get(key, "")).strip()
    ]
    lent = {key: known[key] for key in empty if key in known}
    return draft.model_copy(update={"fields": {**draft.fields, **lent}}), [
        parsed.head.fields[key].label for key in lent
    ]


def _timely(here: Here, draft: Draft) -> list[Problem]:
    try:
        at = moment(draft.day, draft.clock, here.ward.zone)
    except TimetableMistake:
        return []
    found = []
    if quiet(at, here.ward.zone, here.ward.quiet) and not urgency.CLASSES[draft.urgency].in_quiet:
        text = f"{draft.clock} nằm trong giờ yên tĩnh của phường; loa và tin nhắn dễ làm phiền người dân."
        found.append(Problem(level="warning", text=text, field="day"))
    if name := holiday(local(at, here.ward.zone).date()):
        found.append(Problem(level="warning", text=f"Ngày {draft.day} là ngày nghỉ: {name}.", field="day"))
    return found


def _untouched(draft: Draft, template: Template | None) -> list[Problem]:
    if template is None:
        return []
    parsed = templates.load(template.source)
    known = examples(parsed)
    same = [parsed.head.fields[key].label for key, text in draft.fields.items() if text and known.get(key) == text]
    if not same:
        return []
    text = f"Còn giữ nguyên lời ví dụ của mẫu: {', '.join(same)}. Hãy kiểm tra đã đúng với phường chưa."
    return [Problem(level="warning", text=text, field=f"field.{next(iter(parsed.head.fields))}")]


def _airtimes(session: Session, here: Here, draft: Draft) -> list[tuple[Outlet, list[tuple[str, str]]]]:
    """The loudspeakers that have slots, each with what may be chosen there: its coming slots and the one that is kept."""
    found = []
    for outlet in programme.stations(session, here.ward_id):
        offered = [(one.value, one.words) for one in foretelling.offers(session, here.ward, outlet, here.now)]
        kept = draft.slots.get(outlet.id or 0)
        if kept and kept.isoformat() not in dict(offered):
            at = local(kept, here.ward.zone)
            offered.append((kept.isoformat(), f"{format_time(at.time())} ngày {format_date(at.date())} (đã chọn)"))
        if offered:
            found.append((outlet, [("", "Theo ngày, giờ đăng ở trên"), *offered]))
    return found


def _moment(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return found.astimezone(UTC) if found.tzinfo else None


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None
