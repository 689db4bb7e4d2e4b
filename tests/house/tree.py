"""The source tree as the house rules read it: files, syntax trees, and the rooms."""

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("campaigns", "channels", "content", "store", "web")
DOORS = (
    "cli.py",
    "keeping.py",
    "journaling.py",
    "notifying.py",
    "operating.py",
    "rehearsal.py",
    "scheduler.py",
    "settings.py",
    "worker.py",
)
OUTSIDE = {
    ".git", ".venv", "node_modules", "__pycache__", ".mypy_cache", ".ruff_cache", ".import_linter_cache", ".hypothesis",
    "data", "out", "build", "dist", "lantoa.egg-info",
}  # fmt: skip
BINARY = {".png", ".jpg", ".heic", ".mp3", ".woff2", ".ico"}


@cache
def files() -> tuple[Path, ...]:
    """Every file of the project, without what is installed or written when it runs."""
    return tuple(sorted(_walk(ROOT)))


def _walk(folder: Path) -> Iterator[Path]:
    for path in folder.iterdir():
        if path.name in OUTSIDE:
            continue
        if path.is_dir():
            yield from _walk(path)
        else:
            yield path


def texts() -> list[Path]:
    """The files that hold text."""
    return [path for path in files() if path.suffix not in BINARY]


def name(path: Path) -> str:
    """A file's name from the root: campaigns/states.py."""
    return path.relative_to(ROOT).as_posix()


def python(*tops: str) -> list[Path]:
    """The Python files under these rooms or doors; all of the project's without arguments."""
    found = [path for path in files() if path.suffix == ".py"]
    return [path for path in found if not tops or path.relative_to(ROOT).parts[0] in tops]


def program() -> list[Path]:
    """The program's own Python files: rooms and doors, without migrations, which are history."""
    return [path for path in python(*ROOMS, *DOORS) if "migrations" not in path.parts]


@cache
def tree(path: Path) -> ast.Module:
    """A file's syntax tree."""
    return ast.parse(path.read_text("utf-8"), str(path))


def imports(path: Path) -> Iterator[tuple[str, int]]:
    """Every module that a file imports, with its line; ``from x import y`` gives x and x.y."""
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module, node.lineno
            yield from ((f"{node.module}.{alias.name}", node.lineno) for alias in node.names)


def docstrings(path: Path) -> set[int]:
    """The ids of the nodes that are docstrings: words about the code, not part of it."""
    found = set()
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.body:
            first = node.body[0]
            if (
                isinstance(first, ast.Expr)
                and isinstance(first.value, ast.Constant)
                and isinstance(first.value.value, str)
            ):
                found.add(id(first.value))
    return found
