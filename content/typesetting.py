"""Setting Vietnamese words in a box: the largest size that fits, balanced lines, room for every stacked mark.

Lines are broken where a reader would breathe: not inside a name or a set phrase, not leaving one syllable alone.
The distance between lines comes from the real ink of these very lines, so that Ố never touches the g above it.
"""

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from math import ceil, inf

from content.fonts import Weight, drawable, face

Words = tuple[str, ...]

_REFERENCE = 100
_TIGHTEST = 1.14
_AIR = 0.075
_PHRASE_LIST = (
    "đổi mới sáng tạo", "dịch vụ công", "trực tuyến", "toàn trình", "hải phòng", "thành phố", "lê thanh nghị",
    "đông hải", "khởi nghiệp", "chuyển đổi số", "khoa học", "công nghệ", "ủy ban nhân dân", "người dân",
    "doanh nghiệp", "hộ kinh doanh", "sở hữu trí tuệ", "tài sản trí tuệ", "kinh tế tuần hoàn", "giáo dục",
    "ý tưởng", "sáng tạo", "thanh niên", "học sinh", "thủ tục hành chính", "hành chính", "nghị quyết",
    "quyết định", "kế hoạch", "đăng ký", "sản phẩm", "cuộc thi", "hội thi", "học tập chủ động", "hỗ trợ",
    "phát triển", "nông thôn", "môi trường", "đô thị", "thông minh", "truyền thông", "tuyên truyền", "hướng dẫn",
    "thông báo", "nhân dân", "cộng đồng", "phong trào", "tổ chức", "hồ sơ", "xã hội", "kinh tế", "trung tâm",
    "ngữ văn", "giới thiệu", "ngày hội", "gia đình", "trường học", "giáo viên", "thương mại", "điện tử", "nhãn hiệu", "chất lượng", "nâng cao",
    "sáng kiến", "kỹ năng", "cán bộ", "công chức", "đời sống", "sản xuất", "kinh doanh", "đầu tư", "nghiên cứu",
    "ứng dụng", "triển khai", "thực hiện", "tiết học", "bài học", "không cần", "trụ sở", "tài khoản", "định danh",
    "thanh toán", "giải pháp", "hợp tác", "phụ nữ", "cựu chiến binh", "đoàn viên", "tổ dân phố", "lễ hội",
    "phát động", "khai mạc", "kết quả", "giải thưởng", "tiêu biểu", "điển hình", "đề án", "nhiệm vụ", "hội thảo",
    "tập huấn", "an toàn", "thông tin", "quy định", "tham gia", "lan tỏa", "xây dựng", "công nghiệp", "chính sách", "kỹ thuật", "thi đua", "khu phố", "bảo vệ",
)  # fmt: skip
_PHRASES: dict[str, list[tuple[str, ...]]] = {}
for _phrase in _PHRASE_LIST:
    _PHRASES.setdefault(_phrase.split()[0], []).append(tuple(_phrase.split()))

_COUNTERS = frozenset(
    ["số", "ngày", "tháng", "năm", "quý", "điều", "khoản", "điểm", "tổ", "khóa", "lần", "giờ", "từ", "đến"]
)
# Words that belong to what follows them: a line that ends in one leaves the reader waiting.
_LEANING = frozenset(
    [
        "không",
        "và",
        "của",
        "cho",
        "tại",
        "đến",
        "từ",
        "trong",
        "mỗi",
        "các",
        "những",
        "về",
        "với",
        "để",
        "được",
        "là",
        "vào",
        "một",
        "có",
        "ở",
        "bằng",
        "hoặc",
        "do",
        "theo",
        "vì",
        "mọi",
        "khi",
        "ra",
        "hãy",
        "sẽ",
        "đã",
    ]
)


@dataclass(frozen=True)
class Setting:
    """A text set in lines: pixels; ``top`` is the first line's ink above its baseline, ``height`` ink to ink."""

    lines: tuple[str, ...]
    weight: Weight
    size: int
    leading: int
    top: int
    height: int
    width: int


