"""Telling followers of an article: to whom, how often, between which hours, and whether the account may.

An accepted broadcast can be neither listed nor taken back, so it is sent once and never by guess. Package allowances and
hours as told by Zalo's help desk and the interface's notes quoted in docs/channels/zalo.md.
"""

from collections.abc import Mapping
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from pydantic import ValidationError

from channels.contract import Announcement, Deferred, Message, Part, Problem, Reason, Refused
from channels.zalo.api import OfficialAccount
from channels.zalo.options import ZaloSettings

ZONE = ZoneInfo("Asia/Ho_Chi_Minh")
OPENS, CLOSES = time(6), time(22)
MONTHLY = {"basic": 1, "trial": 4, "advanced": 4, "premium": 6}
PACKAGES = {"basic": "Cơ bản", "trial": "Dùng thử", "advanced": "Nâng cao", "premium": "Cao cấp"}
PREFIX = "broadcast:"

_AGES = ("0–12", "13–17", "18–24", "25–34", "35–44", "45–54", "55–64", "từ 65")
_REGIONS = ("miền Bắc", "miền Trung", "miền Nam")
_PHONES = {"1": "iOS", "2": "Android", "3": "Windows Phone"}
_STORED = ("broadcast", "package", "ages", "gender", "locations", "cities", "platform")
_GENDERS = {"all": ("0", ""), "male": ("1", "nam"), "female": ("2", "nữ")}


def announcement(settings: Mapping[str, Any]) -> Announcement | None:
    """What the stored settings of an outlet say of its notices; None where they cannot be read."""
    known = {name: settings[name] for name in _STORED if name in settings}
    try:
        read = ZaloSettings.model_validate({"app_id": "-", "app_secret": "-", **known})
    except ValidationError:
        return None
    return Announcement(usual=read.broadcast == "followers", monthly=MONTHLY[read.package], whom=whom(read))


def announced(message: Message, wanted: bool, settings: ZaloSettings) -> Message:
    """The article with its notice or without; pure."""
    if not wanted:
        return message.model_copy(update={"parts": message.parts[:1]})
    return message if len(message.parts) > 1 else with_broadcast(message, settings)


def with_broadcast(message: Message, settings: ZaloSettings) -> Message:
    """The article and, as a second step, the notice of it to followers; pure."""
    article = message.parts[0]
    notice = Part(
        body=f"Gửi thông báo bài này tới người quan tâm ({whom(settings)}).", title=article.title, marker=article.marker
    )
    return message.model_copy(update={"parts": (article, notice)})


def whom(settings: ZaloSettings) -> str:
    """Who is told, in words."""
    ages = [_AGES[int(one)] for one in _listed(settings.ages) if int(one) < len(_AGES)]
    places = [f"mã tỉnh {one}" for one in _listed(settings.cities)]
    places = places or [_REGIONS[int(one)] for one in _listed(settings.locations) if int(one) < len(_REGIONS)]
    phones = [_PHONES[one] for one in _listed(settings.platform) if one in _PHONES]
    said = [
        _GENDERS[settings.gender][1],
        f"tuổi {', '.join(ages)}" if ages else "",
        ", ".join(places),
        ", ".join(phones),
    ]
    return "; ".join(one for one in said if one) or "mọi người quan tâm"


def target(settings: ZaloSettings) -> dict[str, Any]:
    """``recipient.target``: only what narrows; strings, or lists where the account's API wants those."""
    given = {
        "ages": settings.ages,
        "gender": _GENDERS[settings.gender][0],
        "locations": "" if settings.cities else settings.locations,
        "cities": settings.cities,
        "platform": settings.platform,
    }
    as_list = settings.target_form == "list"
    return {key: _listed(value) if as_list and key != "gender" else value for key, value in given.items() if value}


def body(article_id: str, settings: ZaloSettings) -> dict[str, Any]:
    """The body of ``oa/message`` for one article."""
    element = {"media_type": "article", "attachment_id": article_id}
    payload = {"template_type": "media", "elements": [element]}
    return {
        "recipient": {"target": target(settings)},
        "message": {"attachment": {"type": "template", "payload": payload}},
    }


def plan(settings: ZaloSettings, due_at: datetime | None) -> list[Problem]:
    """What whoever approves should know beforehand: to whom, how often a month, between which hours."""
    often = MONTHLY[settings.package]
    said = (
        f"Bài còn được gửi thông báo tới người quan tâm ({whom(settings)}). Gói {PACKAGES[settings.package]}: mỗi người nhận "
        f"tối đa {often} thông báo một tháng, mỗi ngày một; chỉ gửi từ 06:00 đến 21:59, Zalo duyệt khoảng 30 phút; "
        "đã gửi thì không thu hồi được."
    )
    found = [Problem(level="warning", text=said, field="announce")]
    if due_at is not None and due_at < next_opening(due_at):
        at = next_opening(due_at).astimezone(ZONE)
        text = f"Giờ đăng ngoài khung 06:00–21:59: bài lên đúng giờ, thông báo chờ đến {at:%H:%M ngày %d/%m/%Y}."
        found.append(Problem(level="warning", text=text))
    return found


def next_opening(now: datetime) -> datetime:
    """This very moment inside the hours, else the next 06:00 in Vietnam."""
    here = now.astimezone(ZONE)
    if OPENS <= here.time() < CLOSES:
        return now
    day = here.date() if here.time() < OPENS else here.date() + timedelta(days=1)
    return datetime.combine(day, OPENS, ZONE).astimezone(now.tzinfo)


def not_now(account: OfficialAccount, now: datetime) -> Deferred | Refused | None:
    """What keeps a notice from being sent, as the account and the clock say; None when nothing does."""
    if account.is_verified is False:
        return Refused(reason=Reason.FORBIDDEN, detail="Official Account chưa xác thực nên không gửi được thông báo.")
    ends = _day(account.package_valid_through_date)
    if ends is not None and ends < now.astimezone(ZONE).date():
        text = f"Gói dịch vụ của Official Account đã hết hạn ngày {ends:%d/%m/%Y}; hãy gia hạn ở trang quản lý OA."
        return Refused(reason=Reason.QUOTA, detail=text)
    opening = next_opening(now)
    if opening > now:
        return Deferred(
            reason=Reason.OUTSIDE_HOURS, retry_at=opening, detail="Zalo chỉ gửi thông báo từ 06:00 đến 21:59."
        )
    return None


def _listed(text: str) -> list[str]:
    return [one for one in text.split(",") if one]


def _day(text: str) -> date | None:
    for form in ("%d/%m/%Y", "%Y-%m-%d"):
        try:
            return datetime.strptime(text.strip()[:10], form).replace(tzinfo=ZONE).date()
        except ValueError:
            continue
    return None
