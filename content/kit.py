"""The shipped campaign kit: the templates in ``library/``, ready for any ward to adopt."""

from functools import lru_cache
from pathlib import Path

from content.plans import Plan
from content.templates import Template, TemplateMistake, load
from content.text import nfc

LIBRARY = Path(__file__).parent / "library"


def shipped() -> dict[str, str]:
    """Source text of every shipped template by slug (the file's name), in alphabetical order."""
    return {path.stem: nfc(path.read_text("utf-8")) for path in sorted(LIBRARY.glob("*.md"))}


@lru_cache(maxsize=1)
def _parsed() -> dict[str, Template]:
    return {slug: _read(slug, source) for slug, source in shipped().items()}


def parsed() -> dict[str, Template]:
    """Every shipped template by slug, read and checked; raises TemplateMistake naming the file at fault."""
    return dict(_parsed())


def for_plan(plan: Plan) -> dict[str, Template]:
    """The shipped templates that serve at least one task of this plan: what its ward is offered."""
    codes = {task.code for task in plan.tasks}
    return {slug: template for slug, template in parsed().items() if codes & set(template.head.tasks)}


def _read(slug: str, source: str) -> Template:
    try:
        return load(source)
    except TemplateMistake as error:
        raise TemplateMistake(f"Mẫu «{slug}.md»: {error}") from error