def fit(text: str, weight: Weight, box: tuple[int, int], sizes: tuple[int, int], max_lines: int) -> Setting:
    """The text at the largest size of ``sizes`` (most, least) that fits ``box`` (width, height), all in pixels.

    Where even the least size does not fit, the text ends at a whole word with an ellipsis.
    """
    most, least = sizes
    words = _words(drawable(text), weight, box[0], least)
    tried = (
        broken
        for size in _attempts(words, weight, box, sizes, max_lines)
        for broken in _options(words, weight, size, box, max_lines)
    )
    for size, lines in sorted(tried, key=lambda pair: _score(words, weight, pair[0], pair[1], most)):
        setting = measure(lines, weight, size)
        if setting.width <= box[0] and setting.height <= box[1]:
            return setting
    return _cut(words, weight, least, box, max_lines)


def fit_line(text: str, weight: Weight, width: int, sizes: tuple[int, int]) -> Setting:
    """The text on one line no wider than ``width``; shrunk, then cut at a word."""
    return fit(text, weight, (width, 10_000), sizes, 1)


def _words(text: str, weight: Weight, width: int, least: int) -> Words:
    words: list[str] = []
    for word in text.split():
        if words and not any(letter.isalnum() for letter in word) and word not in ("“", "«", "("):
            words[-1] += f" {word}"
        else:
            words += _pieces(word, weight, width, least)
    return tuple(words) or ("",)


def _pieces(word: str, weight: Weight, width: int, least: int) -> list[str]:
    if _width(word, weight) * least / _REFERENCE <= width * 0.98:
        return [word]
    end = len(word) - 1
    while end > 1 and _width(word[:end], weight) * least / _REFERENCE > width * 0.98:
        end -= 1
    while end > 1 and unicodedata.combining(word[end]):
        end -= 1
    return [word[:end], *_pieces(word[end:], weight, width, least)]


@lru_cache(maxsize=8192)
def _width(word: str, weight: Weight) -> float:
    return face(weight, _REFERENCE).getlength(word)


def _attempts(words: Words, weight: Weight, box: tuple[int, int], sizes: tuple[int, int], max_lines: int) -> list[int]:
    """The largest size that may fit and three a little smaller, whose breaks may read better."""
    low, high = sizes[1], sizes[0]
    while low < high:
        middle = (low + high + 1) // 2
        lines = _greedy(words, weight, middle, box[0])
        fits = lines is not None and lines <= max_lines and (lines - 1) * middle * 1.22 + middle <= box[1]
        low, high = (middle, high) if fits else (low, middle - 1)
    return sorted({max(sizes[1], round(low * part)) for part in (1, 0.95, 0.9, 0.84, 0.76)}, reverse=True)


def _greedy(words: Words, weight: Weight, size: int, width: int) -> int | None:
    lines, used, scale = 1, 0.0, size / _REFERENCE
    space = _width(" ", weight) * scale
    for word in words:
        wide = _width(word, weight) * scale
        if wide > width:
            return None
        if used and used + space + wide > width:
            lines, used = lines + 1, 0.0
        used += wide + (space if used else 0)
    return lines


def _options(
    words: Words, weight: Weight, size: int, box: tuple[int, int], max_lines: int
) -> Iterator[tuple[int, tuple[str, ...]]]:
    """The best breaks into as few lines as this size allows, and into one more."""
    count = _greedy(words, weight, size, box[0])
    if count is None:
        return
    for lines in range(count, min(count + 1, max_lines) + 1):
        broken = _broken(words, weight, size, box[0], lines)
        if broken:
            yield size, broken


def _broken(words: Words, weight: Weight, size: int, width: int, count: int) -> tuple[str, ...] | None:
    """Breaks into exactly ``count`` lines of the least cost, or None where the words do not allow it."""
    scale = size / _REFERENCE
    wide = [_width(word, weight) * scale for word in words]
    space = _width(" ", weight) * scale
    ideal = min(width, (sum(wide) + space * (len(words) - 1)) / count * 1.04)
    costs = break_costs(words)
    best: list[list[tuple[float, int]]] = [[(inf, 0)] * (len(words) + 1) for _ in range(count + 1)]
    best[0][0] = (0.0, 0)
    for line in range(1, count + 1):
        for end in range(line, len(words) + 1):
            best[line][end] = _cheapest(best[line - 1], wide, space, end, width, ideal, costs)
    return _unwound(words, best, count)


