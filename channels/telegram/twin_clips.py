"""Videos and sounds of the twin's channels: what it takes, how the Bot API tells of them, how the public page shows them."""

import hashlib
from typing import Any

from markupsafe import Markup

from channels.telegram.twin_channel import MessageRow

MOST_BYTES = 50 * 1024 * 1024


def is_clip(kind: str, content: bytes) -> bool:
    """Whether the bytes are an MP4 (video) or an MP3 or M4A (audio)."""
    film = content[4:8] == b"ftyp"
    return film if kind == "video" else film or content.startswith((b"ID3", b"\xff\xfb", b"\xff\xf3"))


def file_name(kind: str, content: bytes) -> str:
    """The name under which the twin keeps it."""
    return f"{hashlib.sha256(content).hexdigest()[:16]}.{'mp4' if kind == 'video' else 'mp3'}"


def as_field(row: MessageRow) -> dict[str, Any]:
    """The message's video or audio as the Bot API returns it (https://core.telegram.org/bots/api#video, #audio)."""
    if not row.clip:
        return {}
    told = {"file_id": f"clip-{row.clip}", "file_unique_id": row.clip, "duration": row.seconds, "file_size": row.size}
    if row.clip.endswith(".mp4"):
        return {"video": {**told, "width": row.width, "height": row.height, "mime_type": "video/mp4"}}
    return {"audio": {**told, "mime_type": "audio/mpeg"}}


def shown(row: MessageRow, base_url: str) -> Markup | None:
    """The player of the public page."""
    return _player(row.clip, f"{base_url}/file/photo/{row.clip}") if row.clip else None


def bubble(row: MessageRow) -> str:
    """The player of a post alone, whose files lie beside it."""
    return str(_player(row.clip, f"telegram-{row.clip}")) if row.clip else ""


def _player(name: str, address: str) -> Markup:
    if name.endswith(".mp4"):
        return Markup('<video class="tgme_widget_message_video" controls preload="metadata" src="{}"></video>').format(
            address
        )
    return Markup('<audio class="tgme_widget_message_voice" controls preload="metadata" src="{}"></audio>').format(
        address
    )
