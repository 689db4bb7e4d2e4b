"""What stands for a subscriber in addresses of pages: keyed hashes, so that nobody guesses them and no address is told.

HMAC-SHA256 (RFC 2104) under a key of the vault's; a page's address names its subscriber by itself, as RFC 8058 asks.
"""

import hashlib
import hmac
from collections.abc import Callable
from datetime import datetime, timedelta

from store.vault import Vault

PURPOSE = "subscriber"
LEAVE = "huy-nhan-tin"
GOOD_FOR = timedelta(hours=48)


def code(vault: Vault, outlet_id: int, address: str) -> str:
    """The subscriber of an outlet, as far as pages and the memory of who left know them."""
    return _mac(vault, f"{outlet_id}:{address.casefold()}")[:40]


def leave_url(vault: Vault, site: str, outlet_id: int) -> Callable[[str], str]:
    """Where each recipient of an outlet ends the subscription."""
    return lambda address: f"{site}/{LEAVE}/{code(vault, outlet_id, address)}"


def token(vault: Vault, subscriber_id: int, code: str, now: datetime) -> str:
    """What proves that a letter reached its reader; good for GOOD_FOR."""
    until = int((now + GOOD_FOR).timestamp())
    return f"{subscriber_id}-{until}-{_proof(vault, subscriber_id, code, until)}"


def subscriber_of(token: str) -> int | None:
    """Whose token this claims to be; nothing is proved by it."""
    first, _, _ = token.partition("-")
    return int(first) if first.isascii() and first.isdigit() and len(first) < 16 else None


def proves(vault: Vault, token: str, code: str, now: datetime) -> bool:
    """Whether the token is one of ours for the subscriber with this code, and still good."""
    parts = token.split("-")
    if len(parts) != 3 or not all(part.isascii() and part.isdigit() and len(part) < 16 for part in parts[:2]):
        return False
    id, until = int(parts[0]), int(parts[1])
    right = hmac.compare_digest(parts[2].encode(), _proof(vault, id, code, until).encode())
    return right and now.timestamp() <= until


def _proof(vault: Vault, id: int, code: str, until: int) -> str:
    return _mac(vault, f"confirm:{id}:{code}:{until}")[:32]


def _mac(vault: Vault, text: str) -> str:
    return hmac.new(vault.derive(PURPOSE).encode(), text.encode(), hashlib.sha256).hexdigest()
