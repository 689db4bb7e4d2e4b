"""What the twin was asked and how it says no: the words of WordPress 6.1.9."""

import json
from dataclasses import dataclass
from typing import Any

from starlette.responses import JSONResponse, Response


@dataclass
class Asked:
    """One call: whose site, what of it, with which fields, whether the password was good, and the file that came along."""

    account: str
    method: str
    route: str
    fields: dict[str, Any]
    known: bool
    file: tuple[str, bytes] | None

    def text(self, name: str) -> str:
        """A field as text, empty where it was not given."""
        return str(self.fields.get(name, ""))

    def many(self, name: str) -> list[str]:
        """A field that is a list, given with commas."""
        return [piece for piece in self.text(name).split(",") if piece]

    def trimmed(self, answer: Response) -> Response:
        """The answer with no more than the fields that were asked for (``_fields``)."""
        wanted = set(self.many("_fields"))
        if not wanted or answer.status_code >= 400:
            return answer
        body = json.loads(bytes(answer.body))
        cut = [_only(one, wanted) for one in body] if isinstance(body, list) else _only(body, wanted)
        kept = {name: value for name, value in answer.headers.items() if not name.startswith("content-")}
        return JSONResponse(cut, answer.status_code, kept)


def _only(one: dict[str, Any], wanted: set[str]) -> dict[str, Any]:
    return {name: value for name, value in one.items() if name in wanted}


def wrong(status: int, code: str, message: str, **more: Any) -> Response:
    """An error in WordPress' form."""
    return JSONResponse({"code": code, "message": message, "data": {"status": status, **more}}, status)


def rows(found: list[dict[str, Any]], total: int | None = None) -> Response:
    """A list, with its total in the headers."""
    count = len(found) if total is None else total
    return JSONResponse(found, headers={"X-WP-Total": str(count), "X-WP-TotalPages": str(min(count, 1))})


def made(one: dict[str, Any], asked: Asked) -> Response:
    """Something new, with its own address."""
    return JSONResponse(one, 201, {"location": f"{asked.route}/{one['id']}"})
