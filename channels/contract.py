"""The contract between the core and a channel: values in, one of five outcomes out.

An adapter says what happened; the pipeline decides what to do. Adapters never retry, sleep, log content or
touch the database. What each class of channel can promise when an answer is lost is said by its ``Certainty``.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar, Protocol

from pydantic import BaseModel, ConfigDict

from channels.afterwards import Record as Record
from channels.afterwards import Return as Return
from channels.consents import Consent as Consent
from channels.events import Event as Event
from channels.events import Forged as Forged
from channels.events import Heard as Heard
from channels.message import Announcement as Announcement
from channels.message import Clip as Clip
from channels.message import ClipLimits as ClipLimits
from channels.message import Correction as Correction
from channels.message import Limits as Limits
from channels.message import Message as Message
from channels.message import Part as Part
from channels.message import Picture as Picture
from channels.message import PictureSpec as PictureSpec
from channels.message import Problem as Problem
from channels.message import Quota as Quota
from channels.message import Value
from channels.outcomes import EMPTY as EMPTY
from channels.outcomes import Ailment as Ailment
from channels.outcomes import Aired as Aired
from channels.outcomes import Airs as Airs
from channels.outcomes import Deferred as Deferred
from channels.outcomes import Figure as Figure
from channels.outcomes import Found as Found
from channels.outcomes import Handle as Handle
from channels.outcomes import Measure as Measure
from channels.outcomes import Outcome as Outcome
from channels.outcomes import Pending as Pending
from channels.outcomes import Published as Published
from channels.outcomes import Reached as Reached
from channels.outcomes import Reason as Reason
from channels.outcomes import Refused as Refused
from channels.outcomes import Sound as Sound
from channels.outcomes import Unknown as Unknown
from channels.staff_bots import Bot as Bot
from channels.twin import Rehearsal
from channels.wire import Wire
from content.document import Document


class Capability(StrEnum):
    """What a channel can do; a capability claimed means that the verb is real."""

    TEXT = "text"
    PHOTO = "photo"
    VIDEO = "video"
    AUDIO = "audio"
    PIN = "pin"
    STAGE = "stage"
    FIND = "find"
    MEASURE = "measure"
    WITHDRAW = "withdraw"
    AMEND = "amend"
    RENEW = "renew"
    FAN_OUT = "fan_out"
    RETURNS = "returns"
    EVENTS = "events"


class Certainty(StrEnum):
    """What a lost answer costs: keyed (exactly once), staged (published by id), looked up by marker, or blind."""

    KEYED = "A"
    STAGED = "B"
    LOOKUP = "C"
    BLIND = "D"


class Grassroots(StrEnum):
    """The eight kinds of grassroots information («loại hình thông tin cơ sở») of Nghị định 49/2024/NĐ-CP: the report's taxonomy.

    https://sonv.ninhthuan.gov.vn/portal/Pages/2024-5-14/Nghi-dinh-quy-dinh-ve-hoat-dong-thong-tin-co-so49h03m.aspx
    """

    STATION = "đài truyền thanh cấp xã"
    BOARD = "bảng tin công cộng"
    BULLETIN = "bản tin thông tin cơ sở"
    PRINT = "tài liệu không kinh doanh"
    SPEAKER = "tuyên truyền viên cơ sở"
    SITE = "trang thông tin điện tử"
    SOCIAL = "mạng xã hội, ứng dụng nhắn tin"
    SMS = "tin nhắn viễn thông"


AIR_SECONDS = "Thời lượng phát (giây)"
"""The name under which a channel that is heard tells a delivery's air time; reports add it up into minutes."""


FIXED = "Kênh này không cho sửa bài đã đăng. Hãy gỡ bài rồi đăng bài mới, hoặc đăng thêm một tin đính chính."
"""What is said of a channel that cannot change what is out and has no words of its own for it."""


class Shelf(Protocol):
    """Where a channel finds the media of a message."""

    def read(self, sha256: str) -> bytes:
        """The bytes of a stored file; raises FileNotFoundError."""

    def url(self, sha256: str) -> str:
        """A public address from which a platform can fetch the file."""


class Tools(Value):
    """What a channel is given to work with: the one client, the shelf and the clock.

    ``leave`` gives the public page on which the recipient of a fan-out ends the subscription; empty where there is none.
    """

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)

    wire: Wire
    shelf: Any
    now: Callable[[], datetime]
    leave: Callable[[str], str] = lambda address: ""


