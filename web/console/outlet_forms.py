"""A channel's settings as a form, made from its Settings model: labels, hints and widgets; what was typed, read back.

Secrets are password fields that never carry a value to the browser. Moments (a token's end) belong to the program and
are not asked for.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import SecretStr, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from channels.contract import Channel
from web.forms import Typed

PREFIX = "set"
CHOICES = {
    "show": "Hiện",
    "hide": "Ẩn",
    "north": "Miền Bắc",
    "south": "Miền Nam",
    "starttls": "STARTTLS (thường ở cổng 587)",
    "tls": "TLS ngay từ đầu (thường ở cổng 465)",
    "plain": "Không mã hóa (chỉ khi máy chủ thư ở cùng máy)",
    "off": "Không đọc",
    "maildir": "Từ thư mục Maildir",
    "imap": "Từ hộp thư IMAP",
    "remove": "Xóa hẳn",
    "none": "Không gửi",
    "followers": "Gửi tới người quan tâm",
    "basic": "Cơ bản",
    "trial": "Dùng thử",
    "advanced": "Nâng cao",
    "premium": "Cao cấp",
    "all": "Tất cả",
    "male": "Nam",
    "female": "Nữ",
    "text": "Chuỗi",
    "list": "Danh sách",
    "fixed": "Cố định, đã khai ở trang ứng dụng",
    "fresh": "Tạo mới mỗi lần",
}

_SAID = {
    "missing": "Chưa nhập.",
    "string_too_short": "Chưa đủ dài, cần ít nhất {min_length} ký tự.",
    "string_too_long": "Quá dài, tối đa {max_length} ký tự.",
    "string_pattern_mismatch": "Chưa đúng dạng. Hãy chép lại nguyên văn từ trang quản lý của nền tảng.",
    "int_parsing": "Hãy nhập một số nguyên.",
    "int_from_float": "Hãy nhập một số nguyên.",
    "greater_than_equal": "Phải từ {ge} trở lên.",
    "less_than_equal": "Không được quá {le}.",
    "literal_error": "Hãy chọn một trong các mục có sẵn.",
}


@dataclass(frozen=True)
class Entry:
    """One setting on screen. ``widget`` is text, url, secret, check, choice, number or lines; ``first`` ones are always open."""

    key: str
    label: str
    help: str
    widget: str
    required: bool
    default: Any
    choices: tuple[tuple[str, str], ...] = ()
    first: bool = False

    @property
    def name(self) -> str:
        """The field's name in the form."""
        return f"{PREFIX}.{self.key}"


def entries(kind: type[Channel]) -> list[Entry]:
    """Everything that a person sets, in the order of the model."""
    fields = kind.Settings.model_fields
    return [_entry(kind, key, field) for key, field in fields.items() if not _is_moment(field)]


def kept_values(kind: type[Channel], settings: Mapping[str, Any]) -> dict[str, str]:
    """The stored settings as they stand in the form; secrets are never among them."""
    return {one.key: _as_typed(settings.get(one.key, one.default)) for one in entries(kind) if one.widget != "secret"}


def typed_values(kind: type[Channel], form: Typed) -> dict[str, str]:
    """What was typed, to be shown again: everything but the secrets."""
    return {one.key: _shown(one, form) for one in entries(kind) if one.widget != "secret"}


def given(kind: type[Channel], form: Typed, settings: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """The settings as typed, ready to be kept: what is blank takes its default or, for a secret, what was sealed.

    ``settings`` are those of an outlet that is edited: what the program keeps there goes on, until a secret is replaced.
    """
    values = {one.key: value for one in entries(kind) if (value := _value(one, form)) is not None}
    replaced = any(one.widget == "secret" and one.key in values for one in entries(kind))
    moments = [key for key, field in kind.Settings.model_fields.items() if _is_moment(field)]
    return (
        values
        if replaced or settings is None
        else {**{key: settings[key] for key in moments if key in settings}, **values}
    )


def mistakes(kind: type[Channel], values: Mapping[str, Any]) -> dict[str, str]:
    """What is wrong with the settings, by the form field where it can be mended; empty when nothing is."""
    try:
        kind.Settings.model_validate(dict(values))
    except ValidationError as error:
        return {f"{PREFIX}.{item['loc'][0]}" if item["loc"] else "": _mistake(item) for item in error.errors()}
    return {}


def _entry(kind: type[Channel], key: str, field: FieldInfo) -> Entry:
    widget = _widget(kind, key, field)
    choices = tuple((one, _called(field, one)) for one in _literals(field)) if widget == "choice" else ()
    default = None if field.is_required() else field.get_default(call_default_factory=True)
    first = field.is_required() or widget == "secret" or bool(_extra(field).get("first"))
    return Entry(key, field.title or key, field.description or "", widget, field.is_required(), default, choices, first)


def _widget(kind: type[Channel], key: str, field: FieldInfo) -> str:
    types = _types(field)
    if key in kind.Settings.secret_fields or SecretStr in types:
        return "secret"
    if bool in types:
        return "check"
    if int in types:
        return "number"
    if _literals(field):
        return "choice"
    return "lines" if get_origin(field.annotation) in (tuple, list, dict) else "text"


def _types(field: FieldInfo) -> set[Any]:
    return {field.annotation, *get_args(field.annotation)}


def _literals(field: FieldInfo) -> tuple[str, ...]:
    return get_args(field.annotation) if get_origin(field.annotation) is Literal else ()


def _called(field: FieldInfo, one: str) -> str:
    """What a choice is called: by the setting itself (``json_schema_extra["choices"]``), or as everywhere."""
    own = _extra(field).get("choices")
    return str(own[one]) if isinstance(own, dict) and one in own else CHOICES.get(one, one)


def _extra(field: FieldInfo) -> dict[str, Any]:
    return field.json_schema_extra if isinstance(field.json_schema_extra, dict) else {}


def _is_moment(field: FieldInfo) -> bool:
    return datetime in _types(field)


def _value(one: Entry, form: Typed) -> Any:
    if one.widget == "check":
        return form.on(one.name)
    if one.widget == "lines":
        return [line.strip() for line in form.text(one.name).splitlines() if line.strip()]
    text = form.text(one.name).strip() if one.widget == "secret" else form.line(one.name)
    return text or ("" if one.default == "" and one.widget != "secret" else None)


def _shown(one: Entry, form: Typed) -> str:
    if one.widget == "check":
        return "1" if form.on(one.name) else ""
    return form.text(one.name)


def _as_typed(value: Any) -> str:
    if value is None or isinstance(value, SecretStr):
        return ""
    if isinstance(value, bool):
        return "1" if value else ""
    if isinstance(value, Mapping):
        return "\n".join(f"{key} = {item}" for key, item in value.items())
    if isinstance(value, list | tuple):
        return "\n".join(str(item) for item in value)
    return str(Path(value)) if isinstance(value, Path) else str(value)


def _mistake(error: ErrorDetails) -> str:
    if error["type"] == "value_error":
        said = str(error["ctx"]["error"])
        return f"{said[:1].upper()}{said[1:]}."
    return _SAID.get(error["type"], "Giá trị này chưa dùng được. Hãy kiểm tra lại.").format_map(error.get("ctx", {}))
