"""The command: every good path says what was done, every bad one a Vietnamese sentence, and never a traceback."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

LANTOA = Path(sys.executable).parent / "lantoa"
WORD = "hoa phượng đỏ 2026"


def _run(folder: Path, *words: str, typed: str = "", **environment: str) -> tuple[int, str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("LANTOA_")}
    given = {**clean, "LANTOA_FOLDER": str(folder / "data"), "COLUMNS": "200", **environment}
    done = subprocess.run(
        [str(LANTOA), *words], cwd=folder, env=given, input=typed, capture_output=True, text=True, timeout=120
    )
    said = done.stdout + done.stderr
    assert "Traceback" not in said
    return done.returncode, said


@pytest.fixture(scope="module")
def ward(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("phuong")
    assert _run(folder, "migrate") == (0, "Cơ sở dữ liệu đã ở phiên bản mới nhất.\n")
    code, said = _run(folder, "ward", "add", "dong-hai")
    assert code == 0, said
    return folder


def test_an_account_is_added_with_a_password_from_standard_input(ward: Path) -> None:
    words = ("user", "add", "mai", "--name", "Mai", "--role", "editor", "--ward", "dong-hai")
    assert _run(ward, *words, typed=f"{WORD}\n") == (0, "Đã thêm tài khoản mai.\n")
    code, said = _run(ward, *words, typed=f"{WORD}\n")
    assert (code, "đã có người dùng" in said) == (2, True)


def test_speak_reads_a_line_for_a_line_and_tells_what_is_not_sure(ward: Path) -> None:
    done = subprocess.run(
        [str(LANTOA), "speak"],
        cwd=ward,
        input="Họp lúc 17h30\n\nNhóm XQZT, 1.205 hộ",
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout.split("\n") == [
        "Họp lúc mười bảy giờ ba mươi phút", "", "Nhóm ích quy dét tê, một nghìn hai trăm linh năm hộ", "",
    ]  # fmt: skip
    assert done.stderr == "Dòng 3, chưa chắc cách đọc: XQZT: chữ tắt chưa có trong từ điển, đang đọc từng chữ cái\n"
    marked = _run(ward, "speak", "--mark", "--region", "south", typed="1.205 hộ, XQZT")
    assert marked[1].startswith("một ngàn hai trăm lẻ năm hộ, ích quy dét tê ⚑ XQZT: chữ tắt")
    assert _run(ward, "speak", "--ward", "dong-hai", typed="24 hộ") == (0, "hai mươi tư hộ\n")
    assert _run(ward, "speak", "--ward", "khac", typed="24 hộ") == (2, "Không có phường «khac». Đang có: dong-hai.\n")


@pytest.mark.parametrize(
    ("words", "typed", "said"),
    [
        (
            ("user", "add", "lan", "--name", "Lan", "--ward", "khac"),
            f"{WORD}\n",
            "Không có phường «khac». Đang có: dong-hai",
        ),
        (("user", "add", "lan", "--name", "Lan"), "ngắn\n", "từ 12 đến 128 ký tự"),
        (("user", "add", "lan", "--name", "Lan"), "", "từ 12 đến 128 ký tự"),
        (("report", "--since", "23/11/2026", "--until", "2026-11-29"), "", "Ngày «23/11/2026» không hợp lệ"),
        (("report", "--since", "2026-11-29", "--until", "2026-11-23"), "", "Ngày kết thúc phải sau ngày bắt đầu"),
        (("report", "--since", "2026-11-23", "--until", "2026-11-29", "--ward", "khac"), "", "Không có phường «khac»"),
        (("ward", "add", "khac"), "", "Không có kế hoạch của phường «khac»"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(ward: Path, words: tuple[str, ...], typed: str, said: str) -> None:
    code, told = _run(ward, *words, typed=typed)
    assert (code, said in told) == (2, True), told


def test_a_report_is_written(ward: Path) -> None:
    code, said = _run(ward, "report", "--since", "2026-11-23", "--until", "2026-11-29", "--out", "bao-cao")
    assert (code, "Đã viết" in said) == (0, True), said
    assert {path.suffix for path in (ward / "bao-cao").iterdir()} >= {".docx", ".xlsx"}


def test_the_channels_are_listed_with_what_they_can(tmp_path: Path) -> None:
    code, said = _run(tmp_path, "channels")
    assert code == 0
    for word in ("zalo", "facebook", "telegram", "website", "loudspeaker", "gia hạn quyền"):
        assert word in said


@pytest.mark.parametrize("words", [("up",), ("migrate",), ("user", "add", "x", "--name", "x"), ("demo",)])
def test_an_unknown_setting_keeps_every_command_from_starting(tmp_path: Path, words: tuple[str, ...]) -> None:
    code, said = _run(tmp_path, *words, typed=f"{WORD}\n", LANTOA_WEB__PROT="1")
    assert (code, "Không có thiết lập nào tên «web.prot»" in said) == (2, True), said


def test_brackets_in_what_was_typed_are_said_as_typed(tmp_path: Path) -> None:
    code, said = _run(tmp_path, "up", LANTOA_WEB__PORT="[/đỏ]")
    assert (code, "[/đỏ]" in said) == (2, True)


def test_an_unmigrated_database_is_refused_naming_the_command(tmp_path: Path) -> None:
    code, said = _run(tmp_path, "up")
    assert (code, "Hãy chạy: lantoa migrate" in said) == (2, True), said


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("một tệp, không phải thư mục")
    code, said = _run(tmp_path, "up")
    assert (code, "Không đọc hoặc ghi được" in said) == (2, True), said


def test_a_port_that_is_taken_is_said(ward: Path) -> None:
    import socket

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        code, said = _run(ward, "up", LANTOA_WEB__PORT=port, LANTOA_MODE="live")
    assert (code, f"Cổng {port} đang có chương trình khác dùng" in said) == (2, True), said


def test_a_second_program_on_the_same_folder_is_refused_in_words(ward: Path) -> None:
    from scheduler import lock

    with lock(ward / "data"):
        code, said = _run(ward, "up")
    assert (code, "Một tiến trình Lan Tỏa khác" in said) == (2, True), said


def test_a_second_rehearsal_in_the_same_folder_is_refused_in_words(tmp_path: Path) -> None:
    from scheduler import lock

    with lock(tmp_path / "out" / ".dien-tap"):
        code, said = _run(tmp_path, "rehearse", "--days", "1", "--out", "out")
    assert (code, "Một tiến trình Lan Tỏa khác" in said) == (2, True), said
