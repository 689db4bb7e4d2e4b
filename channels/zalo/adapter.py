"""Zalo Official Account: an article is made hidden, gets its id, and is then shown by that id.

Showing by id may be repeated without harm, and reading by id settles every doubt (class B).
"""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar

from channels.contract import (
    EMPTY,
    Announcement,
    Bot,
    Capability,
    Certainty,
    Channel,
    Consent,
    Deferred,
    Figure,
    Forged,
    Found,
    Handle,
    Heard,
    Limits,
    Measure,
    Message,
    Outcome,
    Pending,
    Picture,
    Problem,
    Published,
    Reason,
    Refused,
    Unknown,
)
from channels.seen import invisible
from channels.twin import Rehearsal
from channels.zalo import amending, broadcast, consent, events
from channels.zalo.api import (
    OK,
    PROCESSING,
    Api,
    ArticleId,
    Detail,
    Envelope,
    OfficialAccount,
    Sent,
    Token,
    TokenPair,
    after_code,
    parsed,
)
from channels.zalo.listing import Listing
from channels.zalo.options import ZaloSettings as ZaloSettings
from channels.zalo.render import LIMITS, article, payload, problems
from content.document import Document

_LOOKS = (2, 4, 8, 15, 30)
FOLLOWERS = "Người quan tâm OA"
REFRESH_LIFE = timedelta(days=90)
_AGAIN = timedelta(minutes=5)
_FAILED = (Deferred, Refused, Unknown)


