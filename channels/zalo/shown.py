"""What the twin shows of an article: list rows, details, pages, and numbers that grow with age."""

import html as escaping
import math
import re
import zlib
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from channels import pages
from channels.contract import Message, Part, Picture
from channels.twin import Trace
from channels.zalo.broadcast import PACKAGES
from channels.zalo.twin_broadcast import Broadcasts

_FOLDER = Path(__file__).parent
_TAG = re.compile(r"<[^>]*>")


def visible(article: dict[str, Any]) -> bool:
    """Whether citizens see it."""
    return article["status"] == "show" and not article.get("gone")


def views(article: dict[str, Any], now: datetime) -> int:
    """Views after a certain age: most come on the first days; the same article always draws the same crowd."""
    if not article.get("shown"):
        return 0
    hours = max(0.0, (now - datetime.fromisoformat(article["shown"])).total_seconds() / 3600)
    crowd = 150 + zlib.crc32(str(article["id"]).encode()) % 850
    return int(crowd * (1 - math.exp(-hours / 36)))


def medium(article: dict[str, Any], now: datetime, base_url: str) -> dict[str, Any]:
    """A row of ``getslice``."""
    seen = views(article, now)
    return {
        "id": article["id"],
        "type": article["type"],
        "title": article["title"],
        "status": article["status"],
        "total_view": seen,
        "total_share": seen // 35,
        "create_date": _milliseconds(article["created"]),
        "update_date": _milliseconds(article["updated"]),
        "thumb": f"{base_url}/cover/{article['cover']}",
        "link_view": f"{base_url}/d/{article['id']}",
    }


def detail(article: dict[str, Any], base_url: str) -> dict[str, Any]:
    """The answer of ``getdetail``."""
    said = {key: article[key] for key in ("id", "type", "title", "author", "description", "body", "status", "comment")}
    cover = {"cover_type": "photo", "photo_url": f"{base_url}/cover/{article['cover']}", "status": "show"}
    return {**said, "cover": cover}


def account(name: str, rules: Broadcasts, gained: int = 0) -> dict[str, Any]:
    """The answer of ``getoa``."""
    number = zlib.crc32(name.encode())
    return {
        "oaid": str(number),
        "name": name,
        "description": "Kênh thông tin của phường (diễn tập)",
        "is_verified": rules.verified,
        "oa_type": 4,
        "num_follower": 1200 + number % 3000 + gained,
        "package_name": PACKAGES[rules.package],
        "package_valid_through_date": rules.valid_through,
    }


def card(article: dict[str, Any], now: datetime, picture_url: str) -> str:
    """The article drawn with the channel's own preview."""
    captions = [str(block.get("caption", "")) for block in article["body"] if block["type"] == "image"]
    shots = tuple(Picture(sha256="", mime="image/jpeg", width=1, height=1, alt=words) for words in ("", *captions))
    words = {"title": article["title"], "summary": article["description"]}
    part = Part(body=_body_html(article), format="html", pictures=shots, **words)
    base = picture_url.removesuffix(article["cover"])
    urls = [picture_url, *(base + name for name in article.get("images", []))]
    message = Message(kind="zalo", key=article["id"], parts=(part,), extra={"author": article["author"]})
    return pages.card(
        _FOLDER,
        message,
        picture_url,
        picture_urls=urls,
        account=article["account"],
        views=views(article, now),
        time=pages.local(article["shown"]),
    )


def page(title: str, cards: Iterable[str]) -> str:
    """A whole page."""
    return pages.page(_FOLDER, title, cards)


def trace(article: dict[str, Any], now: datetime, files: tuple[Path, ...]) -> Trace:
    """The ground truth of one shown article; its page names the cover and the pictures by their file names only."""
    return Trace(
        account=article["account"],
        remote_id=article["id"],
        at=datetime.fromisoformat(article["shown"]),
        text=_plain(_body_html(article)),
        title=article["title"],
        html=page(article["title"], [card(article, now, files[0].name)]),
        files=files,
    )


def _body_html(article: dict[str, Any]) -> str:
    return "\n".join(block["content"] for block in article["body"] if block["type"] == "text")


def _plain(text: str) -> str:
    return escaping.unescape(_TAG.sub("", re.sub(r"</(p|li|h\d)>|<br>", "\n", text))).strip()


def _milliseconds(moment: str) -> int:
    return int(datetime.fromisoformat(moment).timestamp() * 1000)
