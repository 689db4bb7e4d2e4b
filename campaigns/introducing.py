"""In a rehearsal: each outlet's platform is told where to report events, and its citizens are stirred a little."""

import asyncio
from collections.abc import Mapping

from sqlmodel import col, select

from campaigns import hearing
from campaigns.outlets import Desk
from channels.registry import kinds
from channels.twin import Place
from store.engine import Store
from store.tables import Outlet, Ward


async def introduce(store: Store, desk: Desk, places: Mapping[str, Place]) -> None:
    """Register the event address of every outlet whose platform tells of events."""
    for outlet, place in await asyncio.to_thread(_hearing, store, places):
        url = hearing.address(desk.vault, desk.files.public_url, outlet.id or 0)
        wire = desk.wire.another()
        await kinds()[outlet.kind].rehearsal().introduce(place, url, wire)
        await wire.close()


async def stir(store: Store, desk: Desk, places: Mapping[str, Place]) -> None:
    """Let citizens do what the platforms then tell of."""
    for outlet, place in await asyncio.to_thread(_hearing, store, places):
        wire = desk.wire.another()
        await kinds()[outlet.kind].rehearsal().stir(place, wire)
        await wire.close()


def _hearing(store: Store, places: Mapping[str, Place]) -> list[tuple[Outlet, Place]]:
    with store.read() as session:
        rows = session.exec(select(Outlet, Ward.slug).join(Ward, col(Ward.id) == col(Outlet.ward_id))).all()
    return [(outlet, places[slug]) for outlet, slug in rows if slug in places and hearing.hears(outlet)]
