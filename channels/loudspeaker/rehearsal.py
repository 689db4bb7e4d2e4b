"""The loudspeakers in a rehearsal: real programmes in a folder of their own, or bulletins played on the twin's devices."""

from html import escape
from pathlib import Path
from typing import Any
from urllib.parse import quote

from channels.loudspeaker.days import SCRIPT, SOUND, Card, listed, programmes
from channels.loudspeaker.transports.ways import WayName
from channels.loudspeaker.twin import LoudspeakerTwin
from channels.loudspeaker.twin_axis import PASSWORD as AXIS_PASSWORD
from channels.loudspeaker.twin_ears import ALGO_PASSWORD, SOURCE_PASSWORD
from channels.twin import Place, Rehearsal, Trace
from channels.wire import Wire
from content.plans import load_plans
from content.speech import length_in_words

_PASSWORDS = {"axis": AXIS_PASSWORD, "algo": ALGO_PASSWORD, "icecast": SOURCE_PASSWORD}


class LoudspeakerRehearsal(Rehearsal):
    """By default what lies in the folder and in the play-lists is the truth; the other ways speak to the twin."""

    twin = LoudspeakerTwin

    def __init__(self, kind: str, transport: WayName = "folder") -> None:
        super().__init__(kind)
        self.transport = transport

    @property
    def real(self) -> bool:
        """The folder is the ward's own; every other way plays on the twin's devices."""
        return self.transport == "folder"

    def settings(self, place: Place) -> dict[str, Any]:
        """The outlet's settings: programmes below the place's folder, the ward's name as it is spoken."""
        plain = {"folder": str(_folder(place)), "ward": _spoken(place.account)}
        if self.transport not in _PASSWORDS:
            return plain
        device = f"{place.twins_url}/{self.kind}/{self.transport}/{quote(place.account)}"
        return {
            **plain,
            "transport": self.transport,
            "clusters": [f"Cụm loa diễn tập = {device}"],
            "password": _PASSWORDS[self.transport],
            "preview_on_air": True,
        }

    async def traces(self, place: Place, wire: Wire) -> list[Trace]:
        """Every programme that a play-list holds, or that a device of the twin played, oldest first."""
        if self.transport != "folder":
            return await super().traces(place, wire)
        folder = _folder(place)
        found = [
            _trace(place, folder, path, card)
            for day in sorted(folder.glob("????-??-??"))
            for path, card in programmes(day)
            if card is not None and listed(folder, path.relative_to(folder).as_posix())
        ]
        return sorted(found, key=lambda trace: trace.at)


def _folder(place: Place) -> Path:
    return place.folder / "truyen-thanh"


def _spoken(account: str) -> str:
    names = {plan.ward.slug: plan.ward.name for plan in load_plans()}
    name = names.get(account, account)
    return name[:1].lower() + name[1:]


def _trace(place: Place, folder: Path, path: Path, card: Card) -> Trace:
    text = (path / SCRIPT).read_text("utf-8")
    return Trace(
        account=place.account,
        remote_id=path.relative_to(folder).as_posix(),
        at=card.written,
        title=card.title,
        text=text,
        html=_page(card, text),
        files=(path / SOUND,) if (path / SOUND).exists() else (),
    )


def _page(card: Card, text: str) -> str:
    sound = "bản nghe thử bằng giọng tổng hợp" if card.synthetic else "phát thanh viên đọc trực tiếp"
    facts = f"Giờ phát {card.due:%Hh%M} ngày {card.due:%d/%m/%Y}, {length_in_words(card.seconds)}, {sound}."
    return "\n".join(f"<p>{escape(line)}</p>" for line in [facts, *text.splitlines()] if line.strip())