def _cheapest(
    before: list[tuple[float, int]],
    wide: list[float],
    space: float,
    end: int,
    width: int,
    ideal: float,
    costs: list[float],
) -> tuple[float, int]:
    choice, used = (inf, 0), -space
    for start in range(end - 1, -1, -1):
        used += wide[start] + space
        if used > width:
            break
        slack = (used - ideal) / ideal
        lone = 1.5 if end == len(wide) and end - start == 1 and start else 0.0
        cost = before[start][0] + slack * slack + lone + (costs[end] if end < len(wide) else 0.0)
        if cost < choice[0]:
            choice = (cost, start)
    return choice


def _unwound(words: Words, best: list[list[tuple[float, int]]], count: int) -> tuple[str, ...] | None:
    if best[count][len(words)][0] == inf:
        return None
    lines: list[str] = []
    end = len(words)
    for line in range(count, 0, -1):
        start = best[line][end][1]
        lines.insert(0, " ".join(words[start:end]))
        end = start
    return tuple(lines)


@lru_cache(maxsize=256)
def break_costs(words: Words) -> list[float]:
    """What a line break before each word costs the reader: dear inside names and set phrases, cheap after a comma."""
    plain = [word.strip("“”«»\"'(),.;:!?… –-").lower() for word in words]
    shouting = sum(word.isupper() for word in words) > len(words) / 2
    costs = [0.0, *(_cost(before, after, shouting) for before, after in pairwise(words)), 0.0]
    for start, word in enumerate(plain):
        for phrase in _PHRASES.get(word, ()):
            if tuple(plain[start : start + len(phrase)]) == phrase:
                inside = slice(start + 1, start + len(phrase))
                costs[inside] = [max(cost, 0.6) for cost in costs[inside]]
    return costs


def _cost(before: str, after: str, shouting: bool) -> float:
    if before[-1] in ",;:.!?…–-”»":
        return -0.12
    if after[0].isdigit() and before.lower() in _COUNTERS:
        return 0.6
    if before[-1].isdigit() or after[0].isdigit() or after.lower() == "số" or before.lower() in _LEANING:
        return 0.3 if before[-1].isdigit() or after[0].isdigit() else 0.18
    if not shouting and before[0].isupper() and after[0].isupper():
        return 0.5
    return 0.05


def _score(words: Words, weight: Weight, size: int, lines: tuple[str, ...], most: int) -> float:
    """How far from ideal: small against ``most``, ragged, a lone last syllable, a broken phrase."""
    costs, place, broken = break_costs(words), 0, 0.0
    widths: list[float] = []
    for line in lines:
        start, place = place, place + _count(words, place, line)
        widths.append(sum(_width(word, weight) for word in words[start:place]))
        broken += costs[place]
    lone = 0.5 if len(lines) > 1 and " " not in lines[-1] else 0.0
    return 1.8 * (1 - size / most) + 0.3 * (1 - min(widths) / max(*widths, 1)) + broken + lone


def _count(words: Words, start: int, line: str) -> int:
    """How many words the line took."""
    end, left = start, len(line) + 1
    while left > 0 and end < len(words):
        left -= len(words[end]) + 1
        end += 1
    return end - start


@lru_cache(maxsize=512)
def measure(lines: tuple[str, ...], weight: Weight, size: int) -> Setting:
    """These very lines at this size, with the leading that keeps their ink apart."""
    font = face(weight, size)
    boxes = [font.getbbox(line, anchor="ls") for line in lines]
    air = ceil(size * _AIR)
    needed = [ceil(upper[3] - lower[1]) + air for upper, lower in pairwise(boxes)]
    leading = max([ceil(size * _TIGHTEST), *needed])
    top = ceil(-boxes[0][1])
    height = top + leading * (len(lines) - 1) + ceil(boxes[-1][3])
    width = ceil(
        max(max(box[2], font.getlength(line)) - min(0, box[0]) for box, line in zip(boxes, lines, strict=True))
    )
    return Setting(lines, weight, size, leading, top, height, width)


def _cut(words: Words, weight: Weight, size: int, box: tuple[int, int], max_lines: int) -> Setting:
    for kept in range(len(words) - 1, 0, -1):
        shorter = (*words[: kept - 1], words[kept - 1].rstrip(" ,;:.–-") + "…")
        for _, lines in _options(shorter, weight, size, box, max_lines):
            setting = measure(lines, weight, size)
            if setting.width <= box[0] and setting.height <= box[1]:
                return setting
    return measure(("…",), weight, size)
