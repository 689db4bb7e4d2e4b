"""The twins' own server: every channel's twin under one address, with switches for clock and faults.

``PUT /_control/clock {"now": "…"}`` sets a virtual time (``null`` gives real time back),
``POST /_control/<kind>/faults`` orders misbehaviour, ``GET /_control/<kind>/traces`` tells the truth.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import uvicorn
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from channels.contract import Channel
from channels.registry import kinds
from channels.twin import Fault, Twin, TwinState, bad_gateway


class TwinClock:
    """Real time until a virtual moment is set."""

    def __init__(self) -> None:
        self.fixed: datetime | None = None

    def __call__(self) -> datetime:
        """The moment now, in UTC."""
        return self.fixed or datetime.now(UTC)


class Faults:
    """ASGI middleware that makes a twin misbehave as ordered; the side effect happens or not as the fault says."""

    def __init__(self, app: ASGIApp, orders: list[Fault], upset: Callable[[], Response] = bad_gateway) -> None:
        self.app = app
        self.orders = orders
        self.upset = upset

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, through the first fault that is due for it."""
        fault = self._due(scope) if scope["type"] == "http" else None
        if fault is None:
            await self.app(scope, receive, send)
        else:
            await self._meet(fault, scope, receive, send)

    def _due(self, scope: Scope) -> Fault | None:
        called = f"{scope['path']} {scope['method']}"
        for fault in self.orders:
            if fault.kind in _WIRE_FAULTS and fault.times > 0 and fault.path in called:
                fault.times -= 1
                return fault
        return None

    async def _meet(self, fault: Fault, scope: Scope, receive: Receive, send: Send) -> None:
        heard = await _heard(receive)
        await asyncio.sleep(fault.seconds)
        if fault.kind == "slow":
            await self.app(scope, heard, send)
            return
        if fault.kind in ("drop_after", "error_after", "garbage"):
            await self.app(scope, heard, _nowhere)
        if fault.kind in ("drop_before", "drop_after"):
            await _drop(scope, receive)
        elif fault.kind == "error_after":
            await self.upset()(scope, receive, send)
        elif fault.kind == "garbage":
            await HTMLResponse("<h1>Sorry, something went wrong.</h1>")(scope, receive, send)


_DROP = "lantoa.drop"
_WIRE_FAULTS = ("slow", "drop_before", "drop_after", "error_after", "garbage")


async def _heard(receive: Receive) -> Receive:
    """The whole request, kept: a client that hangs up while the twin dawdles was heard all the same."""
    kept: list[Message] = []
    while not kept or kept[-1].get("more_body"):
        kept.append(await receive())

    async def again() -> Message:
        return kept.pop(0) if kept else await receive()

    return again


async def _nowhere(message: Message) -> None:
    return None


async def _drop(scope: Scope, receive: Receive) -> None:
    """Cut the connection as a dead line does; the server waits until it is really gone, so that it answers nothing."""
    scope["extensions"][_DROP]()
    while (await receive())["type"] != "http.disconnect":
        pass


class DroppingProtocol(H11Protocol):
    """uvicorn's HTTP protocol with one more ASGI extension: a twin may cut its connection without an answer."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Hand every request of this connection the means to cut it."""
        super().connection_made(transport)
        app = self.app

        async def with_drop(scope: Any, receive: Any, send: Any) -> None:
            scope.setdefault("extensions", {})[_DROP] = transport.abort
            await app(scope, receive, send)

        self.app = with_drop


def server(app: Starlette, host: str = "127.0.0.1", port: int = 0) -> uvicorn.Server:
    """A server for the twins' application; any other server cannot drop connections and answers 500 instead."""
    config = uvicorn.Config(
        app,
        host=host,
        port=port,
        http=DroppingProtocol,
        ws="none",
        lifespan="off",
        log_config=None,
        log_level="warning",
    )
    return uvicorn.Server(config)


def build(
    state: TwinState,
    base_url: str,
    clock: TwinClock | None = None,
    only: Iterable[str] | None = None,
    channels: Mapping[str, type[Channel]] | None = None,
) -> Starlette:
    """The twins' application, served at ``base_url``; of the installed channels unless ``channels`` are handed in."""
    clock = clock or TwinClock()
    twins: dict[str, Twin] = {}
    orders: dict[str, list[Fault]] = {}
    routes: list[BaseRoute] = []
    for kind, channel in (kinds() if channels is None else channels).items():
        made = channel.rehearsal().twin
        if made is None or (only is not None and kind not in only):
            continue
        twins[kind] = made(state, clock, f"{base_url}/{kind}")
        orders[kind] = twins[kind].faults = []
        routes.append(
            Mount(
                f"/{kind}",
                app=Faults(Starlette(routes=twins[kind].routes()), orders[kind], twins[kind].upset),
            )
        )
    control = _Control(twins, orders, clock)
    app = Starlette(routes=[*control.routes(), *routes])
    app.state.twins = twins
    return app


class _Control:
    def __init__(self, twins: dict[str, Twin], orders: dict[str, list[Fault]], clock: TwinClock) -> None:
        self.twins, self.orders, self.clock = twins, orders, clock

    def routes(self) -> list[BaseRoute]:
        return [
            Route("/_control/clock", self.set_clock, methods=["PUT"]),
            Route("/_control/{kind}/faults", self.add_fault, methods=["POST"]),
            Route("/_control/{kind}/faults", self.clear_faults, methods=["DELETE"]),
            Route("/_control/{kind}/traces", self.traces, methods=["GET"]),
        ]

    async def set_clock(self, request: Request) -> Response:
        wanted: dict[str, Any] = await request.json()
        self.clock.fixed = datetime.fromisoformat(wanted["now"]) if wanted.get("now") else None
        return JSONResponse({"now": self.clock().isoformat()})

    async def add_fault(self, request: Request) -> Response:
        try:
            fault = Fault.model_validate(await request.json())
            self.orders[request.path_params["kind"]].append(fault)
        except (ValidationError, KeyError) as error:
            return JSONResponse({"error": str(error)}, 400)
        return JSONResponse(fault.model_dump(), 201)

    async def clear_faults(self, request: Request) -> Response:
        self.orders.get(request.path_params["kind"], []).clear()
        return Response(status_code=204)

    async def traces(self, request: Request) -> Response:
        twin = self.twins.get(request.path_params["kind"])
        if twin is None:
            return JSONResponse({"error": "no such twin"}, 404)
        return JSONResponse([trace.model_dump(mode="json") for trace in twin.traces()])


def open_state(path: Path) -> TwinState:
    """The twins' state in a file, made when it is not there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return TwinState(path)
