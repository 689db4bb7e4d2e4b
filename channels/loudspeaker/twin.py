"""Loudspeakers of a rehearsal: Axis and Algo devices, RTP receivers and a mount, with a page that tells what is heard."""

from collections.abc import Callable
from datetime import datetime
from html import escape
from pathlib import Path
from typing import ClassVar

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from channels import pages
from channels.loudspeaker.twin_axis import AxisTwin
from channels.loudspeaker.twin_ears import Ears
from channels.twin import Trace, Twin, TwinState


class LoudspeakerTwin(Twin):
    """Every way that plays at once; a device is named in its address, ``/axis/<ward>`` for example."""

    kind: ClassVar[str] = "loudspeaker"

    def __init__(self, state: TwinState, now: Callable[[], datetime], base_url: str) -> None:
        super().__init__(state, now, base_url)
        self.axis = AxisTwin(state, now, lambda kind, path: self.ordered(kind, path))
        self.ears = Ears(state, now, lambda kind, path: self.ordered(kind, path))

    def routes(self) -> list[BaseRoute]:
        """The devices, and a page."""
        return [*self.axis.routes(), *self.ears.routes(), Route("/", self.page, methods=["GET"])]

    def traces(self) -> list[Trace]:
        """What was heard, oldest first."""
        return sorted([*self.axis.heard(), *self.ears.heard()], key=lambda trace: trace.at)

    def close(self) -> None:
        """Close the receivers."""
        self.ears.close()

    async def page(self, request: Request) -> Response:
        """What the loudspeakers played, newest first."""
        lines = [
            f"<p>{pages.local(trace.at.isoformat())} – <strong>{escape(trace.account)}</strong>: {escape(trace.text)}</p>"
            for trace in reversed(self.traces())
        ]
        card = "\n".join(lines) or "<p>Chưa loa nào phát.</p>"
        return pages.answer(pages.page(Path(__file__).parent, "Loa mô phỏng", [f"<article>{card}</article>"]))
