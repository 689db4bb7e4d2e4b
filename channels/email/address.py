"""Mail addresses: which ones can be written to without surprises."""

import re

LONGEST = 254
_LOCAL = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_DOMAIN = re.compile(r"([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z0-9-]*[a-z][a-z0-9-]*")


def readable(text: str) -> str | None:
    """The address as it is kept (its domain in small ASCII letters), or None where it is none (RFC 5321 4.1.2, 4.5.3.1).

    Quoted local parts, address literals and local parts outside ASCII are not taken: few servers do.
    """
    local, at, domain = text.strip().rpartition("@")
    try:
        domain = domain.lower().encode("idna").decode("ascii")
    except UnicodeError:
        return None
    fits = len(local) <= 64 and len(local) + 1 + len(domain) <= LONGEST
    known = at and fits and _LOCAL.fullmatch(local) and _DOMAIN.fullmatch(domain) and not domain.endswith("-")
    return f"{local}@{domain}" if known else None
