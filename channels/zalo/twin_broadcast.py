"""The twin's broadcasts: who is told what, by Zalo's own rules of package, hours and months."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

from starlette.responses import JSONResponse, Response

from channels.twin import TwinState
from channels.zalo.broadcast import CLOSES, MONTHLY, OPENS, ZONE

_TARGET = ("ages", "gender", "locations", "cities", "platform")


class Broadcasts:
    """Accepts, refuses and counts broadcasts. ``package``, ``verified`` and ``lists`` are the account's own, set by a test."""

    def __init__(self, state: TwinState, now: Callable[[], datetime]) -> None:
        self.state, self.now = state, now
        self.package, self.verified, self.valid_through = "advanced", True, "31/12/2099"
        self.lists = False

    async def send(self, account: str, said: dict[str, Any]) -> Response:
        """``POST /v2.0/oa/message``: up to five articles to followers; an id when it is accepted for review."""
        fault = self._fault(account, said)
        if fault is not None:
            return JSONResponse({"error": fault[0], "message": fault[1]})
        number = f"{self.state.next('zalo.broadcast'):012d}"
        sent = {
            "account": account,
            "at": self.now().isoformat(),
            "target": said["recipient"]["target"],
            "articles": _articles(said),
        }
        self.state.put("zalo.broadcast", number, sent)
        return JSONResponse({"error": 0, "message": "Success", "data": {"message_id": number}})

    def _fault(self, account: str, said: dict[str, Any]) -> tuple[int, str] | None:
        if not self.verified:
            return -221, "Official Account is not verified"
        articles, target = _articles(said), _target(said)
        if not 1 <= len(articles) <= 5 or not all(self._shown(account, id) for id in articles):
            return -201, "attachment_id is invalid!"
        if target is None or not all(self._fits(key, value) for key, value in target.items()):
            return -201, "target is invalid!"
        here = self.now().astimezone(ZONE)
        if not OPENS <= here.time() < CLOSES:
            return -234, "Not allowed to send at this time"
        days = [self._day(one["at"]) for _, one in self.state.all("zalo.broadcast") if one["account"] == account]
        if here.date() in days:
            return -218, "User is out of receive quota"
        if sum((day.year, day.month) == (here.year, here.month) for day in days) >= MONTHLY[self.package]:
            return -211, "Out of quota"
        return None

    def _day(self, at: str) -> Any:
        return datetime.fromisoformat(at).astimezone(ZONE).date()

    def _shown(self, account: str, id: str) -> bool:
        article = self.state.get("zalo.article", id)
        if article is None:
            return False
        return article["account"] == account and article["status"] == "show" and not article.get("gone")

    def _fits(self, key: str, value: Any) -> bool:
        if key not in _TARGET:
            return False
        if self.lists and key != "gender":
            return isinstance(value, list) and all(str(one).isdecimal() for one in value)
        return isinstance(value, str) and all(one.isdecimal() for one in value.split(","))


def _articles(said: dict[str, Any]) -> list[str]:
    try:
        payload = said["message"]["attachment"]["payload"]
        elements = payload["elements"] if payload["template_type"] == "media" else []
        return [str(one["attachment_id"]) for one in elements if one["media_type"] == "article"]
    except (KeyError, TypeError):
        return []


def _target(said: dict[str, Any]) -> dict[str, Any] | None:
    recipient = said.get("recipient")
    target = recipient.get("target") if isinstance(recipient, dict) else None
    return target if isinstance(target, dict) else None
