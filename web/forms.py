"""Forms as they were typed: read once, bounded, NFC, and shown again with what is wrong beside each field."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request
from starlette.datastructures import UploadFile

from content.text import nfc, squeeze

MAX_FIELDS = 400
MAX_FILES = 10
MAX_TEXT = 200_000


class Typed:
    """The values of a form: every text NFC without control characters, files apart."""

    def __init__(self, pairs: Iterable[tuple[str, str]], files: Iterable[tuple[str, "File"]] = ()) -> None:
        self._values: dict[str, list[str]] = {}
        for name, value in pairs:
            self._values.setdefault(name, []).append(_clean(value))
        self._files = list(files)

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def text(self, name: str, otherwise: str = "") -> str:
        """The value as typed, lines kept."""
        return self._values.get(name, [otherwise])[0]

    def line(self, name: str, otherwise: str = "") -> str:
        """The value as one line."""
        return squeeze(self.text(name, otherwise))

    def number(self, name: str) -> int | None:
        """A whole number that may be an id, or None for anything else."""
        text = self.line(name)
        return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else None

    def numbers(self, name: str) -> list[int]:
        """Every value of the name that may be an id, in the order of the form."""
        found = [value.strip() for value in self._values.get(name, [])]
        return [int(value) for value in found if value.isascii() and value.isdigit() and len(value) < 16]

    def texts(self, name: str) -> list[str]:
        """Every value of the name."""
        return list(self._values.get(name, []))

    def on(self, name: str) -> bool:
        """Whether a checkbox is ticked."""
        return self.text(name) in ("1", "on", "true")

    def under(self, prefix: str) -> dict[str, str]:
        """The values of names like ``prefix.key``, by key."""
        mark = f"{prefix}."
        return {name.removeprefix(mark): values[0] for name, values in self._values.items() if name.startswith(mark)}

    def add(self, name: str, value: str) -> None:
        """Another value of the name, as if it had been in the form."""
        self._values.setdefault(name, []).append(value)

    def put(self, name: str, value: str) -> None:
        """The one value of the name, whatever was in the form."""
        self._values[name] = [value]

    def file(self, name: str) -> bytes | None:
        """The bytes of the one file that was chosen, or None."""
        return next((file.data for key, file in self._files if key == name and file.data), None)

    def take(self, name: str) -> list["File"]:
        """The files that were chosen under the name, in their order; they are handed out once."""
        taken = [file for key, file in self._files if key == name and (file.data or file.name)]
        self._files = [(key, file) for key, file in self._files if key != name]
        return taken


@dataclass(frozen=True)
class File:
    """A file that was chosen: its name on the sender's machine, and its bytes."""

    name: str
    data: bytes


def _clean(value: str) -> str:
    return "".join(letter for letter in nfc(value) if letter in "\n\t" or letter.isprintable() or ord(letter) >= 0x200B)


async def typed(request: Request) -> Typed:
    """Dependency: the form of this request."""
    async with request.form(max_files=MAX_FILES, max_fields=MAX_FIELDS, max_part_size=MAX_TEXT) as form:
        texts = [(name, value) for name, value in form.multi_items() if isinstance(value, str)]
        files = [
            (name, File(_clean(value.filename or ""), await value.read()))
            for name, value in form.multi_items()
            if isinstance(value, UploadFile)
        ]
    return Typed(texts, files)


Form = Annotated[Typed, Depends(typed)]
