"""``lantoa backup, restore, move, doctor, confirm-home`` through their door: what was done, or why not, in a sentence."""

import io
import os
import re
import shutil
import sqlite3
from contextlib import closing, redirect_stderr, redirect_stdout
from pathlib import Path

import pyrage
import pytest

import cli
from scheduler import lock
from tests.conftest import _database


def _run(folder: Path, *words: str, **environment: str) -> tuple[int, str]:
    """The command through its own door, in this process: its exit code and all that it said."""
    said = io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("LANTOA_")]:
            patch.delenv(name)
        for name, value in {"LANTOA_FOLDER": str(folder / "data"), **environment}.items():
            patch.setenv(name, value)
        patch.chdir(folder)
        patch.setattr("sys.argv", ["lantoa", *words])
        with redirect_stdout(said), redirect_stderr(said):
            try:
                cli.main()
            except SystemExit as ended:
                return int(ended.code or 0), said.getvalue()
    return 0, said.getvalue()


@pytest.fixture(scope="module")
def furnished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("phuong")
    assert _run(folder, "migrate")[0] == 0
    assert _run(folder, "ward", "add", "dong-hai")[0] == 0
    return folder


@pytest.fixture
def ward(furnished: Path, tmp_path: Path) -> Path:
    shutil.copytree(furnished / "data", tmp_path / "data")
    return tmp_path


def _ask(folder: Path, question: str) -> object:
    with closing(sqlite3.connect(folder / "data" / "lantoa.db")) as connection:
        return connection.execute(question).fetchone()[0]


def test_an_encrypted_backup_comes_back_on_a_new_machine_with_its_key(ward: Path, tmp_path: Path) -> None:
    identity = pyrage.x25519.Identity.generate()
    (tmp_path / "giai-ma").write_text(f"# tạo bởi age-keygen\n{identity}\n")
    code, said = _run(ward, "backup", "--out", "luu", "--key", str(identity.to_public()))
    assert (code, "Đã sao lưu vào luu/lantoa-" in said) == (0, True), said
    made = next((ward / "luu").iterdir())
    assert made.name.endswith(".tar.gz.age")

    new = tmp_path / "may-moi"
    new.mkdir()
    code, said = _run(new, "restore", str(made))
    assert (code, "--identity" in said) == (2, True), said
    code, said = _run(new, "restore", str(made), "--identity", str(tmp_path / "giai-ma"))
    assert (code, "Đã khôi phục dữ liệu" in said) == (0, True), said
    assert (new / "data" / "khoa-bi-mat").read_bytes() == (ward / "data" / "khoa-bi-mat").read_bytes()
    assert [path.name for path in (new / "data").glob(".dang*")] == []
    assert _ask(new, "select count(*) from task") == _ask(ward, "select count(*) from task") != 0
    code, said = _run(new, "restore", str(made), "--identity", str(tmp_path / "giai-ma"))
    assert (code, "--replace" in said) == (2, True), "what is there is not overwritten unasked"
    code, said = _run(new, "restore", str(made), "--identity", str(tmp_path / "giai-ma"), "--replace")
    aside = re.search(r"«(lantoa\.db\.truoc-khoi-phuc-\S+)»", said)
    assert code == 0 and aside and (new / "data" / aside[1]).exists(), said


def test_while_the_program_works_backups_go_on_but_nothing_is_restored_or_moved(ward: Path, postgresql: str) -> None:
    with lock(ward / "data"):
        assert _run(ward, "backup")[0] == 0
        made = next((ward / "data" / "sao-luu").iterdir())
        for words in (("restore", str(made), "--replace"), ("move", "--to", postgresql)):
            code, said = _run(ward, *words)
            assert (code, "Hãy dừng nó trước" in said) == (2, True), said


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("backup", "--key", "age1sai"), "age1…"),
        (("backup", "--keep", "nhiều"), "24,14,12"),
        (("restore", "khong-co.tar.gz"), "Không có tệp sao lưu"),
        (("restore", "la.tar.gz", "--replace"), "bị hỏng"),
        (("move", "--to", "mysql://may/csdl"), "postgresql://"),
        (("confirm-home",), ""),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(ward: Path, words: tuple[str, ...], said: str) -> None:
    (ward / "la.tar.gz").write_text("không phải bản sao lưu")
    code, told = _run(ward, *words)
    assert (code, said in told) == (0 if words == ("confirm-home",) else 2, True), told


