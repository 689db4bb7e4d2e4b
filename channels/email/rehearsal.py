"""Mail in a rehearsal: a server of the twin that takes every letter and delivers none."""

from functools import cache
from typing import Any

from channels.email.signing import new_key
from channels.email.twin import EmailTwin, login_of, password_of
from channels.twin import Place, Rehearsal, Trace, side_door
from channels.wire import Wire
from content.plans import load_plans


class EmailRehearsal(Rehearsal):
    """The ward's list on the twin's server, which listens beside the other twins and speaks SMTP."""

    twin = EmailTwin

    def settings(self, place: Place) -> dict[str, Any]:
        """The outlet's settings with which the channel speaks to the twin."""
        host, port = side_door(place.twins_url)
        login = login_of(place.account)
        return {
            "smtp_host": host,
            "smtp_port": port,
            "security": "plain",
            "username": login,
            "password": password_of(login),
            "sender": f"bantin@{login}.example",
            "sender_name": _name(place.account),
            "bounce_address": f"tra-lai@{login}.example",
            "dkim_key": _key(login),
        }

    def recipients(self, place: Place) -> tuple[str, ...]:
        """Three readers, who never get anything outside of this machine."""
        return tuple(f"{name}@{login_of(place.account)}.example" for name in ("co-hoa", "bac-nam", "anh-minh"))

    async def traces(self, place: Place, wire: Wire) -> list[Trace]:
        """What the twin holds for this place's account, which signs in under its name in ASCII."""
        return await super().traces(place.model_copy(update={"account": login_of(place.account)}), wire)


@cache
def _key(login: str) -> str:
    return new_key()


def _name(account: str) -> str:
    names = {plan.ward.slug: plan.ward.name for plan in load_plans()}
    name = names.get(account, account)
    return name[:1].upper() + name[1:]
