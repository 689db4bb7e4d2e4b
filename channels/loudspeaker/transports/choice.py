"""From the settings to the way that they choose."""

from typing import assert_never

from channels.contract import Tools
from channels.loudspeaker.settings import LoudspeakerSettings
from channels.loudspeaker.transports.algo import Algo
from channels.loudspeaker.transports.axis import Axis
from channels.loudspeaker.transports.folder import Folder
from channels.loudspeaker.transports.streaming import Icecast, Rtp
from channels.loudspeaker.transports.ways import AlgoWay, AxisWay, FolderWay, IcecastWay, RtpWay


def transport(settings: LoudspeakerSettings, tools: Tools) -> Folder | Icecast | Rtp | Axis | Algo:
    """What carries the programmes of an outlet."""
    match settings.way:
        case FolderWay():
            return Folder(settings, tools)
        case IcecastWay() as way:
            return Icecast(settings, tools, way)
        case RtpWay() as way:
            return Rtp(settings, tools, way)
        case AxisWay() as way:
            return Axis(settings, tools, way)
        case AlgoWay() as way:
            return Algo(settings, tools, way)
        case way:
            assert_never(way)
