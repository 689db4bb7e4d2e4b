"""Templates: Markdown with front matter and a small allow-list of Jinja2, rendered to a Document.

A template is one file::

    ---
    name: Nộp hồ sơ trực tuyến toàn trình
    tasks: [ltn-2.1-g, dh-3-1]
    audience: Hộ kinh doanh
    summary: "…"                      # may use fields; every text below may
    fields:
      thu_tuc: {label: Tên thủ tục, type: text, example: đăng ký hộ kinh doanh, limit: 120}
    channels: [website, zalo, facebook, telegram, loudspeaker]
    ---
    # Tiêu đề có {{ thu_tuc }}

    Thân bài dùng chung.

    {% block loudspeaker %}Lời riêng cho loa.{% endblock %}

A block named after a channel kind stands in for the body there; a ``# `` heading in it replaces the title.
Besides its fields a template may use ``phuong`` (ten, trung_tam, dien_thoai, dia_chi, website) and
``chien_dich`` (ten, hashtag). Syntax outside the allow-list is refused when the template is read, so that no
text written by staff can call code, loop without end or grow without bound.
"""

import re
from collections.abc import Callable, Mapping
from datetime import date, time
from functools import lru_cache
from typing import Any, Literal

import yaml
from jinja2 import StrictUndefined, TemplateError, TemplateSyntaxError, UndefinedError, nodes
from jinja2 import Template as Compiled
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from content.document import Document, Source, read
from content.text import nfc, squeeze

MAX_SOURCE = 20_000
MAX_OUTPUT = 20_000
MAX_LIST = 50

FieldType = Literal["text", "long_text", "list", "number", "money", "date", "time", "url", "phone", "choice"]

_ALLOWED: tuple[type[nodes.Node], ...] = (
    nodes.Template, nodes.Output, nodes.TemplateData, nodes.Name, nodes.Getattr, nodes.Const, nodes.Filter,
    nodes.If, nodes.For, nodes.Block, nodes.Compare, nodes.Operand, nodes.And, nodes.Or, nodes.Not,
)  # fmt: skip


class TemplateMistake(ValueError):
    """A template that cannot be used; the message is Vietnamese and says what to do, ``line`` where."""

    def __init__(self, message: str, line: int | None = None) -> None:
        self.line = line
        super().__init__(message if line is None else f"Dòng {line}: {message}")


class FieldMistakes(ValueError):
    """Field values that do not fit; ``errors`` maps each field's key to a Vietnamese sentence."""

    def __init__(self, errors: dict[str, str]) -> None:
        self.errors = errors
        super().__init__("; ".join(errors.values()))


class TemplateField(BaseModel):
    """One value that the editor fills in."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    label: str
    type: FieldType = "text"
    example: Any = None
    help: str = ""
    required: bool = True
    limit: int = Field(default=300, ge=1, le=4000)
    choices: tuple[str, ...] = ()


class TemplateHead(BaseModel):
    """The front matter."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    tasks: tuple[str, ...] = ()
    audience: str = ""
    topic: str = ""
    title: str = ""
    summary: str = ""
    channels: tuple[str, ...] = ()
    fields: dict[str, TemplateField] = {}
    link: str = ""
    link_label: str = "Chi tiết"
    source: str = ""
    source_url: str = ""
    hashtags: tuple[str, ...] = ()
    card: str = ""

    @field_validator("fields")
    @classmethod
    def _keys(cls, fields: dict[str, TemplateField]) -> dict[str, TemplateField]:
        for key in fields:
            if not re.fullmatch(r"[a-z][a-z0-9_]{0,39}", key) or key in ("phuong", "chien_dich"):
                raise ValueError(f"tên trường «{key}» phải viết thường, không dấu, ví dụ: ten_thu_tuc")
        return fields


def format_date(value: date) -> str:
    """A date as Vietnamese offices write it: 09/4/2026 (day, and the months 1 and 2, in two digits)."""
    return f"{value.day:02d}/{value.month:02d}/{value.year}" if value.month < 3 else f"{value.day:02d}/{value.month}/{value.year}"


def format_time(value: time) -> str:
    """A time of day as Vietnamese offices write it: 17h00."""
    return f"{value.hour}h{value.minute:02d}"


def format_number(value: float | int) -> str:
    """A number with Vietnamese separators: 1.250.000 and 98,5."""
    text = f"{value:,.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else f"{value:,}"
    return text.replace(",", "\0").replace(".", ",").replace("\0", ".")


