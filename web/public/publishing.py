"""The publishing address: what a ward's website channel writes to, with the ward's token.

PUT    /_publish/{ward}/{key}          put an article under a key (200 known key, 201 new); with a «correction» only in
                                       the place of one that is there (404 else)
GET    /_publish/{ward}/{key}          what is under a key
GET    /_publish/{ward}/{key}/visits   how often it was opened
DELETE /_publish/{ward}/{key}          take it down
GET    /_publish/{ward}                everything, oldest first (?offset=, ?limit=)
PUT    /_publish/{ward}/_tep/{sha256}  bring a picture, a video or a sound
"""

import hashlib
import hmac
import io
import re
import warnings
from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Literal, Self

from PIL import Image
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, HttpUrl, ValidationError, model_validator
from sqlmodel import Session
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from campaigns import articles, visits
from store.tables import Article, Ward
from web.public.links import media_type_of
from web.public.site import Site, row_id

MAX_BODY = 512_000
MAX_PICTURE = 5_000_000
MAX_CLIP = 50_000_000
MAX_PIXELS = 24_000_000
MAX_LISTED = 500
_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,119}")
_CLIPS = frozenset({"video/mp4", "audio/mpeg"})
_PICTURES = {"image/jpeg": "JPEG", "image/png": "PNG", "image/webp": "WEBP"}


class _Given(BaseModel):
    model_config = ConfigDict(extra="forbid")


class GivenPicture(_Given):
    """A picture that was brought before."""

    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    mime: str = Field(pattern=r"^image/(jpeg|png|webp)$")
    width: int = Field(ge=1, le=20_000)
    height: int = Field(ge=1, le=20_000)
    alt: str = Field(default="", max_length=1000)


class GivenClip(_Given):
    """A video or a sound that was brought before, with its words for those who cannot see or hear it."""

    kind: Literal["video", "audio"]
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    mime: str = Field(pattern=r"^(video/mp4|audio/mpeg)$")
    size: int = Field(ge=1)
    seconds: float = Field(ge=0, le=86_400)
    width: int = Field(ge=0, le=20_000)
    height: int = Field(ge=0, le=20_000)
    title: str = Field(default="", max_length=300)
    about: str = Field(default="", max_length=5_000)
    poster: GivenPicture | None = None

    def files(self) -> list[str]:
        """The hashes of its files."""
        return [self.sha256, *([self.poster.sha256] if self.poster else [])]


class GivenSource(_Given):
    """Where the facts come from."""

    name: str = Field(min_length=1, max_length=300)
    url: HttpUrl | None = None


class GivenCorrection(_Given):
    """What was wrong with the words that this article takes the place of, and when that was decided."""

    note: str = Field(default="", max_length=1000)
    at: AwareDatetime


class GivenEvent(_Given):
    """What an article invites to."""

    name: str = Field(min_length=1, max_length=300, pattern=r"\S")
    starts_at: AwareDatetime
    ends_at: AwareDatetime | None = None
    place: str = Field(default="", max_length=300)

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.ends_at is not None and self.ends_at <= self.starts_at:
            raise ValueError("ends_at must come after starts_at")
        return self


class GivenArticle(_Given):
    """The body of a PUT."""

    slug: str = Field(pattern=r"^[0-9]{4}/[a-z0-9]+(-[a-z0-9]+)*$", max_length=100)
    title: str = Field(min_length=1, max_length=300, pattern=r"\S")
    summary: str = Field(default="", max_length=1000)
    html: str = Field(min_length=1, max_length=200_000)
    picture: GivenPicture | None = None
    gallery: list[GivenPicture] = Field(default=[], max_length=19)
    clip: GivenClip | None = None
    link: HttpUrl | None = None
    topics: list[Annotated[str, Field(min_length=1, max_length=80)]] = Field(default=[], max_length=10)
    source: GivenSource | None = None
    event: GivenEvent | None = None
    published_at: AwareDatetime
    correction: GivenCorrection | None = None

    def words(self) -> articles.NewArticle:
        """The article as the site keeps it."""
        return articles.NewArticle(
            slug=self.slug,
            title=self.title,
            html=self.html,
            published_at=self.published_at,
            summary=self.summary,
            picture=self.picture.model_dump() if self.picture else None,
            gallery=[picture.model_dump() for picture in self.gallery],
            clip=self.clip.model_dump() if self.clip else None,
            topics=tuple(self.topics),
            source_name=self.source.name if self.source else "",
            source_url=str(self.source.url or "") if self.source else "",
            event=self.event.model_dump(mode="json") if self.event else None,
        )


