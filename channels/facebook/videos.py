"""Videos and reels of a page: uploaded and named beforehand, published by that name, processed by Facebook afterwards.

Reel: https://developers.facebook.com/documentation/video-api/guides/reels-publishing (updated 2026-07-30, read 2026-11-23).
Video: the three phases of https://developers.facebook.com/docs/graph-api/reference/page/videos (start, transfer, finish), on
graph.facebook.com, because graph-video is deprecated (https://developers.facebook.com/docs/video-api/overview).

Only «finish» makes anything visible, and it names the video: done twice there is still one, and a lost answer is settled
by asking the video itself (class B), whatever the page's list of posts says.
"""

from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field

from channels.contract import (
    Clip,
    ClipLimits,
    Deferred,
    Found,
    Handle,
    Message,
    Outcome,
    Pending,
    Reason,
    Refused,
    Unknown,
)
from channels.facebook.api import Api, Done
from channels.seen import invisible
from channels.wire import Answer

VIDEO = ClipLimits(max_bytes=1_000_000_000, max_seconds=1_200)
REEL_SECONDS = (3.0, 90.0)
REEL_SIZE = (540, 960)
TITLE_LIMIT = 255
_KEPT = timedelta(hours=20)
_AGAIN = timedelta(seconds=30)
_PATIENCE = timedelta(hours=3)
_LOST = "Facebook không xử lý được video này. Hãy mở trang xem, xuất lại video (MP4, H.264) rồi soạn bài mới."


class _Lenient(BaseModel):
    model_config = ConfigDict(extra="ignore")


class ReelStarted(_Lenient):
    """A reel has its name and the address that takes its bytes."""

    video_id: str = Field(min_length=1)
    upload_url: str = Field(pattern=r"^https?://")


class VideoStarted(_Lenient):
    """A video has its name, and Facebook says which bytes it wants first."""

    video_id: str = Field(min_length=1)
    upload_session_id: str = Field(min_length=1)
    start_offset: int
    end_offset: int


class Wanted(_Lenient):
    """Which bytes Facebook wants next; none where both are the same."""

    start_offset: int
    end_offset: int


class Phase(_Lenient):
    """How far one phase is: not_started, in_progress, complete or error."""

    status: str = "not_started"


class Status(_Lenient):
    """How far a video is."""

    video_status: str = ""
    processing_phase: Phase = Phase()
    publishing_phase: Phase = Phase()


class Video(_Lenient):
    """A video as it is read; ``post_id`` is the post in which it stands."""

    id: str
    status: Status = Status()
    permalink_url: str | None = None
    post_id: str | None = None


def is_video(remote_id: str) -> bool:
    """Whether a remote id names a video; posts are called page_post."""
    return remote_id.isdigit()


def as_reel(clip: Clip) -> bool:
    """Whether Facebook takes it as a reel: 3 to 90 seconds, 9:16, at least 540 × 960."""
    upright = clip.height > 0 and abs(clip.width / clip.height - 9 / 16) < 0.01
    large = clip.width >= REEL_SIZE[0] and clip.height >= REEL_SIZE[1]
    return upright and large and REEL_SECONDS[0] <= clip.seconds <= REEL_SECONDS[1]


def is_staged(handle: Handle, now: datetime) -> bool:
    """Whether the video is uploaded, and lately enough to be still there."""
    at = handle.data.get("at")
    return bool(handle.data.get("video")) and isinstance(at, str) and now - datetime.fromisoformat(at) < _KEPT