def _upper_first(text: str) -> str:
    return text[:1].upper() + text[1:]


_FILTERS: dict[str, Callable[..., str]] = {
    "ngay": format_date,
    "gio": format_time,
    "so": format_number,
    "hoa_dau": _upper_first,
    "in_hoa": lambda text: str(text).upper(),
    "noi": lambda items, mark=", ": str(mark).join(items),
}


def _environment() -> ImmutableSandboxedEnvironment:
    environment = ImmutableSandboxedEnvironment(undefined=StrictUndefined, keep_trailing_newline=True)
    environment.filters = dict(_FILTERS)
    environment.globals = {}
    return environment


_ENVIRONMENT = _environment()


class Template:
    """A template that has been read and checked; ``render`` turns it and its fields into a Document."""

    def __init__(self, source: str) -> None:
        self.source = nfc(source)
        if len(self.source) > MAX_SOURCE:
            raise TemplateMistake(f"Mẫu dài quá {MAX_SOURCE:,} ký tự; hãy rút gọn.".replace(",", "."))
        head, body, offset = _divide(self.source)
        self.head = _head(head)
        self.body = _compile(body, self.head, offset)
        for text in (self.head.title, self.head.summary, self.head.link, self.head.source, self.head.card):
            _compile(text, self.head, 0)

    @property
    def channels_with_own_words(self) -> tuple[str, ...]:
        """The channel kinds for which the template has a block of its own."""
        return tuple(self.body.blocks)

    def examples(self) -> dict[str, Any]:
        """The example value of every field, as the editor would type it."""
        return {key: field.example for key, field in self.head.fields.items() if field.example is not None}

    def values(self, raw: Mapping[str, Any]) -> dict[str, Any]:
        """The fields read from what was typed, each in its own type; raises FieldMistakes naming every bad one."""
        return read_fields(self.head.fields, raw)

    def render(self, raw: Mapping[str, Any], ward: Mapping[str, str], campaign: Mapping[str, str]) -> Document:
        """The Document for these field values; raises FieldMistakes or TemplateMistake in Vietnamese."""
        values = {**self.values(raw), "phuong": ward, "chien_dich": campaign}
        title, blocks = read(_base(self.body, values))
        own = {kind: _own_words(_block(self.body, kind, values)) for kind in self.body.blocks}
        source = squeeze(self._line(self.head.source, values))
        return Document(
            title=squeeze(self._line(self.head.title, values)) or title or self.head.name,
            blocks=blocks,
            summary=squeeze(self._line(self.head.summary, values)),
            link=self._line(self.head.link, values).strip() or None,
            link_label=self.head.link_label,
            source=Source(source, self.head.source_url or None) if source else None,
            hashtags=self.head.hashtags,
            own_words=own,
            topics=(self.head.topic,) if self.head.topic else (),
        )

    def card_words(self, raw: Mapping[str, Any], ward: Mapping[str, str], campaign: Mapping[str, str]) -> str:
        """The few words drawn on the picture card; empty where the template names none."""
        values = {**self.values(raw), "phuong": ward, "chien_dich": campaign}
        return squeeze(self._line(self.head.card, values))

    def _line(self, text: str, values: Mapping[str, Any]) -> str:
        return _base(_compile(text, self.head, 0), values) if text else ""


@lru_cache(maxsize=512)
def load(source: str) -> Template:
    """The template of this source text, read and compiled once per text."""
    return Template(source)


def _own_words(markdown: str) -> Document:
    title, blocks = read(markdown)
    return Document(title=title, blocks=blocks)


def _divide(source: str) -> tuple[str, str, int]:
    match = re.match(r"---\n(.*?)\n---\n", source, re.DOTALL)
    if not match:
        raise TemplateMistake("Mẫu phải mở đầu bằng phần khai báo nằm giữa hai dòng «---».", 1)
    return match.group(1), source[match.end() :], source[: match.end()].count("\n")


def _head(text: str) -> TemplateHead:
    try:
        data = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise TemplateMistake(
            "Phần khai báo không đọc được. Hãy kiểm tra dấu hai chấm, dấu ngoặc kép và khoảng thụt đầu dòng.",
            mark.line + 2 if mark else None,
        ) from error
    if not isinstance(data, dict):
        raise TemplateMistake("Phần khai báo phải gồm các dòng dạng «tên: giá trị».", 2)
    try:
        return TemplateHead.model_validate(data)
    except ValidationError as error:
        raise TemplateMistake("; ".join(_head_mistake(item) for item in error.errors())) from error


