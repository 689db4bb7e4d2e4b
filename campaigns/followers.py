"""Followers won and lost in a period, as the platforms told of them one by one: rows for the reports, with their evidence."""

from sqlmodel import Session, col, select

from campaigns import hearing
from campaigns.counts import Scope
from campaigns.tallies import AudienceRow
from channels.registry import kinds
from store.tables import Outlet

NAMES = {"followed": "Người theo dõi mới", "unfollowed": "Người bỏ theo dõi"}
FORMULA = "đếm sự kiện nền tảng báo về trong kỳ, chữ ký đúng, mỗi sự kiện một lần dù được báo lại"


def rows(session: Session, scope: Scope) -> list[AudienceRow]:
    """One row for each outlet and direction of which anything was told; an outlet without events has none, not a zero."""
    places = {
        one.id: one for one in session.exec(select(Outlet).where(*scope.of(Outlet)).order_by(col(Outlet.id))).all()
    }
    counted = hearing.followed(session, [id for id in places if id is not None], scope.start, scope.end)
    made = []
    for (outlet_id, kind), (count, last) in sorted(counted.items()):
        outlet, maker = places[outlet_id], kinds().get(places[outlet_id].kind)
        if last is not None:
            name = getattr(maker, "name", outlet.kind)
            made.append(
                AudienceRow(
                    kind=outlet.kind, kind_name=name, outlet=outlet.name, name=NAMES[kind], label="measured",
                    formula=FORMULA, value=count, taken_at=last,
                )
            )  # fmt: skip
    return made
