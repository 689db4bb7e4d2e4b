"""The fields of a template: what the editor types, read into values of its own type, or refused in Vietnamese."""

import re
import unicodedata
from collections.abc import Callable, Mapping
from datetime import date, time
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from content.text import nfc, squeeze

MAX_LIST = 50
MAX_DIGITS = 15

FieldType = Literal["text", "long_text", "list", "number", "money", "date", "time", "url", "phone", "choice"]


class FieldMistakes(ValueError):
    """Field values that do not fit; ``errors`` maps each field's key to a Vietnamese sentence."""

    def __init__(self, errors: dict[str, str]) -> None:
        self.errors = errors
        super().__init__("; ".join(errors.values()))


class Markdown(str):
    """A value that keeps its Markdown (``long_text``); every other value is printed letter by letter."""

    __slots__ = ()


class TemplateField(BaseModel):
    """One value that the editor fills in; ``limit`` is in characters, for a list per item."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    label: str = Field(min_length=1)
    type: FieldType = "text"
    example: Any = None
    help: str = ""
    required: bool = True
    limit: int = Field(default=300, ge=1, le=4000)
    choices: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _choosable(self) -> Self:
        if self.type == "choice" and not self.choices:
            raise ValueError("trường kiểu choice phải có mục choices")
        return self


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
    if isinstance(raw, Mapping | list | tuple | set):
        raise ValueError("phải là một giá trị, không phải một danh sách.")
    return _visible(nfc(str(raw))).strip()


def _visible(text: str) -> str:
    """Without control letters and half characters: no keyboard types them, and no document may hold them."""
    return "".join(
        c for c in text if c in "\n\t" or (unicodedata.category(c) not in ("Cc", "Cs") and c not in "\ufffe\uffff")
    )


def _list(field: TemplateField, raw: Any) -> list[str]:
    lines = raw if isinstance(raw, list | tuple) else _typed(raw).split("\n")
    items = [item for line in lines if (item := squeeze(_typed(line)).removeprefix("- "))]
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
    if not re.fullmatch(r"-?[0-9]{1,3}(\.[0-9]{3})*(,[0-9]+)?|-?[0-9]+(,[0-9]+)?", digits):
        raise ValueError("phải là số, ví dụ 1.250.000 hoặc 98,5.")
    plain = digits.replace(".", "").replace(",", ".")
    if len(plain) > MAX_DIGITS:
        raise ValueError(f"số quá dài; tối đa {MAX_DIGITS} chữ số.")
    number = float(plain)
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
    "long_text": lambda field, text: Markdown(text),
    "number": _read_number,
    "money": _read_number,
    "date": lambda field, text: read_date(text),
    "time": lambda field, text: read_time(text),
    "url": _read_url,
    "phone": _read_phone,
    "choice": _read_choice,
}
