"""The Graph API as it answers: calls, models, and the allow-list of errors that surely mean «not posted».

Posts were made in public reports although Graph said 500, code 1 or code 2, so every error that is not in the
table is Unknown. Table: https://developers.facebook.com/docs/graph-api/guides/error-handling and rate limiting
https://developers.facebook.com/docs/graph-api/overview/rate-limiting, see docs/channels/facebook.md.
"""

import hashlib
import hmac
from datetime import datetime, timedelta
from typing import Any

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, RootModel, SecretStr, ValidationError

from channels.contract import Deferred, Reason, Refused, Tools, Unknown
from channels.seen import after_answer, after_silence
from channels.wire import Answer, Seen, Silence


class _Lenient(BaseModel):
    model_config = ConfigDict(extra="ignore")


class GraphError(_Lenient):
    """The error object; ``code`` and ``error_subcode`` are what counts."""

    code: int
    error_subcode: int = 0
    message: str = ""


class Failure(_Lenient):
    """An answer that is an error, whatever its HTTP status."""

    error: GraphError


class PhotoMade(_Lenient):
    """The answer to an upload."""

    id: str = Field(min_length=1)


class PostMade(_Lenient):
    """The answer to a post; the address comes because it was asked for by ``fields``."""

    id: str = Field(min_length=1)
    permalink_url: str | None = None


class Done(_Lenient):
    """The answer to a deletion."""

    success: bool


class Post(_Lenient):
    """A post in the page's list."""

    id: str
    message: str = ""
    permalink_url: str | None = None
    created_time: AwareDatetime


class Cursors(_Lenient):
    """Where the next page of a list begins."""

    after: str = ""


class Paging(_Lenient):
    """The way on through a list; ``next`` is there only when there is more."""

    cursors: Cursors = Cursors()
    next: str | None = None


class Posts(_Lenient):
    """A page of the list of posts, newest first."""

    data: list[Post]
    paging: Paging = Paging()


class Summary(_Lenient):
    """A total."""

    total_count: int


class Counted(_Lenient):
    """Something with a total."""

    summary: Summary


class Shares(_Lenient):
    """How often it was shared; missing while it never was."""

    count: int = 0


class Reactions(_Lenient):
    """The counts that a post carries itself, and whether the public sees it (missing: Graph did not say)."""

    reactions: Counted | None = None
    comments: Counted | None = None
    shares: Shares = Shares()
    is_published: bool = True
    is_hidden: bool = False


class Value(_Lenient):
    """One value of a metric: a number, or numbers by kind."""

    value: int | dict[str, int]

    @property
    def total(self) -> int:
        """The number, or the sum over the kinds."""
        return self.value if isinstance(self.value, int) else sum(self.value.values())


class Metric(_Lenient):
    """One metric with its values."""

    name: str
    values: list[Value] = Field(min_length=1)


class Insights(_Lenient):
    """The answer of the insights edge; empty while nothing was counted yet."""

    data: list[Metric]


class Page(_Lenient):
    """The page itself."""

    id: str
    name: str = ""
    followers_count: int = 0


class Usage(_Lenient):
    """One entry of X-Business-Use-Case-Usage, in percent, and minutes until access comes back."""

    call_count: float = 0
    total_cputime: float = 0
    total_time: float = 0
    estimated_time_to_regain_access: float = 0


class UseCases(RootModel[dict[str, list[Usage]]]):
    """X-Business-Use-Case-Usage, by page or business."""


_LIMITED = {4, 17, 32, 341, 613, 80001}
_SUBCODES = {
    33: (Reason.NOT_FOUND, "không thấy trang hoặc bài này, hoặc chưa có quyền"),
    1366046: (Reason.BAD_MEDIA, "ảnh sai định dạng hoặc quá nặng"),
    2069019: (Reason.BAD_MEDIA, "tệp không hợp lệ"),
    1346003: (Reason.REJECTED, "nội dung bị coi là không phù hợp"),
    1404102: (Reason.REJECTED, "nội dung trái tiêu chuẩn cộng đồng"),
    1349125: (Reason.REJECTED, "nội dung không hợp lệ"),
    1609008: (Reason.REJECTED, "không được đăng liên kết tới facebook.com"),
    1609005: (Reason.REJECTED, "Facebook không đọc được liên kết trong bài"),
    2061006: (Reason.REJECTED, "liên kết không hợp lệ"),
    1404006: (Reason.FORBIDDEN, "Facebook yêu cầu kiểm tra an ninh tài khoản"),
    1404078: (Reason.FORBIDDEN, "trang cần được xác nhận quyền đăng bài"),
    1404112: (Reason.FORBIDDEN, "tài khoản đang bị hạn chế"),
    4854002: (Reason.FORBIDDEN, "Facebook yêu cầu xác minh danh tính"),
}
_MAYBE_OURS = {1366051}
_BLOCKED_FOR = timedelta(hours=6)