class Zalo(Channel):
    """The articles of one Official Account."""

    kind = "zalo"
    name = "Zalo OA"
    certainty = Certainty.STAGED
    limits: ClassVar[Limits] = LIMITS
    Settings = ZaloSettings
    settle_seconds = 120
    audience_figures = frozenset({FOLLOWERS})
    capabilities = frozenset(
        {
            Capability.TEXT,
            Capability.PHOTO,
            Capability.STAGE,
            Capability.FIND,
            Capability.MEASURE,
            Capability.WITHDRAW,
            Capability.AMEND,
            Capability.RENEW,
            Capability.EVENTS,
        }
    )
    settings: ZaloSettings

    @classmethod
    def rehearsal(cls) -> Rehearsal:
        """Articles go to the twin, which fetches the cover and shows pages like Zalo's."""
        from channels.zalo.rehearsal import ZaloRehearsal

        return ZaloRehearsal(cls.kind)

    def render(self, document: Document, key: str, pictures: tuple[Picture, ...] = ()) -> Message:
        """One article, and its notice to followers where they are told; a title too long is kept whole for ``validate``."""
        made = article(document, key, pictures[: LIMITS.pictures], self.settings.author)
        return self.announced(made, self.settings.broadcast == "followers")

    @classmethod
    def announcement(cls, settings: Mapping[str, Any]) -> Announcement | None:
        """The notice of an article to the account's followers."""
        return broadcast.announcement(settings)

    def announced(self, message: Message, wanted: bool) -> Message:
        """The article with its notice to followers as a second step, or without."""
        return broadcast.announced(message, wanted, self.settings)

    def announces(self, message: Message) -> bool:
        """Whether followers are told."""
        return len(message.parts) > 1

    def heard(self, headers: Mapping[str, str], body: bytes) -> Heard | Forged:
        """An event that Zalo tells of the account, its signature proved first."""
        return events.heard(self.settings, headers, body, self.tools.now())

    @classmethod
    def staff_bot(cls) -> type[Bot] | None:
        """The Zalo Bot Platform's bot."""
        from channels.zalo.bot import ZaloBot

        return ZaloBot

    def home(self) -> str | None:
        """The account's page."""
        return f"https://zalo.me/{self.settings.oa_id}" if self.settings.oa_id else None

    def validate(self, message: Message) -> list[Problem]:
        """Lengths, cover and empty fields, by Zalo's limits; and what a notice to followers will cost, before approval."""
        found = problems(message)
        return found if not self.announces(message) else [*found, *broadcast.plan(self.settings, message.due_at)]

    def renewal_due(self) -> bool:
        """At 75 % of the pair's life, six hours before it ends; a pasted pair of unknown age is exchanged at once."""
        if not self.settings.refresh_token.get_secret_value():
            return False
        return self.settings.renew_at is None or self.tools.now() >= self.settings.renew_at

    async def renew(self) -> dict[str, Any] | Reason | Unknown | None:
        """A new token pair where the old one is due."""
        if not self.renewal_due():
            return None
        given = self.settings.app_id, self.settings.app_secret, self.settings.refresh_token
        return self._kept(await self._api().refresh(*given))

    def _kept(self, pair: TokenPair | Reason | Unknown) -> dict[str, Any] | Reason | Unknown:
        if isinstance(pair, Reason | Unknown):
            return pair
        now = self.tools.now()
        return {
            "access_token": pair.access_token.get_secret_value(),
            "refresh_token": pair.refresh_token.get_secret_value(),
            "expires_at": (now + timedelta(seconds=pair.expires_in)).isoformat(),
            "renew_at": (now + timedelta(seconds=pair.expires_in * 0.75)).isoformat(),
            "refresh_until": (now + REFRESH_LIFE).isoformat(),
        }

    def consent(self, callback: str, state: str, fresh: str) -> Consent | None:
        """Zalo's consent page for this application."""
        return consent.consent(self.settings, callback, state, fresh)

    async def authorise(self, code: str, verifier: str) -> dict[str, Any] | Reason | Unknown:
        """The first pair, for the code of a consent."""
        given = self.settings.app_id, self.settings.app_secret, code, verifier
        return self._kept(await self._api().redeem(*given))

    @classmethod
    def wearing(cls, settings: Mapping[str, Any], now: datetime) -> str | None:
        """The refresh token's three months, and a renewal that does not come about."""
        return consent.wearing(settings, now)

    async def stage(self, message: Message, part: int, handle: Handle = EMPTY) -> Handle | Outcome:
        """Create the article hidden and wait for its id: Pending while Zalo works on it.

        A notice to followers has nothing to prepare; whether the account may send it now is asked here.
        """
        if part:
            return await self._may_tell()
        if handle.data.get("id"):
            return handle
        staged = await self._verified(handle) if handle.data.get("token") else None
        return await self._created(message, part) if staged is None else staged

    async def _created(self, message: Message, part: int) -> Handle | Outcome:
        if message.parts[part].picture is None:
            return Refused(reason=Reason.BAD_MEDIA, detail="Bài Zalo phải có ảnh bìa.")
        seen = await self._api().post("/v2.0/article/create", self._payload(message, part, "hide"))
        if isinstance(seen, _FAILED):
            return invisible(seen)
        if seen.error != OK:
            return invisible(after_code(seen.error, self.tools.now(), seen.message))
        made = parsed(seen.data, Token)
        if made is None:
            return Deferred(reason=Reason.BUSY, detail="Zalo nhận bài nhưng không trả mã theo dõi.")
        fresh = Handle(data={"token": made.token, "looks": 0})
        return await self._verified(fresh) or self._ask_again(fresh)

    async def _may_tell(self) -> Handle | Outcome:
        seen = await self._api().get("/v2.0/oa/getoa")
        if isinstance(seen, _FAILED):
            return invisible(seen)
        if seen.error != OK:
            return invisible(after_code(seen.error, self.tools.now(), seen.message))
        account = parsed(seen.data, OfficialAccount)
        if account is None:
            return Deferred(reason=Reason.BUSY, detail="Zalo không cho biết tình trạng Official Account.")
        return broadcast.not_now(account, self.tools.now()) or Handle(data={"may": True})

    async def _verified(self, handle: Handle) -> Handle | Outcome | None:
        """The id behind a token, or what became of it; None: Zalo does not know the token (any more)."""
        seen = await self._api().post("/v2.0/article/verify", {"token": handle.data["token"]})
        if isinstance(seen, _FAILED):
            return self._ask_again(handle) if isinstance(seen, Unknown) else seen
        ready = parsed(seen.data, ArticleId) if seen.error == OK else None
        if ready is not None and ready.value:
            return Handle(data={"id": ready.value})
        if seen.error in (OK, PROCESSING):
            return self._ask_again(handle)
        judged = after_code(seen.error, self.tools.now(), seen.message)
        forgotten = isinstance(judged, Unknown) or (isinstance(judged, Refused) and judged.reason is Reason.REJECTED)
        return None if forgotten else judged

    def _ask_again(self, handle: Handle) -> Outcome:
        looks = int(handle.data.get("looks", 0))
        now = self.tools.now()
        if looks >= len(_LOOKS):
            return Deferred(reason=Reason.BUSY, retry_at=now + _AGAIN, detail="Zalo xử lý bài lâu hơn thường lệ.")
        waiting = Handle(data={**handle.data, "looks": looks + 1})
        return Pending(handle=waiting, retry_at=now + timedelta(seconds=_LOOKS[looks]))

    async def publish(self, message: Message, part: int, handle: Handle, earlier: tuple[str, ...]) -> Outcome:
        """Show the article by its id, asked once whether Zalo is through with it, else Pending; or tell its followers."""
        if part:
            return await self._told(earlier)
        id = str(handle.data["id"])
        body = {**self._payload(message, part, self.settings.visibility), "id": id}
        seen = await self._api().post("/v2.0/article/update", body, visible=True)
        if isinstance(seen, _FAILED):
            return seen
        if seen.error != OK:
            return after_code(seen.error, self.tools.now(), seen.message)
        return await self._shown(id, seen)

    async def _shown(self, id: str, update: Envelope) -> Outcome:
        taken = parsed(update.data, Token)
        if taken is not None:
            seen = await self._api().post("/v2.0/article/verify", {"token": taken.token})
            if isinstance(seen, Envelope) and seen.error == OK:
                return Published(remote_id=id, url=self._link(id))
        return Pending(handle=Handle(data={"id": id}), retry_at=self.tools.now() + timedelta(seconds=_LOOKS[0]))

    async def _told(self, earlier: tuple[str, ...]) -> Outcome:
        if not earlier:
            return Refused(reason=Reason.MISCONFIGURED, detail="Chưa có bài nào để gửi thông báo.")
        seen = await self._api().post("/v2.0/oa/message", broadcast.body(earlier[0], self.settings), visible=True)
        if isinstance(seen, _FAILED):
            return seen
        if seen.error != OK:
            judged = after_code(seen.error, self.tools.now(), seen.message)
            if isinstance(judged, Deferred) and judged.reason is Reason.OUTSIDE_HOURS:
                opening = broadcast.next_opening(self.tools.now())
                return judged.model_copy(update={"retry_at": max(opening, judged.retry_at or opening)})
            return judged
        sent = parsed(seen.data, Sent)
        if sent is None:
            return Unknown(detail="Zalo nhận lệnh gửi thông báo nhưng không trả mã.")
        return Published(remote_id=f"{broadcast.PREFIX}{sent.message_id}")

    async def find(self, message: Message, part: int, handle: Handle, since: datetime) -> Found:
        """By id where there is one, else by the delivery's own link in the body; a broadcast cannot be looked up."""
        if part:
            return Found(
                verdict="unclear", detail="Zalo không cho tra cứu thông báo; hãy xem mục Broadcast ở trang OA."
            )
        if handle.data.get("id"):
            return await self._found_by_id(str(handle.data["id"]))
        said = message.parts[part]
        found = await self._listing().marked(said.title, said.marker, since, self.settings.visibility)
        if isinstance(found, Found):
            return found
        return Found(verdict="out", remote_id=found.id, url=found.link_view or self._link(found.id))

    async def _found_by_id(self, id: str) -> Found:
        detail = await self._listing().detail(id)
        if detail is None or detail.status not in ("show", "hide"):
            return Found(verdict="unclear", detail="Zalo chưa cho biết trạng thái của bài.")
        if detail.status == self.settings.visibility:
            return Found(verdict="out", remote_id=id, url=self._link(id))
        return Found(verdict="absent", detail="Bài còn đang ẩn trên Zalo.")

    async def measure(self, remote_id: str) -> Measure:
        """Views and shares from the list of articles, Zalo's only statistics of one, and the account's followers."""
        medium = await self._listing().medium(remote_id)
        if medium is True:
            return Measure(reason=Reason.UNREACHABLE, detail="Zalo không trả số liệu lúc này.")
        if isinstance(medium, bool):
            return Measure(reason=Reason.NOT_FOUND, detail="Không còn thấy bài này trong danh sách bài của Zalo.")
        figures = (
            Figure(name="Lượt xem", value=medium.total_view, formula="total_view của bài, do Zalo đếm"),
            Figure(name="Lượt chia sẻ", value=medium.total_share, formula="total_share của bài, do Zalo đếm"),
        )
        return Measure(figures=figures + await self._followers())

    async def _followers(self) -> tuple[Figure, ...]:
        seen = await self._api().get("/v2.0/oa/getoa")
        account = parsed(seen.data, OfficialAccount) if isinstance(seen, Envelope) and seen.error == OK else None
        if account is None or account.num_follower is None:
            return ()
        return (Figure(name=FOLLOWERS, value=account.num_follower, formula="num_follower của OA, do Zalo đếm"),)

    async def withdraw(self, remote_id: str) -> Outcome:
        """Remove the article for good, or hide it, as the outlet is set; what was told to followers leads nowhere then."""
        if remote_id.startswith(broadcast.PREFIX):
            return Published(
                remote_id=remote_id
            )  # it cannot be called back; the article behind it goes with its own part
        if self.settings.withdrawal == "hide":
            return await self._hidden(remote_id)
        return await self._changed(remote_id, "remove", {"id": remote_id})

    async def _hidden(self, id: str) -> Outcome:
        detail = await self._listing().detail(id)
        if detail is None:
            return Deferred(reason=Reason.BUSY, detail="Zalo không cho đọc bài để ẩn.")
        body = {**detail.model_dump(), "id": id, "status": "hide"}
        return await self._changed(id, "update", body)

    async def _changed(self, id: str, verb: str, body: dict[str, Any]) -> Outcome:
        seen = await self._api().post(f"/v2.0/article/{verb}", body, visible=True)
        if isinstance(seen, _FAILED):
            return seen
        if seen.error == amending.NO_SUCH and verb == "remove":
            return Refused(reason=Reason.NOT_FOUND, detail="Bài không còn trên Zalo; có thể đã bị gỡ trước đó.")
        return Published(remote_id=id) if seen.error == OK else after_code(seen.error, self.tools.now(), seen.message)

    async def amend(self, message: Message, part: int, remote_id: str) -> Outcome:
        """Update the article by its id and ask whether Zalo is through with it; what followers were told stays as it is.

        An article that is not shown any more (hidden or removed on the platform) is left alone: an update would show it.
        """
        if remote_id.startswith(broadcast.PREFIX):
            return Published(remote_id=remote_id)
        standing = await amending.standing(self._api(), remote_id, self.tools.now())
        if not isinstance(standing, Detail):
            return standing
        if standing.status != self.settings.visibility:
            return Refused(reason=Reason.NOT_FOUND, detail="Bài đang ẩn trên Zalo nên không sửa; hãy xem lại trên OA.")
        body = {**self._payload(message, part, self.settings.visibility), "id": remote_id}
        seen = await self._api().post("/v2.0/article/update", body, visible=True)
        if isinstance(seen, _FAILED):
            return seen
        if seen.error != OK:
            return after_code(seen.error, self.tools.now(), seen.message)
        return await self._shown(remote_id, seen)

    async def health(self) -> Reason | None:
        """Whether the account answers with this token."""
        seen = await self._api().get("/v2.0/oa/getoa")
        if isinstance(seen, Unknown):
            return Reason.UNREACHABLE
        if isinstance(seen, Deferred | Refused):
            return seen.reason
        if seen.error != OK:
            judged = after_code(seen.error, self.tools.now(), seen.message)
            return Reason.BUSY if isinstance(judged, Unknown) else judged.reason
        return None if parsed(seen.data, OfficialAccount) else Reason.UNREACHABLE

    def _api(self) -> Api:
        return Api(self.tools, self.settings.host, self.settings.oauth_host, self.settings.access_token)

    def _listing(self) -> Listing:
        return Listing(self._api())

    def _payload(self, message: Message, part: int, status: str) -> dict[str, Any]:
        urls = [self.tools.shelf.url(picture.sha256) for picture in message.parts[part].pictures]
        return payload(message, part, urls, status, self.settings.comment)

    def _link(self, id: str) -> str:
        return self.settings.link.format(oa=self.settings.oa_id, id=id)
