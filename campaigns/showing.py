"""Templates as people see them: the shelf with what each is used for, one with its versions, and its examples on every channel."""

from collections import Counter
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlmodel import Session, col, select

from campaigns import drafting, library, views
from campaigns.audit import Actor
from campaigns.drafting import Draft, Preview
from campaigns.outlets import Desk
from campaigns.people import Mistake
from content import templates
from content.templates import Template as Parsed
from content.text import nfc
from store.tables import Campaign, Post, Task, Template, Ward


class Outdated(Mistake):
    """Somebody else saved a newer version meanwhile; nothing was overwritten."""


@dataclass(frozen=True)
class Shelved:
    """One template of the ward: its newest version, read; ``used`` counts the posts made from any version."""

    row: Template
    parsed: Parsed
    tasks: tuple[str, ...]
    used: int


@dataclass(frozen=True)
class Shown:
    """One version of a template with all of them, newest first, and who wrote each."""

    shelved: Shelved
    versions: list[Template]
    authors: dict[int, str]


def shelf(session: Session, ward_id: int) -> list[Shelved]:
    """The ward's templates by topic and name."""
    rows = library.all_current(session, ward_id)
    clauses, used = _clauses(session, ward_id), _used(session, ward_id)
    found = [_shelved(row, clauses, used) for row in rows]
    return sorted(found, key=lambda one: (one.parsed.head.topic or "~", one.parsed.head.name))


def show(session: Session, ward_id: int, slug: str, version: int | None = None) -> Shown:
    """One template of the ward, its newest version or the one asked for; raises NotInWard."""
    query = views.of_ward(Template, ward_id).where(Template.slug == slug).order_by(col(Template.version).desc())
    versions = list(session.exec(query).all())
    row = next((one for one in versions if one.version == version or (version is None and one.current)), None)
    if row is None:
        raise views.NotInWard(slug)
    authors = views.people_names(session, (one.author_id for one in versions))
    return Shown(_shelved(row, _clauses(session, ward_id), _used(session, ward_id)), versions, authors)


def examples(session: Session, by: Actor, ward: Ward, desk: Desk, source: str, now: datetime) -> list[Preview]:
    """A template's text with its own examples on every outlet that it is for; raises TemplateMistake or Mistake."""
    parsed = templates.load(nfc(source))
    campaign = session.exec(views.of_ward(Campaign, ward.id or 0).order_by(Campaign.id)).first()
    if campaign is None:
        raise Mistake("Phường chưa có chiến dịch nào, nên chưa dựng được ví dụ.")
    wanted = [
        one
        for one in views.outlets(session, ward.id or 0)
        if not parsed.head.channels or one.kind in parsed.head.channels
    ]
    draft = Draft(
        campaign_id=campaign.id or 0, fields=plain_examples(parsed), outlet_ids=[one.id or 0 for one in wanted]
    )
    around = drafting.imagined(session, by, ward, draft, now)
    unsaved = Template(ward_id=ward.id or 0, slug="", source=parsed.source, digest="", created_at=now)
    return drafting.shown(replace(around, template=unsaved), desk)


def plain_examples(parsed: Parsed) -> dict[str, Any]:
    """The examples as plain values that can be kept with a post or a rule."""
    kept = (str, int, float, bool, list)
    return {key: value if isinstance(value, kept) else str(value) for key, value in parsed.examples().items()}


def save(session: Session, by: Actor, ward_id: int, slug: str, source: str, seen: int, now: datetime) -> Template:
    """A new version of the template that was opened at version ``seen`` (0: a new template).

    Raises Forbidden, TemplateMistake, Outdated, or Mistake when a new template's name is taken.
    """
    newest = session.exec(views.of_ward(Template, ward_id).where(Template.slug == slug, col(Template.current))).first()
    if not seen and newest is not None:
        raise Mistake("Đã có mẫu cùng tên. Hãy đổi tên ở mục «name», hoặc mở mẫu cũ để sửa.")
    if seen and (newest is None or newest.version != seen):
        raise Outdated(
            "Mẫu này vừa có bản mới hơn. Phần bạn nhập vẫn còn ở đây; hãy mở bản mới ở thẻ khác để đối chiếu."
        )
    return library.save(session, by, ward_id, slug, source, now)


def _shelved(row: Template, clauses: dict[str, str], used: Counter[str]) -> Shelved:
    parsed = templates.load(row.source)
    return Shelved(row, parsed, tuple(clauses[code] for code in parsed.head.tasks if code in clauses), used[row.slug])


def _clauses(session: Session, ward_id: int) -> dict[str, str]:
    rows = session.exec(views.of_ward(Task, ward_id)).all()
    return {row.code: f"{row.clause}: {row.summary}" for row in rows}


def _used(session: Session, ward_id: int) -> Counter[str]:
    mine = (Post.ward_id == ward_id, Post.template_id == Template.id)
    return Counter(
        session.exec(select(Template.slug).join(Post, col(Post.template_id) == col(Template.id)).where(*mine)).all()
    )
