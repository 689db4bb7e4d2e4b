"""``make channel kind=…``: what it writes is clean, typed and keeps every promise on the day it is made."""

import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from channels.scaffold.making import CannotMake, make

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
MADE = {
    "channels/bangtin/__init__.py",
    "channels/bangtin/adapter.py",
    "channels/bangtin/api.py",
    "channels/bangtin/icon.svg",
    "channels/bangtin/preview.css",
    "channels/bangtin/preview.html",
    "channels/bangtin/rehearsal.py",
    "channels/bangtin/render.py",
    "channels/bangtin/twin.py",
    "docs/channels/bangtin.md",
    "tests/channels/test_bangtin.py",
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """What of the source tree a new channel needs."""
    made = tmp_path / "tree"
    skip = shutil.ignore_patterns("__pycache__", "zalo", "facebook", "telegram", "loudspeaker", "website", "email")
    for room in ("channels", "content"):
        shutil.copytree(ROOT / room, made / room, ignore=skip)
    (made / "tests" / "channels").mkdir(parents=True)
    shutil.copy(ROOT / "tests" / "channels" / "test_sample.py", made / "tests" / "channels")
    shutil.copy(ROOT / "pyproject.toml", made)
    return made


def test_a_new_channel_is_clean_typed_and_keeps_every_promise(tree: Path) -> None:
    made = make(tree, "bangtin", "Bảng tin điện tử", "23/11/2026")
    assert {path.relative_to(tree).as_posix() for path in made} == MADE
    words = {path.name: path.read_text("utf-8") for path in made}
    assert [name for name, text in words.items() if "sample" in text.lower() or "Nền tảng mẫu" in text] == []
    assert (
        "thử với bản sao, 23/11/2026" in words["bangtin.md"] and "# Bảng tin điện tử (`bangtin`)" in words["bangtin.md"]
    )
    project = tomllib.loads((tree / "pyproject.toml").read_text("utf-8"))
    assert project["project"]["entry-points"]["lantoa.channels"]["bangtin"] == "channels.bangtin.adapter:Bangtin"
    apart = next(one for one in project["tool"]["importlinter"]["contracts"] if one["type"] == "independence")
    assert "channels.bangtin" in apart["modules"]
    code = [str(path.relative_to(tree)) for path in made if path.suffix == ".py"]
    _succeeds(tree, BIN / "ruff", "format", "--check", *code)
    _succeeds(tree, BIN / "ruff", "check", *code)
    _succeeds(tree, BIN / "mypy", "-p", "channels.bangtin")
    _succeeds(tree, sys.executable, "-m", "pytest", "tests/channels/test_bangtin.py")


def _succeeds(tree: Path, *command: str | Path) -> None:
    environment = {**os.environ, "PYTHONPATH": str(tree)}
    done = subprocess.run([*map(str, command)], cwd=tree, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("kind", "day", "told"),
    [
        ("Bảng tin", "23/11/2026", "chữ thường không dấu"),
        ("x", "23/11/2026", "chữ thường không dấu"),
        ("class", "23/11/2026", "chữ thường không dấu"),
        ("service", "23/11/2026", "chữ thường không dấu"),
        ("../xa", "23/11/2026", "chữ thường không dấu"),
        ("webhook", "23/11/2026", "Đã có channels/webhook"),
        ("wire", "23/11/2026", "Đã có channels/wire.py"),
        ("bangtin", "hôm nay", "22/11/2026"),
    ],
)
def test_what_cannot_be_made_is_told_and_nothing_is_written(tree: Path, kind: str, day: str, told: str) -> None:
    before = sorted(tree.rglob("*"))
    with pytest.raises(CannotMake, match=told):
        make(tree, kind, "", day)
    assert sorted(tree.rglob("*")) == before


def test_a_name_that_would_break_the_code_is_told(tree: Path) -> None:
    for name in ('Bảng "tin"', "Bảng\ntin", "B" * 61, "{{ tin }}"):
        with pytest.raises(CannotMake, match="tên thường"):
            make(tree, "bangtin", name, "23/11/2026")
    assert not (tree / "channels" / "bangtin").exists()


def test_outside_a_tree_nothing_is_written(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "channels.scaffold", "bangtin", "--day", "23/11/2026", "--tree", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2 and "không phải cây mã nguồn" in done.stderr and list(tmp_path.iterdir()) == []
