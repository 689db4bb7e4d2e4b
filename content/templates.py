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
``chien_dich`` (ten, hashtag); ``phuong.ten`` is the full name as it stands inside a sentence, «phường Lê Thanh
Nghị». What is typed into a field is printed letter by letter; only a ``long_text`` keeps its Markdown. Syntax
outside the allow-list of ``content.syntax`` is refused when the template is read.
"""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic_core import ErrorDetails

from content.document import Document, Source, read
from content.events import Event, event
from content.fields import FieldMistakes, FieldType, TemplateField, read_date, read_fields, read_time
from content.syntax import (
    MAX_OUTPUT,
    Known,
    TemplateMistake,
    compile_body,
    compile_line,
    format_date,
    format_number,
    format_time,
    run,
    run_block,
)
from content.text import nfc, squeeze

__all__ = [
    "MAX_OUTPUT",
    "MAX_SOURCE",
    "FieldMistakes",
    "FieldType",
    "Template",
    "TemplateField",
    "TemplateHead",
    "TemplateMistake",
    "format_date",
    "format_number",
    "format_time",
    "load",
    "read_date",
    "read_fields",
    "read_time",
]

MAX_SOURCE = 20_000


class TemplateEvent(BaseModel):
    """What a template invites to: lines for the name and the place, field keys for the day and the hours."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1)
    day: str
    start: str
    until: str = ""
    place: str = ""


