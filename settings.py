"""Settings: ``settings.toml`` and the environment (``LANTOA_WEB__PORT=8080``); unknown keys are refused by name."""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import PydanticCustomError

VERSION = "0.1.0"
PREFIX = "LANTOA_"
FILE_VARIABLE = "LANTOA_SETTINGS"


WANTED = {
    "int_parsing": "phải là số nguyên",
    "int_type": "phải là số nguyên",
    "int_from_float": "phải là số nguyên",
    "float_parsing": "phải là số",
    "float_type": "phải là số",
    "string_type": "phải là chữ",
    "tuple_type": "phải là danh sách",
    "path_type": "phải là đường dẫn",
    "model_type": "là một nhóm thiết lập, không nhận một giá trị",
    "literal_error": "phải là một trong: {expected}",
    "greater_than": "phải lớn hơn {gt}",
    "greater_than_equal": "phải từ {ge} trở lên",
    "less_than_equal": "phải từ {le} trở xuống",
    "string_pattern_mismatch": "phải là địa chỉ như https://phuong.example.vn",
    "short_secret": "phải dài từ 16 ký tự, không có khoảng trắng",
}


class BadSettings(ValueError):
    """The settings cannot be used; the message is Vietnamese and names the key."""


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Web(_Section):
    """The console and the public site."""

    host: str = Field("127.0.0.1", description="Địa chỉ mà bảng điều khiển lắng nghe.")
    port: int = Field(8000, ge=1, le=65535, description="Cổng của bảng điều khiển và trang công khai.")
    public_url: str = Field(
        "http://127.0.0.1:8000",
        pattern=r"^https?://[^/:\s]+(:\d{1,5})?/?$",
        description="Địa chỉ công khai của trang, dùng trong mọi liên kết.",
    )
    proxies: tuple[str, ...] = Field(
        (), description="Địa chỉ các máy chủ trung gian được tin (nginx, Caddy) khi đọc địa chỉ người xem."
    )


class Daemon(_Section):
    """The scheduler."""

    horizon_days: int = Field(8, ge=1, le=60, description="Lập lượt đăng trước bao nhiêu ngày.")
    wave: int = Field(64, ge=1, le=500, description="Số lượt đăng nhiều nhất trong một đợt.")
    idle_seconds: float = Field(1.0, gt=0, le=60, description="Khoảng nghỉ dài nhất giữa hai lần tìm việc.")


class Network(_Section):
    """The one HTTP client."""

    timeout_seconds: float = Field(20.0, gt=0, le=300, description="Thời gian chờ một câu trả lời.")
    allow: tuple[str, ...] = Field((), description="Các «máy:cổng» nội bộ được phép gọi tới, ví dụ 127.0.0.1:8000.")


class Twins(_Section):
    """The platforms' doubles that a rehearsal speaks to."""

    port: int = Field(8010, ge=1, le=65535, description="Cổng của các bản sao nền tảng khi diễn tập.")


def _long_enough(secret: str) -> str:
    if secret and (len(secret) < 16 or any(letter.isspace() for letter in secret)):
        raise PydanticCustomError("short_secret", "too short")
    return secret


class Ops(_Section):
    """Watching the program: its technical log, its metrics."""

    log: Literal["auto", "json", "text"] = Field(
        "auto", description="Dạng nhật ký kỹ thuật; `auto` là JSON khi không in ra màn hình dòng lệnh."
    )
    metrics_token: Annotated[str, AfterValidator(_long_enough)] = Field(
        "",
        repr=False,
        description="Mã để đọc `/metrics` từ máy khác (`Authorization: Bearer …`); để trống là chỉ đọc được tại máy này.",
    )


class Backup(_Section):
    """Backups made by ``lantoa backup``."""

    folder: str = Field("", description="Thư mục nhận bản sao lưu; để trống là «sao-luu» trong thư mục dữ liệu.")
    key: str = Field("", description="Khóa công khai age1… để mã hóa bản sao lưu; để trống là không mã hóa.")


class Settings(_Section):
    """Everything that can be set."""

    mode: Literal["rehearsal", "live"] = Field("rehearsal", description="Diễn tập (bản sao nền tảng) hay chạy thật.")
    folder: Path = Field(Path("data"), description="Thư mục dữ liệu: cơ sở dữ liệu, tệp, khóa.")
    database: str = Field("", description="Địa chỉ cơ sở dữ liệu; để trống là SQLite trong thư mục dữ liệu.")
    web: Web = Web()
    daemon: Daemon = Daemon()
    network: Network = Network()
    twins: Twins = Twins()
    ops: Ops = Ops()
    backup: Backup = Backup()

    @property
    def database_url(self) -> str:
        """The database's address, with the default filled in."""
        return self.database or f"sqlite:///{self.folder / 'lantoa.db'}"

    @property
    def backups(self) -> Path:
        """Where backups are written and looked for."""
        return Path(self.backup.folder) if self.backup.folder else self.folder / "sao-luu"

    @property
    def key_file(self) -> Path:
        """The key of the sealed secrets."""
        return self.folder / "khoa-bi-mat"


def load(path: Path | None = None, environment: Mapping[str, str] | None = None) -> Settings:
    """The settings of a file and the environment, which wins; raises BadSettings naming each bad key."""
    environment = os.environ if environment is None else environment
    named = path or (Path(environment[FILE_VARIABLE]) if environment.get(FILE_VARIABLE) else None)
    if named and not named.is_file():
        raise BadSettings(
            f"Không có tệp thiết lập «{named}». Hãy sửa đường dẫn (biến {FILE_VARIABLE}) hoặc tạo tệp này."
        )
    values = _file(named or Path("settings.toml"))
    _merge(values, _variables(environment))
    try:
        return Settings.model_validate(values)
    except ValidationError as error:
        raise BadSettings("\n".join(_sentence(item) for item in error.errors())) from error


def _file(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise BadSettings(f"Tệp {path.name} không đọc được: {error}.") from error


def _variables(environment: Mapping[str, str]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, text in environment.items():
        if not name.startswith(PREFIX) or name == FILE_VARIABLE:
            continue
        *sections, key = name.removeprefix(PREFIX).lower().split("__")
        place = values
        for section in sections:
            place = place.setdefault(section, {})
            if not isinstance(place, dict):
                raise BadSettings(
                    f"Biến {name} và biến {PREFIX}{section.upper()} không dùng cùng nhau được. Hãy bỏ một biến."
                )
        if isinstance(place.get(key), dict):
            raise BadSettings(f"Biến {name} là tên một nhóm thiết lập, không nhận giá trị. Hãy bỏ biến này.")
        place[key] = _several(text) if key in ("allow", "proxies") else text
    return values


def _several(text: str) -> tuple[str, ...]:
    return tuple(one.strip() for one in text.split(",") if one.strip())


def _merge(values: dict[str, Any], wins: dict[str, Any]) -> None:
    for key, value in wins.items():
        if isinstance(value, dict) and isinstance(values.get(key), dict):
            _merge(values[key], value)
        else:
            values[key] = value


def _sentence(item: Any) -> str:
    key = ".".join(str(part) for part in item["loc"])
    if item["type"] == "extra_forbidden":
        return f"Không có thiết lập nào tên «{key}». Hãy xóa hoặc sửa lại tên trong settings.toml hay biến {PREFIX}…"
    wanted = WANTED.get(item["type"], "không đúng dạng").format(**item.get("ctx", {}))
    if item["type"] == "short_secret":
        return f"Thiết lập «{key}» {wanted}."
    return f"Thiết lập «{key}» {wanted} (đang là {item['input']!r})."
