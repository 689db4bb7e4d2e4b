"""Videos and reels of the twin: start, bytes, finish, and the time that Facebook takes to process them.

https://developers.facebook.com/documentation/video-api/guides/reels-publishing, and the three phases of
https://developers.facebook.com/docs/graph-api/reference/page/videos. A reel that is no reel (3 to 90 seconds, 9:16, at
least 540 × 960) is taken and fails in processing, as Graph does it. «finish» twice makes one post.
"""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from channels.twin import TwinState

PROCESSING_SECONDS = 15
CHUNK = 4_000_000
_TABLE = "facebook.video"


@dataclass(frozen=True)
class Film:
    """What an MP4 says of itself: its length in seconds and its size in pixels."""

    seconds: float
    width: int
    height: int


def film(content: bytes) -> Film | None:
    """The film in these bytes (ISO/IEC 14496-12: mvhd, tkhd); None where there is none."""
    movie = _box(content, b"moov")
    head = _box(movie, b"mvhd")
    if len(head) < 20 or content[4:8] != b"ftyp":
        return None
    scale, length = int.from_bytes(head[12:16], "big"), int.from_bytes(head[16:20], "big")
    track = _box(_box(movie, b"trak"), b"tkhd")
    width, height = (int.from_bytes(track[at : at + 2], "big") for at in (76, 80))
    return Film(length / scale if scale else 0.0, width, height)


def _box(content: bytes, name: bytes) -> bytes:
    at = 0
    while at + 8 <= len(content):
        size = int.from_bytes(content[at : at + 4], "big")
        if content[at + 4 : at + 8] == name:
            return content[at + 8 : at + size]
        at += max(size, 8)
    return b""


