"""Before an article is amended: how it stands now, by its id."""

from datetime import datetime

from channels.contract import Deferred, Reason, Refused, Unknown
from channels.seen import invisible
from channels.zalo.api import OK, Api, Detail, after_code, parsed

NO_SUCH = -201
"""«A field is invalid»: the only field of ``getdetail`` is the id."""


async def standing(api: Api, id: str, now: datetime) -> Detail | Deferred | Refused:
    """The article as it stands, or why it cannot be told; NOT_FOUND where Zalo says that there is no such article."""
    seen = await api.get("/v2.0/article/getdetail", id=id)
    if isinstance(seen, Deferred | Refused | Unknown):
        return invisible(seen)
    if seen.error == NO_SUCH:
        return Refused(reason=Reason.NOT_FOUND, detail="Bài không còn trên Zalo; có thể đã bị gỡ trước đó.")
    if seen.error != OK:
        return invisible(after_code(seen.error, now, seen.message))
    return parsed(seen.data, Detail) or Deferred(reason=Reason.BUSY, detail="Zalo không cho đọc bài lúc này.")