class No(Exception):
    """A refusal as the publishing address says it."""

    def __init__(self, status: int, code: str, message: str) -> None:
        self.status, self.code, self.message = status, code, message
        super().__init__(message)

    def response(self) -> Response:
        """The refusal as JSON."""
        headers = {"www-authenticate": "Bearer"} if self.status == 401 else {}
        return _json({"error": {"code": self.code, "message": self.message}}, self.status, headers)


class Publishing:
    """The publishing address of a site."""

    def __init__(self, site: Site) -> None:
        self.site = site

    def routes(self) -> list[BaseRoute]:
        """The verbs; every one asks for the token first."""
        root = "/_publish/{ward:str}"
        return [
            Route(root, self._guarded(self.listing), methods=["GET"]),
            Route(f"{root}/_tep/{{sha256:str}}", self._guarded(self.bring), methods=["PUT"]),
            Route(f"{root}/{{key:str}}", self._guarded(self.put), methods=["PUT"]),
            Route(f"{root}/{{key:str}}", self._guarded(self.get), methods=["GET"]),
            Route(f"{root}/{{key:str}}", self._guarded(self.delete), methods=["DELETE"]),
            Route(f"{root}/{{key:str}}/visits", self._guarded(self.visits), methods=["GET"]),
        ]

    async def put(self, request: Request) -> Response:
        """Put an article under its key."""
        key = _key(request)
        try:
            given = GivenArticle.model_validate_json(await _body(request, MAX_BODY))
        except ValidationError as error:
            raise No(422, "invalid", _mistakes(error)) from error
        shown = [given.picture, *given.gallery] if given.picture else given.gallery
        wanted = [picture.sha256 for picture in shown] + (given.clip.files() if given.clip else [])
        if not all(self._has(sha256) for sha256 in wanted):
            raise No(422, "picture_missing", "Ảnh hoặc video của bài chưa có trên trang; hãy gửi trước rồi đăng lại.")
        return await run_in_threadpool(self._put, request, key, given)

    async def get(self, request: Request) -> Response:
        """What is under a key."""
        return await run_in_threadpool(self._with_article, request, self._placed)

    async def delete(self, request: Request) -> Response:
        """Take an article down."""
        return await run_in_threadpool(self._delete, request)

    async def visits(self, request: Request) -> Response:
        """How often an article was opened, up to this moment."""
        await run_in_threadpool(self.site.visits.flush)
        return await run_in_threadpool(self._with_article, request, None)

    async def listing(self, request: Request) -> Response:
        """One page of the ward's articles, oldest first."""
        return await run_in_threadpool(self._listing, request)

    async def bring(self, request: Request) -> Response:
        """Keep a picture, a video or a sound under the hash of its bytes."""
        told = request.headers.get("content-type", "")
        data = await _body(request, MAX_CLIP if told in _CLIPS else MAX_PICTURE)
        if hashlib.sha256(data).hexdigest() != request.path_params["sha256"]:
            raise No(422, "bad_media", "Nội dung ảnh không khớp với mã kiểm tra; hãy gửi lại.")
        known = self._has(request.path_params["sha256"])
        if not known:
            await run_in_threadpool(self._keep, data)
        return _json({"sha256": request.path_params["sha256"]}, 200 if known else 201)

    def _guarded(self, answer: Callable[[Request], Awaitable[Response]]) -> Callable[[Request], Awaitable[Response]]:
        async def guarded(request: Request) -> Response:
            try:
                await run_in_threadpool(self._check_token, request)
                return await answer(request)
            except No as no:
                return no.response()

        return guarded

    def _check_token(self, request: Request) -> None:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        wanted = self.site.publish_token(request.path_params["ward"])
        same = hmac.compare_digest(given.strip().encode(), (wanted or "").encode())
        if scheme.lower() != "bearer" or not wanted or not same:
            raise No(
                401,
                "unauthorized",
                "Khóa xuất bản không đúng hoặc không thuộc phường này; hãy kiểm tra cài đặt của kênh.",
            )

    def _put(self, request: Request, key: str, given: GivenArticle) -> Response:
        with self.site.store.write() as session:
            ward = self._ward(articles.ward(session, request.path_params["ward"]))
            try:
                article, created = self._publish(session, row_id(ward), key, given)
            except articles.Withdrawn as error:
                raise No(410, "withdrawn", "Bài này đã được gỡ nên không đăng lại được.") from error
            except articles.AddressTaken as error:
                raise No(409, "address_taken", "Mã hoặc địa chỉ của bài đã thuộc về một bài khác.") from error
            placed = self._placed(ward, article) | {"created": created}
        return _json(placed, 201 if created else 200)

    def _publish(self, session: Session, ward_id: int, key: str, given: GivenArticle) -> tuple[Article, bool]:
        if given.correction is None:
            return articles.publish(session, ward_id, key, given.words(), self.site.now())
        told = articles.Told(given.correction.at, given.correction.note)
        return _found(articles.amend(session, ward_id, key, given.words(), told, self.site.now())), False

    def _delete(self, request: Request) -> Response:
        with self.site.store.write() as session:
            ward = self._ward(articles.ward(session, request.path_params["ward"]))
            article = articles.withdraw(session, row_id(ward), _key(request), self.site.now())
            placed = self._placed(ward, _found(article))
        return _json(placed)

    def _with_article(self, request: Request, answer: Callable[[Ward, Article], dict[str, Any]] | None) -> Response:
        with self.site.store.read() as session:
            ward = self._ward(articles.ward(session, request.path_params["ward"]))
            article = _found(articles.find(session, row_id(ward), _key(request)))
            if answer is not None:
                return _json(answer(ward, article))
            count = visits.total(session, row_id(ward), "article", article.key)
        return _json({"key": article.key, "raw": count.raw, "people": count.people})

    def _listing(self, request: Request) -> Response:
        offset, limit = _number(request, "offset", 0, 10_000_000), _number(request, "limit", 100, MAX_LISTED)
        with self.site.store.read() as session:
            ward = self._ward(articles.ward(session, request.path_params["ward"]))
            rows = articles.listing(session, row_id(ward), offset, limit + 1)
            listed = [self._listed(ward, article) for article in rows[:limit]]
        following = offset + limit if len(rows) > limit else None
        return _json({"ward": ward.slug, "articles": listed, "next": following})

    def _keep(self, data: bytes) -> None:
        if media_type_of(data[:16]) not in _CLIPS:
            _check_picture(data)
        self.site.files.put(data)

    def _has(self, sha256: str) -> bool:
        try:
            return self.site.files.path(sha256).is_file()
        except FileNotFoundError:
            return False

    def _placed(self, ward: Ward, article: Article) -> dict[str, Any]:
        withdrawn = article.withdrawn_at.isoformat() if article.withdrawn_at else None
        return {
            "key": article.key,
            "url": self.site.address(ward, article.slug),
            "published_at": article.published_at.isoformat(),
            "updated_at": article.updated_at.isoformat(),
            "withdrawn_at": withdrawn,
        }

    def _listed(self, ward: Ward, article: Article) -> dict[str, Any]:
        return self._placed(ward, article) | {
            "title": article.title,
            "summary": article.summary,
            "html": article.html,
            "text": articles.plain_text(article.html),
        }

    def _ward(self, ward: Ward | None) -> Ward:
        if ward is None:
            raise No(404, "not_found", "Trang này không có phường đó; hãy kiểm tra mã phường trong cài đặt của kênh.")
        return ward


