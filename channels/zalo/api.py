"""Zalo's Article and OAuth APIs as they answer: endpoints, models, and the error table read as outcomes.

Every business error comes with HTTP 200; what counts is ``error`` in the envelope. The table follows the Zalo
documentation (https://developers.zalo.me/docs/official-account/phu-luc/ma-loi) as quoted in docs/channels/zalo.md.
"""

import html as escaping
import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError

from channels.contract import Deferred, Reason, Refused, Tools, Unknown
from channels.seen import after_answer, after_silence
from channels.wire import Seen, Silence

OK = 0
PROCESSING = -214
Model = TypeVar("Model", bound=BaseModel)


class _Lenient(BaseModel):
    model_config = ConfigDict(extra="ignore")


def _object_or_empty(value: Any) -> Any:
    return value if isinstance(value, dict) else {}


class Envelope(_Lenient):
    """What every OA and article call answers."""

    error: int
    message: str = ""
    data: Annotated[dict[str, Any], BeforeValidator(_object_or_empty)] = {}


class Token(_Lenient):
    """The token of an article that is being worked on."""

    token: str = Field(min_length=1)


class ArticleId(_Lenient):
    """The id that ``verify`` gives once the article is ready; clients have seen both names."""

    id: str = ""
    article_id: str = ""

    @property
    def value(self) -> str:
        """The id under whichever name it came."""
        return self.id or self.article_id


class Medium(_Lenient):
    """One article of the list; moments are milliseconds since 1970."""

    id: str
    title: str = ""
    status: str = ""
    total_view: int = 0
    total_share: int = 0
    create_date: int = 0
    link_view: str = ""


class Slice(_Lenient):
    """A page of the list of articles, newest first, ten at the most."""

    medias: list[Medium]
    total: int = 0


class Detail(_Lenient):
    """One article by its id; ``cover`` and ``blocks`` are kept as they came, to be sent back when it is hidden."""

    type: str = "normal"
    title: str = ""
    author: str = ""
    description: str = ""
    cover: dict[str, Any] = {}
    body: list[dict[str, Any]] = []
    status: str = ""
    comment: str = "show"

    @property
    def text(self) -> str:
        """The words of its body, as HTML with entities resolved."""
        return escaping.unescape("\n".join(str(block.get("content", "")) for block in self.body))


class OfficialAccount(_Lenient):
    """The account itself; what Zalo leaves out stays unknown."""

    oaid: str = ""
    name: str = ""
    num_follower: int | None = None
    is_verified: bool | None = None
    package_name: str = ""
    package_valid_through_date: str = ""


class Sent(_Lenient):
    """A broadcast that was accepted for review."""

    message_id: str = Field(min_length=1)


class TokenPair(_Lenient):
    """A new pair of tokens; ``expires_in`` is a string of seconds."""

    access_token: SecretStr = Field(min_length=1)
    refresh_token: SecretStr = Field(min_length=1)
    expires_in: int = Field(gt=0)


_REFUSED = {
    -100: Reason.BAD_MEDIA,
    -201: Reason.REJECTED,
    -204: Reason.FORBIDDEN,
    -205: Reason.FORBIDDEN,
    -209: Reason.MISCONFIGURED,
    -210: Reason.TOO_LONG,
    -212: Reason.FORBIDDEN,
    -216: Reason.UNAUTHORIZED,
    -219: Reason.FORBIDDEN,
    -220: Reason.UNAUTHORIZED,
    -221: Reason.FORBIDDEN,
    -223: Reason.QUOTA,
    -224: Reason.FORBIDDEN,
    -233: Reason.REJECTED,
    -235: Reason.FORBIDDEN,
    -240: Reason.MISCONFIGURED,
    -242: Reason.MISCONFIGURED,
    -248: Reason.REJECTED,
    -320: Reason.QUOTA,
    -321: Reason.QUOTA,
}

_ADVICE = {
    -201: "một nội dung của bài không hợp lệ; hãy xem lại tiêu đề, mô tả và ảnh bìa",
    -204: "Official Account đã bị khóa; hãy liên hệ Zalo",
    -205: "Official Account không tồn tại; hãy kết nối lại",
    -209: "ứng dụng Zalo chưa được kích hoạt; hãy bật trong trang developers.zalo.me",
    -210: "một nội dung của bài dài quá giới hạn",
    -212: "ứng dụng chưa đăng ký quyền dùng API này",
    -216: "mã truy cập không hợp lệ; hãy kết nối lại kênh",
    -219: "ứng dụng Zalo đã bị gỡ hoặc khóa",
    -220: "mã truy cập đã hết hạn hoặc bị thu hồi; hãy kết nối lại kênh",
    -221: "Official Account chưa xác thực; hãy xác thực với Zalo",
    -223: "đã hết số bài được đăng, hoặc Official Account chưa cấp quyền cho ứng dụng; hãy xem gói dịch vụ và quyền",
    -224: "gói dịch vụ Official Account quá thấp cho chức năng này",
    -235: "loại Official Account này không được dùng chức năng",
    -240: "Zalo đã ngừng phiên bản API này; hãy cập nhật phần mềm",
    -242: "mã bí mật của ứng dụng (app secret) không khớp",
    -248: "nội dung vi phạm chính sách của Zalo",
    -320: "ứng dụng chưa có tài khoản thanh toán (ZCA)",
    -321: "tài khoản thanh toán (ZCA) không đủ tiền",
}


