"""A backup is whole or not there, holds one moment, comes back byte for byte, and an altered one is refused."""

import os
import resource
import signal
import sqlite3
import threading
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyrage
import pytest

from store import archives, backups, copies
from store.archives import BadArchive
from store.backups import CannotBackUp, Keep, Place
from store.engine import MIGRATIONS, Store
from store.files import Files
from store.tables import Ward
from store.vault import Vault

NOW = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    folder = tmp_path / "data"
    Vault.open(folder / "khoa-bi-mat")
    files = Files(folder / "tep")
    for number in range(3):
        files.put(os.urandom(40_000) + bytes([number]))
    return Place(folder, folder / "khoa-bi-mat")


@pytest.fixture
def identity() -> pyrage.x25519.Identity:
    return pyrage.x25519.Identity.generate()


def _make(store: Store, place: Place, now: datetime = NOW, key: str = "") -> Path:
    return backups.make(store, place, place.folder / "sao-luu", now, "0.1.0", key)


def _with_wards(store: Store, count: int) -> None:
    with store.write() as session:
        session.add_all(
            Ward(slug=f"p{number}", name=f"phường {number} «ố ẫ»", centre="c", created_at=NOW)
            for number in range(count)
        )


def test_an_encrypted_backup_holds_database_media_and_key(
    any_store: Store, place: Place, identity: pyrage.x25519.Identity, tmp_path: Path
) -> None:
    _with_wards(any_store, 7)
    made = _make(any_store, place, key=str(identity.to_public()))
    assert made.stat().st_mode & 0o077 == 0
    secret = place.key_file.read_bytes()
    assert secret not in made.read_bytes()
    manifest = archives.unpack(made, tmp_path / "out", (identity,))
    newest = max(path.name[:4] for path in (MIGRATIONS / "versions").glob("0*.py"))
    assert (manifest.database, manifest.revision, manifest.counts["ward"]) == (any_store.dialect, newest, 7)
    assert manifest == archives.peek(made, (identity,))
    assert (tmp_path / "out" / "khoa-bi-mat").read_bytes() == secret
    kept = {path.name: path.read_bytes() for path in place.media.glob("??/*")}
    assert {path.name: path.read_bytes() for path in (tmp_path / "out" / "tep").glob("??/*")} == kept
    assert len(kept) == 3
    if any_store.dialect == "sqlite":
        copies.sound(tmp_path / "out" / "database")
        with closing(sqlite3.connect(tmp_path / "out" / "database")) as copy:
            assert copy.execute("select count(*) from ward").fetchone() == (7,)


def test_a_backup_in_the_clear_leaves_the_key_out(store: Store, place: Place) -> None:
    made = _make(store, place)
    assert "khoa-bi-mat" not in {member.name for member in archives.peek(made).members}


def test_a_backup_holds_one_moment_while_others_write(any_store: Store, place: Place, tmp_path: Path) -> None:
    """Two rows are always written together: a backup that holds an odd number of them tore a transaction apart."""
    stop, written = threading.Event(), [0]

    def write() -> None:
        while not stop.is_set():
            with any_store.write() as session:
                for half in "ab":
                    session.add(Ward(slug=f"w{written[0]}{half}", name="w", centre="c", created_at=NOW))
            written[0] += 1

    writer = threading.Thread(target=write)
    writer.start()
    try:
        seen = [archives.peek(_make(any_store, place, NOW + timedelta(hours=number))) for number in range(4)]
    finally:
        stop.set()
        writer.join()
    held = [manifest.counts["ward"] for manifest in seen]
    assert [count % 2 for count in held] == [0] * 4
    assert held[-1] > held[0] or written[0] > held[-1] // 2, "nobody wrote meanwhile: this proves nothing"


@pytest.mark.parametrize("encrypted", [False, True])
def test_a_full_disk_leaves_nothing_half_written(
    store: Store, place: Place, identity: pyrage.x25519.Identity, encrypted: bool
) -> None:
    whole = _make(store, place, NOW - timedelta(hours=1))
    key = str(identity.to_public()) if encrypted else ""

    def with_little_room() -> None:
        # Larger than the copy of the database, smaller than the archive with its media of random bytes.
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2_000_000, 2_000_000))
        with pytest.raises(CannotBackUp, match="Đĩa đã đầy"):
            _make(store, place, NOW, key)

    Files(place.media).put(os.urandom(3_000_000))
    _in_a_child(with_little_room)
    assert list((place.folder / "sao-luu").iterdir()) == [whole]
    assert list(place.folder.glob(".dang-*")) == []


def _in_a_child(work: Callable[[], None]) -> None:
    pid = os.fork()
    if pid == 0:
        try:
            work()
        except BaseException:
            import traceback

            traceback.print_exc()
            os._exit(1)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0


def test_a_killed_backup_leaves_no_backup_and_the_next_one_tidies_up(any_store: Store, place: Place) -> None:
    any_store.close()

    def killed() -> None:
        def die(*_: object) -> None:
            os.kill(os.getpid(), signal.SIGKILL)

        os.fsync = die  # type: ignore[assignment] # everything is written, nothing has its name yet
        _make(Store(any_store.url), place)

    pid = os.fork()
    if pid == 0:
        killed()
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL
    assert backups.found(place.folder / "sao-luu") == []
    assert list(place.folder.glob("sao-luu/.dang-*")) and list(place.folder.glob(".dang-*"))
    made = _make(any_store, place)
    assert list((place.folder / "sao-luu").iterdir()) == [made]
    assert list(place.folder.glob(".dang-*")) == []


