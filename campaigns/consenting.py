"""A person grants access to an outlet in the browser: the way there and back, and the pair kept before it is used.

What must be the same on the way back (who, which outlet, the proof) travels sealed in the person's own browser for ten
minutes; the platform's code is good once. Nothing changes before the person confirms on our own page.
"""

import asyncio
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlmodel import Session

from campaigns import outlets, views
from campaigns.audit import Actor, record
from campaigns.outlets import Desk
from campaigns.people import Action, Mistake, require
from channels.contract import Consent, Reason, Unknown
from store.engine import Store
from store.tables import Outlet
from store.vault import SealBroken

GOOD_FOR = timedelta(minutes=10)
BACK = "/quan-tri/kenh/cap-quyen/xong"
_PLACE = "consent"
_OVER = "Lần cấp quyền này đã quá 10 phút hoặc không phải do bạn bắt đầu. Hãy bấm «Cấp quyền» lại từ đầu."
_WHY = {
    Reason.UNAUTHORIZED: "Nền tảng không nhận mã cấp quyền này (mã chỉ dùng một lần, trong 10 phút). Hãy cấp quyền lại.",
    Reason.UNREACHABLE: "Không nối được tới nền tảng. Hãy kiểm tra đường mạng rồi cấp quyền lại.",
}


@dataclass(frozen=True)
class Begun:
    """Where the person goes, and what their browser keeps meanwhile."""

    url: str
    ticket: str


def offered(desk: Desk, outlet: Outlet) -> Consent | None:
    """What an outlet's platform wants registered for its consent page; None where it has none or its settings do not open."""
    try:
        return desk.channel(outlet).consent(f"{desk.files.public_url}{BACK}", "", _fresh())
    except (Mistake, SealBroken, KeyError):
        return None


def begin(desk: Desk, by: Actor, outlet: Outlet, now: datetime) -> Begun:
    """Set out; raises Forbidden or Mistake."""
    require(by, Action.MANAGE, outlet.ward_id)
    state = secrets.token_urlsafe(24)
    asked = desk.channel(outlet).consent(f"{desk.files.public_url}{BACK}", state, _fresh())
    if asked is None:
        raise Mistake("Nền tảng này không có trang cấp quyền. Hãy dán mã truy cập vào phần Thiết lập.")
    kept = {
        "outlet": outlet.id, "user": by.user_id, "state": state, "stateless": asked.stateless,
        "verifier": asked.verifier.get_secret_value(), "until": (now + GOOD_FOR).isoformat(),
    }  # fmt: skip
    return Begun(asked.url, desk.vault.seal(kept, _PLACE))


async def finish(store: Store, desk: Desk, by: Actor, ward_id: int, ticket: str, given: dict[str, str]) -> Outlet:
    """Redeem the code and keep the pair; ``given`` is what the platform brought back. Raises Forbidden or Mistake."""
    require(by, Action.MANAGE, ward_id)
    kept = _opened(desk, by, ticket, given.get("state", ""))
    outlet = await asyncio.to_thread(_read, store, ward_id, int(kept["outlet"]))
    _same_account(outlet, given.get("oa_id", ""))
    answer = await desk.channel(outlet).authorise(given.get("code", ""), str(kept["verifier"]))
    if isinstance(answer, Unknown):
        raise Mistake("Nền tảng không trả lời rõ ràng. Hãy cấp quyền lại; lần trước không dùng được nữa.")
    if isinstance(answer, Reason):
        raise Mistake(_WHY.get(answer, "Chưa cấp quyền được. Hãy xem lại mã ứng dụng và khóa bí mật ở phần Thiết lập."))
    extra = {"oa_id": given["oa_id"]} if given.get("oa_id") else {}
    return await asyncio.to_thread(_keep, store, desk, by, outlet, {**answer, **extra})


def _fresh() -> str:
    return secrets.token_urlsafe(32)


def _opened(desk: Desk, by: Actor, ticket: str, state: str) -> dict[str, Any]:
    try:
        kept: dict[str, Any] = desk.vault.unseal(ticket, _PLACE)
    except SealBroken as error:
        raise Mistake(_OVER) from error
    right_state = secrets.compare_digest(state.encode(), str(kept["state"]).encode()) or (
        not state and kept["stateless"]
    )
    if kept["user"] != by.user_id or not right_state or desk.now() >= datetime.fromisoformat(kept["until"]):
        raise Mistake(_OVER)
    return kept


def _same_account(outlet: Outlet, oa_id: str) -> None:
    known = str(outlet.settings.get("oa_id") or "")
    if known and oa_id and known != oa_id:
        raise Mistake(f"Bạn vừa cấp quyền cho tài khoản {oa_id}, không phải {known} của kênh này.")


def _read(store: Store, ward_id: int, outlet_id: int) -> Outlet:
    with store.read() as session:
        return views.mine(session, Outlet, outlet_id, ward_id)


def _keep(store: Store, desk: Desk, by: Actor, was: Outlet, fresh: dict[str, Any]) -> Outlet:
    now = desk.now()
    with store.write("authorised") as session:
        return _put(session, desk, by, was, fresh, now)


def _put(session: Session, desk: Desk, by: Actor, was: Outlet, fresh: dict[str, Any], now: datetime) -> Outlet:
    outlet = session.get_one(Outlet, was.id, with_for_update={"key_share": True})
    outlets.put_settings(outlet, outlets.kind_of(outlet), {**desk.values(outlet), **fresh}, desk.vault)
    outlet.health, outlet.health_at = "", None
    session.add(outlet)
    record(session, outlet.ward_id, by, "outlet.authorised", "outlet", outlet.id, now, name=outlet.name)
    return outlet
