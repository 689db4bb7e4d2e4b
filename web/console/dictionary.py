"""«Từ điển đọc»: the ward's own readings, what ships with the program, and a field to try them in."""

from fastapi import APIRouter, Request
from fastapi.responses import Response

from campaigns import dictionary, views
from campaigns.catalogue import fold
from campaigns.people import Mistake
from content.speech import default_lexicon, lexicon_of, pieces, say
from store.tables import DictionaryEntry, Ward
from web.console.pages import done, page
from web.forms import Form, Typed
from web.session import Here, Visitor

router = APIRouter()

HOME = "/quan-tri/tu-dien-doc"
LONGEST_TRIAL = 2_000
MOST_SHIPPED = 60


@router.get("/tu-dien-doc")
def entries(request: Request, here: Visitor, tim: str = "", thu: str = "", sua: str = "") -> Response:
    """The ward's readings, those to be confirmed first; ``thu`` is a text to be read for a trial, ``sua`` a word to change."""
    return _page(request, here, tim, thu, sua)


@router.post("/tu-dien-doc")
def put(request: Request, here: Visitor, form: Form) -> Response:
    """Add a reading, or change the one that is there."""
    try:
        with here.store.write() as session:
            ward = session.get_one(Ward, here.ward_id)
            entry = dictionary.put(session, here.actor, ward, form.line("written"), form.line("spoken"), here.now)
    except Mistake as mistake:
        return _page(request, here, "", "", "", form, str(mistake))
    waits = "" if entry.state == dictionary.CONFIRMED else " Cách đọc này dùng ngay và chờ người duyệt xác nhận."
    return done(here, HOME, f"Đã lưu: «{entry.written}» đọc là «{entry.spoken}».{waits}")


@router.post("/tu-dien-doc/mien")
def region(request: Request, here: Visitor, form: Form) -> Response:
    """Choose whose number words are read."""
    try:
        with here.store.write() as session:
            dictionary.set_region(
                session, here.actor, session.get_one(Ward, here.ward_id), form.line("region"), here.now
            )
    except Mistake as mistake:
        return _page(request, here, "", "", "", None, str(mistake))
    return done(here, HOME, "Đã đổi cách đọc số.")


@router.post("/tu-dien-doc/{entry_id:int}/xac-nhan")
def confirm(request: Request, here: Visitor, entry_id: int) -> Response:
    """Stand by a proposed reading."""
    try:
        with here.store.write() as session:
            entry = views.mine(session, DictionaryEntry, entry_id, here.ward_id)
            dictionary.confirm(session, here.actor, session.get_one(Ward, here.ward_id), entry, here.now)
    except Mistake as mistake:
        return _page(request, here, "", "", "", None, str(mistake))
    return done(here, HOME, f"Đã xác nhận cách đọc «{entry.written}».")


@router.post("/tu-dien-doc/{entry_id:int}/bo")
def remove(request: Request, here: Visitor, entry_id: int) -> Response:
    """End a reading."""
    try:
        with here.store.write() as session:
            entry = views.mine(session, DictionaryEntry, entry_id, here.ward_id)
            dictionary.remove(session, here.actor, session.get_one(Ward, here.ward_id), entry, here.now)
    except Mistake as mistake:
        return _page(request, here, "", "", "", None, str(mistake))
    return done(here, HOME, f"Đã bỏ cách đọc «{entry.written}».")


def _page(
    request: Request, here: Here, words: str, trial: str, word: str, typed: Typed | None = None, mistake: str = ""
) -> Response:
    trial = trial[:LONGEST_TRIAL].strip()
    with here.store.read() as session:
        rows = dictionary.rows(session, here.ward_id, words)
        everything = rows if not words else dictionary.rows(session, here.ward_id)
        ward = session.get_one(Ward, here.ward_id)
        manner = dictionary.manner(session, ward)
    reading = say(trial, lexicon_of(manner), manner.region) if trial else None
    known = next((row.entry for row in everything if row.entry.written == word), None)
    return page(
        request, here, "dictionary.html", 422 if mistake else 200, rows=rows, count=len(everything), search=words, trial=trial,
        reading=reading, cut=pieces(trial, reading.doubts) if reading else [], shipped=_shipped(words), known=known, word=word,
        typed=typed or Typed(()), mistake=mistake, adding=typed is not None, regions=dictionary.REGIONS, region=ward.region,
        waiting=sum(not row.confirmed for row in everything),
    )  # fmt: skip


def _shipped(words: str) -> list[tuple[str, str]]:
    """What the shipped dictionary says of the words that are looked for; none while nothing is."""
    parts = fold(words).split()
    if not parts:
        return []
    shipped = default_lexicon()
    known = {**shipped.foreign, **shipped.doubtful, **shipped.words}
    found = [(key, said) for key, said in known.items() if all(part in fold(f"{key} {said}") for part in parts)]
    return sorted(found, key=lambda pair: fold(pair[0]))[:MOST_SHIPPED]
