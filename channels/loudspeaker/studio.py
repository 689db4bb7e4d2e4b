"""Making a bulletin's sound beforehand: kept aside under the script's digest until the programme is written."""

import hashlib
import os
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, ValidationError

from channels.loudspeaker.days import ASIDE, PROGRAMME_ID, SOUND, ending, read_card
from channels.outcomes import Sound
from content.audio import Programme, programme
from content.speech import Region
from content.voice import speak

STUDIO = ThreadPoolExecutor(max_workers=2, thread_name_prefix="studio")
_FORGOTTEN = timedelta(days=3)


class Take(BaseModel):
    """A finished sound that waits to be moved into its programme: file name, length, loudness, digest."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    file: str
    seconds: int
    loudness: float
    sha256: str
    synthetic: bool = True


class Recorded(NamedTuple):
    """The announcer's sound, and whether it was levelled when it was approved (else that is done here)."""

    sound: bytes
    levelled: bool


def take_of(data: object) -> Take | None:
    """The take that a handle speaks of, or None."""
    try:
        return Take.model_validate(data)
    except ValidationError:
        return None


def record(
    folder: Path,
    key: str,
    script: str,
    title: str,
    station: str,
    region: Region,
    now: datetime,
    recording: Recorded | None = None,
) -> Take:
    """Frame the announcer's ``recording`` with the chimes, or speak the script; found again when it is already made.

    Raises VoiceMistake, AudioMistake, OSError.
    """
    aside = folder / ASIDE
    aside.mkdir(parents=True, exist_ok=True)
    _sweep(aside, now)
    name = _name(key, script, title, region, recording.sound if recording else None)
    if made := _made_before(aside, name):
        return made
    said = recording or Recorded(speak(script, region), levelled=False)
    framed = programme(said.sound, title, station, synthetic=recording is None, levelled=said.levelled)
    return _make(aside, name, framed, recording is None, now)


def heard(
    folder: Path, key: str, script: str, title: str, region: Region, remote_id: str, recording: bytes | None = None
) -> Sound | None:
    """The sound of what was heard: of its programme in its day, or of what was made beforehand; None where it is gone."""
    programme_of_day = folder / remote_id if PROGRAMME_ID.fullmatch(remote_id) else None
    card = read_card(programme_of_day) if programme_of_day else None
    if programme_of_day and card and (programme_of_day / SOUND).exists():
        return Sound(mp3=(programme_of_day / SOUND).read_bytes(), seconds=card.seconds, synthetic=card.synthetic)
    take = _made_before(folder / ASIDE, _name(key, script, title, region, recording))
    sound = where(folder, take).read_bytes() if take else b""
    return Sound(mp3=sound, seconds=take.seconds, synthetic=take.synthetic) if take and sound else None


def _name(key: str, script: str, title: str, region: Region, recording: bytes | None) -> str:
    told = f"{region}|{title}|{script}".encode() if recording is None else recording
    return f"{ending(key)}-{hashlib.sha256(told).hexdigest()[:16]}"


def where(folder: Path, take: Take) -> Path:
    """Where a take lies, or would lie."""
    return folder / ASIDE / Path(take.file).name


def whole(folder: Path, take: Take) -> Path | None:
    """Where a take lies, or None where it is gone or not what it was."""
    path = where(folder, take)
    try:
        return path if hashlib.sha256(path.read_bytes()).hexdigest() == take.sha256 else None
    except FileNotFoundError:
        return None


def forget(folder: Path, take: Take) -> None:
    """Remove a take that has been moved into its programme."""
    path = where(folder, take)
    with suppress(OSError):
        path.with_suffix(".json").unlink(missing_ok=True)
        path.unlink(missing_ok=True)


def _made_before(aside: Path, name: str) -> Take | None:
    try:
        take = Take.model_validate_json((aside / f"{name}.json").read_bytes())
    except (FileNotFoundError, ValidationError):
        return None
    return take if whole(aside.parent, take) else None


def _make(aside: Path, name: str, made: Programme, synthetic: bool, now: datetime) -> Take:
    take = Take(
        file=f"{name}.mp3",
        seconds=round(made.seconds),
        loudness=made.integrated,
        sha256=hashlib.sha256(made.mp3).hexdigest(),
        synthetic=synthetic,
    )
    _put(aside / take.file, made.mp3, now)
    _put(aside / f"{name}.json", take.model_dump_json().encode(), now)
    return take


def _put(path: Path, content: bytes, now: datetime) -> None:
    fresh = path.with_name(f"{path.name}.moi")
    try:
        fresh.write_bytes(content)
        os.utime(fresh, (now.timestamp(), now.timestamp()))
        fresh.replace(path)
    except OSError:
        fresh.unlink(missing_ok=True)
        raise


def _sweep(aside: Path, now: datetime) -> None:
    oldest = (now - _FORGOTTEN).timestamp()
    for path in (found for kind in ("*.mp3", "*.json", "*.alaw", "*.ulaw") for found in aside.glob(kind)):
        with suppress(OSError):
            if path.stat().st_mtime < oldest:
                path.unlink()
