"""What the twin shows of a post: its page as a citizen sees it, and the truth about it."""

import html as escaping
import re
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from channels import pages
from channels.contract import Message, Part
from channels.twin import Trace

_FOLDER = Path(__file__).parent
_BLOCK_END = re.compile(r"</(?:p|li|h\d|figure)>|<br\s*/?>")
_LINK = re.compile(r"<a [^>]*href=\"([^\"]*)\"[^>]*>(.*?)</a>", re.DOTALL)
_TAG = re.compile(r"<[^>]*>")


def card(row: dict[str, Any], picture_url: str | None, categories: list[str], comments: int, site: str) -> str:
    """The post drawn with the channel's own preview."""
    part = Part(body=row["content"], format="html", title=escaping.unescape(row["title"]))
    message = Message(kind="wordpress", key=str(row["id"]), parts=(part,))
    return pages.card(
        _FOLDER, message, picture_url, account=row["account"], categories=categories, comments=comments,
        time=pages.local(row["published"]), home=f"{site}/" if site else "",
    )  # fmt: skip


def page(title: str, cards: Iterable[str]) -> str:
    """A whole page."""
    return pages.page(_FOLDER, escaping.unescape(title), cards)


def trace(row: dict[str, Any], drawn: str, files: list[Path], site: str) -> Trace:
    """The ground truth of one published post; its page names pictures by file name only."""
    alone = page(row["title"], [drawn]).replace(f"{site}/wp-content/uploads/", "")
    return Trace(
        account=row["account"],
        remote_id=str(row["id"]),
        at=datetime.fromisoformat(row["published"]),
        text=plain(row["content"]),
        title=escaping.unescape(row["title"]),
        html=alone,
        files=tuple(files),
    )


def plain(content: str) -> str:
    """The words of a post, each link with its address behind it."""
    linked = _LINK.sub(r"\2 (\1)", content)
    return escaping.unescape(_TAG.sub("", _BLOCK_END.sub("\n", linked))).strip()
