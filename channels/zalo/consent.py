"""How a person grants the program access to an Official Account in the browser (OAuth v4 with PKCE), and when that ends.

The verifier has exactly 43 letters; the challenge is its SHA-256 in base64url without padding. For Official Accounts the
challenge is registered in the developer console, so the usual verifier is fixed: derived from the application's secret,
it needs no place to be kept. Sources in docs/channels/zalo.md.
"""

import base64
import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from pydantic import SecretStr

from channels.contract import Consent
from channels.zalo.options import ZaloSettings

WARN_BEFORE = timedelta(days=30)
RENEWAL_LATE = timedelta(hours=3)
_ZONE = ZoneInfo("Asia/Ho_Chi_Minh")


def consent(settings: ZaloSettings, callback: str, state: str, fresh: str) -> Consent:
    """The consent page's address and the challenge that is registered for it."""
    fixed = settings.pkce == "fixed"
    verifier = _derived(settings) if fixed else fresh
    challenge = _letters(hashlib.sha256(verifier.encode()).digest())
    asked = {"app_id": settings.app_id, "redirect_uri": callback, "code_challenge": challenge, "state": state}
    url = f"{settings.oauth_host.rstrip('/')}/v4/oa/permission?{urlencode(asked)}"
    return Consent(url=url, verifier=SecretStr(verifier), callback=callback, challenge=challenge, stateless=fixed)


def wearing(settings: Mapping[str, Any], now: datetime) -> str | None:
    """The three months of the refresh token, told a month before their end; and a renewal that is long overdue."""
    until, access = _moment(settings.get("refresh_until")), _moment(settings.get("expires_at"))
    if until is not None and until - now < WARN_BEFORE:
        return f"Quyền truy cập Zalo hết hạn ngày {until.astimezone(_ZONE):%d/%m/%Y}. Hãy cấp quyền lại trước ngày đó."
    if access is not None and access - now < RENEWAL_LATE:
        said = f"{access.astimezone(_ZONE):%H:%M ngày %d/%m/%Y}"
        return f"Chưa làm mới được mã truy cập Zalo, mã hiện có hết hạn lúc {said}. Hãy kiểm tra đường mạng tới Zalo."
    return None


def _derived(settings: ZaloSettings) -> str:
    key = settings.app_secret.get_secret_value().encode()
    return _letters(hmac.new(key, f"lantoa pkce {settings.app_id}".encode(), hashlib.sha256).digest())


def _letters(digest: bytes) -> str:
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def _moment(text: object) -> datetime | None:
    try:
        found = datetime.fromisoformat(str(text)) if text else None
    except ValueError:
        return None
    return found if found is not None and found.tzinfo is not None else None