class ChannelSettings(BaseModel):
    """Base of a channel's settings; ``secret_fields`` names those that are sealed and never shown."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    secret_fields: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def made(cls, given: dict[str, Any]) -> dict[str, Any]:
        """What the program makes itself (a key pair) where the given settings have none; kept with them."""
        return {}


class Channel:
    """One platform. Built for one outlet with its settings; every network verb is async and tried once.

    ``grassroots_kind`` and ``unit`` are how reports class and count its deliveries; ``audience_figures`` names those
    of its figures that tell the size of the outlet itself (followers), which must never be added up over deliveries.
    ``certainty`` is the best that the kind can promise; ``other_certainties`` are what some settings promise instead.
    """

    kind: ClassVar[str]
    name: ClassVar[str]
    capabilities: ClassVar[frozenset[Capability]]
    certainty: ClassVar[Certainty]
    other_certainties: ClassVar[frozenset[Certainty]] = frozenset()
    limits: ClassVar[Limits]
    Settings: ClassVar[type[ChannelSettings]] = ChannelSettings
    settle_seconds: ClassVar[int] = 60
    spacing_seconds: ClassVar[int] = 1
    grassroots_kind: ClassVar[str] = Grassroots.SOCIAL
    unit: ClassVar[str] = "lượt đăng"
    audience_figures: ClassVar[frozenset[str]] = frozenset()

    def __init__(self, settings: Any, tools: Tools) -> None:
        self.settings = settings
        self.tools = tools

    @classmethod
    def certainty_of(cls, settings: Mapping[str, Any]) -> Certainty:
        """What an outlet with these stored settings promises when an answer is lost; never raises.

        Secrets are not among the settings, and what stands there may be old: what cannot be read promises the least.
        """
        return cls.certainty

    @classmethod
    def airs(cls, settings: Mapping[str, Any]) -> Airs | None:
        """How an outlet with these stored settings is heard; None for what is read. Never raises."""
        return None

    @property
    def promise(self) -> Certainty:
        """What this very outlet promises when an answer is lost."""
        return self.certainty_of(self.settings.model_dump() if isinstance(self.settings, BaseModel) else {})

    @classmethod
    def rehearsal(cls) -> Rehearsal:
        """How this channel takes part in a rehearsal; imported only when one is run."""
        raise NotImplementedError

    def render(self, document: Document, key: str, pictures: tuple[Picture, ...] = ()) -> Message:
        """The document as this channel says it; pure. ``document.link`` is the delivery's own short link, its marker.

        ``pictures`` are in the order of the post; a channel carries the first ``limits.pictures`` of them.
        """
        raise NotImplementedError

    def render_clip(self, document: Document, key: str, clip: Clip, pictures: tuple[Picture, ...] = ()) -> Message:
        """The document with the post's video or sound, asked where ``limits`` take such a clip; pure.

        ``pictures`` are the post's own, for a channel that shows both.
        """
        raise NotImplementedError

    @classmethod
    def announcement(cls, settings: Mapping[str, Any]) -> Announcement | None:
        """How an outlet with these stored settings (without its secrets) tells followers of a post; None where it cannot.

        Pure, and never raises: what stands there may be old.
        """
        return None

    def announced(self, message: Message, wanted: bool) -> Message:
        """The message with, or without, the step that tells followers of it, whatever the outlet's setting; pure."""
        return message

    def announces(self, message: Message) -> bool:
        """Whether a message has that step; pure."""
        return False

    def address(self, message: Message) -> str | None:
        """The public address that the message will have, where it is known beforehand; pure.

        Short links of a post's other deliveries can lead there before it is out.
        """
        return None

    def home(self) -> str | None:
        """The outlet's own public page, where a person can see what is out; None where it has none. Pure."""
        return None

    @classmethod
    def reachable(cls, address: str) -> str | None:
        """The address of a fan-out's recipient as it is kept, or None where it cannot be sent to; pure."""
        return address.strip() or None

    def records(self) -> tuple[Record, ...]:
        """What a person must publish elsewhere before the outlet works well; pure."""
        return ()

    def validate(self, message: Message) -> list[Problem]:
        """What is wrong with a message by the platform's own rules; pure, in Vietnamese."""
        raise NotImplementedError

    def renewal_due(self) -> bool:
        """Whether the credentials are old enough to be renewed now; pure. Who cannot tell is asked every time."""
        return True

    async def renew(self) -> dict[str, Any] | Reason | Unknown | None:
        """Fresh credentials where they are due: the settings that change, to be committed BEFORE they are used.

        None: nothing is due. A Reason: they could not be renewed (unauthorized: a person must connect again).
        Unknown: the request left and no answer came, so the old credentials may be spent.
        One caller at a time per outlet; call it before a wave, and build the channel anew from the new settings.
        """
        return None

    def consent(self, callback: str, state: str, fresh: str) -> Consent | None:
        """How a person grants access in the browser; None where the platform has no such way. Pure.

        The platform leads back to ``callback`` with a code and ``state``; ``fresh`` is a random text of 43 letters.
        """
        return None

    async def authorise(self, code: str, verifier: str) -> dict[str, Any] | Reason | Unknown:
        """The settings that a person's consent gives, to be committed before they are used."""
        return Reason.MISCONFIGURED

    @classmethod
    def wearing(cls, settings: Mapping[str, Any], now: datetime) -> str | None:
        """What a person should do soon so that the access does not end, from the stored settings; None: nothing. Pure."""
        return None

    async def stage(self, message: Message, part: int, handle: Handle = EMPTY) -> Handle | Outcome:
        """Everything of a part that is not yet visible (uploads, hidden draft); may be repeated.

        A Handle: ready to publish. Pending: keep its handle and call again with it at ``retry_at``. ``handle`` is
        what an earlier call (of this or an earlier attempt) left behind.
        """
        return EMPTY

    async def publish(self, message: Message, part: int, handle: Handle, earlier: tuple[str, ...]) -> Outcome:
        """The one visible step of a part; ``earlier`` are the remote ids of the parts before it."""
        raise NotImplementedError

    async def send(self, message: Message, address: str, key: str) -> Outcome:
        """The visible step of a fan-out (``Capability.FAN_OUT``): the message to one recipient; ``key`` is unique per recipient.

        ``message.extra["service"]``: this very recipient asked for it (a confirmation); it is no bulletin of the list.
        """
        raise NotImplementedError

    async def returns(self, limit: int) -> tuple[Return, ...] | Reason:
        """Up to ``limit`` returns that nobody has put away, oldest first (``Capability.RETURNS``); a Reason where they cannot be read."""
        return ()

    async def put_away(self, returns: tuple[Return, ...]) -> None:
        """These are written down: they are not given again. What fails here is given again, which is harmless."""

    def heard(self, headers: Mapping[str, str], body: bytes) -> Heard | Forged:
        """What a request to the outlet's event address says (``Capability.EVENTS``), proved before it is read; pure.

        ``headers`` have names in small letters; ``body`` is as it came. Compare secrets in constant time.
        """
        return Forged(why="unset")

    @classmethod
    def staff_bot(cls) -> type[Bot] | None:
        """The bot of this platform that tells the ward's own staff; None where it has none."""
        return None

    async def find(self, message: Message, part: int, handle: Handle, since: datetime) -> Found:
        """Read-only look-up of a part by id or marker; ``since`` says how far back to read.

        ``since`` is our clock, which may be wrong: what carries a marker of its own is out whenever it was posted.
        """
        return Found(verdict="unclear", detail="Nền tảng này không cho tra cứu lại.")

    async def copies(self, message: Message, part: int, since: datetime) -> tuple[str, ...] | None:
        """Remote ids of every visible copy of a part that carries its marker, back to ``since``; None where it cannot tell.

        For the daily sweep, which counts what a list that lagged longer than ``settle_seconds`` kept from a look-up.
        """
        return None

    async def measure(self, remote_id: str) -> Measure:
        """What the post reached so far."""
        return Measure()

    async def pin(self, remote_id: str) -> Outcome:
        """Keep a published part at the top of the outlet (``Capability.PIN``); ``Published`` says that it is.

        Repeatable, tried once, and whatever comes of it: the post is out.
        """
        return Refused(reason=Reason.REJECTED, detail="Nền tảng này không cho ghim bài tự động.")

    async def sound(self, message: Message, remote_id: str) -> Sound | None:
        """What was heard, for the ward's archive, read from this machine alone; None where it is not there (any more)."""
        return None

    async def aired(self, remote_id: str) -> Aired | None:
        """What this machine's own record tells of an airing; None where there is none."""
        return None

    async def withdraw(self, remote_id: str) -> Outcome:
        """Take the post down; ``Published`` carries the id that is now gone."""
        return Refused(reason=Reason.REJECTED, detail="Nền tảng này không cho gỡ bài tự động.")

    async def amend(self, message: Message, part: int, remote_id: str) -> Outcome:
        """Put the words of an amended message in the place of a part that is out; ``message.correction`` says why and when.

        Pictures stay as they are. The same words twice are the same post, so it may be repeated; what is no longer
        there is never made anew (Refused, NOT_FOUND). ``Published`` carries the same id; Pending: taken, ask again.
        """
        return Refused(reason=Reason.REJECTED, detail="Nền tảng này không cho sửa bài đã đăng.")

    def fixed(self, message: Message) -> str:
        """Why what is out cannot be amended at this very outlet, and what to do instead, in Vietnamese; empty where it can. Pure."""
        return "" if Capability.AMEND in self.capabilities else FIXED

    async def health(self) -> Reason | None:
        """Why the outlet cannot be used now, or None."""
        return None

    async def examine(self) -> Ailment | None:
        """``health`` with the words of what exactly is wrong, where the channel can find that out by asking."""
        reason = await self.health()
        return Ailment(reason=reason) if reason else None

    def advice(self, reason: Reason) -> str:
        """What to do about what ``health`` found, for this very outlet, in Vietnamese; empty where the usual words do."""
        return ""