def test_a_ward_moves_to_postgresql_and_is_told_what_to_write(ward: Path, postgresql: str, tmp_path: Path) -> None:
    target = _database(postgresql, f"{tmp_path.name}chuyen").replace("postgresql+psycopg://", "postgresql://")
    code, said = _run(ward, "move", "--to", target)
    assert (code, "nội dung hai bên giống nhau" in said, "settings.toml" in said) == (0, True, True), said
    assert str(_ask(ward, "select safe_mode from instance")).startswith("Dữ liệu đã được chuyển")
    code, said = _run(ward, "move", "--to", target)
    assert (code, "đã có dữ liệu" in said) == (2, True), said
    there = target.replace("postgresql://", "postgresql+psycopg://")
    code, said = _run(ward, "doctor", "--no-network", LANTOA_DATABASE=there)
    assert "✓ Cơ sở dữ liệu: PostgreSQL" in said and "✓ Chế độ an toàn: không bật" in said, said


def test_the_doctor_names_what_is_wrong_and_what_to_do(ward: Path) -> None:
    code, said = _run(ward, "doctor", "--no-network")
    assert code == 1
    assert "✗ Bản sao lưu gần nhất: chưa có bản nào\n  → Hãy chạy: lantoa backup" in said
    assert "✗ Lần khôi phục thử thành công gần nhất: chưa có lần nào\n  → Hãy chạy: lantoa doctor --drill" in said
    assert said.count("✗") == 2, said
    assert _run(ward, "backup")[0] == 0
    code, said = _run(ward, "doctor", "--no-network", "--drill")
    assert (code, said.count("✗")) == (0, 0), said
    assert "✓ Khôi phục thử: lantoa-" in said


def test_the_doctor_sees_a_wrong_key_a_broken_chain_safe_mode_and_a_lost_file(ward: Path) -> None:
    with closing(sqlite3.connect(ward / "data" / "lantoa.db")) as connection, connection:
        connection.execute("update instance set safe_mode = 'bản sao'")
        connection.execute("drop trigger audit_event_only_grows")
        connection.execute("update audit_event set actor = 'kẻ gian' where number = 3")
        sha256 = "a" * 64
        connection.execute(
            "insert into media (ward_id, sha256, mime, size, width, height, alt, name, created_at)"
            f" values (1, '{sha256}', 'image/png', 1, 1, 1, '', '', '2026-11-23 00:00:00.000000')"
        )
    (ward / "data" / "khoa-bi-mat").write_bytes(b"YWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWFhYWE=")
    code, said = _run(ward, "doctor", "--no-network")
    assert code == 1
    for line in (
        "✗ Nhật ký: Nhật ký bị thay đổi ở sự kiện số 3",
        "✗ Chế độ an toàn: đang bật",
        "lantoa confirm-home",
        "✗ Tệp tư liệu: 1 tệp của kho tư liệu không còn",
        "✗ Khóa bí mật: tệp khóa không mở được",
    ):
        assert line in said, said


def test_the_doctor_of_a_broken_or_old_database_ends_in_words(ward: Path, tmp_path: Path) -> None:
    code, said = _run(tmp_path, "doctor", LANTOA_FOLDER=str(tmp_path / "trong"))
    assert (code, "Hãy chạy: lantoa migrate" in said) == (1, True), said
    path = ward / "data" / "lantoa.db"
    whole = bytearray(path.read_bytes())
    whole[40_000:60_000] = b"\xff" * 20_000
    path.write_bytes(whole)
    code, said = _run(ward, "doctor", "--no-network")
    assert (code, "✗" in said) == (1, True), said


def test_the_doctor_ends_with_1_for_an_outlet_that_does_not_answer_or_is_paused(ward: Path) -> None:
    assert _run(ward, "backup")[0] == 0
    assert _run(ward, "doctor", "--no-network", "--drill")[0] == 0
    code, said = _run(ward, "doctor", LANTOA_WEB__PORT="1")
    assert code == 1 and "Không kết nối được\n  → Máy này không nối được tới nền tảng" in said, said
    with closing(sqlite3.connect(ward / "data" / "lantoa.db")) as connection, connection:
        connection.execute("update outlet set state = 'paused', paused_reason = 'Đổi người'")
    code, said = _run(ward, "doctor", "--no-network")
    assert code == 1 and "đang tạm dừng (Đổi người)\n  → " in said and said.count("✗") == 2, said
