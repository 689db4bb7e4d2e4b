"""One daemon to a database: refused in words, and never two at once for longer than it takes to notice."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from store.engine import Store
from store.sole import ASK_EVERY_SECONDS, SecondDaemon, Sole, sole
from tests.conftest import _database


@pytest.fixture
def shared(migrated_postgresql: str, tmp_path: Path) -> Iterator[Store]:
    store = Store(_database(migrated_postgresql, tmp_path.name, template="migrated"))
    yield store
    store.close()


def _cut(store: Store) -> int:
    """End the daemon's connection from the server's side; gives how many were cut."""
    with store.engine.begin() as connection:
        ended = connection.exec_driver_sql(
            "select count(pg_terminate_backend(pid)) from pg_stat_activity "
            "where application_name = 'lantoa up' and datname = current_database()"
        ).scalar_one()
    return int(ended)


def test_a_second_daemon_on_the_same_database_is_refused_in_words(shared: Store) -> None:
    with sole(shared) as first:
        with pytest.raises(SecondDaemon, match="Một tiến trình «lantoa up» khác đang làm việc trên cơ sở dữ liệu"):
            sole(shared).__enter__()
        assert first.held()
    with sole(shared) as next_one:
        assert next_one.held()


def test_two_databases_of_one_server_each_have_a_daemon(shared: Store, migrated_postgresql: str) -> None:
    other = Store(_database(migrated_postgresql, "othersole", template="migrated"))
    with sole(shared) as here, sole(other) as there:
        assert (here.held(), there.held()) == (True, True)
    other.close()


def test_whose_connection_dies_takes_the_right_again_when_nobody_else_has(shared: Store) -> None:
    with sole(shared) as first:
        assert _cut(shared) == 1
        first._asked_at -= ASK_EVERY_SECONDS
        assert first.held(), "free: taken anew at once"
        with pytest.raises(SecondDaemon):
            sole(shared).__enter__()


def test_who_lost_the_right_to_another_works_no_more_until_it_is_free(shared: Store) -> None:
    now = [0.0]
    with sole(shared) as opened:
        first = Sole(opened._engine, lambda: now[0])
        opened.release()
        assert first.held()
        assert _cut(shared) == 1
        now[0] += ASK_EVERY_SECONDS / 2
        assert first.held(), "asked once a second, not at every step"
        with sole(shared) as second:
            now[0] += ASK_EVERY_SECONDS
            assert (first.held(), second.held()) == (False, True)
            assert not first.held()
        now[0] += ASK_EVERY_SECONDS
        assert first.held()
        first.release()


def test_sqlite_needs_no_lock_of_the_database(store: Store) -> None:
    with sole(store) as one, sole(store) as two:
        assert (one.held(), two.held()) == (True, True)