class Videos:
    """The videos of one page. ``token`` opens the address that takes a reel's bytes."""

    def __init__(self, api: Api, page_id: str, host: str, token: str, now: datetime) -> None:
        self._api, self._page, self._host, self._token, self._now = api, page_id, host, token, now

    async def stage(self, clip: Clip, content: bytes, reel: bool) -> Handle | Outcome:
        """Give the bytes to Facebook; nobody sees them. The handle carries the video's name."""
        staged = await (self._upload_reel(clip, content) if reel else self._upload_video(clip, content))
        if isinstance(staged, Deferred | Refused | Unknown):
            return invisible(staged)
        return Handle(data={**staged, "at": self._now.isoformat()})

    async def _upload_reel(self, clip: Clip, content: bytes) -> dict[str, Any] | Deferred | Refused | Unknown:
        seen = await self._api.post(f"/{self._page}/video_reels", {"upload_phase": "start"})
        if not isinstance(seen, Answer):
            return seen
        started = seen.read(ReelStarted)
        if started is None:
            return _unreadable()
        if not self._is_theirs(started.upload_url):
            return Refused(reason=Reason.MISCONFIGURED, detail="Facebook chỉ một địa chỉ tải lên lạ; chưa gửi gì.")
        headers = {"authorization": f"OAuth {self._token}", "offset": "0", "file_size": str(len(content))}
        sent = await self._api.upload(started.upload_url, headers, content, clip.carrying_seconds)
        if not isinstance(sent, Answer):
            return sent
        done = sent.read(Done)
        return {"video": started.video_id} if done and done.success else _unreadable()

    def _is_theirs(self, url: str) -> bool:
        """The token goes to Facebook's own hosts only, or to the one that the settings name."""
        host = urlsplit(url).hostname or ""
        return host == urlsplit(self._host).hostname or host.endswith(".facebook.com")

    async def _upload_video(self, clip: Clip, content: bytes) -> dict[str, Any] | Deferred | Refused | Unknown:
        path = f"/{self._page}/videos"
        seen = await self._api.post(path, {"upload_phase": "start", "file_size": str(len(content))})
        if not isinstance(seen, Answer):
            return seen
        started = seen.read(VideoStarted)
        if started is None:
            return _unreadable()
        at, end = started.start_offset, started.end_offset
        while at < end:
            fields = {
                "upload_phase": "transfer",
                "upload_session_id": started.upload_session_id,
                "start_offset": str(at),
            }
            chunk = {"video_file_chunk": ("chunk", content[at:end], "application/octet-stream")}
            seen = await self._api.post(path, fields, files=chunk, longer=clip.carrying_seconds)
            if not isinstance(seen, Answer):
                return seen
            wanted = seen.read(Wanted)
            if wanted is None or (at < wanted.end_offset and wanted.start_offset <= at):
                return _unreadable()
            at, end = wanted.start_offset, wanted.end_offset
        return {"video": started.video_id, "session": started.upload_session_id}

    async def publish(self, message: Message, part: int, handle: Handle) -> Outcome:
        """The one visible call: «finish», by the video's name. Facebook goes on to process it: Pending."""
        said, data = message.parts[part], handle.data
        if data.get("session"):
            path, named = "videos", {"upload_session_id": str(data["session"]), "title": said.title[:TITLE_LIMIT]}
        else:
            path, named = "video_reels", {"video_id": str(data["video"]), "video_state": "PUBLISHED"}
        fields = {"upload_phase": "finish", **named, "description": said.body}
        seen = await self._api.post(f"/{self._page}/{path}", fields, visible=True)
        if not isinstance(seen, Answer):
            return seen
        done = seen.read(Done)
        if done is None or not done.success:
            return Unknown(detail="Facebook trả lời nhưng không xác nhận đã nhận video.")
        sent = handle.model_copy(update={"remote_id": str(data["video"])})
        return Pending(handle=sent, retry_at=self._now + _AGAIN)

    async def find(self, handle: Handle, since: datetime) -> Found:
        """What the video itself says: out, not published, or still worked on (asked again, three hours at the most)."""
        id = str(handle.data["video"])
        video = await self.read(id)
        if not isinstance(video, Video):
            return Found(verdict="unclear", detail=video.detail)
        status = video.status
        if status.publishing_phase.status == "complete":
            return Found(verdict="out", remote_id=id, url=_address(video))
        if "error" in (status.video_status, status.processing_phase.status, status.publishing_phase.status):
            return Found(verdict="unclear", detail=_LOST)
        if "in_progress" in (status.processing_phase.status, status.publishing_phase.status):
            again = self._now + _AGAIN if self._now - since < _PATIENCE else None
            return Found(verdict="unclear", detail="Facebook đang xử lý video.", again_at=again)
        return Found(verdict="absent")

    async def read(self, id: str) -> Video | Deferred | Refused | Unknown:
        """The video as Graph tells it now."""
        seen = await self._api.get(f"/{id}", fields="id,status,permalink_url,post_id")
        if not isinstance(seen, Answer):
            return seen
        return seen.read(Video) or Unknown(detail="Facebook không cho biết tình trạng của video.")


def _unreadable() -> Deferred:
    return Deferred(reason=Reason.BUSY, detail="Facebook nhận video nhưng trả lời không đọc được.")


def _address(video: Video) -> str | None:
    """Where a reader finds it; Graph gives a path."""
    path = video.permalink_url or ""
    return f"https://www.facebook.com{path}" if path.startswith("/") else path or None
