"""The technical log: one line an event, as JSON for machines or as text for people, with every secret taken out.

Everything goes through the standard library's ``logging``, so libraries are formatted alike. What stands in ``extra``
(``log.info("…", extra={"delivery": key})``) and what is bound for a task (``structlog.contextvars``) becomes fields
of the line: ``delivery``, ``outlet``, ``ward``, ``epoch``, ``fence``.
"""

import json
import logging
import re
import sys
from collections.abc import Mapping
from typing import Any, Literal, TextIO
from urllib.parse import quote

import structlog
from structlog.typing import EventDict, Processor

from store import vault

Form = Literal["auto", "json", "text"]

HIDDEN = "***"
SHORTEST_SECRET = 6
SECRET_KEYS = frozenset(
    {
        "access_token", "api_key", "app_secret", "appsecret_proof", "authorization", "bot_token", "client_secret", "cookie",
        "metrics_token", "page_token", "password", "proxy-authorization", "refresh_token", "secret", "secret_key",
        "set-cookie", "site_token", "token", "x-ops-token",
    }
)  # fmt: skip
_NAMED = "|".join(sorted(re.escape(key) for key in SECRET_KEYS))
_RULES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"([a-z][a-z0-9+.-]*://)[^\s/@\"'<>]+@", re.IGNORECASE), rf"\1{HIDDEN}@"),
    (re.compile(r"(https?://[^\s?#\"'<>]*)\?[^\s\"'<>]*", re.IGNORECASE), rf"\1?{HIDDEN}"),
    (re.compile(r"(?<=[\w/])\?[\w.%~-]+=[^\s\"'<>]*"), f"?{HIDDEN}"),
    (re.compile(r"\b(bearer|basic)\s+[\w.~+/=-]{6,}", re.IGNORECASE), rf"\1 {HIDDEN}"),
    # a bot's token stands in the path of its addresses (https://core.telegram.org/bots/api#authorizing-your-bot)
    (re.compile(r"\b(bot)?\d{6,}:[\w-]{20,}"), HIDDEN),
    (
        re.compile(rf"([\"']?\b(?:{_NAMED})\b[\"']?\s*[:=]\s*)(\"[^\"]*\"|'[^']*'|[^\s,;&}}\]]+)", re.IGNORECASE),
        rf"\1{HIDDEN}",
    ),
)
_QUIET = ("uvicorn.access", "apscheduler", "alembic", "httpx", "httpcore", "procrastinate", "asyncio")


class Redactor:
    """Takes secrets out of a line: values it has learnt, values under a secret's name, queries of addresses."""

    def __init__(self, *secrets: object) -> None:
        self._known: set[str] = set()
        for secret in secrets:
            self.learn(secret)

    def learn(self, secret: object) -> None:
        """From now on this value (or every text inside this mapping or list) is hidden wherever it stands."""
        if isinstance(secret, Mapping):
            for value in secret.values():
                self.learn(value)
        elif isinstance(secret, list | tuple | set | frozenset):
            for value in secret:
                self.learn(value)
        elif isinstance(secret, str) and len(secret) >= SHORTEST_SECRET:
            self._known = self._known | {secret, quote(secret, safe="")}

    def __call__(self, _logger: Any, _name: str, event: EventDict) -> EventDict:
        """structlog's processor: the same line without what must not be told."""
        return {key: self._value(key, value) for key, value in event.items()}

    def text(self, words: str) -> str:
        """A text without secrets."""
        for known in self._known:
            words = words.replace(known, HIDDEN)
        for pattern, put in _RULES:
            words = pattern.sub(put, words)
        return words

    def _value(self, key: object, value: Any) -> Any:
        if str(key).lower() in SECRET_KEYS:
            return HIDDEN
        if isinstance(value, bool | int | float | None):
            return value
        if isinstance(value, Mapping):
            return {self.text(str(name)): self._value(name, inner) for name, inner in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self._value("", inner) for inner in value]
        return self.text(str(value))


class _Lenient(logging.StreamHandler[TextIO]):
    """A log that cannot be written (its disk is full) is lost; the program goes on."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the name is the standard library's
        """Say nothing: there is nowhere to say it."""


def begin(form: Form = "auto", redactor: Redactor | None = None, stream: TextIO | None = None) -> Redactor:
    """Format every log line of this process from now on; gives the redactor, which also learns what the vault opens."""
    redactor, stream = redactor or Redactor(), stream or sys.stderr
    vault.listen = redactor.learn
    as_json = form == "json" or (form == "auto" and not stream.isatty())
    handler = _Lenient(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(foreign_pre_chain=_CHAIN, processors=_last(redactor, as_json))
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    logging.getLogger("lantoa").setLevel(logging.INFO)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    # A beat that is still at its work is not begun a second time: that is how it shall be, and no news.
    logging.getLogger("apscheduler.scheduler").setLevel(logging.ERROR)
    logging.captureWarnings(True)
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *_CHAIN, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
    return redactor


_CHAIN: list[Processor] = [
    structlog.contextvars.merge_contextvars,
    structlog.stdlib.add_logger_name,
    structlog.stdlib.add_log_level,
    structlog.stdlib.PositionalArgumentsFormatter(),
    structlog.stdlib.ExtraAdder(),
    structlog.processors.TimeStamper(fmt="iso", utc=True, key="at"),
]


def _last(redactor: Redactor, as_json: bool) -> list[Processor]:
    plain = structlog.dev.plain_traceback
    renderer: Processor = structlog.dev.ConsoleRenderer(
        colors=False, exception_formatter=plain, timestamp_key="at", pad_event_to=0
    )
    if as_json:
        renderer = structlog.processors.JSONRenderer(serializer=_json)
    return [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        structlog.processors.format_exc_info,
        _drop_colours,
        redactor,
        renderer,
    ]


def _drop_colours(_logger: Any, _name: str, event: EventDict) -> EventDict:
    event.pop("color_message", None)
    return event


def _json(event: EventDict, **_given: Any) -> str:
    first = {key: event[key] for key in ("at", "level", "logger", "event") if key in event}
    return json.dumps({**first, **event}, ensure_ascii=False, default=str)
