"""Everything of a post that nobody sees yet: its pictures in the media library, its terms, its draft. May be repeated.

Nothing is made twice: pictures and drafts are looked for by a name of their own first, and a tag that is there already
is said by WordPress with its id.
"""

import html as escaping
from typing import Any

from channels.contract import EMPTY, Clip, Deferred, Handle, Message, Picture, Reason, Refused, Tools, Unknown
from channels.seen import invisible
from channels.wire import Answer, Seen
from channels.wordpress import render
from channels.wordpress.api import (
    MEDIA,
    MEDIA_FIELDS,
    POST_FIELDS,
    POSTS,
    Api,
    Media,
    MediaList,
    Post,
    Posts,
    Term,
    Terms,
)
from channels.wordpress.errors import failure
from channels.wordpress.settings import WordPressSettings
from content.text import nfc

Stop = Deferred | Refused

STATUSES = "publish,future,draft,pending,private,trash"
_TERM_PAGES = 5
_ENDINGS = {"image/png": "png", "video/mp4": "mp4", "audio/mpeg": "mp3"}
_OUT_FIRST = ("publish", "future", "pending", "private", "draft")
IN_TRASH = (
    "Bài này đang nằm trong thùng rác của WordPress. Hãy khôi phục hoặc xóa hẳn ở đó, rồi cho đăng lại."
)  # fmt: skip


class Staging:
    """The unseen work for the posts of one site."""

    def __init__(self, api: Api, tools: Tools, settings: WordPressSettings) -> None:
        self._api, self._tools, self._settings = api, tools, settings

    async def ready(self, message: Message, part: int, handle: Handle) -> Handle | Stop:
        """The draft's id with its pictures and terms; ``handle`` is what an earlier call left behind."""
        pictures = await self._pictures(message.parts[part].pictures, handle)
        if isinstance(pictures, Stop):
            return pictures
        clip = await self._clip(message.parts[part].clip, handle)
        if isinstance(clip, Stop):
            return clip
        terms = await self._terms(tuple(message.extra.get("topics", ())), handle)
        if isinstance(terms, Stop):
            return terms
        staged = {"pictures": pictures, **({"clip": clip} if clip else {}), **terms}
        id = await self._draft(message, part, handle, staged)
        return id if isinstance(id, Stop) else Handle(data={"id": id, **staged})

    async def pictures(self, message: Message, part: int) -> list[dict[str, Any]] | Stop:
        """Where the part's pictures are in the site's library, those of a post that is out too."""
        return await self._pictures(message.parts[part].pictures, EMPTY)

    async def clip(self, message: Message, part: int) -> dict[str, Any] | Stop | None:
        """Where the part's video or sound is in the site's library; None where it has none."""
        return await self._clip(message.parts[part].clip, EMPTY)

    async def _clip(self, clip: Clip | None, handle: Handle) -> dict[str, Any] | Stop | None:
        if clip is None:
            return None
        file = render.clip_file(clip)
        name, known = render.file_name(file), handle.data.get("clip")
        return known if known and known["name"] == name else await self._picture(file, name, clip.carrying_seconds)

    async def _pictures(self, pictures: tuple[Picture, ...], handle: Handle) -> list[dict[str, Any]] | Stop:
        known = {one["name"]: one for one in handle.data.get("pictures", [])}
        found = []
        for picture in pictures:
            name = render.file_name(picture)
            media = known.get(name) or await self._picture(picture, name)
            if isinstance(media, Stop):
                return media
            found.append(media)
        return found

    async def _picture(self, picture: Picture, name: str, longer: float = 0) -> dict[str, Any] | Stop:
        media = await self._in_library(name, picture)
        if media is None:
            media = await self._uploaded(name, picture, longer)
        return media if isinstance(media, Stop) else {"name": name, "id": media.id, "url": media.source_url}

    async def _in_library(self, name: str, picture: Picture) -> Media | Stop | None:
        seen = await self._api.get(MEDIA, slug=name, context="edit", _fields=MEDIA_FIELDS)
        if not isinstance(seen, Answer):
            return invisible(seen)
        media = seen.read(MediaList)
        if media is None:
            return self._unreadable(seen)
        if not media.root:
            return None
        return await self._described(media.root[0], picture)

    async def _described(self, media: Media, picture: Picture) -> Media | Stop:
        """An upload that broke off may lack its description: it is told again."""
        if media.alt_text or not picture.alt.strip():
            return media
        seen = await self._api.post(f"{MEDIA}/{media.id}", {"alt_text": nfc(picture.alt)}, MEDIA_FIELDS)
        return media if isinstance(seen, Answer) else invisible(seen)

    async def _uploaded(self, name: str, picture: Picture, longer: float) -> Media | Stop:
        try:
            content = self._tools.shelf.read(picture.sha256)
        except FileNotFoundError:
            return Refused(reason=Reason.BAD_MEDIA, detail="Ảnh, video hoặc tiếng của bài không còn trong kho tư liệu.")
        file, told = f"{name}.{_ENDINGS.get(picture.mime, 'jpg')}", {"alt_text": nfc(picture.alt)}
        seen = await self._api.upload(file, picture.mime, content, told, longer)
        if not isinstance(seen, Answer):
            return invisible(seen)
        return seen.read(Media) or self._unreadable(seen)

    async def _terms(self, topics: tuple[str, ...], handle: Handle) -> dict[str, list[int]] | Stop:
        if handle.data.get("id"):
            return {name: list(handle.data.get(name, [])) for name in ("categories", "tags")}
        categories = await self._categories()
        if isinstance(categories, Stop):
            return categories
        tags = []
        for name in dict.fromkeys((*self._settings.tags, *(topics if self._settings.topic_tags else ()))):
            tag = await self._tag(name)
            if isinstance(tag, Stop):
                return tag
            tags.append(tag)
        return {"categories": categories, "tags": tags}

    async def _categories(self) -> list[int] | Stop:
        """The ids of the categories in the settings; a category is never made, its place in the menu is the site's own."""
        if not self._settings.categories:
            return []
        there = await self._all_categories()
        if isinstance(there, Stop):
            return there
        missing = missing_categories(self._settings, there)
        if missing:
            return Refused(reason=Reason.MISCONFIGURED, detail=without_category(missing))
        return [there[name.casefold()] for name in self._settings.categories]

    async def _all_categories(self) -> dict[str, int] | Stop:
        seen = await categories(self._api)
        return invisible(seen) if isinstance(seen, Deferred | Refused | Unknown) else seen

    async def _tag(self, name: str) -> int | Stop:
        """The tag's id: made now, or told by WordPress because it is there (``term_exists``)."""
        seen = await self._api.call("POST", "/wp/v2/tags", {"_fields": "id,name"}, json={"name": escaping.escape(name)})
        said = failure(seen)
        if said is not None and said.code == "term_exists" and said.term_id:
            return said.term_id
        made = seen.read(Term) if isinstance(seen, Answer) and seen.status == 201 else None
        return made.id if made else invisible(self._api.failed(seen))

    async def _draft(self, message: Message, part: int, handle: Handle, staged: dict[str, Any]) -> int | Stop:
        held = await self._held(message, handle)
        if isinstance(held, Stop):
            return held
        if held is not None:
            return Refused(reason=Reason.REJECTED, detail=IN_TRASH) if held.status == "trash" else held.id
        fields = render.fields(message, part, staged, "draft", self._settings.picture_in_body)
        seen = await self._api.post(POSTS, fields, POST_FIELDS)
        if not isinstance(seen, Answer):
            return invisible(seen)
        made = seen.read(Post)
        return made.id if made else self._unreadable(seen)

    async def _held(self, message: Message, handle: Handle) -> Post | Stop | None:
        """What WordPress holds of this message: by its id, and by its name where the id leads nowhere any more."""
        seen = await look_up(self._api, message, handle)
        return invisible(seen) if isinstance(seen, Deferred | Refused | Unknown) else seen

    def _unreadable(self, seen: Seen) -> Stop:
        return invisible(self._api.failed(seen))


