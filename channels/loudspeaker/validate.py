"""What a script is like and what is wrong with it, in Vietnamese."""

from typing import Any

from channels.contract import Message, Problem
from channels.loudspeaker.script import Script
from content.speech import Region, length_in_words, mark, seconds
from content.text import words
from content.voice import MAX_LETTERS

CHIME_SECONDS = 6
_SHORT = 15
_SHOWN = 10


def facts(made: Script, region: Region) -> dict[str, Any]:
    """Estimated length with the chimes, doubts with their reasons, syllables of title and body, and how these are read."""
    length = round(seconds(made.text)) + CHIME_SECONDS
    return {
        "seconds": length,
        "length": length_in_words(length),
        "doubts": [{"written": doubt.written, "why": str(doubt.why), "said": doubt.said} for doubt in made.doubts],
        "syllables": words(made.body),
        "region": region,
        "reading": {
            "written": made.written, "spoken": made.body, "mark": mark(made.plain), "own": bool(made.own),
            "stale": made.stale, "lost": list(made.lost),
        },
    }  # fmt: skip


def problems(message: Message, max_minutes: int) -> list[Problem]:
    """The problems of a message by the slot's length and the ear; pure."""
    said = message.parts[0].body
    count = _count(message)
    if not said.strip() or count == 0:
        return [Problem(level="error", text="Bản tin chưa có lời đọc; hãy viết nội dung cho loa truyền thanh.")]
    recorded = message.extra.get("recorded")
    if isinstance(recorded, dict):
        return [*_recorded(recorded, max_minutes), *_brevity(count), *_own_reading(message)]
    return [*_length(said, max_minutes), *_brevity(count), *_own_reading(message), *_doubts(message)]


def _count(message: Message) -> int:
    count = message.extra.get("syllables")
    return count if isinstance(count, int) else words(message.parts[0].body)


def _length(said: str, max_minutes: int) -> list[Problem]:
    length = round(seconds(said)) + CHIME_SECONDS
    if length <= max_minutes * 60 and len(said) <= MAX_LETTERS:
        return []
    text = (
        f"Bản tin dài {length_in_words(length)}, quá {max_minutes} phút cho một chương trình. "
        "Hãy rút gọn hoặc chia thành nhiều bản tin."
    )
    return [Problem(level="error", text=text)]


def _recorded(recorded: dict[str, Any], max_minutes: int) -> list[Problem]:
    length = round(recorded["seconds"]) + CHIME_SECONDS
    found = []
    if recorded["stale"]:
        text = (
            "Lời đọc đã đổi sau khi thu âm; hãy mở trang «Thu âm», nghe lại rồi thu lại hoặc xác nhận bản thu vẫn đúng."
        )
        found.append(Problem(level="error", text=text))
    if length > max_minutes * 60:
        text = (
            f"Bản thu dài {length_in_words(length)}, quá {max_minutes} phút cho một chương trình. "
            "Hãy rút gọn hoặc chia thành nhiều bản tin."
        )
        found.append(Problem(level="error", text=text))
    return found


def _brevity(count: int) -> list[Problem]:
    if count >= _SHORT:
        return []
    text = f"Bản tin chỉ có {count} tiếng, bà con chưa kịp nghe đã hết; hãy nói rõ hơn hoặc nhắc lại ý chính."
    return [Problem(level="warning", text=text)]


def _own_reading(message: Message) -> list[Problem]:
    reading = message.extra.get("reading")
    if not isinstance(reading, dict):
        return []
    if reading["stale"]:
        text = "Bài đã đổi sau khi sửa lời đọc; hãy xem lại lời đọc ở phần xem trước rồi sửa lại hoặc bỏ bản sửa."
        return [Problem(level="error", text=text)]
    if reading["lost"]:
        text = f"Lời đọc đã sửa không còn nói: {', '.join(reading['lost'])}. Hãy kiểm tra lại với bài viết."
        return [Problem(level="warning", text=text)]
    return []


def _doubts(message: Message) -> list[Problem]:
    doubts = [f"«{doubt['written']}»" for doubt in message.extra.get("doubts", []) if isinstance(doubt, dict)]
    if not doubts:
        return []
    rest = f" và {len(doubts) - _SHOWN} chỗ khác" if len(doubts) > _SHOWN else ""
    text = f"Chưa chắc cách đọc {', '.join(doubts[:_SHOWN])}{rest}; hãy sửa ở phần lời đọc bên dưới bản xem trước."
    return [Problem(level="warning", text=text)]