_NOT_GRANTED = re.compile(r"authori[sz]|permission|quyền", re.IGNORECASE)
"""Code -223 has two meanings, and only its words tell which: the account's quota, or a permission not granted."""


def after_code(code: int, now: datetime, message: str = "") -> Deferred | Refused | Unknown:
    """The outcome of an error code (and its words, where one code means two things); an unlisted one is Unknown."""
    if code == -32:
        return Deferred(
            reason=Reason.RATE_LIMITED,
            retry_at=now + timedelta(seconds=60),
            detail="Zalo yêu cầu gửi chậm lại (mã -32).",
        )
    if code == PROCESSING:
        return Deferred(
            reason=Reason.BUSY,
            retry_at=now + timedelta(seconds=60),
            detail="Zalo đang xử lý bài này (mã -214).",
        )
    if code == -211:
        return Deferred(
            reason=Reason.QUOTA,
            retry_at=now + timedelta(hours=1),
            detail="Đã hết hạn mức của Zalo (mã -211).",
        )
    if code == -218:
        return Deferred(
            reason=Reason.QUOTA,
            retry_at=now + timedelta(hours=1),
            detail="Người nhận đã đủ số thông báo của kỳ này (mã -218).",
        )
    if code == -234:
        return Deferred(
            reason=Reason.OUTSIDE_HOURS,
            retry_at=now + timedelta(minutes=30),
            detail="Zalo chỉ gửi thông báo từ 06:00 đến 21:59 (mã -234).",
        )
    if code == -223 and _NOT_GRANTED.search(message):
        return Refused(
            reason=Reason.FORBIDDEN,
            detail="Official Account chưa cấp quyền này cho ứng dụng (mã -223); hãy cấp quyền lại cho ứng dụng.",
        )
    if code not in _REFUSED:
        return Unknown(detail=f"Zalo báo mã lỗi chưa rõ nghĩa ({code}).")
    return Refused(
        reason=_REFUSED[code],
        detail=f"Zalo từ chối (mã {code}): {_ADVICE.get(code, 'hãy xem lại bài và kênh')}.",
    )


class Api:
    """The calls of one Official Account. A code in the answer is for the caller; all else is an outcome."""

    def __init__(self, tools: Tools, host: str, oauth_host: str, access_token: SecretStr) -> None:
        self._tools = tools
        self._host = host.rstrip("/")
        self._oauth = oauth_host.rstrip("/")
        self._token = access_token

    async def post(
        self, path: str, body: dict[str, Any], visible: bool = False
    ) -> Envelope | Deferred | Refused | Unknown:
        """POST JSON to the OA host."""
        return self._envelope(
            await self._tools.wire.call("POST", self._host + path, headers=self._headers(), json=body, visible=visible)
        )

    async def get(self, path: str, **params: str | int) -> Envelope | Deferred | Refused | Unknown:
        """GET from the OA host."""
        return self._envelope(
            await self._tools.wire.call("GET", self._host + path, headers=self._headers(), params=params)
        )

    async def refresh(
        self, app_id: str, app_secret: SecretStr, refresh_token: SecretStr
    ) -> TokenPair | Reason | Unknown:
        """Exchange the single-use refresh token; the old one is spent whether or not the answer arrives."""
        given = {"refresh_token": refresh_token.get_secret_value(), "grant_type": "refresh_token"}
        return await self._pair(app_secret, {**given, "app_id": app_id})

    async def redeem(
        self, app_id: str, app_secret: SecretStr, code: str, verifier: str
    ) -> TokenPair | Reason | Unknown:
        """The first pair for the code that a person's consent gave; good once and for ten minutes."""
        given = {"code": code, "code_verifier": verifier, "grant_type": "authorization_code"}
        return await self._pair(app_secret, {**given, "app_id": app_id})

    async def _pair(self, app_secret: SecretStr, form: dict[str, str]) -> TokenPair | Reason | Unknown:
        headers = {"secret_key": app_secret.get_secret_value()}
        url = f"{self._oauth}/v4/oa/access_token"
        seen = await self._tools.wire.call("POST", url, headers=headers, data=form, visible=True)
        if isinstance(seen, Silence):
            return Unknown(detail="Zalo không trả lời khi đổi mã.") if seen.sent else Reason.UNREACHABLE
        pair = seen.read(TokenPair)
        if pair is not None:
            return pair
        if seen.read(_OauthError) is not None:
            return Reason.UNAUTHORIZED
        return Unknown(detail="Zalo trả lời không đọc được khi đổi mã.")

    def _headers(self) -> dict[str, str]:
        return {"access_token": self._token.get_secret_value()}

    def _envelope(self, seen: Seen) -> Envelope | Deferred | Refused | Unknown:
        if isinstance(seen, Silence):
            return after_silence(seen)
        envelope = seen.read(Envelope) if seen.status < 500 else None
        if envelope is None:
            return after_answer(seen, self._tools.now())
        return envelope


class _OauthError(_Lenient):
    error: int
    error_name: str = ""


def parsed(data: dict[str, Any], model: type[Model]) -> Model | None:
    """The data of an envelope as a model, or None where it is not what was expected."""
    try:
        return model.model_validate(data)
    except ValidationError:
        return None


def moment(milliseconds: int) -> datetime:
    """Zalo's milliseconds since 1970 as a moment in UTC."""
    return datetime.fromtimestamp(milliseconds / 1000, UTC)