def after_error(error: GraphError, headers: dict[str, str], now: datetime) -> Deferred | Refused | Unknown:
    """The outcome of a Graph error: only what is documented to come before anything is done is more than Unknown."""
    label = f"mã {error.code}" + (f"/{error.error_subcode}" if error.error_subcode else "")
    if error.code in _LIMITED:
        return Deferred(
            reason=Reason.RATE_LIMITED,
            retry_at=now + wait(headers),
            detail=f"Facebook yêu cầu gửi chậm lại ({label}).",
        )
    if error.code == 368:
        return Deferred(
            reason=Reason.RATE_LIMITED,
            retry_at=now + _BLOCKED_FOR,
            detail=f"Facebook tạm chặn trang đăng bài ({label}).",
        )
    if error.code in (102, 190):
        return Refused(
            reason=Reason.UNAUTHORIZED,
            detail=f"Mã truy cập của trang không còn dùng được ({label}); hãy kết nối lại kênh.",
        )
    if error.code == 10 or 200 <= error.code <= 299:
        return Refused(
            reason=Reason.FORBIDDEN,
            detail=f"Ứng dụng chưa có quyền đăng lên trang ({label}); hãy cấp lại quyền.",
        )
    return _after_parameter(error, label)


def _after_parameter(error: GraphError, label: str) -> Refused | Unknown:
    known = _SUBCODES.get(error.error_subcode or _as_subcode(error.code))
    if known:
        return Refused(reason=known[0], detail=f"Facebook từ chối ({label}): {known[1]}.")
    if error.code == 100 and error.error_subcode not in _MAYBE_OURS:
        return Refused(reason=Reason.REJECTED, detail=f"Facebook từ chối ({label}): một nội dung gửi lên không hợp lệ.")
    return Unknown(detail=f"Facebook báo lỗi chưa rõ bài đã lên hay chưa ({label}).")


def _as_subcode(code: int) -> int:
    """Some refusals of seven digits come as the code itself (1609005); small codes mean something else."""
    return code if code > 1_000_000 else 0


def wait(headers: dict[str, str]) -> timedelta:
    """How long to stay away, by the usage header's own estimate (minutes); else ten minutes, a day at the most."""
    minutes = max((use.estimated_time_to_regain_access for use in usages(headers)), default=0)
    return timedelta(minutes=min(max(minutes, 10), 1440))


def usages(headers: dict[str, str]) -> list[Usage]:
    """What the usage headers say of every use case; an unreadable header says nothing."""
    found: list[Usage] = []
    try:
        found += [
            use
            for uses in UseCases.model_validate_json(headers.get("x-business-use-case-usage", "{}")).root.values()
            for use in uses
        ]
        for name in ("x-app-usage", "x-page-usage"):
            found.append(Usage.model_validate_json(headers.get(name, "{}")))
    except ValidationError:
        return found
    return found


def busiest(headers: dict[str, str]) -> float:
    """The highest use of any limit, in percent."""
    return max(
        (value for use in usages(headers) for value in (use.call_count, use.total_cputime, use.total_time)),
        default=0,
    )


class Api:
    """The calls of one page. An Answer is a good one; everything else has become an outcome."""

    def __init__(self, tools: Tools, root: str, token: SecretStr, app_secret: SecretStr | None) -> None:
        self._tools = tools
        self._root = root.rstrip("/")
        self._keys = _keys(token, app_secret)

    async def get(self, path: str, **params: str | int) -> Answer | Deferred | Refused | Unknown:
        """Read."""
        return self._read(await self._tools.wire.call("GET", self._root + path, params={**params, **self._keys}))

    async def post(
        self,
        path: str,
        fields: dict[str, str],
        files: dict[str, Any] | None = None,
        visible: bool = False,
        longer: float = 0,
    ) -> Answer | Deferred | Refused | Unknown:
        """Make something; ``files`` go as multipart, a large one may take ``longer`` seconds more."""
        form = {**fields, **self._keys}
        wire = self._tools.wire
        return self._read(
            await wire.call("POST", self._root + path, data=form, files=files, visible=visible, longer=longer)
        )

    async def upload(
        self, url: str, headers: dict[str, str], content: bytes, longer: float
    ) -> Answer | Deferred | Refused | Unknown:
        """Bytes to the address that Graph gave for them; nobody sees them."""
        return self._read(await self._tools.wire.call("POST", url, headers=headers, content=content, longer=longer))

    async def delete(self, path: str) -> Answer | Deferred | Refused | Unknown:
        """Take something away."""
        return self._read(await self._tools.wire.call("DELETE", self._root + path, params=self._keys, visible=True))

    def _read(self, seen: Seen) -> Answer | Deferred | Refused | Unknown:
        if isinstance(seen, Silence):
            return after_silence(seen)
        failure = seen.read(Failure)
        if failure is not None:
            return after_error(failure.error, dict(seen.headers), self._tools.now())
        return seen if 200 <= seen.status < 300 else after_answer(seen, self._tools.now())


def _keys(token: SecretStr, app_secret: SecretStr | None) -> dict[str, str]:
    plain = token.get_secret_value()
    if app_secret is None or not app_secret.get_secret_value():
        return {"access_token": plain}
    proof = hmac.new(app_secret.get_secret_value().encode(), plain.encode(), hashlib.sha256).hexdigest()
    return {"access_token": plain, "appsecret_proof": proof}
