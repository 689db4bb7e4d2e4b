"""How long a card takes, beside Pillow drawing the same lines of text alone (run: python benchmarks/cards.py).

Every round draws words never seen before, so that no line is taken from the cache; grounds and fonts are kept,
as they are in the daemon. Times are CPU milliseconds of this process, the median of the rounds.
"""

import io
import json
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from PIL import Image, ImageDraw  # noqa: E402

from content import cards, stamps  # noqa: E402
from content.cards import Card  # noqa: E402
from content.fonts import face  # noqa: E402

ROUNDS = 25
NUMBERS = count(1000)
CARD = Card(
    title="Nộp hồ sơ đăng ký hộ kinh doanh trực tuyến, không cần đến trụ sở",
    topic="Dịch vụ công trực tuyến",
    ward="Phường Lê Thanh Nghị, thành phố Hải Phòng",
    hashtag="#HảiPhòngĐổiMớiSángTạo",
    date="Từ 8h00 đến 17h00 các ngày trong tuần",
    place="Bộ phận Một cửa phường Lê Thanh Nghị",
)


def fresh() -> Card:
    """The card with words that were never drawn before."""
    number = next(NUMBERS)
    return replace(CARD, title=f"{CARD.title} {number}", date=f"{CARD.date} {number}")


def photograph() -> bytes:
    """A noisy 2000×1500 JPEG, as heavy to decode as a photograph."""
    bands = [Image.effect_noise((500, 375), 70).resize((2000, 1500), Image.Resampling.BICUBIC) for _ in range(3)]
    out = io.BytesIO()
    Image.merge("RGB", bands).save(out, "JPEG", quality=90)
    return out.getvalue()


def reference(card: Card) -> None:
    """Pillow alone: the same lines at the same sizes on an empty canvas, not encoded."""
    image = Image.new("RGB", (1200, 630), (7, 52, 72))
    pen = ImageDraw.Draw(image)
    for line in cards.compose(card, "wide").words:
        pen.text((line.x, line.baseline), line.text, line.colour, face(line.weight, line.size), anchor="ls")


def median(job: Callable[[Card], object], prepare: Callable[[], Card]) -> tuple[float, float]:
    """CPU and wall milliseconds of one job, the median of the rounds after one to warm up."""
    cpu: list[float] = []
    wall: list[float] = []
    for number in range(ROUNDS + 1):
        card = prepare()
        started, clock = time.process_time(), time.perf_counter()
        job(card)
        if number:
            cpu.append(time.process_time() - started)
            wall.append(time.perf_counter() - clock)
    return round(statistics.median(cpu) * 1000, 1), round(statistics.median(wall) * 1000, 1)


def composed() -> Card:
    """A fresh card whose breaking of lines is already known, so that the reference times drawing only."""
    card = fresh()
    cards.compose(card, "wide")
    return card


def main() -> None:
    """Measure and print one JSON object."""
    photos = [photograph() for _ in range(3)]

    def pictured() -> Card:
        cards._placed.cache_clear()
        return replace(fresh(), photo=photos[0])

    def whole_new() -> Card:
        stamps.inked.cache_clear()
        return fresh()

    rows = {
        "flat card, wide": median(lambda card: cards.draw(card, "wide"), fresh),
        "flat card, square": median(lambda card: cards.draw(card, "square"), fresh),
        "flat card, wide, no line kept": median(lambda card: cards.draw(card, "wide"), whole_new),
        "photo card, wide": median(lambda card: cards.draw(card, "wide"), pictured),
        "reference: Pillow draws the same lines only": median(reference, composed),
    }
    print(
        json.dumps(
            {name: {"cpu_ms": cpu, "wall_ms": wall} for name, (cpu, wall) in rows.items()},
            ensure_ascii=False,
            indent=2,
        )
    )


if __name__ == "__main__":
    main()