async def _body(request: Request, limit: int) -> bytes:
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > limit:
            raise No(413, "too_large", f"Nội dung gửi lên vượt {limit // 1000} KB; hãy rút gọn.")
    return bytes(data)


def _check_picture(data: bytes) -> None:
    picture_format = _PICTURES.get(media_type_of(data[:16]) or "")
    try:
        if picture_format is None:
            raise ValueError("not a picture")
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=[picture_format]) as picture:
                if picture.width * picture.height > MAX_PIXELS:
                    raise ValueError("too many pixels")
                picture.load()
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise No(422, "bad_media", "Tệp gửi lên không phải ảnh JPEG, PNG hoặc WebP đọc được.") from error


def _key(request: Request) -> str:
    key: str = request.path_params["key"]
    if not _KEY.fullmatch(key):
        raise No(422, "invalid", "Mã của bài chỉ gồm chữ không dấu, chữ số, dấu chấm, gạch ngang, tối đa 120 ký tự.")
    return key


def _number(request: Request, name: str, usual: int, most: int) -> int:
    given = request.query_params.get(name, str(usual))
    if not (given.isascii() and given.isdigit() and len(given) < 9):
        raise No(422, "invalid", f"«{name}» phải là một số.")
    return min(int(given), most)


def _found(article: Article | None) -> Article:
    if article is None:
        raise No(404, "not_found", "Trang chưa có bài nào với mã này.")
    return article


def _mistakes(error: ValidationError) -> str:
    places = {".".join(str(part) for part in mistake["loc"]) or "nội dung gửi lên" for mistake in error.errors()}
    return f"Bài gửi lên chưa đúng ở: {', '.join(sorted(places))}."


def _json(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    fixed = {"cache-control": "no-store", "x-content-type-options": "nosniff"}
    return JSONResponse(value, status, fixed | (headers or {}))
