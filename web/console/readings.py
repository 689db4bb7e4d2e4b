"""The reading beside the written text: an editor's own reading of a post, and doubtful words mended in one click."""

from typing import Any

from campaigns import dictionary
from campaigns.drafting import DraftReading
from campaigns.people import Action, may
from content.speech import Doubt, Why, mark, pieces
from store.tables import Ward
from web.forms import Typed
from web.session import Here


def typed(form: Typed) -> dict[int, DraftReading]:
    """The editor's own readings by outlet; what stands there as it was shown is no change.

    Beside each text stands what it was when it was shown: its own mark, the mark of the reading that it was made from
    (none for the rules' own reading), and that of the rules' reading of now.
    """
    found: dict[int, DraftReading] = {}
    was = form.under("reading_was")
    for key, text in form.under("reading").items():
        if not key.isdigit() or not text.strip() or form.text("reading_auto") == key:
            continue
        shown, made_from, now = (was.get(key, "").split(":") + ["", "", ""])[:3]
        kept = DraftReading(text=text)
        if mark(kept.text) == shown and form.text("reading_right") != key:
            if made_from:
                found[int(key)] = DraftReading(text=text, of=made_from)
        else:
            found[int(key)] = DraftReading(text=text, of=now)
    return found


def save_word(here: Here, form: Typed, key: str) -> str:
    """Keep one doubtful word's reading in the ward's dictionary; gives what to tell. Raises Forbidden or Mistake."""
    written, spoken = form.line(f"fix_written.{key}"), form.line(f"fix_spoken.{key}")
    with here.store.write() as session:
        ward = session.get_one(Ward, here.ward_id)
        entry = dictionary.put(session, here.actor, ward, written, spoken, here.now)
        here.ward.readings = ward.readings
    if may(here.actor, Action.APPROVE):
        return f"Đã lưu vào từ điển đọc: «{entry.written}» đọc là «{entry.spoken}»."
    return f"Đã lưu «{entry.written}» đọc là «{entry.spoken}»; cách đọc này dùng ngay và chờ người duyệt xác nhận."


def columns(reading: dict[str, Any], doubts: list[dict[str, str]]) -> list[tuple[list[tuple[str, Doubt | None]], str]]:
    """Written and read paragraph by paragraph, the written one cut at its doubtful places.

    An editor's own reading need not have the same paragraphs: it then stands beside the whole.
    """
    found = [Doubt(one["written"], Why(one["why"]), one["said"]) for one in doubts]
    written, spoken = reading["written"].split("\n"), reading["spoken"].split("\n")
    if len(written) != len(spoken):
        written, spoken = [reading["written"]], [reading["spoken"]]
    return [(pieces(one, found), said) for one, said in zip(written, spoken, strict=True)]
