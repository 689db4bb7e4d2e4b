"""Staff: who they are, what they may do, how they sign in. Sessions live on the server and can be revoked.

argon2id with m=19 MiB, t=2, p=1 (OWASP Password Storage Cheat Sheet). A wrong name costs the same time as a wrong
password, and both give the same answer.
"""

import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlmodel import Session, col, delete, func, select, update

from campaigns.audit import Actor, record
from content.text import nfc, squeeze
from store import tables
from store.tables import LoginFailure, User, Ward

IDLE = timedelta(minutes=60)
LONGEST = timedelta(hours=12)
NOTE_USE_EVERY = timedelta(minutes=1)
FAILURE_WINDOW = timedelta(minutes=15)
FAILURES_PER_NAME = 10
FAILURES_PER_ADDRESS = 30
SHORTEST_PASSWORD = 12

_HASHER = PasswordHasher(time_cost=2, memory_cost=19_456, parallelism=1)
_NOBODY = _HASHER.hash(secrets.token_hex(16))


class Role(StrEnum):
    """What a member of staff is: the words on screen stand in ``ROLE_WORDS``."""

    EDITOR = "editor"
    APPROVER = "approver"
    ANNOUNCER = "announcer"
    REPORTER = "reporter"
    ADMIN = "admin"
    READER = "reader"


ROLE_WORDS = {
    Role.EDITOR: "Biên tập viên",
    Role.APPROVER: "Người duyệt",
    Role.ANNOUNCER: "Phát thanh viên",
    Role.REPORTER: "Người báo cáo",
    Role.ADMIN: "Quản trị",
    Role.READER: "Người xem",
}


class Action(StrEnum):
    """What may be allowed."""

    VIEW = "view"
    WRITE = "write"
    APPROVE = "approve"
    SETTLE = "settle"
    REPORT = "report"
    MANAGE = "manage"


_ALLOWED: dict[Role, frozenset[Action]] = {
    Role.READER: frozenset({Action.VIEW}),
    Role.EDITOR: frozenset({Action.VIEW, Action.WRITE}),
    Role.ANNOUNCER: frozenset({Action.VIEW, Action.WRITE}),
    Role.REPORTER: frozenset({Action.VIEW, Action.REPORT}),
    Role.APPROVER: frozenset({Action.VIEW, Action.WRITE, Action.APPROVE, Action.SETTLE, Action.REPORT}),
    Role.ADMIN: frozenset(Action),
}


class Forbidden(PermissionError):
    """The actor may not do this; the message is Vietnamese."""


class Mistake(ValueError):
    """What was asked cannot be done as it stands; the message is Vietnamese and says what to do."""


class WrongPassword(Mistake):
    """The password that was to prove who asks is not right."""


def may(actor: Actor, action: Action) -> bool:
    """Whether the actor's role allows the action (in the wards that the actor may enter)."""
    return actor.role in set(Role) and action in _ALLOWED[Role(actor.role)]


def require(actor: Actor, action: Action, ward_id: int) -> None:
    """Raise Forbidden unless the actor may do this in this ward: the one place where wards are kept apart."""
    if actor.ward_id is not None and actor.ward_id != ward_id:
        raise Forbidden("Nội dung này thuộc phường khác.")
    if not may(actor, action):
        raise Forbidden("Tài khoản của bạn không có quyền làm việc này.")


def actor_of(user: User) -> Actor:
    """The user as an actor."""
    return Actor(user.id, user.name, user.role, user.ward_id)


def add_user(
    session: Session, by: Actor, ward: Ward | None, username: str, name: str, role: str, password: str, now: datetime
) -> User:
    """A new member of staff; raises Mistake for a bad name, role or password."""
    username = squeeze(username).lower()
    if not username or not all(letter.isalnum() or letter in "._-" for letter in username):
        raise Mistake("Tên đăng nhập chỉ gồm chữ, số và các dấu . _ -")
    if role not in set(Role):
        raise Mistake(f"Vai trò phải là một trong: {', '.join(Role)}.")
    if session.exec(select(User.id).where(User.username == username)).first():
        raise Mistake(f"Tên đăng nhập «{username}» đã có người dùng.")
    user = User(
        ward_id=ward.id if ward else None,
        username=username,
        name=squeeze(name) or username,
        role=role,
        password_hash=hash_password(password),
        created_at=now,
    )
    session.add(user)
    session.flush()
    for ward_id in _wards_of(session, user):
        record(session, ward_id, by, "user.added", "user", user.id, now, username=username, role=role)
    return user


def hash_password(password: str) -> str:
    """argon2id of a password of at least 12 characters; raises Mistake for a shorter one."""
    password = nfc(password)
    if not SHORTEST_PASSWORD <= len(password) <= 128:
        raise Mistake(f"Mật khẩu phải có từ {SHORTEST_PASSWORD} đến 128 ký tự.")
    return _HASHER.hash(password)


@dataclass(frozen=True)
class Attempt:
    """A sign-in that is being tried: what the password must match, found before the slow hashing."""

    username: str
    address: str
    user: User | None
    user_hash: str = field(default="", repr=False)

    def matches(self, password: str) -> bool:
        """Whether the password is right; takes as long for a name that nobody has. Needs no transaction."""
        right = _matches(self.user_hash if self.user else _NOBODY, nfc(password)[:200])
        return right and self.user is not None


