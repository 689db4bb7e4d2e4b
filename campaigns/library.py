"""The campaign kit in a ward: the plan's tasks and the templates, shipped or written by staff."""

import hashlib
from datetime import datetime

from sqlmodel import Session, col, func, select, update

from campaigns.audit import Actor, record
from campaigns.people import Action, require
from content import templates as content_templates
from content.text import nfc, slug
from store.tables import Template


def add_shipped(session: Session, by: Actor, ward_id: int, kit: dict[str, str], now: datetime) -> int:
    """Put the shipped templates into a ward; what is there unchanged or was rewritten by staff stays. Gives how many are new."""
    rewritten = {template.slug for template in all_current(session, ward_id) if not template.shipped}
    added = 0
    for name, source in kit.items():
        if name in rewritten:
            continue
        added += _keep(session, by, ward_id, name, source, now, shipped=True) is not None
    return added


def save(session: Session, by: Actor, ward_id: int, name: str, source: str, now: datetime) -> Template:
    """A new version of a template written by staff; raises TemplateMistake when it does not parse."""
    require(by, Action.WRITE, ward_id)
    parsed = content_templates.load(nfc(source))
    name = name or slug(parsed.head.name)
    return _keep(session, by, ward_id, name, parsed.source, now, shipped=False) or current(session, ward_id, name)


def current(session: Session, ward_id: int, name: str) -> Template:
    """The newest version of a template; raises LookupError."""
    wanted = select(Template).where(Template.ward_id == ward_id, Template.slug == name, col(Template.current))
    found = session.exec(wanted).first()
    if found is None:
        raise LookupError(name)
    return found


def all_current(session: Session, ward_id: int) -> list[Template]:
    """The newest version of every template of the ward, by slug."""
    return list(
        session.exec(select(Template).where(Template.ward_id == ward_id, col(Template.current)).order_by(Template.slug))
    )


def _keep(
    session: Session, by: Actor, ward_id: int, name: str, source: str, now: datetime, *, shipped: bool
) -> Template | None:
    digest = hashlib.sha256(source.encode()).hexdigest()
    mine = (col(Template.ward_id) == ward_id, col(Template.slug) == name)
    if session.exec(select(Template.id).where(*mine, col(Template.current), Template.digest == digest)).first():
        return None
    content_templates.load(source)
    newest = session.exec(select(func.max(Template.version)).where(*mine)).one() or 0
    session.exec(update(Template).where(*mine).values(current=False))
    made = Template(
        ward_id=ward_id, slug=name, version=newest + 1, source=source, digest=digest, shipped=shipped,
        author_id=by.user_id, created_at=now,
    )  # fmt: skip
    session.add(made)
    session.flush()
    record(session, ward_id, by, "template.saved", "template", made.id, now, slug=name, version=made.version)
    return made
