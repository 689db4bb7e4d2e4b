"""How the code is written: names, sizes, one clock, nothing printed, errors matched on fields, nothing private told."""

import ast
import re
import statistics
from pathlib import Path

import pytest

from tests.house.tree import name, program, python, texts, tree

BANNED = {
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
LONGEST_FILE = 400
LONGEST_FUNCTION = 60
#: longer than the rule, each with its reason
MAY_BE_LONGER = {
    "store/tables.py": 760,  # the whole schema at one glance
}
CLOCKS = {"scheduler.py", "cli.py", "keeping.py", "channels/twins.py"}
A_CLOCK = {"now", "utcnow", "today"}


@pytest.mark.parametrize("path", python(), ids=name)
def test_no_module_hides_behind_an_empty_name(path: Path) -> None:
    assert not {path.stem, path.parent.name} & BANNED, f"{name(path)}: say what it holds"


def test_files_stay_short() -> None:
    sizes = {name(path): path.read_text("utf-8").count("\n") for path in program()}
    long = {file: size for file, size in sizes.items() if size > MAY_BE_LONGER.get(file, LONGEST_FILE)}
    median = statistics.median(sizes.values())
    assert long == {}, f"split them; the longest file has {max(sizes.values())} lines, the median {median:.0f}"
    assert median <= 150, f"the median file has {median:.0f} lines"


def test_functions_stay_short() -> None:
    sizes = {
        f"{name(path)}:{node.lineno} {node.name}": (node.end_lineno or node.lineno) - node.lineno + 1
        for path in program()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    long = {function: size for function, size in sizes.items() if size > LONGEST_FUNCTION}
    median = statistics.median(sizes.values())
    assert len(sizes) > 500
    assert long == {}, f"the longest function has {max(sizes.values())} lines, the median {median:.0f}"
    assert median <= 8, f"the median function has {median:.0f} lines"


def test_every_clock_is_handed_in() -> None:
    read = [
        f"{name(path)}:{node.lineno}" for path in program() if name(path) not in CLOCKS for node in _clocks_read(path)
    ]
    assert read == []


def test_the_real_clocks_are_the_known_ones() -> None:
    assert {name(path) for path in program() if _clocks_read(path)} == CLOCKS
    (only,) = _clocks_read(next(path for path in program() if name(path) == "scheduler.py"))
    clock = next(
        node for node in ast.walk(tree(program()[[name(p) for p in program()].index("scheduler.py")]))
        if isinstance(node, ast.FunctionDef) and node.name == "utc_now"
    )  # fmt: skip
    assert clock.lineno <= only.lineno <= (clock.end_lineno or 0)


def _clocks_read(path: Path) -> list[ast.Call]:
    found = []
    for node in ast.walk(tree(path)):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and isinstance(node.func.value, ast.Name)
        ):
            whose, what = node.func.value.id, node.func.attr
            if (whose in ("datetime", "date") and what in A_CLOCK) or (whose == "time" and what in ("time", "time_ns")):
                found.append(node)
    return found


def test_nothing_is_printed() -> None:
    printed = [
        f"{name(path)}:{node.lineno}"
        for path in program()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "print"
    ]
    assert printed == []


def test_errors_are_matched_on_fields() -> None:
    """No ``"…" in answer.text`` and no ``"…" in str(error)``: words change, fields do not."""
    matched = [
        f"{name(path)}:{node.lineno} {ast.unparse(node)}"
        for path in program()
        for node in ast.walk(tree(path))
        if isinstance(node, ast.Compare)
        and any(isinstance(op, ast.In | ast.NotIn) for op in node.ops)
        and any(_is_outside_words(side) for side in node.comparators)
    ]
    assert matched == []


def _is_outside_words(side: ast.expr) -> bool:
    if isinstance(side, ast.Attribute) and isinstance(side.value, ast.Name):
        return side.attr in ("text", "body", "content") and side.value.id in (
            "answer",
            "response",
            "seen",
            "reply",
            "got",
        )
    called = (
        isinstance(side, ast.Call) and isinstance(side.func, ast.Name) and side.func.id == "str" and bool(side.args)
    )
    return called and isinstance(side.args[0], ast.Name) and side.args[0].id in ("error", "exception", "e")  # type: ignore[attr-defined]


def test_nothing_is_left_for_later() -> None:
    later = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X")) + r")\b")
    assert _lines(later) == []


def test_no_machine_and_no_package_index_is_named() -> None:
    machine = re.compile("(?<![\\w.])/(?:wo" + "rk|ro" + "ot|ho" + "me/[a-z])/?|/Us" + "ers/")
    index = re.compile(
        r"https?://[^\s\"']*(?:py"
        + "pi|pythonhos"
        + "ted|npm"
        + "js|/simp"
        + r"le\b)|^--(?:extra-)?index-url|\"reso"
        + 'lved"'
    )
    assert _lines(machine) == []
    assert _lines(index) == []


def test_vietnamese_is_written_in_whole_letters() -> None:
    """NFC everywhere: a letter with its marks is one character (tests may hold decomposed input, escaped)."""
    assert _lines(re.compile("[\u0300-\u0303\u0309\u0323\u031b]")) == []


def _lines(pattern: re.Pattern[str]) -> list[str]:
    return [
        f"{name(path)}:{number} {line.strip()[:100]}"
        for path in texts()
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if pattern.search(line)
    ]
