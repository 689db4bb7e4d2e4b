"""What stood in the settings of a ward's loudspeakers becomes the ward's own dictionary."""

import json
from pathlib import Path

from alembic import command
from sqlalchemy import text
from sqlmodel import Session, select

from store.engine import Store
from store.tables import DictionaryEntry, Outlet, Ward


def test_words_and_region_of_the_loudspeakers_move_to_the_ward(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path}/old.db")
    command.upgrade(store._alembic(), "0007")
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
    store.close()
