"""The allow-list of Jinja2 in which templates are written: checked when read, bounded when run.

Fields, filters, ``{% if %}``, ``{% for %}`` over a list field, and ``{% block <channel kind> %}``; nothing else. So no
text written by staff can call code, loop without end or grow without bound.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, time
from functools import lru_cache
from typing import Any

from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError, UndefinedError, nodes
from jinja2 import Template as Compiled
from jinja2.sandbox import ImmutableSandboxedEnvironment

from content.fields import Markdown
from content.text import nfc

MAX_OUTPUT = 20_000

_GIVEN = {
    "phuong": ("ten", "trung_tam", "dien_thoai", "dia_chi", "website"),
    "chien_dich": ("ten", "hashtag"),
}

_ALLOWED: tuple[type[nodes.Node], ...] = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Getattr, nodes.Const, nodes.Filter,
    nodes.If, nodes.For, nodes.Block, nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not,
)  # fmt: skip


class TemplateMistake(ValueError):
    """A template that cannot be used; the message is Vietnamese and says what to do, ``line`` where."""

    def __init__(self, message: str, line: int | None = None) -> None:
        self.message = message
        self.line = line
        super().__init__(message if line is None else f"Dòng {line}: {message}")


@dataclass(frozen=True)
class Known:
    """The names that a template may use: all its fields, and those of them that are lists."""

    names: frozenset[str]
    lists: frozenset[str]


def compile_body(text: str, known: Known, offset: int) -> Compiled:
    """A Markdown body; field values in it are printed letter by letter. Raises TemplateMistake with the line."""
    return _compile(_BODY, text, known, offset)


def compile_line(text: str, known: Known) -> Compiled:
    """A line of the front matter, plain text. Raises TemplateMistake without a line."""
    try:
        return _compile(_LINE, text, known, 0)
    except TemplateMistake as error:
        raise TemplateMistake(error.message) from error


def run(template: Compiled, values: Mapping[str, Any]) -> str:
    """The text outside every block, in NFC; raises TemplateMistake."""
    context = template.new_context(dict(values))
    for kind in context.blocks:
        context.blocks[kind] = [lambda _context: iter(())]
    return _joined(template.root_render_func(context))


def run_block(template: Compiled, kind: str, values: Mapping[str, Any]) -> str:
    """The text of one block, in NFC; raises TemplateMistake."""
    return _joined(template.blocks[kind](template.new_context(dict(values))))


def _joined(chunks: Iterable[str]) -> str:
    text = ""
    try:
        for chunk in chunks:
            text += chunk
            if len(text) > MAX_OUTPUT:
                raise TemplateMistake(f"Bài dựng từ mẫu dài quá {MAX_OUTPUT:,} ký tự; hãy rút gọn.".replace(",", "."))
    except UndefinedError as error:
        raise TemplateMistake(
            "Mẫu dùng một giá trị chưa có. Hãy kiểm tra tên trường, và chỉ dùng biến của {% for %} bên trong vòng lặp ấy."
        ) from error
    except (TemplateError, AttributeError, TypeError, ValueError) as error:
        if isinstance(error, TemplateMistake):
            raise
        raise TemplateMistake("Một bộ lọc không dùng được với kiểu của trường; hãy kiểm tra lại mẫu.") from error
    return nfc(text)


@lru_cache(maxsize=2048)
def _compile(environment: ImmutableSandboxedEnvironment, text: str, known: Known, offset: int) -> Compiled:
    try:
        tree = environment.parse(text)
        _check(tree, known, offset)
        return environment.from_string(tree)
    except TemplateSyntaxError as error:
        raise TemplateMistake(
            "Cú pháp mẫu không đọc được. Hãy kiểm tra các cặp dấu {{ }} và {% %} đã đóng đủ chưa.",
            error.lineno + offset,
        ) from error
    except (RecursionError, MemoryError, SyntaxError) as error:
        raise TemplateMistake("Mẫu lồng nhau quá sâu; hãy viết đơn giản hơn.") from error
    except ValueError as error:
        if isinstance(error, TemplateMistake):
            raise
        raise TemplateMistake("Mẫu có một con số quá dài; hãy rút gọn.") from error


def _check(tree: nodes.Template, known: Known, offset: int) -> None:
    targets = {loop.target.name for loop in tree.find_all(nodes.For) if isinstance(loop.target, nodes.Name)}
    qualified = {id(node.node) for node in tree.find_all(nodes.Getattr)}
    _check_blocks(tree, offset)
    line = 1
    for node in tree.find_all(nodes.Node):
        line = node.lineno or line  # some nodes carry none
        mistake = _mistake(node, known, targets, qualified)
        if mistake:
            raise TemplateMistake(mistake, line + offset)


def _mistake(node: nodes.Node, known: Known, targets: set[str], qualified: set[int]) -> str | None:
    if not isinstance(node, _ALLOWED):
        return "Mẫu chỉ được dùng trường, bộ lọc, {% if %}, {% for %} và {% block %}; hãy bỏ phần còn lại."
    if isinstance(node, nodes.Getattr) and not _plain_attribute(node):
        offered = ", ".join(f"{name}.{part}" for name, parts in _GIVEN.items() for part in parts)
        return f"Dấu chấm chỉ dùng với các tên có sẵn: {offered}."
    if isinstance(node, nodes.Name) and node.ctx == "load":
        return _unknown_name(node, known.names | targets, qualified)
    if isinstance(node, nodes.Filter) and node.name not in _FILTERS:
        return f"Không có bộ lọc «{node.name}»; các bộ lọc có sẵn: {', '.join(_FILTERS)}."
    if isinstance(node, nodes.For) and not _plain_loop(node, known.lists):
        return "{% for %} chỉ được lặp qua một trường kiểu danh sách và không lồng nhau."
    return None


def _check_blocks(tree: nodes.Template, offset: int) -> None:
    seen: set[str] = set()
    for block in tree.find_all(nodes.Block):
        if block not in tree.body or block.required:
            raise TemplateMistake(
                f"Khối «{block.name}» phải đứng riêng, không nằm trong phần khác.", block.lineno + offset
            )
        if block.name in seen:
            raise TemplateMistake(f"Khối «{block.name}» được viết hai lần; hãy gộp lại.", block.lineno + offset)
        seen.add(block.name)


def _plain_attribute(node: nodes.Getattr) -> bool:
    return isinstance(node.node, nodes.Name) and node.attr in _GIVEN.get(node.node.name, ())


def _unknown_name(node: nodes.Name, names: frozenset[str], qualified: set[int]) -> str | None:
    if node.name in _GIVEN:
        return None if id(node) in qualified else f"Hãy viết rõ phần cần dùng, ví dụ {node.name}.ten."
    return None if node.name in names else f"Trường «{node.name}» chưa được khai báo ở đầu mẫu."


def _plain_loop(node: nodes.For, lists: frozenset[str]) -> bool:
    over_list = isinstance(node.iter, nodes.Name) and node.iter.name in lists
    named = isinstance(node.target, nodes.Name) and node.target.name not in _GIVEN
    return over_list and named and not node.recursive and next(node.find_all(nodes.For), None) is None


def format_date(value: date) -> str:
    """A date as Vietnamese offices write it: 09/4/2026 (day, and the months 1 and 2, in two digits)."""
    return (
        f"{value.day:02d}/{value.month:02d}/{value.year}"
        if value.month < 3
        else f"{value.day:02d}/{value.month}/{value.year}"
    )


def format_time(value: time) -> str:
    """A time of day as Vietnamese offices write it: 17h00."""
    return f"{value.hour}h{value.minute:02d}"


def format_number(value: float | int) -> str:
    """A number with Vietnamese separators: 1.250.000 and 98,5."""
    text = f"{value:,.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else f"{value:,}"
    return text.replace(",", "\0").replace(".", ",").replace("\0", ".")


def _upper_first(text: str) -> str:
    return text[:1].upper() + text[1:]


def _joined_items(items: list[str], mark: str = ", ") -> str:
    if not isinstance(items, list):  # a text would be joined letter by letter, and grow with every filter
        raise TypeError
    return str(mark).join(items)


_FILTERS: dict[str, Callable[..., str]] = {
    "ngay": format_date,
    "gio": format_time,
    "so": format_number,
    "hoa_dau": _upper_first,
    "in_hoa": lambda text: str(text).upper(),
    "noi": _joined_items,
}


def _literal(value: object) -> str:
    """A value for a Markdown body: its letters as they are, unless it is Markdown itself."""
    return value if isinstance(value, Markdown) else re.sub(r"([\\*_\[\]()#+.&-])", r"\\\1", str(value))


def _environment(finalize: Callable[[object], str] | None) -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(
        undefined=StrictUndefined, keep_trailing_newline=True, finalize=finalize
    )
    environment.filters = dict(_FILTERS)
    environment.globals = {}
    return environment


_BODY = _environment(_literal)
_LINE = _environment(None)
