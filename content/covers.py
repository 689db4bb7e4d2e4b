"""The square cover of a podcast: a card in the campaign's identity, as large as directories want it.

1400 to 3000 pixels a side, JPEG, RGB: https://podcasters.apple.com/support/896-artwork-requirements
"""

import io
from functools import lru_cache

from PIL import Image

from content.cards import Card, draw

SIDE = 1500
MIME = "image/jpeg"
_QUALITY = 88


@lru_cache(maxsize=64)
def cover(card: Card) -> bytes:
    """The cover as JPEG, ``SIDE`` pixels a side; drawn once for the same words."""
    with Image.open(io.BytesIO(draw(card, "square"))) as drawn:
        made = drawn.convert("RGB").resize((SIDE, SIDE), Image.Resampling.LANCZOS)
    kept = io.BytesIO()
    made.save(kept, "JPEG", quality=_QUALITY, optimize=True)
    return kept.getvalue()
