"""The REST API of one site: calls, and models of what it answers (https://developer.wordpress.org/rest-api/reference/)."""

import base64
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, RootModel

from channels.contract import Deferred, Refused, Tools, Unknown
from channels.wire import Answer, Seen
from channels.wordpress.errors import outcome
from channels.wordpress.settings import WordPressSettings

Heard = Answer | Deferred | Refused | Unknown

POSTS = "/wp/v2/posts"
MEDIA = "/wp/v2/media"
POST_FIELDS = "id,slug,status,link"
MEDIA_FIELDS = "id,source_url,alt_text"


class _Lenient(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class Post(_Lenient):
    """A post: ``status`` is publish, future, draft, pending, private, trash or a plug-in's own."""

    id: int = Field(gt=0)
    slug: str
    status: str
    link: str = ""


class Posts(RootModel[list[Post]]):
    """A list of posts."""


class Media(_Lenient):
    """A file of the media library."""

    id: int = Field(gt=0)
    source_url: str = Field(pattern=r"^https?://")
    alt_text: str = ""


class MediaList(RootModel[list[Media]]):
    """A list of files."""


class Term(_Lenient):
    """A category or a tag; its name comes with HTML entities (Tin &amp; bài)."""

    id: int = Field(gt=0)
    name: str = ""


class Terms(RootModel[list[Term]]):
    """A list of terms."""


class Me(_Lenient):
    """The user whose password this is, with what the role allows."""

    id: int = Field(gt=0)
    capabilities: dict[str, bool] = {}


class Index(_Lenient):
    """The front door of the API; ``authentication`` names the ways in, and is an empty list where there is none."""

    name: str
    authentication: dict[str, Any] | list[Any] = []


class Api:
    """The calls of one site, each tried once. An Answer is a good one (2xx); everything else has become an outcome."""

    def __init__(self, tools: Tools, settings: WordPressSettings) -> None:
        self._tools = tools
        self._site = settings.site_url
        self._by_query = settings.plain_permalinks
        pair = f"{settings.user}:{settings.password.get_secret_value()}"
        self._headers = {"authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}

    async def get(self, route: str, **params: str | int) -> Heard:
        """Read."""
        return self._read(await self.call("GET", route, params))

    async def post(self, route: str, fields: dict[str, Any], shown: str, visible: bool = False) -> Heard:
        """Make or change something; ``shown`` are the fields that are wanted back."""
        return self._read(await self.call("POST", route, {"_fields": shown}, visible=visible, json=fields))

    async def upload(self, name: str, mime: str, content: bytes, fields: dict[str, str], longer: float = 0) -> Heard:
        """Put a file into the media library, with what is said of it; a large one may take ``longer`` seconds more."""
        files = {"file": (name, content, mime)}
        shown: dict[str, str | int] = {"_fields": MEDIA_FIELDS}
        return self._read(await self.call("POST", MEDIA, shown, files=files, data=fields, longer=longer))

    async def call(self, method: str, route: str, params: dict[str, str | int], **request: Any) -> Seen:
        """One call, and what was seen of it."""
        url = f"{self._site}/" if self._by_query else f"{self._site}/wp-json{route}"
        asked = {"rest_route": route, **params} if self._by_query else params
        return await self._tools.wire.call(method, url, params=asked, headers=self._headers, **request)

    async def answers_by_query(self) -> bool:
        """Whether the API answers by ``?rest_route=``, as it does on a site whose addresses are plain."""
        asked = {"rest_route": "/", "_fields": "name"}
        seen = await self._tools.wire.call("GET", f"{self._site}/", params=asked, headers=self._headers)
        return isinstance(seen, Answer) and seen.status == 200 and seen.read(Index) is not None

    def failed(self, seen: Seen) -> Deferred | Refused | Unknown:
        """The outcome of an answer that is not the good one."""
        return outcome(seen, self._tools.now())

    def _read(self, seen: Seen) -> Heard:
        return seen if isinstance(seen, Answer) and 200 <= seen.status < 300 else self.failed(seen)
