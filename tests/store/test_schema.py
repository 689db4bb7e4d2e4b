"""The schema holds what the code promises, on both databases."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import inspect
from sqlalchemy.exc import DBAPIError
from sqlmodel import SQLModel, select

from campaigns.states import LEGAL
from store.engine import OldSchema, Store
from store.tables import Campaign, DeliveryMove, Post, User, Ward

NOW = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)


def _ward(session) -> tuple[Ward, User, User, Campaign]:
    ward = Ward(slug="le-thanh-nghi", name="phường Lê Thanh Nghị", centre="Trung tâm", created_at=NOW)
    session.add(ward)
    session.flush()
    author, approver = (
        User(ward_id=ward.id, username=name, name=name, role=name, password_hash="x", created_at=NOW)
        for name in ("editor", "approver")
    )
    campaign = Campaign(ward_id=ward.id, slug="dmst", name="ĐMST", starts_on=NOW.date(), created_at=NOW)
    session.add_all([author, approver, campaign])
    session.flush()
    return ward, author, approver, campaign


def test_migration_gives_the_tables_of_the_code(any_store: Store) -> None:
    found = inspect(any_store.engine)
    for name, table in SQLModel.metadata.tables.items():
        assert {column["name"] for column in found.get_columns(name)} == set(table.columns.keys()), name
    any_store.check()


def test_an_unmigrated_database_is_refused_naming_the_command(tmp_path) -> None:
    empty = Store(f"sqlite:///{tmp_path}/empty.db")
    with pytest.raises(OldSchema, match="lantoa migrate"):
        empty.check()
    empty.close()


def test_legal_moves_in_the_database_are_those_of_the_code(any_store: Store) -> None:
    with any_store.read() as session:
        rows = session.exec(select(DeliveryMove)).all()
    assert {(row.from_state, row.to_state) for row in rows} == {(a.value, b.value) for a, b in LEGAL}


def test_the_author_cannot_be_the_approver(any_store: Store) -> None:
    with any_store.write() as session:
        ward, author, _, campaign = _ward(session)
    with pytest.raises(DBAPIError), any_store.write() as session:
        session.add(_post(ward, author, campaign, state="approved", approver_id=author.id, digest="d"))


def test_nothing_is_approved_by_nobody(any_store: Store) -> None:
    with any_store.write() as session:
        ward, author, _, campaign = _ward(session)
    with pytest.raises(DBAPIError), any_store.write() as session:
        session.add(_post(ward, author, campaign, state="approved", digest="d"))


def _post(ward: Ward, author: User, campaign: Campaign, **values: object) -> Post:
    return Post(
        ward_id=ward.id,
        campaign_id=campaign.id,
        title="Tin",
        author_id=author.id,
        created_at=NOW,
        updated_at=NOW,
        **values,
    )


def test_moments_come_back_aware_and_equal(any_store: Store) -> None:
    with any_store.write() as session:
        ward, *_ = _ward(session)
    with any_store.read() as session:
        found = session.get(Ward, ward.id)
        assert found is not None
        assert found.created_at == NOW
        assert found.created_at.utcoffset() == timedelta(0)
