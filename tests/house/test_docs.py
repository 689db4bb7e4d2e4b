"""The documents are true: generated pages are fresh, links lead somewhere, commands exist, examples work."""

import importlib.util
import re
import tomllib
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import typer

from channels.contract import Capability, Certainty
from channels.registry import kinds
from cli import app
from content.templates import Template
from settings import Settings
from tests.house.tree import ROOT, files, name

PAGES = [path for path in files() if path.suffix == ".md" and "library" not in path.parts]
RUN_BY_HAND = [
    path for path in PAGES if name(path) in ("README.md", "CONTRIBUTING.md", "docs/go-live.md", "docs/operate.md")
]


@cache
def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("lantoa_docs", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_generated_pages_are_fresh() -> None:
    stale = [
        name(path) for path, text in generator().pages().items() if not path.exists() or path.read_text("utf-8") != text
    ]
    assert stale == [], "run: make docs"


def test_generated_pages_say_everything_once() -> None:
    assert set(generator().CAPABILITIES) == set(Capability)
    assert set(generator().CERTAINTIES) == set(Certainty)
    assert len(list(generator().pages())) >= 5, "the benchmarks have never been run: make bench"


@pytest.mark.parametrize("kind", sorted(kinds()))
def test_every_channel_has_its_page_and_says_how_far_it_was_tested(kind: str) -> None:
    page = ROOT / "docs" / "channels" / f"{kind}.md"
    assert page.exists()
    assert generator().SUPPORT.search(page.read_text("utf-8")), f"{name(page)} lacks «**Mức hỗ trợ: …, ngày**»"


@pytest.mark.parametrize("page", PAGES, ids=name)
def test_no_link_is_dead(page: Path) -> None:
    text = re.sub(r"```.*?```|`[^`]*`", "", page.read_text("utf-8"), flags=re.DOTALL)
    targets = re.findall(r"\]\(([^)\s]+)\)|src=\"([^\"]+)\"", text)
    local = [a or b for a, b in targets if not re.match(r"(https?|mailto):|#", a or b)]
    dead = [target for target in local if not (page.parent / target.split("#")[0]).resolve().exists()]
    assert dead == []


def test_every_page_can_be_reached_from_the_readme() -> None:
    seen, todo = set(), [ROOT / "README.md"]
    while todo:
        page = todo.pop()
        if page in seen or not page.exists() or page.suffix != ".md":
            continue
        seen.add(page)
        todo += [
            (page.parent / target.split("#")[0]).resolve()
            for target in re.findall(r"\]\(([^)\s:]+)\)", page.read_text("utf-8"))
        ]
    assert [name(page) for page in PAGES if page not in seen] == []


@pytest.mark.parametrize("page", RUN_BY_HAND, ids=name)
def test_the_commands_exist(page: Path) -> None:
    lines = [
        line.split("#")[0].strip()
        for block in re.findall(r"```sh\n(.*?)```", page.read_text("utf-8"), re.DOTALL)
        for line in block.splitlines()
    ]
    made = [target for line in lines for target in re.findall(r"\bmake ([a-z]+)", line)]
    assert [target for target in made if target not in generator().make_targets()] == []
    called = [found.group(1).split() for line in lines if (found := re.search(r"(?:^|bin/)lantoa((?: .*)?)$", line))]
    for words in called:
        _parse(typer.main.get_command(app), words)


def _parse(command: Any, words: list[str]) -> None:
    """Walk to the subcommand and let it read its options; raises where one does not exist."""
    while hasattr(command, "commands"):
        assert words, "no command"
        assert words[0] in command.commands, words
        command, words = command.commands[words[0]], words[1:]
    joined = re.findall(r'"[^"]*"|\S+', " ".join(words))
    command.make_context("lantoa", [word.strip('"') for word in joined], resilient_parsing=False)


def test_commands_in_running_text_exist() -> None:
    known = typer.main.get_command(app).commands  # type: ignore[attr-defined]
    said = {
        (name(page), word)
        for page in PAGES
        for word in re.findall(r"`(?:\.venv/bin/)?lantoa ([a-z-]+)", page.read_text("utf-8"))
    }
    assert said
    assert [one for one in said if one[1] not in known] == []
    targets = {(name(page), word) for page in PAGES for word in re.findall(r"`make ([a-z]+)", page.read_text("utf-8"))}
    assert [one for one in targets if one[1] not in generator().make_targets()] == []


def test_settings_shown_are_settings_that_exist() -> None:
    blocks = [block for page in PAGES for block in re.findall(r"```toml\n(.*?)```", page.read_text("utf-8"), re.DOTALL)]
    assert blocks
    for block in [*blocks, (ROOT / "settings.toml").read_text("utf-8")]:
        Settings.model_validate(tomllib.loads(block))


def test_the_template_that_is_explained_works() -> None:
    text = (ROOT / "docs" / "templates.md").read_text("utf-8")
    (block,) = re.findall(r"```markdown\n(.*?)```", text, re.DOTALL)
    template = Template(block)
    ward = {"ten": "phường Đông Hải", "trung_tam": "", "dien_thoai": "", "dia_chi": "", "website": ""}
    made = template.render(template.examples(), ward, {"ten": "", "hashtag": ""})
    assert made.title == "Tiếp dân ngày 28/11/2026"
    assert "loudspeaker" in made.own_words


def test_filters_fields_and_names_are_all_explained() -> None:
    from content.fields import FieldType
    from content.syntax import _FILTERS, _GIVEN
    from content.templates import TemplateHead

    text = (ROOT / "docs" / "templates.md").read_text("utf-8")
    wanted = {*_FILTERS, *FieldType.__args__, *TemplateHead.model_fields}  # type: ignore[attr-defined]
    wanted |= {f"{owner}.{part}" for owner, parts in _GIVEN.items() for part in parts}
    assert sorted(word for word in wanted if f"`{word}`" not in text) == []


def test_pictures_are_light() -> None:
    heavy = {
        name(path): path.stat().st_size
        for path in files()
        if "pictures" in path.parts and path.stat().st_size > 300_000
    }
    assert heavy == {}


def test_decisions_fit_a_page() -> None:
    decisions = [page for page in PAGES if re.fullmatch(r"docs/decisions/\d{4}-[a-z-]+\.md", name(page))]
    assert len(decisions) >= 12
    for page in decisions:
        text = page.read_text("utf-8")
        assert text.count("\n") <= 40, name(page)
        assert all(f"**{part}.**" in text for part in ("Context", "Decision", "Consequences")), name(page)


def test_the_changelog_knows_this_version() -> None:
    from settings import VERSION

    assert f"## [{VERSION}]" in (ROOT / "CHANGELOG.md").read_text("utf-8")
