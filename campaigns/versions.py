"""Every text under which a delivery may stand on its channel: as it first went out, and as it was amended since."""

import logging

from pydantic import ValidationError
from sqlmodel import Session, col, or_, select

from campaigns import freezing
from channels.contract import Message
from store.amendments import AmendmentLine
from store.tables import Delivery

log = logging.getLogger("lantoa.versions")


def every(session: Session, delivery: Delivery) -> tuple[Message, ...]:
    """The newest first. What an amendment may have put there counts, whether or not its answer was ever heard."""
    tried = or_(col(AmendmentLine.tries) > 0, col(AmendmentLine.state).in_(["wire", "done"]))
    lines = select(AmendmentLine).where(AmendmentLine.delivery_id == delivery.id, tried)
    amended = [message_of(line) for line in session.exec(lines.order_by(col(AmendmentLine.id).desc())).all()]
    return tuple(message for message in (*amended, freezing.kept(delivery)) if message is not None)


def standing(session: Session, delivery: Delivery) -> Message | None:
    """What a reader sees now, as far as it is known: the newest amendment that is done, else what first went out."""
    done = select(AmendmentLine).where(AmendmentLine.delivery_id == delivery.id, AmendmentLine.state == "done")
    newest = session.exec(done.order_by(col(AmendmentLine.id).desc()).limit(1)).first()
    return message_of(newest) if newest is not None else freezing.kept(delivery)


def before(session: Session, delivery: Delivery, line: AmendmentLine) -> Message | None:
    """What stood there before this correction: the newest one before it that is done, else what first went out."""
    older = (AmendmentLine.delivery_id == delivery.id, AmendmentLine.state == "done", col(AmendmentLine.id) < line.id)
    found = session.exec(select(AmendmentLine).where(*older).order_by(col(AmendmentLine.id).desc()).limit(1)).first()
    return message_of(found) if found is not None else freezing.kept(delivery)


def message_of(line: AmendmentLine) -> Message | None:
    """The frozen message of a correction; None where it cannot be read any more."""
    try:
        return Message.model_validate(line.message)
    except ValidationError:
        log.warning("the kept message of correction %s cannot be read", line.id)
        return None
