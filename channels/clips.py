"""What is wrong with a post's video or sound by a platform's own limits, in Vietnamese. Pure."""

from channels.message import Clip, ClipLimits, Limits, Problem

FIELD = "clip"


def takes(limits: Limits, kind: str) -> ClipLimits | None:
    """What a platform takes of this kind of clip; None where it carries none."""
    return limits.video if kind == "video" else limits.audio


def problems(clip: Clip | None, limits: Limits, platform: str) -> list[Problem]:
    """Too heavy, too short or too long for the platform; nothing without a clip."""
    bounds = takes(limits, clip.kind) if clip else None
    if clip is None or bounds is None:
        return []
    name = "Video" if clip.kind == "video" else "Tệp tiếng"
    found = []
    if clip.size > bounds.max_bytes:
        found.append(
            f"{name} nặng {_megabytes(clip.size)} MB; {platform} chỉ nhận {_megabytes(bounds.max_bytes)} MB. Hãy cắt ngắn rồi tải lại."
        )
    if clip.seconds < bounds.min_seconds:
        found.append(f"{name} dài {length(clip.seconds)}; {platform} cần ít nhất {length(bounds.min_seconds)}.")
    if bounds.max_seconds is not None and clip.seconds > bounds.max_seconds:
        found.append(
            f"{name} dài {length(clip.seconds)}; {platform} chỉ nhận {length(bounds.max_seconds)}. Hãy cắt ngắn rồi tải lại."
        )
    return [Problem(level="error", text=text, field=FIELD) for text in found]


def length(seconds: float) -> str:
    """A length as it is read on a player: 0:42, 12:05, 1:02:03."""
    whole = round(seconds)
    hours, minutes = whole // 3600, whole // 60 % 60
    return f"{hours}:{minutes:02}:{whole % 60:02}" if hours else f"{minutes}:{whole % 60:02}"


def _megabytes(size: int) -> str:
    """Megabytes with one digit, never rounded down to what would be allowed."""
    return f"{-(-size // 100_000) / 10:.1f}".replace(".", ",").removesuffix(",0")
