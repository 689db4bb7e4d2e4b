"""The ways to the loudspeakers as values: a discriminated union, made from the outlet's flat settings.

A cluster («cụm loa») is written «tên = địa chỉ»; several clusters may share one address (a multicast group, a mount),
which is then one stream.
"""

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Literal, get_args
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, TypeAdapter

from channels.contract import Airs, Certainty
from content.text import squeeze

WAYS = {
    "folder": "Thư mục, USB",
    "icecast": "Máy chủ Icecast",
    "rtp": "RTP (G.711) qua mạng nội bộ",
    "axis": "Loa mạng Axis",
    "algo": "Loa mạng Algo",
}
"""The ways on screen."""

Law = Literal["alaw", "ulaw"]
WayName = Literal["folder", "icecast", "rtp", "axis", "algo"]
_NAMED = re.compile(r"(?P<name>[^=]+?)\s*=\s*(?P<address>\S.*)")
_HOST = re.compile(r"[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]+\]")


@dataclass(frozen=True)
class Cluster:
    """One cluster of loudspeakers; ``address`` is empty where the way needs none."""

    name: str
    address: str = ""

    @classmethod
    def read(cls, line: str) -> "Cluster":
        """«Cụm loa tổ 1 = 239.0.0.1:5004», or a bare name."""
        found = _NAMED.fullmatch(squeeze(line))
        return cls(found["name"], found["address"]) if found else cls(squeeze(line))


class _Way(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)


class FolderWay(_Way):
    """Script, sound and play-list in a folder or on a memory stick."""

    transport: Literal["folder"]


class IcecastWay(_Way):
    """One source client per mount; a cluster's address is ``http(s)://host:port/mount``."""

    transport: Literal["icecast"]
    user: str
    password: SecretStr


class RtpWay(_Way):
    """G.711 in RTP; a cluster's address is ``host:port``, unicast or multicast."""

    transport: Literal["rtp"]
    law: Law
    ttl: int
    interface: str


class AxisWay(_Way):
    """Axis network speakers; a cluster's address is ``http(s)://host[:port]``."""

    transport: Literal["axis"]
    user: str
    password: SecretStr
    volume: int


class AlgoWay(_Way):
    """Algo IP speakers: told by REST to listen, then sent RTP at ``rtp_port``; an address is ``http(s)://host[:port]``."""

    transport: Literal["algo"]
    password: SecretStr
    auth: Literal["standard", "basic"]
    law: Law
    rtp_port: int


Way = Annotated[FolderWay | IcecastWay | RtpWay | AxisWay | AlgoWay, Field(discriminator="transport")]
_WAYS: TypeAdapter[FolderWay | IcecastWay | RtpWay | AxisWay | AlgoWay] = TypeAdapter(Way)
_USERS = {"icecast": "source", "axis": "root"}


def way_of(flat: dict[str, object]) -> FolderWay | IcecastWay | RtpWay | AxisWay | AlgoWay:
    """The chosen way from the outlet's flat settings; a blank user name takes the one that the maker ships."""
    name = str(flat.get("transport", ""))
    return _WAYS.validate_python({**flat, "user": flat.get("user") or _USERS.get(name, "")})


def certainty_of(transport: object) -> Certainty:
    """What a way promises: the folder is keyed, whatever is played at once is heard and cannot be asked about."""
    return Certainty.KEYED if transport == "folder" else Certainty.BLIND


def airs(settings: Mapping[str, object]) -> Airs:
    """How an outlet with these stored settings is heard; what cannot be read is played by a person."""
    transport, lines = str(settings.get("transport", "folder")), settings.get("clusters")
    named = [Cluster.read(str(line)).name for line in lines] if isinstance(lines, list | tuple) else []
    by_person = transport == "folder" or transport not in WAYS
    return Airs(way=WAYS.get(transport, transport), by_person=by_person, clusters=tuple(filter(None, named)))


def wrong_clusters(transport: str, clusters: tuple[Cluster, ...]) -> str:
    """Why these clusters do not fit the way, in Vietnamese; empty when they do."""
    if transport not in get_args(WayName) or transport == "folder":
        return ""
    if not clusters:
        return "cách phát này cần ít nhất một cụm loa, mỗi dòng ghi «tên cụm = địa chỉ»"
    names = [cluster.name for cluster in clusters]
    if len(set(names)) < len(names):
        return "có hai cụm loa trùng tên; hãy đặt tên khác nhau"
    right, example = (_is_endpoint, "239.192.1.1:5004") if transport == "rtp" else (_is_web, _EXAMPLES[transport])
    bad = next((cluster for cluster in clusters if not right(cluster.address)), None)
    if bad is None:
        return ""
    return f"địa chỉ của «{bad.name}» chưa đúng; ví dụ đúng: {bad.name} = {example}"


_EXAMPLES = {
    "icecast": "http://192.168.1.10:8000/phuong.mp3",
    "axis": "http://192.168.1.21",
    "algo": "http://192.168.1.31",
}


def endpoint(address: str) -> tuple[str, int]:
    """Host and port of ``host:port``; raises ValueError."""
    host, colon, port = address.rpartition(":")
    if not colon or not _HOST.fullmatch(host) or not port.isdecimal() or not 0 < int(port) < 65_536:
        raise ValueError(address)
    return host.strip("[]"), int(port)


def web_endpoint(address: str) -> tuple[str, int]:
    """Host and port of an ``http(s)://`` address; raises ValueError."""
    parts = urlsplit(address)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.password:
        raise ValueError(address)
    return parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)


def is_multicast(host: str) -> bool:
    """Whether an address written out is a multicast group (RFC 5771, RFC 4291)."""
    try:
        return ipaddress.ip_address(host).is_multicast
    except ValueError:
        return False


def by_address(clusters: tuple[Cluster, ...]) -> dict[str, tuple[str, ...]]:
    """The names of the clusters at each address, in the order of the settings."""
    found: dict[str, tuple[str, ...]] = {}
    for cluster in clusters:
        found[cluster.address] = (*found.get(cluster.address, ()), cluster.name)
    return found


def _is_endpoint(address: str) -> bool:
    try:
        return bool(endpoint(address))
    except ValueError:
        return False


def _is_web(address: str) -> bool:
    try:
        return bool(web_endpoint(address))
    except ValueError:
        return False