def test_what_was_altered_cut_or_locked_otherwise_is_refused(
    store: Store, place: Place, identity: pyrage.x25519.Identity, tmp_path: Path
) -> None:
    plain = _make(store, place)
    locked = _make(store, place, NOW + timedelta(hours=1), str(identity.to_public()))
    stranger = pyrage.x25519.Identity.generate()
    for path, keys in ((plain, ()), (locked, (identity,))):
        whole = path.read_bytes()
        archives.unpack(path, tmp_path / f"ok-{path.name}", keys)
        for place_of, changed in (
            ("head", b"x" + whole[1:]),
            ("middle", whole[: len(whole) // 2] + bytes([whole[len(whole) // 2] ^ 1]) + whole[len(whole) // 2 + 1 :]),
            ("tail", whole[:-1] + bytes([whole[-1] ^ 1])),
            ("cut", whole[:-9]),
            ("half", whole[: len(whole) // 2]),
            ("empty", b""),
        ):
            bad = tmp_path / "bad.tar.gz"
            bad.write_bytes(changed)
            with pytest.raises(BadArchive):
                archives.unpack(bad, tmp_path / f"{place_of}-{path.name}", keys)
    for keys in ((), (stranger,)):
        with pytest.raises(BadArchive, match="--identity|không đúng"):
            archives.unpack(locked, tmp_path / "locked", keys)


def test_a_member_that_would_leave_its_folder_is_refused(tmp_path: Path, store: Store, place: Place) -> None:
    import gzip
    import io
    import tarfile

    head = archives.peek(_make(store, place)).model_dump_json().encode()
    with gzip.open(tmp_path / "evil.tar.gz", "wb") as packed, tarfile.open(fileobj=packed, mode="w|") as tar:
        for name, data in (("manifest.json", head), ("../outside", b"x")):
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    with pytest.raises(BadArchive, match="tệp lạ"):
        archives.unpack(tmp_path / "evil.tar.gz", tmp_path / "deep" / "out")
    assert not (tmp_path / "deep" / "outside").exists()


@pytest.mark.parametrize(("text", "said"), [("", "không có khóa"), ("# chú thích\nsai\n", "đúng tệp")])
def test_a_bad_key_file_is_said(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "khoa").write_text(text)
    with pytest.raises(BadArchive, match=said):
        archives.identities(tmp_path / "khoa")
    with pytest.raises(BadArchive, match="age1"):
        archives.recipient("age1sai")


def test_rotation_keeps_hours_days_and_months_and_other_installations(tmp_path: Path) -> None:
    hourly = [NOW - timedelta(hours=number) for number in range(24 * 20)]
    moments = [*hourly, *(hourly[-1] - timedelta(days=number) for number in range(1, 400))]
    for at in moments:
        (tmp_path / f"lantoa-aaaa0000-{at:%Y%m%dT%H%M%SZ}.tar.gz").touch()
    other = tmp_path / "lantoa-bbbb1111-20200101T000000Z.tar.gz.age"
    stranger = tmp_path / "ghi-chu.txt"
    other.touch()
    stranger.touch()
    newest = tmp_path / f"lantoa-aaaa0000-{NOW:%Y%m%dT%H%M%SZ}.tar.gz"
    backups.rotate(tmp_path, newest, Keep(24, 14, 12))
    left = {one.at for one in backups.found(tmp_path) if one.instance == "aaaa0000"}
    days = {max(at for at in moments if at.date() == (NOW - timedelta(days=back)).date()) for back in range(14)}
    months: dict[str, datetime] = {}
    for at in moments:
        months.setdefault(f"{at:%Y%m}", at)
    assert left == set(moments[:24]) | days | set(list(months.values())[:12])
    assert other.exists() and stranger.exists()
    backups.rotate(tmp_path, newest, Keep(0, 0, 0))
    assert newest.exists(), "the one just written always stays"


def test_two_backups_at_a_time_are_one_too_many(store: Store, place: Place) -> None:
    import fcntl

    with (place.folder / "sao-luu.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(CannotBackUp, match="Một lần sao lưu khác"):
            _make(store, place)


def test_a_broken_database_is_not_backed_up_as_if_it_were_well(store: Store, place: Place) -> None:
    with store.engine.connect() as connection:
        connection.exec_driver_sql("pragma wal_checkpoint(truncate)")
    store.close()
    path = Path(store.url.removeprefix("sqlite:///"))
    whole = bytearray(path.read_bytes())
    whole[4096 * 3 : 4096 * 3 + 2000] = os.urandom(2000)
    path.write_bytes(whole)
    with pytest.raises(copies.CannotCopy, match="hỏng|Không sao chép"):
        _make(store, place)
    assert backups.found(place.folder / "sao-luu") == []


def test_without_pg_dump_the_words_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copies, "find_spec", lambda _: None)
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(copies.CannotCopy, match="postgresql-client"):
        copies.tool("pg_dump")
