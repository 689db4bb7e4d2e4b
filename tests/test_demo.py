"""The demo can be started again and again on the same folder: each time something goes out within the minute."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import select

import operating
from campaigns import demo
from scheduler import utc_now
from settings import Settings
from store.engine import Store
from store.tables import Post


@pytest.fixture
def store(migrated: Path, tmp_path: Path) -> Store:
    (tmp_path / "lantoa.db").write_bytes(migrated.read_bytes())
    return Store(Settings(folder=tmp_path).database_url)


def test_started_again_it_opens_with_texts_of_its_own(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, began = Settings(folder=tmp_path), utc_now()
    for start in range(3):
        now = began + timedelta(minutes=10 * start)
        monkeypatch.setattr(operating, "utc_now", lambda now=now: now)
        operating._open_the_demo(settings, store, replace(operating.desk(settings), now=lambda now=now: now))
    with store.read() as session:
        approved = session.exec(select(Post).where(Post.state == "approved")).all()
        assert len(approved) == 6, "two wards, three starts"
        assert len({(post.ward_id, post.template_id) for post in approved}) == 6
        assert not any(post.repeat_ok for post in approved)
    store.close()


def test_when_every_text_was_used_one_is_repeated(store: Store, tmp_path: Path) -> None:
    settings, now = Settings(folder=tmp_path), utc_now()
    speaking = operating.desk(settings)
    with store.write() as session:
        cast = demo.seed(session, speaking, operating._places(settings, speaking), now, 1)[0]
        only = replace(cast, templates=cast.templates[:1])
        opened = [demo.open_with(session, speaking, only, now + timedelta(minutes=at), 0) for at in (1, 5)]
        assert [(post.state, post.repeat_ok) for post in opened] == [("approved", False), ("approved", True)]
    store.close()
