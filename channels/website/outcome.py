"""What the site, or whatever stands before it, answered: read as the contract's outcomes."""

from datetime import datetime

from channels.contract import Outcome, Published, Reason, Refused
from channels.seen import after_answer, after_silence, invisible
from channels.website.api import Failure, Placed
from channels.wire import Answer, Seen, Silence

_REASONS = {
    "unauthorized": Reason.UNAUTHORIZED,
    "not_found": Reason.NOT_FOUND,
    "invalid": Reason.REJECTED,
    "too_large": Reason.TOO_LONG,
    "withdrawn": Reason.REJECTED,
    "address_taken": Reason.REJECTED,
    "picture_missing": Reason.BAD_MEDIA,
    "bad_media": Reason.BAD_MEDIA,
}
# Said by whatever stands before the site, without the site's own words: by their meaning nothing was done.
_BARE = {
    301: Reason.MISCONFIGURED,
    302: Reason.MISCONFIGURED,
    307: Reason.MISCONFIGURED,
    308: Reason.MISCONFIGURED,
    401: Reason.UNAUTHORIZED,
    403: Reason.FORBIDDEN,
    404: Reason.MISCONFIGURED,
    405: Reason.MISCONFIGURED,
    413: Reason.TOO_LONG,
}


def visible(seen: Seen, key: str, now: datetime) -> Outcome:
    """The outcome of a step that readers may see: only the site's own word says that it is done."""
    if isinstance(seen, Silence):
        return after_silence(seen)
    placed = seen.read(Placed) if seen.status in (200, 201) else None
    if placed and placed.key == key:
        return Published(remote_id=key, url=placed.url)
    why = reason(seen)
    return Refused(reason=why, detail=said(seen)) if why else after_answer(seen, now)


def hidden(seen: Seen, now: datetime) -> Outcome:
    """The outcome of a failed step that nobody can see: it may simply be done again."""
    if isinstance(seen, Silence):
        return invisible(after_silence(seen))
    why = reason(seen)
    return Refused(reason=why, detail=said(seen)) if why else invisible(after_answer(seen, now))


def reason(seen: Answer) -> Reason | None:
    """Why the site said no, by its own code or the bare status; None where nothing certain was said."""
    failure = seen.read(Failure)
    if failure and 400 <= seen.status < 500:
        return _REASONS[failure.error.code]
    return _BARE.get(seen.status)


def said(seen: Answer) -> str:
    """The status and the site's own words, if any."""
    failure = seen.read(Failure)
    return f"HTTP {seen.status}" + (f": {failure.error.message}" if failure and failure.error.message else "")
