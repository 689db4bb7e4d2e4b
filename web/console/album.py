"""The photos of the composer's sheet: taken in, put in order, described. Nothing here keeps a post."""

from sqlmodel import Session

from campaigns import photos, views
from campaigns.drafting import DraftPicture
from campaigns.photos import Shot
from content.pictures import PictureMistake
from store.tables import Media
from web.forms import File, Typed
from web.session import Here


def receive(here: Here, form: Typed) -> str:
    """Keep the photos that came with the form and add them to it; gives what is wrong with those that cannot be used.

    What is good is kept whatever else came with it, so that nobody has to choose it again.
    """
    wrong = []
    for file in form.take("photo"):
        if len(chosen(form)) >= photos.MOST:
            wrong.append(
                f"Mỗi bài nhận tối đa {photos.MOST} ảnh; «{file.name}» chưa được thêm. Hãy bỏ bớt ảnh rồi chọn lại."
            )
            continue
        try:
            form.add("picture", str(_kept(here, file).id))
        except PictureMistake as mistake:
            wrong.append(f"«{file.name}»: {mistake}" if file.name else str(mistake))
    return " ".join(wrong)


def _kept(here: Here, file: File) -> Media:
    clean = photos.clean(file.data)
    with here.store.write() as session:
        return photos.keep(session, here.actor, here.ward_id, clean, here.desk.files, "", here.now)


def chosen(form: Typed) -> list[DraftPicture]:
    """The photos of the sheet in their order, each with its words, after the move that was asked for («len.12»)."""
    words = form.under("alt")
    ids = _moved(list(dict.fromkeys(form.numbers("picture"))), form.line("move"))
    return [DraftPicture(media_id=id, alt=words.get(str(id), "")) for id in ids]


def _moved(ids: list[int], asked: str) -> list[int]:
    verb, _, typed = asked.partition(".")
    if not typed.isdecimal() or int(typed) not in ids:
        return ids
    at = ids.index(int(typed))
    rest = ids[:at] + ids[at + 1 :]
    if verb == "bo":
        return rest
    to = {"len": at - 1, "xuong": at + 1}.get(verb, at)
    to = max(0, min(len(rest), to))
    return rest[:to] + [ids[at]] + rest[to:]


def shots(session: Session, here: Here, pictures: list[DraftPicture]) -> list[Shot]:
    """These photos with their rows; raises NotInWard when one is not of this ward."""
    return [Shot(views.mine(session, Media, one.media_id, here.ward_id), one.alt) for one in pictures]
