"""A channel from outside the tree: the sample package as a wheel, listed, held to the suite, and tested as installed."""

import os
import re
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import ClassVar

import pytest

from channels.conforming import suite, verdicts
from channels.contract import Capability, Handle, Message, Outcome, Published
from channels.scaffold.sample.adapter import Sample

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "examples" / "lantoa-mastodon"


def run(*command: str | Path, path: Path | None = None, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """A command in an environment where only ``path`` is added to what is installed."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join(str(one) for one in (path, ROOT) if one),
        "COLUMNS": "160",
    }
    return subprocess.run([*map(str, command)], cwd=cwd, env=environment, capture_output=True, text=True)


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The package as pip installs its wheel, without any index."""
    folder = tmp_path_factory.mktemp("outside")
    shutil.copytree(PACKAGE, folder / "source", ignore=shutil.ignore_patterns("__pycache__", "build", "*.egg-info"))
    pip = (sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet")
    built = run(*pip, "wheel", "--no-deps", "--no-build-isolation", "--no-index", "-w", folder, folder / "source")
    assert built.returncode == 0, built.stderr
    (wheel,) = folder.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    kept = {path.relative_to(PACKAGE).as_posix() for path in (PACKAGE / "lantoa_mastodon").iterdir() if path.is_file()}
    assert kept <= names and not [name for name in names if name.startswith("tests")]
    done = run(*pip, "install", "--no-deps", "--no-index", "--target", folder / "site", wheel)
    assert done.returncode == 0, done.stderr
    return folder / "site"


def test_the_program_lists_it(installed: Path) -> None:
    listed = run(Path(sys.executable).with_name("lantoa"), "channels", path=installed)
    assert listed.returncode == 0, listed.stderr
    (row,) = [line for line in listed.stdout.splitlines() if "mastodon" in line]
    assert [cell.strip() for cell in row.strip("│").split("│")][1:3] == ["Mastodon", "C"]


def test_it_keeps_every_promise_as_installed(installed: Path, tmp_path: Path) -> None:
    paths = ("--visible", "/api/v1/statuses", "--stage", "/api/v2/media")
    held = run(sys.executable, "-m", "channels.conforming", "mastodon", *paths, path=installed, cwd=tmp_path)
    assert held.returncode == 0, held.stdout + held.stderr
    told = held.stdout.splitlines()
    assert len(told) >= 15 and all(line.startswith("kept ") for line in told)


def test_its_own_tests_pass_as_installed(installed: Path, tmp_path: Path) -> None:
    shutil.copytree(PACKAGE / "tests", tmp_path / "tests", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "tests" / "test_where.py").write_text(
        f"import lantoa_mastodon\n\n\ndef test_where():\n    assert lantoa_mastodon.__file__.startswith({str(installed)!r})\n",
        "utf-8",
    )
    command = (
        sys.executable,
        "-m",
        "pytest",
        "-W",
        "error",
        "-p",
        "no:cacheprovider",
        "-k",
        "not TestMastodon",
        "tests",
    )
    done = run(*command, path=installed, cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.search(r"\b1[0-9] passed", done.stdout)


def test_a_broken_package_stops_only_its_own_channel(tmp_path: Path) -> None:
    (tmp_path / "hong.py").write_text("raise RuntimeError('hỏng')\n", "utf-8")
    made = tmp_path / "hong-1.dist-info"
    made.mkdir()
    (made / "METADATA").write_text("Metadata-Version: 2.1\nName: hong\nVersion: 1\n", "utf-8")
    points = "[lantoa.channels]\nhong = hong:Hong\nwebhook = hong:Hong\nkhac = channels.webhook.adapter:Webhook\n"
    (made / "entry_points.txt").write_text(points, "utf-8")
    listed = run(Path(sys.executable).with_name("lantoa"), "channels", path=tmp_path)
    assert listed.returncode == 0 and "webhook" in listed.stdout, listed.stderr
    assert "khac" not in listed.stdout and "mastodon" not in listed.stdout
    assert "channel hong of package hong is left out" in listed.stderr
    assert "no Channel whose kind is «khac»" in listed.stderr


def test_what_is_not_installed_is_said() -> None:
    done = run(sys.executable, "-m", "channels.conforming", "khongco", "--visible", "/x")
    assert done.returncode == 2 and "Không có nền tảng «khongco»" in done.stderr


class _Careless(Sample):
    """Claims what it cannot do, and is sure where nobody can be."""

    capabilities: ClassVar[frozenset[Capability]] = Sample.capabilities | {Capability.STAGE}

    async def publish(self, message: Message, part: int, handle: Handle, earlier: tuple[str, ...]) -> Outcome:
        await super().publish(message, part, handle, earlier)
        return Published(remote_id="1")


def test_every_fault_has_its_sentence(tmp_path: Path) -> None:
    told = {verdict.name: verdict.broken for verdict in verdicts(suite(_Careless, "/v1/posts"), tmp_path)}
    assert told["test_claims_are_true"] == "capabilities claim stage, but stage() is not written"
    assert "publish() must be Deferred(UNREACHABLE), it said Published" in told["test_nothing_left_is_deferred"]
    assert "drop" not in told["test_every_secret_is_named"] and told["test_every_secret_is_named"] == ""
    lost = told["test_lost_answers_are_unknown_and_found_out"]
    assert lost.startswith("the platform acted and its answer was lost (drop_after): publish() must be Unknown")
    assert "icon.svg must lie beside the class" in told["test_its_folder_is_whole"]