@dataclass(frozen=True)
class Visit:
    """A signed-in user; ``stale`` says that the session's last use should be noted again."""

    user: User
    stale: bool


def attempt(session: Session, username: str, address: str, now: datetime) -> Attempt | None:
    """A sign-in to be tried, or None after too many failures lately."""
    username = squeeze(username).lower()[:100]
    if _too_many_failures(session, username, address, now):
        return None
    user = session.exec(select(User).where(User.username == username, col(User.active))).first()
    return Attempt(username, address, user, user.password_hash if user else "")


def finish(session: Session, tried: Attempt, right: bool, agent: str, now: datetime) -> str | None:
    """The cookie of a new session when the password was right; else None, and the failure is counted.

    What changed while the password was being hashed counts: other failures, another password, a closed account.
    """
    session.exec(delete(LoginFailure).where(col(LoginFailure.at) < now - timedelta(hours=1)))
    if _too_many_failures(session, tried.username, tried.address, now):
        return None
    if not right or tried.user is None:
        for subject in (f"name:{tried.username}", f"from:{tried.address}"):
            session.add(LoginFailure(subject=subject, at=now))
        return None
    user = session.get(User, tried.user.id, populate_existing=True)
    if user is None or not user.active or user.password_hash != tried.user_hash:
        return None
    return _open_session(session, user, agent, now)


def sign_in(session: Session, username: str, password: str, address: str, agent: str, now: datetime) -> str | None:
    """The cookie of a new session, or None; all in one transaction (a server takes ``attempt`` and ``finish``)."""
    tried = attempt(session, username, address, now)
    return finish(session, tried, tried.matches(password), agent, now) if tried else None


def visit(session: Session, token: str, now: datetime) -> Visit | None:
    """Who a cookie belongs to, or None when the session is unknown, revoked, idle or too old."""
    user = signed_in(session, token, now)
    row = session.get(tables.Session, _hash(token))
    return Visit(user, now >= row.seen_at + NOTE_USE_EVERY) if user and row else None


def signed_in(session: Session, token: str, now: datetime) -> User | None:
    """The user of a cookie, or None when the session is unknown, revoked, idle or too old."""
    row = session.get(tables.Session, _hash(token))
    if row is None or row.revoked_at or now >= row.expires_at or now >= row.seen_at + IDLE:
        return None
    user = session.get(User, row.user_id)
    return user if user and user.active else None


def touch(session: Session, token: str, now: datetime) -> None:
    """Mark a session as used now."""
    session.exec(update(tables.Session).where(col(tables.Session.token_hash) == _hash(token)).values(seen_at=now))


def sign_out(session: Session, token: str, now: datetime) -> None:
    """Revoke one session."""
    session.exec(update(tables.Session).where(col(tables.Session.token_hash) == _hash(token)).values(revoked_at=now))


def sign_out_everywhere(session: Session, user: User, now: datetime, keep: str = "") -> None:
    """Revoke every session of this user, but the one whose cookie is ``keep``."""
    others = update(tables.Session).where(
        col(tables.Session.user_id) == user.id,
        col(tables.Session.token_hash) != _hash(keep),
        col(tables.Session.revoked_at).is_(None),
    )
    session.exec(others.values(revoked_at=now))


def new_password(user: User, old: str, new: str) -> str:
    """The hash of a new password once the old one has been proved; slow, needs no transaction. Raises Mistake."""
    if not _matches(user.password_hash, nfc(old)[:200]):
        raise WrongPassword("Mật khẩu hiện tại không đúng.")
    return hash_password(new)


def put_password(session: Session, user: User, password_hash: str, keep: str, now: datetime) -> None:
    """Set a hash made by ``new_password`` and revoke every other session of this user."""
    user.password_hash = password_hash
    session.add(user)
    sign_out_everywhere(session, user, now, keep)
    for ward_id in _wards_of(session, user):
        record(session, ward_id, actor_of(user), "user.password_changed", "user", user.id, now)


def change_password(session: Session, user: User, old: str, new: str, keep: str, now: datetime) -> None:
    """Set a new password and revoke every other session of this user, in one transaction; raises Mistake."""
    put_password(session, user, new_password(user, old, new), keep, now)


def _wards_of(session: Session, user: User) -> list[int]:
    """The wards in whose log an account's changes stand: its own, or every one for a city account."""
    every = session.exec(select(Ward.id).order_by(col(Ward.id))).all()
    return [id for id in every if id is not None and user.ward_id in (None, id)]


def _too_many_failures(session: Session, username: str, address: str, now: datetime) -> bool:
    def failures(subject: str) -> int:
        recent = col(LoginFailure.at) > now - FAILURE_WINDOW
        return session.exec(select(func.count()).where(col(LoginFailure.subject) == subject, recent)).one()

    return failures(f"name:{username}") >= FAILURES_PER_NAME or failures(f"from:{address}") >= FAILURES_PER_ADDRESS


def _matches(password_hash: str, password: str) -> bool:
    try:
        return _HASHER.verify(password_hash, password)
    except (VerificationError, InvalidHashError):
        return False


def _open_session(session: Session, user: User, agent: str, now: datetime) -> str:
    token = secrets.token_urlsafe(32)
    assert user.id is not None  # noqa: S101
    session.add(
        tables.Session(
            token_hash=_hash(token),
            user_id=user.id,
            created_at=now,
            seen_at=now,
            expires_at=now + LONGEST,
            agent=agent[:200],
        )
    )
    return token


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
