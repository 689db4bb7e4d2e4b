"""The settings of a ward's loudspeakers."""

from ipaddress import ip_address
from pathlib import Path
from typing import ClassVar, Literal
from zoneinfo import ZoneInfo

from pydantic import Field, SecretStr, ValidationInfo, field_validator

from channels.contract import ChannelSettings
from channels.loudspeaker.transports.ways import (
    WAYS,
    AlgoWay,
    AxisWay,
    Cluster,
    FolderWay,
    IcecastWay,
    RtpWay,
    WayName,
    way_of,
    wrong_clusters,
)
from content.text import squeeze

PLACE = "{phuong}"


class LoudspeakerSettings(ChannelSettings):
    """Where programmes are written, how they reach the loudspeakers, and how they are framed and read."""

    secret_fields: ClassVar[tuple[str, ...]] = ("password",)

    folder: Path = Field(
        title="Thư mục chương trình",
        description="Nơi ghi kịch bản, âm thanh, danh sách phát và nhật ký phát. Phát bằng USB thì ghi đường dẫn của USB.",
    )
    transport: WayName = Field(
        default="folder",
        title="Cách phát ra loa",
        description="Thư mục, USB: máy phát hoặc cán bộ lấy tệp để phát. Các cách còn lại phát thẳng ra loa đúng giờ.",
        json_schema_extra={
            "first": True,
            "choices": {**WAYS},
        },
    )
    removable: bool = Field(
        default=False,
        title="Thư mục nằm trên USB",
        description="Khi chưa cắm USB, chương trình chờ chứ không ghi nhầm vào ổ đĩa của máy.",
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
        default=(),
        title="Các cụm loa",
        description="Phát bằng thư mục: ghi tên cụm. Phát thẳng: ghi «tên cụm = địa chỉ», ví dụ Cụm loa tổ 1 = "
        "239.192.1.1:5004 (RTP), http://192.168.1.10:8000/phuong.mp3 (Icecast), http://192.168.1.21 (Axis, Algo)",
        json_schema_extra={"first": True},
        validate_default=True,
    )
    user: str = Field(
        default="",
        title="Tên đăng nhập của thiết bị",
        description="Icecast, Axis. Để trống: source (Icecast), root (Axis)",
        json_schema_extra={"first": True},
        max_length=100,
    )
    password: SecretStr = Field(
        default=SecretStr(""),
        title="Mật khẩu của thiết bị",
        description="Mật khẩu nguồn phát của Icecast, mật khẩu Axis, mật khẩu API của Algo. Thư mục và RTP không cần.",
        validate_default=True,
    )
    law: Literal["alaw", "ulaw"] = Field(
        default="ulaw",
        title="Mã hóa G.711",
        description="RTP, Algo. Chọn đúng loại mà loa đang đặt",
        json_schema_extra={"choices": {"alaw": "A-law (PCMA, loại 8)", "ulaw": "µ-law (PCMU, loại 0)"}},
    )
    ttl: int = Field(
        default=1,
        title="Số chặng của gói multicast (TTL)",
        description="RTP. 1: chỉ trong một mạng; tăng lên khi gói phải qua bộ định tuyến",
        ge=1,
        le=64,
    )
    interface: str = Field(
        default="",
        title="Địa chỉ card mạng phát multicast",
        description="RTP. Để trống: máy tự chọn. Ghi địa chỉ của máy này trong mạng loa khi máy có nhiều card mạng",
        max_length=45,
    )
    volume: int = Field(default=100, title="Âm lượng", description="Axis. 100 là mức gốc của tệp", ge=0, le=1000)
    auth: Literal["standard", "basic"] = Field(
        default="standard",
        title="Cách đăng nhập Algo",
        description="Algo. Basic chỉ dùng khi loa bật api.auth.basic và đi qua https",
        json_schema_extra={"choices": {"standard": "Standard (HMAC-SHA256)", "basic": "Basic"}},
    )
    rtp_port: int = Field(
        default=50_004, title="Cổng nhận tiếng của Algo", description="Algo. Cổng UDP trên loa", ge=1024, le=65_534
    )
    recorded_only: bool = Field(
        default=False,
        title="Chỉ phát bản thu của phát thanh viên",
        description="Bài chưa thu âm thì không gửi duyệt được và không ra loa; giọng tổng hợp không bao giờ được phát.",
    )
    preview_on_air: bool = Field(
        default=False,
        title="Cho phép phát thẳng bản nghe thử",
        description="Chỉ bật khi khẩn cấp và chưa có bản thu: giọng tổng hợp sẽ phát ra loa thật.",
    )
    max_minutes: int = Field(
        default=15,
        title="Thời lượng dài nhất của một bản tin (phút)",
        description="Theo quy chế của đài",
        ge=1,
        le=60,
    )
    time_zone: str = Field(default="Asia/Ho_Chi_Minh", title="Múi giờ")

    @field_validator("ward", "opening", "closing")
    @classmethod
    def _composed(cls, value: str) -> str:
        return squeeze(value)

    @field_validator("clusters")
    @classmethod
    def _named(cls, value: tuple[str, ...], info: ValidationInfo) -> tuple[str, ...]:
        lines = tuple(squeeze(line) for line in value if line.strip())
        if wrong := wrong_clusters(str(info.data.get("transport", "")), tuple(map(Cluster.read, lines))):
            raise ValueError(wrong)
        return lines

    @field_validator("password")
    @classmethod
    def _given(cls, value: SecretStr, info: ValidationInfo) -> SecretStr:
        if info.data.get("transport") in ("icecast", "axis", "algo") and not value.get_secret_value():
            raise ValueError("cách phát này cần mật khẩu của thiết bị")
        return value

    @field_validator("interface")
    @classmethod
    def _own_address(cls, value: str) -> str:
        try:
            return str(ip_address(value.strip())) if value.strip() else ""
        except ValueError as error:
            raise ValueError("ghi địa chỉ IP của máy này, ví dụ 192.168.1.5, hoặc để trống") from error

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError) as error:
            raise ValueError("không có múi giờ này; ví dụ đúng: Asia/Ho_Chi_Minh") from error
        return value

    @property
    def way(self) -> FolderWay | IcecastWay | RtpWay | AxisWay | AlgoWay:
        """The chosen way to the loudspeakers with its own settings."""
        return way_of(dict(self))

    @property
    def places(self) -> tuple[Cluster, ...]:
        """The clusters with their addresses."""
        return tuple(map(Cluster.read, self.clusters))

    @property
    def cluster_names(self) -> tuple[str, ...]:
        """The names of the clusters."""
        return tuple(place.name for place in self.places)

    @property
    def said_opening(self) -> str:
        """The opening words with the ward's name."""
        return self.opening.replace(PLACE, self.ward)

    @property
    def said_closing(self) -> str:
        """The closing words with the ward's name."""
        return self.closing.replace(PLACE, self.ward)
