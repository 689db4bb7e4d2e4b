"""A line: one stream of one programme to one address, carried by a thread of its own."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, Protocol

from channels.contract import Reason

TOO_SLOW = "máy bị chậm ngay trước khi phát, chưa có gì được phát"
TORN = "máy phát bị ngắt quãng quá lâu (máy ngủ hoặc treo)"


class NotBegun(Exception):
    """Nothing was heard on this line; the reason says whether another try may help. The message is Vietnamese."""

    def __init__(self, reason: Reason, detail: str) -> None:
        self.reason, self.detail = reason, detail
        super().__init__(detail)


@dataclass(frozen=True)
class Ending:
    """How a line that had begun ended, after how many seconds of the programme, and why in Vietnamese."""

    state: Literal["played", "stopped", "failed"]
    seconds: float
    detail: str = ""


class Line(Protocol):
    """What a thread carries: ``open`` sends the first byte that may be heard, ``run`` all the others."""

    def open(self, leave: Callable[[], bool]) -> None:
        """Begin, after asking ``leave`` just before the first byte; raises NotBegun."""

    def run(self, stopped: Callable[[], bool], progress: Callable[[float], None]) -> Ending:
        """Go on to the end; asks ``stopped`` a few times a second and tells its progress in seconds."""


def not_allowed(host: str, port: int) -> str:
    """What to do about an address that the guard does not let through."""
    return f"địa chỉ {host}:{port} chưa được phép; hãy thêm «{host}:{port}» vào network.allow trong settings.toml"