async def look_up(api: Api, message: Message, handle: Handle) -> Post | Deferred | Refused | Unknown | None:
    """The post of a message as WordPress holds it now, one that is out before all others; None where it holds none."""
    if handle.data.get("id"):
        seen = await api.get(f"{POSTS}/{handle.data['id']}", context="edit", _fields=POST_FIELDS)
        if isinstance(seen, Answer):
            return seen.read(Post) or api.failed(seen)
        if not (isinstance(seen, Refused) and seen.reason is Reason.NOT_FOUND):
            return seen
    posts = await named(api, render.names(message), STATUSES)
    return posts if isinstance(posts, Deferred | Refused | Unknown) else min(posts, key=_rank, default=None)


async def named(api: Api, names: tuple[str, ...], statuses: str) -> list[Post] | Deferred | Refused | Unknown:
    """Every post of these names and statuses; asked as one who may edit, so that an empty list is a true one."""
    asked: dict[str, str | int] = {"slug": ",".join(names), "status": statuses, "per_page": 20}
    seen = await api.get(POSTS, **asked, context="edit", _fields=POST_FIELDS)
    if not isinstance(seen, Answer):
        return seen
    posts = seen.read(Posts)
    return api.failed(seen) if posts is None else posts.root


async def categories(api: Api) -> dict[str, int] | Deferred | Refused | Unknown:
    """The ids of the site's categories by their names in small letters; at most five hundred are read."""
    found: dict[str, int] = {}
    for page in range(1, _TERM_PAGES + 1):
        seen = await api.get("/wp/v2/categories", per_page=100, page=page, _fields="id,name")
        if not isinstance(seen, Answer):
            return seen
        terms = seen.read(Terms)
        if terms is None:
            return api.failed(seen)
        found |= {nfc(escaping.unescape(term.name)).casefold(): term.id for term in terms.root}
        if len(terms.root) < 100:
            break
    return found


def missing_categories(settings: WordPressSettings, there: dict[str, int]) -> list[str]:
    """The categories of the settings that the site does not have."""
    return [name for name in settings.categories if name.casefold() not in there]


def without_category(missing: list[str]) -> str:
    """What to do about them, in Vietnamese."""
    names = ", ".join(f"«{name}»" for name in missing)
    return f"WordPress chưa có chuyên mục {names}; hãy tạo ở mục Bài viết › Chuyên mục, hoặc sửa thiết lập kênh."


def _rank(post: Post) -> int:
    return _OUT_FIRST.index(post.status) if post.status in _OUT_FIRST else len(_OUT_FIRST)
