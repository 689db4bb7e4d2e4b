"""Beats that may wait long for people: each goes on beside the others, once at a time."""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any

log = logging.getLogger("lantoa.beside")


class Beside:
    """What goes on beside the recurring beats; it stands in ``under_way``, so that a stopping program waits for it."""

    def __init__(self, under_way: set[asyncio.Future[None]]) -> None:
        self._under_way = under_way
        self._running: set[str] = set()

    def __call__(self, name: str, work: Coroutine[Any, Any, object]) -> None:
        """Begin it, unless the last one of this name still goes on."""
        if name in self._running:
            work.close()
            return
        self._running.add(name)
        task = asyncio.ensure_future(self._to_the_end(name, work))
        self._under_way.add(task)
        task.add_done_callback(self._under_way.discard)

    async def _to_the_end(self, name: str, work: Coroutine[Any, Any, object]) -> None:
        try:
            await work
        except Exception:
            log.exception(name)
        finally:
            self._running.discard(name)
