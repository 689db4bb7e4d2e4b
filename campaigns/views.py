"""What pages show: small read-only queries, every one scoped to a ward through ``mine`` and ``of_ward``."""

from typing import Any, TypeVar

from sqlmodel import Session, SQLModel, select

Row = TypeVar("Row", bound=SQLModel)
MAX_ID = 2**62


class NotInWard(LookupError):
    """There is no such row in this ward, whether or not another ward has it."""


def of_ward(table: type[Row], ward_id: int) -> Any:
    """A query of the rows of one ward: every query of a page begins here."""
    return select(table).where(table.ward_id == ward_id)  # type: ignore[attr-defined]


def mine(session: Session, table: type[Row], id: int, ward_id: int) -> Row:
    """The row of this id in this ward; raises NotInWard."""
    if not 0 < id < MAX_ID:
        raise NotInWard(f"{table.__name__} {id}")
    found: Row | None = session.exec(of_ward(table, ward_id).where(table.id == id)).first()  # type: ignore[attr-defined]
    if found is None:
        raise NotInWard(f"{table.__name__} {id}")
    return found
