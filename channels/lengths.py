"""What every written channel asks of a part: that it says something, and no more than the channel takes."""

from collections.abc import Mapping

from channels.message import Limits, Part, Problem
from content.text import length


def too_little(part: Part, thing: str) -> list[Problem]:
    """Errors for a missing title and a missing text; ``thing`` is what readers call it («Bài», «Thư»)."""
    found = []
    if not part.title:
        found.append(Problem(level="error", field="title", text=f"{thing} chưa có tiêu đề; hãy nhập tiêu đề."))
    if not part.body.strip():
        found.append(Problem(level="error", text=f"{thing} chưa có nội dung; hãy nhập nội dung."))
    return found


def too_much(part: Part, limits: Limits, names: Mapping[str, str]) -> list[Problem]:
    """An error for each field of ``names`` (title, summary, body) that is longer than the channel's limit, in characters."""
    given = {
        "title": (part.title, limits.title),
        "summary": (part.summary, limits.summary),
        "body": (part.body, limits.text),
    }
    sizes = [(field, name, length(given[field][0]), given[field][1]) for field, name in names.items()]
    return [
        Problem(level="error", field=field, text=f"{name} dài {size} ký tự, tối đa {limit} ký tự; hãy rút gọn.")
        for field, name, size, limit in sizes
        if limit and size > limit
    ]
