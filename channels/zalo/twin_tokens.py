"""The twin's tokens: access tokens that expire, refresh tokens that are good for one exchange."""

import base64
import binascii
import hashlib
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response

from channels.twin import TwinState

APP_ID = "1000000000000000001"
APP_SECRET = "rehearsal-app-secret"  # noqa: S105 - a make-believe platform's make-believe secret
EVENT_SECRET = "rehearsal-oa-secret-key"  # noqa: S105 - likewise
ACCESS = "rehearsal-access-"
REFRESH = "rehearsal-refresh-"
INVALID, EXPIRED = -216, -220
_INACTIVE, _BAD_REDIRECT, _REUSED = -14002, -14003, -14014
_CODE_LIFE, _VERIFIER = timedelta(minutes=10), 43
_LIFE = timedelta(seconds=90_000)
_REFRESH_LIFE = timedelta(days=90)


def encoded(account: str) -> str:
    """An account's name as the first tokens of its rehearsal carry it."""
    return base64.urlsafe_b64encode(account.encode()).decode()


class Tokens:
    """Who holds which token; the first pair of an account is known by its words and comes to life when it is used."""

    def __init__(self, state: TwinState, now: Callable[[], datetime]) -> None:
        self._state = state
        self._now = now
        self.consenting, self.forget_state = "Phường Đông Hải", False

    def account(self, token: str) -> str | int:
        """The account of an access token, or Zalo's error code."""
        known = self._state.get("zalo.token", token)
        if known is None:
            name = _first(token, ACCESS)
            known = self._grant(token, name) if name else None
        if known is None:
            return INVALID
        return EXPIRED if datetime.fromisoformat(known["until"]) <= self._now() else str(known["account"])

    def _grant(self, token: str, account: str) -> dict[str, Any]:
        grant = {"account": account, "until": (self._now() + _LIFE).isoformat()}
        self._state.put("zalo.token", token, grant)
        return grant

    async def exchange(self, request: Request) -> Response:
        """The token endpoint: one exchange a refresh token, and only with the application's secret in the header."""
        form = await request.form()
        self._state.next("zalo.exchanges")
        old = str(form.get("refresh_token", ""))
        if request.headers.get("secret_key") != APP_SECRET or form.get("app_id") != APP_ID:
            return _error(_INACTIVE, "invalid_app", "Application or secret key is invalid")
        if form.get("grant_type") == "authorization_code":
            return self._redeem(str(form.get("code", "")), str(form.get("code_verifier", "")))
        known = self._refresh(old)
        if form.get("grant_type") != "refresh_token" or known is None or self._dead(known):
            return _error(_REUSED, "invalid_refresh_token", "Refresh token is invalid or was used before")
        self._state.put("zalo.refresh", old, {**known, "spent": True})
        return self._new_pair(str(known["account"]))

    async def permission(self, request: Request) -> Response:
        """The consent page, agreed to at once: back to the caller with a code, or Zalo's error -14003 on a bad address.

        ``oa`` names the account that agrees; ``forget_state`` leaves the state out, as some callers have seen.
        """
        asked = request.query_params
        target = asked.get("redirect_uri", "")
        if asked.get("app_id") != APP_ID or not target.startswith("http"):
            return _error(_BAD_REDIRECT, "invalid_redirect_uri", "Invalid redirect uri")
        account = asked.get("oa") or self.consenting
        code = secrets.token_urlsafe(24)
        until = (self._now() + _CODE_LIFE).isoformat()
        self._state.put(
            "zalo.code", code, {"account": account, "challenge": asked.get("code_challenge", ""), "until": until}
        )
        back = {"code": code, "oa_id": encoded(account)}
        if asked.get("state") and not self.forget_state:
            back["state"] = asked["state"]
        return RedirectResponse(f"{target}?{urlencode(back)}", 302)

    def _redeem(self, code: str, verifier: str) -> Response:
        known = self._state.get("zalo.code", code)
        self._state.remove("zalo.code", code)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")
        late = known is None or datetime.fromisoformat(known["until"]) <= self._now()
        if known is None or late or len(verifier) != _VERIFIER or known["challenge"] != challenge:
            return _error(_REUSED, "invalid_code", "Authorization code is invalid or was used before")
        return self._new_pair(str(known["account"]))

    def _refresh(self, token: str) -> dict[str, Any] | None:
        name = _first(token, REFRESH)
        return self._state.get("zalo.refresh", token) or (self._unspent(name) if name else None)

    def _unspent(self, account: str) -> dict[str, Any]:
        return {"account": account, "spent": False, "until": (self._now() + _REFRESH_LIFE).isoformat()}

    def _dead(self, refresh: dict[str, Any]) -> bool:
        return bool(refresh["spent"]) or datetime.fromisoformat(refresh["until"]) <= self._now()

    def _new_pair(self, account: str) -> Response:
        access, refresh = secrets.token_urlsafe(48), secrets.token_urlsafe(48)
        self._grant(access, account)
        self._state.put("zalo.refresh", refresh, self._unspent(account))
        life = str(int(_LIFE.total_seconds()))
        return JSONResponse({"access_token": access, "refresh_token": refresh, "expires_in": life})


def _first(token: str, beginning: str) -> str:
    if not token.startswith(beginning):
        return ""
    try:
        return base64.b64decode(token.removeprefix(beginning).encode(), b"-_", validate=True).decode()
    except (binascii.Error, ValueError):
        return ""


def _error(code: int, name: str, reason: str) -> Response:
    return JSONResponse({"error": code, "error_name": name, "error_reason": reason, "error_description": reason})
