"""What stood in the settings of a ward's loudspeakers becomes the ward's own dictionary."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import text
from sqlmodel import Session, select

from store.engine import Store
from store.tables import DictionaryEntry, Outlet, Ward
from tests.conftest import _database


@pytest.fixture(params=["sqlite", "postgresql"])
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    """A database as it was before the dictionary, on SQLite and again on PostgreSQL."""
    on_sqlite = request.param == "sqlite"
    made = Store(f"sqlite:///{tmp_path}/old.db" if on_sqlite else _database(_server(request), f"{tmp_path.name}cu"))
    command.upgrade(made._alembic(), "0007")
    yield made
    made.close()


def _server(request: pytest.FixtureRequest) -> str:
    return str(request.getfixturevalue("postgresql"))


def test_words_and_region_of_the_loudspeakers_move_to_the_ward(old: Store) -> None:
    store = old
    settings = {"folder": "loa", "region": "south", "words": {"NVQ": "nhà văn quán", "TDX": "tổ dân xã"}}
    with store.engine.begin() as link:
        link.execute(
            text(
                "insert into ward (id, slug, name, centre, office, address, phone, website, zone, quiet, signer_title, signer_name, created_at) "
                "values (1, 'a', 'A', 'A', '', '', '', '', 'Asia/Ho_Chi_Minh', '[]', '', '', '2026-01-01')"
            )
        )
        for id, kind, kept in ((1, "loudspeaker", settings), (2, "loudspeaker", {"words": {"NVQ": "khác"}})):
            link.execute(
                text(
                    "insert into outlet (id, ward_id, kind, name, settings, secrets, state, paused_reason, failures, renewing, health, created_at) "
                    "values (:id, 1, :kind, :id, :settings, '', 'open', '', 0, '', '', '2026-01-01')"
                ),
                {"id": id, "kind": kind, "settings": json.dumps(kept)},
            )
    store.migrate()
    with Session(store.engine) as session:
        assert session.get_one(Ward, 1).region == "south" and session.get_one(Ward, 1).readings > 0
        assert [session.get_one(Outlet, id).settings for id in (1, 2)] == [{"folder": "loa"}, {}]
        entries = session.exec(select(DictionaryEntry)).all()
        assert {(one.written, one.spoken, one.state) for one in entries} == {
            ("NVQ", "nhà văn quán", "confirmed"), ("TDX", "tổ dân xã", "confirmed"),
        }  # fmt: skip
        assert all(one.since.year == 2000 and one.until is None for one in entries)