def _head_mistake(error: Any) -> str:
    place = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        return f"Phần khai báo có mục lạ «{place}»; hãy xóa hoặc sửa tên mục."
    if error["type"] == "missing":
        return f"Phần khai báo thiếu mục «{place}»."
    return f"Mục «{place}» không hợp lệ: {str(error['msg']).removeprefix('Value error, ')}."


@lru_cache(maxsize=2048)
def _compile_cached(text: str, names: frozenset[str], offset: int) -> Compiled:
    try:
        tree = _ENVIRONMENT.parse(text)
    except TemplateSyntaxError as error:
        raise TemplateMistake(
            "Cú pháp mẫu không đọc được. Hãy kiểm tra các cặp dấu {{ }} và {% %} đã đóng đủ chưa.",
            error.lineno + offset,
        ) from error
    _check(tree, names, offset)
    return _ENVIRONMENT.from_string(tree)


def _compile(text: str, head: TemplateHead, offset: int) -> Compiled:
    return _compile_cached(text, frozenset(head.fields), offset)


def _check(tree: nodes.Template, names: frozenset[str], offset: int) -> None:
    known = names | {"phuong", "chien_dich"} | {n.target.name for n in tree.find_all(nodes.For) if isinstance(n.target, nodes.Name)}
    for node in tree.find_all(nodes.Node):
        line = node.lineno + offset
        if not isinstance(node, _ALLOWED):
            raise TemplateMistake(
                "Mẫu chỉ được dùng trường, bộ lọc, {% if %}, {% for %} và {% block %}; hãy bỏ phần còn lại.", line
            )
        if isinstance(node, nodes.Name) and node.ctx == "load" and node.name not in known:
            raise TemplateMistake(f"Trường «{node.name}» chưa được khai báo ở đầu mẫu.", line)
        if isinstance(node, nodes.Getattr) and not _plain_attribute(node):
            raise TemplateMistake("Chỉ được dùng dấu chấm với «phuong» và «chien_dich».", line)
        if isinstance(node, nodes.Filter) and node.name not in _FILTERS:
            raise TemplateMistake(f"Không có bộ lọc «{node.name}»; các bộ lọc có sẵn: {', '.join(_FILTERS)}.", line)
        if isinstance(node, nodes.For) and not _plain_loop(node, names):
            raise TemplateMistake("{% for %} chỉ được lặp qua một trường kiểu danh sách và không lồng nhau.", line)


def _plain_attribute(node: nodes.Getattr) -> bool:
    return isinstance(node.node, nodes.Name) and node.node.name in ("phuong", "chien_dich") and not node.attr.startswith("_")


def _plain_loop(node: nodes.For, names: frozenset[str]) -> bool:
    over_field = isinstance(node.iter, nodes.Name) and node.iter.name in names and isinstance(node.target, nodes.Name)
    return over_field and not node.recursive and next(iter(n for part in node.body for n in part.find_all(nodes.For)), None) is None


def _context(template: Compiled, values: Mapping[str, Any]) -> Context:
    return template.new_context(dict(values))


def _run(chunks: Any) -> str:
    text = ""
    try:
        for chunk in chunks:
            text += chunk
            if len(text) > MAX_OUTPUT:
                raise TemplateMistake(f"Bài dựng từ mẫu dài quá {MAX_OUTPUT:,} ký tự; hãy rút gọn.".replace(",", "."))
    except UndefinedError as error:
        raise TemplateMistake(f"Mẫu dùng một giá trị chưa có: {error.message}.") from error
    except (TemplateError, AttributeError, TypeError, ValueError) as error:
        if isinstance(error, TemplateMistake):
            raise
        raise TemplateMistake("Một bộ lọc không dùng được với kiểu của trường; hãy kiểm tra lại mẫu.") from error
    return nfc(text)


def _base(template: Compiled, values: Mapping[str, Any]) -> str:
    context = _context(template, values)
    for kind in context.blocks:
        context.blocks[kind] = [lambda _context: iter(())]
    return _run(template.root_render_func(context))


def _block(template: Compiled, kind: str, values: Mapping[str, Any]) -> str:
    return _run(template.blocks[kind](_context(template, values)))