class TemplateHead(BaseModel):
    """The front matter."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1)
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
    event: TemplateEvent | None = None

    @field_validator("fields")
    @classmethod
    def _keys(cls, fields: dict[str, TemplateField]) -> dict[str, TemplateField]:
        for key in fields:
            if not re.fullmatch(r"[a-z][a-z0-9_]{0,39}", key) or key in ("phuong", "chien_dich"):
                raise ValueError(f"tên trường «{key}» phải viết thường, không dấu, ví dụ: ten_thu_tuc")
        return fields


class Template:
    """A template that has been read and checked; ``render`` turns it and its fields into a Document."""

    def __init__(self, source: str) -> None:
        self.source = nfc(source).removeprefix("\ufeff")
        if len(self.source) > MAX_SOURCE:
            raise TemplateMistake(f"Mẫu dài quá {MAX_SOURCE:,} ký tự; hãy rút gọn.".replace(",", "."))
        head, body, offset = _divide(self.source)
        self.head = _head(head)
        self._known = _known(self.head.fields)
        self.body = compile_body(body, self._known, offset)
        self._check_blocks()
        self._check_lines()
        self._check_event()
        self._check_examples()

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
        title, blocks = read(run(self.body, values))
        own = {kind: _own_words(run_block(self.body, kind, values)) for kind in self.body.blocks}
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
            event=self._event(values),
        )

    def card_words(self, raw: Mapping[str, Any], ward: Mapping[str, str], campaign: Mapping[str, str]) -> str:
        """The few words drawn on the picture card; empty where the template names none."""
        values = {**self.values(raw), "phuong": ward, "chien_dich": campaign}
        return squeeze(self._line(self.head.card, values))

    def _event(self, values: Mapping[str, Any]) -> Event | None:
        told = self.head.event
        if told is None:
            return None
        day, start, until = (values.get(key) for key in (told.day, told.start, told.until))
        return event(self._line(told.name, values), day, start, until, self._line(told.place, values))

    def _line(self, text: str, values: Mapping[str, Any]) -> str:
        return run(compile_line(text, self._known), values) if text else ""

    def _check_blocks(self) -> None:
        strange = [kind for kind in self.body.blocks if self.head.channels and kind not in self.head.channels]
        if strange:
            raise TemplateMistake(
                f"Khối «{strange[0]}» không có trong mục «channels»; hãy sửa tên khối hoặc thêm kênh."
            )

    def _check_lines(self) -> None:
        for item in ("title", "summary", "link", "source", "card"):
            try:
                compile_line(getattr(self.head, item), self._known)
            except TemplateMistake as error:
                raise TemplateMistake(f"Mục «{item}»: {error}") from error

    def _check_event(self) -> None:
        told = self.head.event
        if told is None:
            return
        for key, kind in ((told.day, "date"), (told.start, "time"), (told.until, "time")):
            if key and (key not in self.head.fields or self.head.fields[key].type != kind):
                raise TemplateMistake(f"Mục «event»: «{key}» phải là tên một ô kiểu {kind}.")
        for line in (told.name, told.place):
            try:
                compile_line(line, self._known)
            except TemplateMistake as error:
                raise TemplateMistake(f"Mục «event»: {error}") from error

    def _check_examples(self) -> None:
        given = {key: field for key, field in self.head.fields.items() if field.example is not None}
        try:
            read_fields(given, self.examples())
        except FieldMistakes as error:
            raise TemplateMistake(f"Ví dụ chưa hợp với kiểu của trường: {error}") from error


@lru_cache(maxsize=512)
def load(source: str) -> Template:
    """The template of this source text, read and compiled once per text."""
    return Template(source)


def _known(fields: Mapping[str, TemplateField]) -> Known:
    return Known(frozenset(fields), frozenset(key for key, field in fields.items() if field.type == "list"))


def _own_words(markdown: str) -> Document:
    title, blocks = read(markdown)
    return Document(title=title, blocks=blocks)


def _divide(source: str) -> tuple[str, str, int]:
    match = re.match(r"---\n(.*?)\n---\n", source, re.DOTALL)
    if not match:
        raise TemplateMistake("Mẫu phải mở đầu bằng phần khai báo nằm giữa hai dòng «---».", 1)
    return match.group(1), source[match.end() :], source[: match.end()].count("\n")


class _Loader(yaml.BaseLoader):
    """YAML in which every value stays the text that was typed, without aliases and without a key twice."""

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            mark = self.peek_event().start_mark  # type: ignore[no-untyped-call]
            raise TemplateMistake("Nội dung mở đầu bằng dấu * phải đặt trong ngoặc kép.", mark.line + 2)
        return super().compose_node(parent, index)

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        keys = [key.value for key, _ in node.value]
        twice = next((key for key, _ in reversed(node.value) if keys.count(key.value) > 1), None)
        if twice is not None:
            raise TemplateMistake(f"Mục «{twice.value}» được viết hai lần; hãy bỏ bớt.", twice.start_mark.line + 2)
        return super().construct_mapping(node, deep)


def _head(text: str) -> TemplateHead:
    try:
        data = yaml.load(text, _Loader)  # noqa: S506 (the loader makes nothing but texts, lists and mappings)
        return TemplateHead.model_validate(data if data else {})
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        raise TemplateMistake(
            "Phần khai báo không đọc được. Hãy kiểm tra dấu hai chấm, dấu ngoặc kép và khoảng thụt đầu dòng.",
            mark.line + 2 if mark else None,
        ) from error
    except RecursionError as error:
        raise TemplateMistake("Phần khai báo lồng nhau quá sâu; hãy viết đơn giản hơn.", 2) from error
    except ValidationError as error:
        raise TemplateMistake("; ".join(_head_mistake(item) for item in error.errors())) from error


_SAID = {
    "extra_forbidden": "Phần khai báo có mục lạ «{place}»; hãy xóa hoặc sửa tên mục.",
    "missing": "Phần khai báo thiếu mục «{place}».",
    "string_too_short": "Mục «{place}» đang để trống.",
    "string_type": "Mục «{place}» phải là một dòng chữ.",
    "tuple_type": "Mục «{place}» phải là một danh sách, ví dụ [một, hai].",
    "dict_type": "Mục «{place}» phải gồm các dòng dạng «tên: giá trị».",
    "model_type": "Mục «{place}» phải gồm các dòng dạng «tên: giá trị».",
    "bool_parsing": "Mục «{place}» phải là true hoặc false.",
    "int_parsing": "Mục «{place}» phải là một số nguyên.",
    "greater_than_equal": "Mục «{place}» quá nhỏ.",
    "less_than_equal": "Mục «{place}» quá lớn.",
}


def _head_mistake(error: ErrorDetails) -> str:
    place = ".".join(str(part) for part in error["loc"])
    if error["type"] == "literal_error":
        return f"Mục «{place}» phải là một trong: {', '.join(get_args(FieldType))}."
    if error["type"] == "value_error":
        return f"Mục «{place}» không hợp lệ: {str(error['msg']).removeprefix('Value error, ')}."
    if not place:
        return "Phần khai báo phải gồm các dòng dạng «tên: giá trị»."
    return _SAID.get(error["type"], "Mục «{place}» không hợp lệ.").format(place=place)
