"""Copy the sample under another name: adapter, twin, tests and page, and its two lines in pyproject.toml.

The sample is code of this tree like any other (formatted, typed, held to the conformance suite), so what is copied
from it is right on the day it is made.
"""

import keyword
import re
import shutil
import subprocess
import sys
from pathlib import Path

_SAMPLE = Path("channels/scaffold/sample")
_TEST = Path("tests/channels/test_sample.py")
_PAGE = "page.md"
_KIND = re.compile(r"[a-z][a-z0-9]{1,29}")
_NAME = re.compile(r"[^\"'\\{}<>&`\n]{0,60}")
_DAY = re.compile(r"\d{1,2}/\d{1,2}/\d{4}")
_NOT_A_NAME = {
    "utils",
    "util",
    "helpers",
    "helper",
    "common",
    "base",
    "manager",
    "service",
    "handler",
    "misc",
    "data",
    "info",
}


class CannotMake(Exception):
    """Why no channel was made; a sentence for whoever asked. Nothing was written."""


def make(tree: Path, kind: str, name: str, day: str) -> list[Path]:
    """The files of a new channel, written into the tree; raises CannotMake."""
    _check(tree, kind, day)
    if not _NAME.fullmatch(name):
        raise CannotMake(
            "Tên nền tảng dài quá 60 chữ hoặc có dấu nháy, ngoặc nhọn; hãy viết tên thường, ví dụ Bảng tin điện tử."
        )
    words = {"channels.scaffold.sample": f"channels.{kind}", "Nền tảng mẫu": name or kind.capitalize(), "1/1/2026": day}
    words |= {"Sample": kind.capitalize(), "SAMPLE": kind.upper(), "sample": kind}
    made = [_written(tree / new, (tree / old).read_text("utf-8"), words) for old, new in _places(tree, kind).items()]
    _register(tree / "pyproject.toml", kind)
    _tidy(tree, [path for path in made if path.suffix == ".py"])
    return made


def _check(tree: Path, kind: str, day: str) -> None:
    if not (tree / _SAMPLE).is_dir() or not (tree / "pyproject.toml").is_file():
        raise CannotMake(
            f"«{tree}» không phải cây mã nguồn của Lan Tỏa; hãy chạy trong thư mục có channels/ và pyproject.toml."
        )
    if not _KIND.fullmatch(kind) or keyword.iskeyword(kind) or kind in _NOT_A_NAME:
        raise CannotMake(
            f"«{kind}» chưa dùng làm mã kênh được; hãy dùng 2 đến 30 chữ thường không dấu và số, ví dụ bangtin."
        )
    taken = [path for path in (tree / f"channels/{kind}", tree / f"channels/{kind}.py") if path.exists()]
    if taken:
        raise CannotMake(f"Đã có {taken[0].relative_to(tree)}; hãy chọn mã khác.")
    if not _DAY.fullmatch(day):
        raise CannotMake(f"Ngày «{day}» không đúng; hãy viết như 22/11/2026.")


def _places(tree: Path, kind: str) -> dict[Path, Path]:
    """Where each file of the sample goes."""
    files = sorted(path.relative_to(tree) for path in (tree / _SAMPLE).iterdir() if path.is_file())
    code = {path: Path("channels", kind, path.name) for path in files if path.name != _PAGE}
    beside = {_TEST: Path(f"tests/channels/test_{kind}.py"), _SAMPLE / _PAGE: Path(f"docs/channels/{kind}.md")}
    return code | beside


def _written(path: Path, text: str, words: dict[str, str]) -> Path:
    pattern = re.compile("|".join(re.escape(word) for word in words))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(pattern.sub(lambda found: words[found.group()], text), "utf-8")
    return path


def _register(project: Path, kind: str) -> None:
    """One line among the entry points, one word among the adapters that do not know each other."""
    text = project.read_text("utf-8")
    table = '[project.entry-points."lantoa.channels"]\n'
    text = text.replace(table, f'{table}{kind} = "channels.{kind}.adapter:{kind.capitalize()}"\n')
    text = re.sub(r'(type = "independence"\nmodules = \[[^\]]*)\]', rf'\1, "channels.{kind}"]', text)
    project.write_text(text, "utf-8")


def _tidy(tree: Path, code: list[Path]) -> None:
    """Imports in order and lines within bounds again, which other names have moved."""
    ruff = shutil.which("ruff", path=str(Path(sys.executable).parent)) or shutil.which("ruff")
    if ruff is None:
        raise CannotMake("Chưa có ruff để xếp lại mã; hãy chạy «make dev» rồi làm lại.")
    for what in (["check", "--quiet", "--select", "I", "--fix"], ["format", "--quiet"]):
        subprocess.run([ruff, *what, *map(str, code)], cwd=tree, check=True)
