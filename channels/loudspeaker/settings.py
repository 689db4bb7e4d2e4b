"""The settings of a ward's loudspeakers."""

from pathlib import Path
from typing import ClassVar, Literal
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator

from channels.contract import ChannelSettings
from content.text import nfc, squeeze

PLACE = "{phuong}"


class LoudspeakerSettings(ChannelSettings):
    """Where programmes are written, and how they are framed and read."""

    secret_fields: ClassVar[tuple[str, ...]] = ()

    folder: Path = Field(
        title="Thư mục chương trình",
        description="Nơi ghi kịch bản, âm thanh và danh sách phát của từng ngày; máy phát thanh đọc từ thư mục này.",
    )
    ward: str = Field(
        default="phường",
        title="Tên phường khi đọc",
        description="Ví dụ: phường Lê Thanh Nghị",
        min_length=1,
        max_length=100,
    )
    voice: bool = Field(
        default=True,
        title="Làm bản nghe thử bằng giọng tổng hợp",
        description="Tắt khi phát thanh viên đọc trực tiếp; khi đó chỉ có kịch bản.",
    )
    region: Literal["north", "south"] = Field(
        default="north", title="Cách đọc số", description="north: nghìn, linh, mùng; south: ngàn, lẻ, mồng"
    )
    opening: str = Field(
        default="Đài truyền thanh {phuong} xin gửi tới bà con bản tin sau đây.",
        title="Lời mở đầu",
        description="{phuong} được thay bằng tên phường",
        max_length=500,
    )
    closing: str = Field(
        default="Đài truyền thanh {phuong} xin cảm ơn bà con đã lắng nghe.",
        title="Lời kết",
        description="{phuong} được thay bằng tên phường",
        max_length=500,
    )
    clusters: tuple[str, ...] = Field(
        default=(), title="Các cụm loa", description="Tên từng cụm loa sẽ phát, ví dụ: Cụm loa tổ 1"
    )
    max_minutes: int = Field(
        default=15,
        title="Thời lượng dài nhất của một bản tin (phút)",
        description="Theo quy chế của đài",
        ge=1,
        le=60,
    )
    time_zone: str = Field(default="Asia/Ho_Chi_Minh", title="Múi giờ")
    words: dict[str, str] = Field(
        default={},
        title="Từ điển đọc riêng",
        description="Chữ viết tắt = lời đọc, ví dụ: NVH = nhà văn hóa",
        max_length=500,
    )

    @field_validator("ward", "opening", "closing")
    @classmethod
    def _composed(cls, value: str) -> str:
        return squeeze(value)

    @field_validator("clusters")
    @classmethod
    def _named(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(squeeze(name) for name in value if name.strip())

    @field_validator("words")
    @classmethod
    def _readable(cls, value: dict[str, str]) -> dict[str, str]:
        return {squeeze(written): nfc(spoken).strip() for written, spoken in value.items()}

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError) as error:
            raise ValueError("không có múi giờ này; ví dụ đúng: Asia/Ho_Chi_Minh") from error
        return value

    @property
    def said_opening(self) -> str:
        """The opening words with the ward's name."""
        return self.opening.replace(PLACE, self.ward)

    @property
    def said_closing(self) -> str:
        """The closing words with the ward's name."""
        return self.closing.replace(PLACE, self.ward)
