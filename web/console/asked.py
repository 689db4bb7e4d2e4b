"""What an address asks for, read leniently: a bad filter is no filter."""

from datetime import date


def number(text: str) -> int | None:
    """A whole number that may be an id or a page, or None."""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else None


def day(text: str) -> date | None:
    """A day as 2026-11-25 within this century, or None."""
    try:
        found = date.fromisoformat(text)
    except ValueError:
        return None
    return found if 2000 <= found.year <= 2100 else None
