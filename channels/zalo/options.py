"""The settings of one Official Account: its keys, what its articles are like, and to whom they are broadcast."""

from datetime import datetime
from typing import ClassVar, Literal

from pydantic import Field, SecretStr

from channels.contract import ChannelSettings
from channels.zalo.render import AUTHOR_LIMIT

_NUMBERS = r"^(\d{1,2}(,\d{1,2})*)?$"


class ZaloSettings(ChannelSettings):
    """How one Official Account is reached; the token pair is replaced by ``renew`` and ``authorise``."""

    secret_fields: ClassVar[tuple[str, ...]] = ("app_secret", "access_token", "refresh_token", "event_secret")

    app_id: str = Field(min_length=1, title="Mã ứng dụng (App ID)")
    oa_id: str = Field(default="", title="Mã Official Account")
    app_secret: SecretStr = Field(title="Mã bí mật của ứng dụng")
    access_token: SecretStr = Field(
        default=SecretStr(""),
        title="Mã truy cập (access token)",
        description="Để trống nếu sẽ bấm «Cấp quyền qua Zalo OA»",
    )
    refresh_token: SecretStr = Field(
        default=SecretStr(""),
        title="Mã làm mới (refresh token)",
        description="Để trống nếu sẽ bấm «Cấp quyền qua Zalo OA»",
    )
    event_secret: SecretStr = Field(
        default=SecretStr(""),
        title="Khóa bí mật của OA (OA Secret Key)",
        description="Ở trang Webhook của ứng dụng Zalo; để trống nếu không nhận sự kiện Zalo báo về",
    )
    expires_at: datetime | None = Field(default=None, title="Mã truy cập hết hạn lúc")
    renew_at: datetime | None = Field(default=None, title="Làm mới mã truy cập lúc")
    refresh_until: datetime | None = Field(default=None, title="Mã làm mới hết hạn lúc")
    author: str = Field(default="", max_length=AUTHOR_LIMIT, title="Tên tác giả ghi trên bài")
    comment: Literal["show", "hide"] = Field(default="show", title="Cho phép bình luận")
    visibility: Literal["show", "hide"] = Field(
        default="show", title="Bài đăng hiện hay ẩn (ẩn: để thử kết nối)", json_schema_extra={"unseen": "hide"}
    )
    withdrawal: Literal["remove", "hide"] = Field(default="remove", title="Khi gỡ bài")
    broadcast: Literal["none", "followers"] = Field(
        default="none",
        title="Gửi thông báo bài tới người quan tâm",
        description="Mỗi bài của kênh này dùng một lượt gửi trong tháng",
    )
    package: Literal["basic", "trial", "advanced", "premium"] = Field(default="advanced", title="Gói dịch vụ của OA")
    ages: str = Field(
        default="", pattern=_NUMBERS, title="Nhóm tuổi nhận thông báo", description="Ví dụ 4,5; để trống là mọi tuổi"
    )
    gender: Literal["all", "male", "female"] = Field(default="all", title="Giới tính nhận thông báo")
    locations: str = Field(
        default="", pattern=_NUMBERS, title="Vùng nhận thông báo", description="0 Bắc, 1 Trung, 2 Nam"
    )
    cities: str = Field(
        default="", pattern=_NUMBERS, title="Tỉnh, thành nhận thông báo", description="Mã của Zalo, thay cho vùng"
    )
    platform: str = Field(
        default="", pattern=_NUMBERS, title="Loại điện thoại nhận thông báo", description="1 iOS, 2 Android"
    )
    target_form: Literal["text", "list"] = Field(default="text", title="Cách ghi nhóm người nhận trong lời gọi API")
    pkce: Literal["fixed", "fresh"] = Field(default="fixed", title="Mã thách thức khi cấp quyền (PKCE)")
    event_key: Literal["either", "oa", "app"] = Field(
        default="either",
        title="Sự kiện Zalo báo về được ký bằng",
        json_schema_extra={
            "choices": {
                "either": "Khóa nào khớp cũng nhận",
                "oa": "Khóa bí mật của OA",
                "app": "Mã bí mật của ứng dụng",
            }
        },
    )
    event_time: Literal["body", "header"] = Field(
        default="body",
        title="Thời điểm trong chữ ký lấy ở",
        json_schema_extra={"choices": {"body": "Nội dung sự kiện", "header": "Đầu yêu cầu (X-ZEvent-Timestamp)"}},
    )
    event_hours: int = Field(default=24, ge=1, le=72, title="Nhận sự kiện cũ không quá (giờ)")
    host: str = Field(default="https://openapi.zalo.me", title="Máy chủ API")
    oauth_host: str = Field(default="https://oauth.zaloapp.com", title="Máy chủ cấp mã truy cập")
    link: str = Field(default="https://post.oa.zalo.me/d/{oa}?id={id}&pageId={oa}", title="Dạng liên kết của bài")
