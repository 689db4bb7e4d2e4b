"""What is wrong with a site, found out by asking it, and what to do about it in Vietnamese."""

from channels.contract import Ailment, Deferred, Reason, Refused, Unknown
from channels.wire import REFUSED, Answer, Seen
from channels.wordpress.api import Api, Index, Me
from channels.wordpress.errors import failure, label
from channels.wordpress.settings import WordPressSettings
from channels.wordpress.staging import categories, missing_categories, without_category

_NEEDED = {
    "edit_posts": "soạn bài",
    "publish_posts": "đăng bài",
    "upload_files": "tải ảnh lên",
    "delete_published_posts": "gỡ bài đã đăng",
}
_NO_WAY_IN = (
    "WordPress đang tắt mật khẩu ứng dụng, thường vì trang chưa có https. Hãy bật https cho trang (hoặc gỡ plugin chặn mật khẩu ứng dụng) "
    "rồi tạo mật khẩu ứng dụng mới."
)
_NOT_KNOWN = (
    "WordPress không nhận ra tài khoản. Hãy kiểm tra tên đăng nhập và tạo mật khẩu ứng dụng mới (Hồ sơ › Application Passwords). "
    'Nếu vẫn vậy, máy chủ web đang bỏ mất phần Authorization: hãy nhờ nơi đặt trang thêm SetEnvIf Authorization "(.*)" HTTP_AUTHORIZATION=$1.'
)
_PLAIN = (
    "Trang đang dùng đường dẫn tĩnh kiểu «Đơn giản», nên không có /wp-json/. Hãy đánh dấu mục «đường dẫn tĩnh kiểu đơn giản» trong thiết lập "
    "kênh, hoặc chọn kiểu khác ở Cài đặt › Đường dẫn tĩnh của WordPress."
)
_NO_REST = (
    "Không thấy REST của WordPress ở địa chỉ này. Hãy xem lại địa chỉ trang; nếu đúng, một plugin bảo mật hoặc máy chủ đang đóng REST."
)  # fmt: skip

_ROLE = "Hãy cho tài khoản của Lan Tỏa trên WordPress vai trò Tác giả (Author) trở lên, và xem plugin bảo mật có chặn REST không."


def advice(settings: WordPressSettings, reason: Reason) -> str:
    """What to do about a reason without asking the site again; empty where the usual words do. Pure."""
    if reason is Reason.MISCONFIGURED:
        return _misconfigured(settings)
    return {Reason.UNAUTHORIZED: _NOT_KNOWN, Reason.FORBIDDEN: _ROLE}.get(reason, "")


def _misconfigured(settings: WordPressSettings) -> str:
    looks = [
        f"địa chỉ {settings.site_url} có đúng và không chuyển hướng",
        "trang có https (không có thì WordPress tắt mật khẩu ứng dụng)",
        "không plugin nào đóng REST",
        "trang không còn dùng đường dẫn tĩnh kiểu «Đơn giản» thì bỏ dấu ở mục ấy"
        if settings.plain_permalinks
        else "đường dẫn tĩnh kiểu «Đơn giản» thì đánh dấu mục ấy trong thiết lập kênh",
    ]
    if settings.categories:
        looks.append(f"có đủ chuyên mục {', '.join(f'«{name}»' for name in settings.categories)}")
    return f"Hãy xem trên WordPress: {'; '.join(looks)}."


async def examine(api: Api, settings: WordPressSettings) -> Ailment | None:
    """The first thing that is wrong: the way to the site, the password, the user's role, the categories; None when all is well."""
    seen = await api.call("GET", "/wp/v2/users/me", {"context": "edit", "_fields": "id,capabilities"})
    if not isinstance(seen, Answer):
        return _unheard(api, seen)
    me = seen.read(Me) if seen.status == 200 else None
    if me is None:
        return await _turned_away(api, seen)
    return _too_small(me) or await _without_categories(api, settings)


def _unheard(api: Api, seen: Seen) -> Ailment:
    told = api.failed(seen)
    refused = getattr(seen, "kind", "") == REFUSED
    return Ailment(reason=Reason.MISCONFIGURED if refused else Reason.UNREACHABLE, words=told.detail)


async def _turned_away(api: Api, seen: Answer) -> Ailment:
    said = failure(seen)
    if said is None:
        return await _no_wordpress(api, seen)
    if said.code == "rest_not_logged_in":
        return await _not_known(api)
    if seen.status in (401, 403) and said.code.startswith("rest_") and not _ordinary(said.code):
        words = f"REST của WordPress đang bị đóng ({label(seen)}). Hãy cho phép REST với người đã đăng nhập trong plugin bảo mật của trang."
        return Ailment(reason=Reason.MISCONFIGURED, words=words)
    return _as_told(api.failed(seen))


def _ordinary(code: str) -> bool:
    """Codes of WordPress itself; every other ``rest_…`` is a plug-in's that shuts the door."""
    return code in ("rest_forbidden", "rest_forbidden_context", "rest_cannot_edit", "rest_user_cannot_view")


async def _not_known(api: Api) -> Ailment:
    """WordPress says the same for a wrong password, a lost header and passwords turned off; its front door tells the last."""
    seen = await api.call("GET", "/", {"_fields": "name,authentication"})
    index = seen.read(Index) if isinstance(seen, Answer) and seen.status == 200 else None
    if index is not None and "application-passwords" not in index.authentication:
        return Ailment(reason=Reason.MISCONFIGURED, words=_NO_WAY_IN)
    return Ailment(reason=Reason.UNAUTHORIZED, words=_NOT_KNOWN)


async def _no_wordpress(api: Api, seen: Answer) -> Ailment:
    if seen.status in (200, 404):
        return Ailment(reason=Reason.MISCONFIGURED, words=_PLAIN if await api.answers_by_query() else _NO_REST)
    return _as_told(api.failed(seen))


def _as_told(told: Deferred | Refused | Unknown) -> Ailment:
    reason = Reason.BUSY if isinstance(told, Unknown) else told.reason
    return Ailment(reason=reason, words=told.detail)


def _too_small(me: Me) -> Ailment | None:
    lacking = [words for name, words in _NEEDED.items() if not me.capabilities.get(name)]
    if not lacking:
        return None
    words = f"Tài khoản trên WordPress chưa được {', '.join(lacking)}. Hãy cho vai trò Tác giả (Author) trở lên."
    return Ailment(reason=Reason.FORBIDDEN, words=words)


async def _without_categories(api: Api, settings: WordPressSettings) -> Ailment | None:
    if not settings.categories:
        return None
    there = await categories(api)
    if not isinstance(there, dict):
        return _as_told(there)
    missing = missing_categories(settings, there)
    return Ailment(reason=Reason.MISCONFIGURED, words=without_category(missing)) if missing else None