def read_fields(fields: Mapping[str, TemplateField], raw: Mapping[str, Any]) -> dict[str, Any]:
    """Typed values of what was typed; an optional empty field becomes an empty value. Raises FieldMistakes."""
    values: dict[str, Any] = {}
    errors: dict[str, str] = {}
    for key, field in fields.items():
        try:
            values[key] = _value(field, raw.get(key))
        except ValueError as error:
            errors[key] = f"{field.label}: {error}"
    if errors:
        raise FieldMistakes(errors)
    return values


def _value(field: TemplateField, raw: Any) -> Any:
    if field.type == "list":
        return _list(field, raw)
    text = _typed(raw)
    if not text:
        if field.required:
            raise ValueError("chưa nhập.")
        return ""
    if field.type != "long_text":
        text = squeeze(text)
    if len(text) > field.limit:
        raise ValueError(f"dài {len(text)} ký tự, quá giới hạn {field.limit} ký tự.")
    return _READERS[field.type](field, text)


def _typed(raw: Any) -> str:
    if raw is None:
        return ""
    if isinstance(raw, date):
        return raw.isoformat()
    if isinstance(raw, time):
        return raw.strftime("%H:%M")
    return nfc(str(raw)).strip()


def _list(field: TemplateField, raw: Any) -> list[str]:
    lines = raw if isinstance(raw, list | tuple) else nfc(str(raw or "")).split("\n")
    items = [squeeze(str(line)).removeprefix("- ") for line in lines if str(line).strip()]
    if field.required and not items:
        raise ValueError("chưa nhập; mỗi dòng là một mục.")
    if len(items) > MAX_LIST:
        raise ValueError(f"có {len(items)} mục, tối đa {MAX_LIST} mục.")
    if any(len(item) > field.limit for item in items):
        raise ValueError(f"có mục dài quá {field.limit} ký tự.")
    return items


def read_date(text: str) -> date:
    """A date typed as 2026-04-09, 09/4/2026 or 9-4-2026; raises ValueError in Vietnamese."""
    iso = re.fullmatch(r"(\d{4})-(\d{1,2})-(\d{1,2})", text)
    usual = re.fullmatch(r"(\d{1,2})[/.-](\d{1,2})[/.-](\d{4})", text)
    year, month, day = iso.groups() if iso else reversed(usual.groups()) if usual else ("", "", "")
    try:
        return date(int(year), int(month), int(day))
    except ValueError as error:
        raise ValueError("ngày không hợp lệ; hãy nhập dạng 25/11/2026.") from error


def read_time(text: str) -> time:
    """A time of day typed as 17h00, 17:00, 17h or 17g30; raises ValueError in Vietnamese."""
    match = re.fullmatch(r"(\d{1,2})\s*[h:gG]\s*(\d{1,2})?'?", text)
    try:
        if not match:
            raise ValueError
        return time(int(match.group(1)), int(match.group(2) or 0))
    except ValueError as error:
        raise ValueError("giờ không hợp lệ; hãy nhập dạng 17h00.") from error


def _read_number(field: TemplateField, text: str) -> int | float:
    digits = text.replace(" ", "")
    if not re.fullmatch(r"-?\d{1,3}(\.\d{3})*(,\d+)?|-?\d+(,\d+)?", digits):
        raise ValueError("phải là số, ví dụ 1.250.000 hoặc 98,5.")
    number = float(digits.replace(".", "").replace(",", "."))
    return int(number) if number.is_integer() else number


def _read_url(field: TemplateField, text: str) -> str:
    if not re.fullmatch(r"https?://[^\s/$.?#][^\s<>\"']*", text, re.IGNORECASE):
        raise ValueError("địa chỉ phải bắt đầu bằng https:// và không có dấu cách.")
    return text


def _read_phone(field: TemplateField, text: str) -> str:
    if not re.fullmatch(r"[+\d][\d .-]{2,19}", text):
        raise ValueError("số điện thoại chỉ gồm chữ số, dấu chấm và dấu cách.")
    return text


def _read_choice(field: TemplateField, text: str) -> str:
    if text not in field.choices:
        raise ValueError(f"phải là một trong: {', '.join(field.choices)}.")
    return text


_READERS: dict[str, Callable[[TemplateField, str], Any]] = {
    "text": lambda field, text: text,
    "long_text": lambda field, text: text,
    "number": _read_number,
    "money": _read_number,
    "date": lambda field, text: read_date(text),
    "time": lambda field, text: read_time(text),
    "url": _read_url,
    "phone": _read_phone,
    "choice": _read_choice,
}
