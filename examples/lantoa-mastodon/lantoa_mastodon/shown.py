"""What the twin's server shows: account numbers, counts that grow with age, and the HTML of a status."""

import html
import math
import re
import zlib
from datetime import timedelta
from typing import Any


def account_id(account: str) -> str:
    """An account's number: the same for the same name."""
    return str(100_000 + zlib.crc32(account.encode()))


def person(account: str) -> dict[str, Any]:
    """The Account entity."""
    return {
        "id": account_id(account),
        "username": account_id(account),
        "followers_count": 80 + zlib.crc32(account.encode()) % 900,
    }


def crowd(status: dict[str, Any], age: timedelta) -> int:
    """How many saw a status of that age; the same status always draws the same crowd."""
    most = 60 + zlib.crc32(str(status["id"]).encode()) % 500
    return int(most * (1 - math.exp(-max(age.total_seconds(), 0) / 86_400)))


def content(text: str) -> str:
    """The text as Mastodon's HTML: paragraphs, breaks, and links whose first letters are hidden."""
    paragraphs = [html.escape(one, quote=False).replace("\n", "<br>") for one in re.split(r"\n{2,}", text)]
    return "".join(f"<p>{re.sub(r'(https?://)([^ <>]+)', _link, one)}</p>" for one in paragraphs)


def _link(found: re.Match[str]) -> str:
    shown = f'<span class="invisible">{found[1]}</span><span class="ellipsis">{found[2][:30]}</span>'
    rest = f'<span class="invisible">{found[2][30:]}</span>'
    return f'<a href="{found[0]}" target="_blank" rel="nofollow noopener noreferrer">{shown}{rest}</a>'
