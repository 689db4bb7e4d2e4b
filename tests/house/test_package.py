"""What is installed is whole: every file that the rooms hold travels with the package, and nothing needed is ignored."""

import subprocess
import tomllib
from fnmatch import fnmatch

import pytest

from tests.house.tree import DOORS, ROOMS, ROOT, files, name

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
TOOL = PROJECT["tool"]["setuptools"]


def test_every_file_of_a_room_is_packed() -> None:
    packed = TOOL["package-data"]
    held = [path.relative_to(ROOT) for path in files() if name(path).split("/")[0] in ROOMS and path.suffix != ".py"]
    assert len(held) > 100
    forgotten = [
        path.as_posix()
        for path in held
        if not any(
            _fits(path.relative_to(path.parts[0]).as_posix(), pattern) for pattern in packed.get(path.parts[0], [])
        )
    ]
    assert forgotten == []


def _fits(path: str, pattern: str) -> bool:
    """As setuptools reads it: a star does not cross a folder."""
    parts, wanted = path.split("/"), pattern.split("/")
    return len(parts) == len(wanted) and all(fnmatch(part, want) for part, want in zip(parts, wanted, strict=True))


def test_every_door_is_packed() -> None:
    assert sorted(f"{module}.py" for module in TOOL["py-modules"]) == sorted(DOORS)


def test_git_ignores_nothing_that_the_program_needs() -> None:
    needed = [name(path) for path in files() if name(path).split("/")[0] in (*ROOMS, *DOORS, "docs", "deploy")]
    asked = subprocess.run(
        ["git", "check-ignore", "--stdin"], cwd=ROOT, input="\n".join(needed), capture_output=True, text=True
    )
    if asked.returncode == 128:
        pytest.skip("not a checkout of git")
    assert asked.stdout.splitlines() == []


def test_lock_files_carry_a_hash_for_every_package() -> None:
    for lock in (
        "requirements.lock",
        "requirements-dev.lock",
        "requirements-build.lock",
        "requirements-node.lock",
    ):
        packages = [
            block for block in (ROOT / lock).read_text("utf-8").replace("\\\n", "").splitlines() if "==" in block
        ]
        assert packages, lock
        assert [package.split()[0] for package in packages if "--hash=sha256:" not in package] == []


def test_what_must_not_be_linked_in_stays_optional() -> None:
    """psycopg is LGPL: chosen by those who choose PostgreSQL, never installed unasked."""
    asked = " ".join(PROJECT["project"]["dependencies"])
    assert "psycopg" not in asked
    assert any("psycopg" in line for line in PROJECT["project"]["optional-dependencies"]["postgresql"])
    assert "\npsycopg" not in (ROOT / "requirements.lock").read_text("utf-8")
