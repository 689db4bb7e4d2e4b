"""Which events of the audit log staff are told of, and under which topic; pure.

The notice is written in the very transaction of its event (``campaigns.audit``), so neither stands without the other.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

EXPIRING = "outlet.expiring"


#: action -> topic
OF: dict[str, str] = {
    "post.submitted": "waiting",
    "rule.submitted": "waiting",
    "amendment.submitted": "waiting",
    "delivery.needs_human": "person",
    "delivery.failed": "person",
    "delivery.missed": "person",
    "delivery.doubled": "person",
    "delivery.not_amended": "person",
    "delivery.amend_in_doubt": "person",
    "delivery.out_after_all": "person",
    "outlet.paused": "broken",
    "outlet.rested": "broken",
    "outlet.not_renewed": "broken",
    EXPIRING: "expiring",
    "hold.opened": "hold",
    "hold.catch_up": "hold",
    "hold.released": "hold",
}
#: these are told at once, whatever the hour
EMERGENCIES = frozenset({"hold.opened", "hold.released"})


def notice(event: Mapping[str, Any], now: datetime) -> dict[str, Any] | None:
    """The row of the notice that an audit event brings, or None. What concerns every ward is told once to each person."""
    topic = OF.get(event["action"])
    if topic is None:
        return None
    source = str(event["number"])
    everywhere = event["subject"] == "hold"
    once = f"{event['action']}:{event['subject_id']}" if everywhere else f"{event['ward_id']}:{source}"
    told = {name: event[name] for name in ("ward_id", "action", "subject", "subject_id", "actor_id")}
    return {**told, "topic": topic, "source": source, "once": once, "at": now}
