"""How one WordPress site is reached, and under what its posts are shelved."""

from typing import ClassVar
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator

from channels.contract import ChannelSettings
from content.text import squeeze

_HERE = ("127.0.0.1", "::1", "localhost")


class WordPressSettings(ChannelSettings):
    """The site, the user whose application password is used, and the terms that every post gets.

    https://developer.wordpress.org/rest-api/using-the-rest-api/authentication/ (read 22/11/2026)
    """

    secret_fields: ClassVar[tuple[str, ...]] = ("password",)

    site_url: str = Field(
        title="Địa chỉ trang WordPress",
        description="Ví dụ: https://phuong.example.vn",
        pattern=r"^https?://[^\s?#]+$",
    )
    user: str = Field(min_length=1, max_length=60, title="Tên đăng nhập (không phải tên hiển thị)")
    password: SecretStr = Field(min_length=16, title="Mật khẩu ứng dụng")
    categories: tuple[str, ...] = Field(default=(), max_length=10, title="Chuyên mục (phải có sẵn trên WordPress)")
    tags: tuple[str, ...] = Field(default=(), max_length=20, title="Thẻ (chưa có thì được tạo)")
    topic_tags: bool = Field(default=True, title="Thêm chủ đề của bài làm thẻ")
    picture_in_body: bool = Field(
        default=False, title="Đặt ảnh đầu cả trong nội dung (khi giao diện của trang không hiện ảnh đại diện)"
    )
    plain_permalinks: bool = Field(default=False, title="Trang dùng đường dẫn tĩnh kiểu đơn giản (?rest_route=)")

    @field_validator("site_url")
    @classmethod
    def _safe(cls, value: str) -> str:
        """A password never travels in the clear; this machine itself is no way to travel."""
        if value.startswith("http://") and urlsplit(value).hostname not in _HERE:
            raise ValueError("địa chỉ phải bắt đầu bằng https://")
        return value.rstrip("/")

    @field_validator("categories", "tags")
    @classmethod
    def _named(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for name in map(squeeze, value) if name))