class Videos:
    """What was begun, what came, what was finished. ``make`` makes the post in which a finished video stands."""

    def __init__(
        self,
        state: TwinState,
        now: Callable[[], datetime],
        base_url: str,
        wrong: Callable[..., Response],
        make: Callable[[str, str, dict[str, Any]], dict[str, Any]],
    ) -> None:
        self.state, self.now, self.base_url, self.wrong, self.make = state, now, base_url, wrong, make

    async def reels(self, account: str, said: dict[str, Any], request: Request) -> Response:
        """POST /{page}/video_reels: begin, or publish what was uploaded."""
        if said.get("upload_phase") == "start":
            id = self._begin(account, reel=True)["id"]
            version = request.path_params["version"]
            return JSONResponse({"video_id": id, "upload_url": f"{self.base_url}/video-upload/{version}/{id}"})
        video = self.of(account, str(said.get("video_id", "")))
        if said.get("upload_phase") != "finish" or video is None or not video["whole"]:
            return self.wrong(100, "Invalid parameter")
        if said.get("video_state") != "PUBLISHED":
            return self.wrong(100, "Invalid parameter")
        return self._finish(account, video, said)

    async def videos(self, account: str, said: dict[str, Any], request: Request) -> Response:
        """POST /{page}/videos: begin, take a chunk, or publish."""
        phase = said.get("upload_phase")
        if phase == "start":
            size = int(said.get("file_size") or 0)
            begun = self._begin(account, reel=False) | {"size": size}
            self._put(begun)
            wanted = {"start_offset": "0", "end_offset": str(min(size, CHUNK))}
            return JSONResponse({"video_id": begun["id"], "upload_session_id": begun["session"], **wanted})
        video = self._of_session(account, str(said.get("upload_session_id", "")))
        if video is None:
            return self.wrong(100, "Invalid parameter")
        if phase == "transfer":
            return await self._transfer(video, said)
        if phase != "finish" or not video["whole"]:
            return self.wrong(100, "Invalid parameter")
        return self._finish(account, video, said)

    async def uploaded(self, request: Request) -> Response:
        """POST to a reel's upload address; the token stands in a header of its own."""
        video = self.state.get(_TABLE, request.path_params["id"])
        if video is None or not request.headers.get("authorization", "").startswith("OAuth "):
            return self.wrong(190, "Invalid OAuth access token", 401)
        content = await request.body()
        if request.headers.get("offset") != "0" or request.headers.get("file_size") != str(len(content)):
            return self.wrong(100, "Invalid parameter")
        self._keep(video, content)
        return JSONResponse({"success": True})

    async def _transfer(self, video: dict[str, Any], said: dict[str, Any]) -> Response:
        chunk = said.get("video_file_chunk")
        came = await chunk.read() if isinstance(chunk, UploadFile) else b""
        held = self.content(video)
        if int(said.get("start_offset") or 0) != len(held) or not came:
            return self.wrong(100, "Invalid parameter")
        self._keep(video, held + came)
        at = len(held) + len(came)
        return JSONResponse({"start_offset": str(at), "end_offset": str(min(video["size"], at + CHUNK))})

    def _begin(self, account: str, reel: bool) -> dict[str, Any]:
        id = f"6{self.state.next('facebook.video'):014d}"
        video = {"id": id, "account": account, "reel": reel, "whole": False, "size": 0, "session": f"s{id}"}
        self._put(video)
        return video

    def _keep(self, video: dict[str, Any], content: bytes) -> None:
        name = f"facebook-{video['id']}-{hashlib.sha256(content).hexdigest()[:8]}.mp4"
        self.state.keep(name, content)
        whole = bool(video["reel"]) or len(content) == video["size"]
        self._put({**video, "name": name, "whole": whole})

    def _finish(self, account: str, video: dict[str, Any], said: dict[str, Any]) -> Response:
        if not video.get("post"):
            found = film(self.content(video))
            lost = found is None or (video["reel"] and not _is_reel(found))
            video = {**video, "lost": lost, "finished_at": self.now().isoformat()}
            if not lost:
                ready = self.now() + timedelta(seconds=PROCESSING_SECONDS)
                told = {
                    "video": video["id"],
                    "file": video["name"],
                    "reel": video["reel"],
                    "ready_at": ready.isoformat(),
                }
                video["post"] = self.make(account, str(said.get("description", "")), told)["id"]
            self._put(video)
        return JSONResponse({"success": True})

    def node(self, video: dict[str, Any], link: str) -> Response:
        """GET /{video}: how far it is."""
        told = {"id": video["id"], "status": self._status(video)}
        return JSONResponse(told | ({"post_id": video["post"], "permalink_url": link} if video.get("post") else {}))

    def _status(self, video: dict[str, Any]) -> dict[str, Any]:
        phases = {"uploading_phase": {"status": "complete" if video["whole"] else "in_progress"}}
        if not video.get("finished_at"):
            waiting = {"status": "not_started"}
            return {
                "video_status": "upload_complete",
                **phases,
                "processing_phase": waiting,
                "publishing_phase": waiting,
            }
        age = self.now() - datetime.fromisoformat(video["finished_at"])
        if age < timedelta(seconds=PROCESSING_SECONDS):
            phases |= {"processing_phase": {"status": "in_progress"}, "publishing_phase": {"status": "not_started"}}
            return {"video_status": "processing", **phases}
        if video["lost"]:
            phases |= {"processing_phase": {"status": "error"}, "publishing_phase": {"status": "not_started"}}
            return {"video_status": "error", **phases}
        done = {"status": "complete"}
        published = {"status": "complete", "publish_status": "published"}
        return {"video_status": "ready", **phases, "processing_phase": done, "publishing_phase": published}

    def of(self, account: str, id: str) -> dict[str, Any] | None:
        """A video of the account, or None."""
        video = self.state.get(_TABLE, id)
        return video if video and video["account"] == account else None

    def content(self, video: dict[str, Any]) -> bytes:
        """The bytes that have come."""
        return self.state.file(video["name"]).read_bytes() if video.get("name") else b""

    def _of_session(self, account: str, session: str) -> dict[str, Any] | None:
        return self.of(account, session.removeprefix("s"))

    def _put(self, video: dict[str, Any]) -> None:
        self.state.put(_TABLE, video["id"], video)


def _is_reel(found: Film) -> bool:
    upright = found.height > 0 and abs(found.width / found.height - 9 / 16) < 0.01
    return upright and found.width >= 540 and found.height >= 960 and 3 <= found.seconds <= 90.1
