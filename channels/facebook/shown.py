"""What the twin shows of a post: list rows, counts, metrics that grow with age, and pages."""

import math
import zlib
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import Any

from channels import pages
from channels.contract import Clip, Message, Part, Picture
from channels.twin import Trace

_FOLDER = Path(__file__).parent


def reach(post: dict[str, Any], now: datetime) -> int:
    """People reached after a certain age; the same post always draws the same crowd."""
    hours = max(0.0, (now - datetime.fromisoformat(post["at"])).total_seconds() / 3600)
    crowd = 220 + zlib.crc32(str(post["id"]).encode()) % 1400
    return int(crowd * (1 - math.exp(-hours / 30)))


def listed(post: dict[str, Any], link: str) -> dict[str, Any]:
    """A row of the list of posts."""
    return {
        "id": post["id"],
        "message": post["text"],
        "permalink_url": link,
        "created_time": _graph_time(post["at"]),
    }


def counts(post: dict[str, Any], now: datetime, link: str) -> dict[str, Any]:
    """A post with its reactions, comments and shares; «shares» is missing while there are none."""
    people = reach(post, now)
    answer = {
        **listed(post, link),
        "is_published": not post.get("unseen"),
        "is_hidden": False,
        "reactions": {"data": [], "summary": {"total_count": people // 18}},
        "comments": {"data": [], "summary": {"total_count": people // 90}},
    }
    return answer | ({"shares": {"count": people // 60}} if people >= 60 else {})


def metric(post: dict[str, Any], name: str, now: datetime) -> int | dict[str, int] | None:
    """A metric's value, or None for one that Graph does not have (any more)."""
    people = reach(post, now)
    values: dict[str, int | dict[str, int]] = {
        "post_media_view": people + people // 4,
        "post_total_media_view_unique": people,
        "post_clicks": people // 12,
        "post_reactions_by_type_total": {"like": people // 24, "love": people // 72},
    }
    return values.get(name)


def insight(post: dict[str, Any], name: str, value: Any) -> dict[str, Any]:
    """A metric in the words of the insights edge."""
    return {
        "name": name,
        "period": "lifetime",
        "values": [{"value": value}],
        "id": f"{post['id']}/insights/{name}/lifetime",
    }


def is_seen(post: dict[str, Any], now: datetime) -> bool:
    """Whether the public sees it: not of an application in development mode, nor a video that is still processed."""
    ready = (post.get("film") or {}).get("ready_at")
    return not post.get("unseen") and (ready is None or datetime.fromisoformat(ready) <= now)


def files(post: dict[str, Any]) -> list[str]:
    """The names of its photos, or of its video."""
    return [str(post["film"]["file"])] if post.get("film") else list(post["photos"])


def card(post: dict[str, Any], now: datetime, folder_url: str) -> str:
    """The post drawn with the channel's own preview."""
    alts = post.get("alts", [""] * len(post["photos"]))
    pictures = tuple(Picture(sha256="", mime="image/jpeg", width=1, height=1, alt=alt) for alt in alts)
    film = post.get("film") or {}
    clip = Clip(kind="video", sha256="", mime="video/mp4", size=0, seconds=0) if film else None
    part = Part(body=post["text"], link=post["link"], pictures=pictures, clip=clip)
    message = Message(kind="facebook", key=post["id"], parts=(part,), extra={"reel": bool(film.get("reel"))})
    urls = [folder_url + name for name in post["photos"]]
    playing = {"clip_url": folder_url + film["file"]} if film else {}
    more = {**playing, "account": post["account"], "reactions": reach(post, now) // 18, "time": pages.local(post["at"])}
    return pages.card(_FOLDER, message, next(iter(urls), None), picture_urls=urls, **more)


def page(title: str, cards: Iterable[str]) -> str:
    """A whole page."""
    return pages.page(_FOLDER, title, cards)


def trace(post: dict[str, Any], now: datetime, photos: list[Path]) -> Trace:
    """The ground truth of one post; its page names the photo by file name only."""
    return Trace(
        account=post["account"],
        remote_id=str(post["film"]["video"]) if post.get("film") else post["id"],
        at=datetime.fromisoformat(post["at"]),
        text=post["text"],
        html=page(f"Bài của {post['account']}", [card(post, now, "")]),
        files=tuple(photos),
    )


def _graph_time(moment: str) -> str:
    return datetime.fromisoformat(moment).strftime("%Y-%m-%dT%H:%M:%S+0000")
