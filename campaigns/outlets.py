"""Outlets («Kênh»): connecting them, opening and pausing them, and building the channel that speaks for one."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import ValidationError
from sqlmodel import Session, select

from campaigns import codes
from campaigns.audit import MACHINE, Actor, record
from campaigns.people import Action, Mistake, require
from channels.contract import Channel, Found, Tools
from channels.registry import channel
from channels.wire import Wire
from store.files import Files
from store.tables import Outlet
from store.vault import Vault


@dataclass(frozen=True)
class Desk:
    """What is needed to speak for an outlet: the client, the files, the vault and the clock."""

    wire: Wire
    files: Files
    vault: Vault
    now: Callable[[], datetime]

    def channel(self, outlet: Outlet) -> Channel:
        """The channel of an outlet with its settings opened; raises SealBroken or Mistake."""
        kind = channel(outlet.kind)
        settings = read_settings(kind, self.values(outlet))
        leave = codes.leave_url(self.vault, self.files.public_url, outlet.id or 0)
        return kind(settings, Tools(wire=self.wire, shelf=self.files, now=self.now, leave=leave))

    def values(self, outlet: Outlet) -> dict[str, Any]:
        """An outlet's settings with the secrets opened; raises SealBroken."""
        sealed = self.vault.unseal(outlet.secrets, seal_place(outlet)) if outlet.secrets else {}
        return {**outlet.settings, **sealed}


def read_settings(kind: type[Channel], values: dict[str, Any]) -> Any:
    """The channel's settings from plain values; raises Mistake naming every bad one."""
    try:
        return kind.Settings.model_validate(values)
    except ValidationError as error:
        wrong = ", ".join(sorted({str(item["loc"][0]) for item in error.errors() if item["loc"]}))
        raise Mistake(f"Thiết lập của kênh {kind.name} chưa đúng ở: {wrong or 'toàn bộ'}.") from error


def connect(
    session: Session, by: Actor, ward_id: int, kind: str, name: str, values: dict[str, Any], vault: Vault, now: datetime
) -> Outlet:
    """A new outlet, its secrets sealed; raises Mistake."""
    require(by, Action.MANAGE, ward_id)
    maker = channel(kind)
    read_settings(maker, values)
    if session.exec(
        select(Outlet.id).where(Outlet.ward_id == ward_id, Outlet.kind == kind, Outlet.name == name)
    ).first():
        raise Mistake(f"Kênh «{name}» đã có; hãy đặt tên khác.")
    outlet = Outlet(ward_id=ward_id, kind=kind, name=name, created_at=now)
    session.add(outlet)
    session.flush()
    put_settings(outlet, maker, values, vault)
    session.add(outlet)
    record(session, ward_id, by, "outlet.connected", "outlet", outlet.id, now, kind=kind, name=name)
    return outlet


def put_settings(outlet: Outlet, kind: type[Channel], values: dict[str, Any], vault: Vault) -> None:
    """Set an outlet's settings, the secret ones sealed for this very row; what the program makes itself is made now."""
    values = {**values, **kind.Settings.made(values)}
    secret = {key: value for key, value in values.items() if key in kind.Settings.secret_fields}
    outlet.settings = {key: value for key, value in values.items() if key not in secret}
    outlet.secrets = vault.seal(secret, seal_place(outlet)) if secret else ""


def renew(session: Session, outlet_id: int, was: str, values: dict[str, Any], vault: Vault, now: datetime) -> bool:
    """Commit a renewed set of settings unless somebody else changed the secrets meanwhile (compare and swap)."""
    outlet = session.exec(select(Outlet).where(Outlet.id == outlet_id).with_for_update(key_share=True)).one()
    if outlet.secrets != was:
        return False
    put_settings(outlet, channel(outlet.kind), values, vault)
    outlet.health, outlet.health_at = "", None
    session.add(outlet)
    record(session, outlet.ward_id, MACHINE, "outlet.renewed", "outlet", outlet.id, now)
    return True


def pause(session: Session, by: Actor, outlet: Outlet, reason: str, now: datetime) -> None:
    """Stop an outlet; its deliveries wait."""
    outlet.state, outlet.paused_reason = "paused", reason
    session.add(outlet)
    record(session, outlet.ward_id, by, "outlet.paused", "outlet", outlet.id, now, reason=reason)


def resume(session: Session, by: Actor, outlet: Outlet, now: datetime) -> None:
    """Open a paused outlet again."""
    require(by, Action.SETTLE, outlet.ward_id)
    outlet.state, outlet.paused_reason, outlet.failures, outlet.rest_until = "open", "", 0, None
    session.add(outlet)
    record(session, outlet.ward_id, by, "outlet.resumed", "outlet", outlet.id, now)


def seal_place(outlet: Outlet) -> str:
    """The place to which an outlet's secrets are sealed: this row, this field."""
    return f"outlet:{outlet.id}:secrets"


def kind_of(outlet: Outlet) -> type[Channel]:
    """The channel class of an outlet."""
    return channel(outlet.kind)


def unclear(detail: str) -> Found:
    """A look-up that told nothing."""
    return Found(verdict="unclear", detail=detail)
