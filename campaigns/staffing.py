"""Accounts in an administrator's hands: adding, closing, opening again, a new password; always within one ward."""

from datetime import datetime

from sqlmodel import Session, col, func, select

from campaigns import linking, people, views
from campaigns.audit import Actor, record
from campaigns.people import Action, Mistake, Role, require
from store.tables import User, Ward


def staff(session: Session, by: Actor, ward_id: int) -> list[User]:
    """The ward's accounts, those in use first; raises Forbidden."""
    require(by, Action.MANAGE, ward_id)
    return list(session.exec(views.of_ward(User, ward_id).order_by(col(User.active).desc(), User.name)).all())


def add(
    session: Session, by: Actor, ward: Ward, username: str, name: str, role: str, password: str, now: datetime
) -> User:
    """A new account of this ward; raises Forbidden or Mistake."""
    require(by, Action.MANAGE, ward.id or 0)
    return people.add_user(session, by, ward, username, name, role, password, now)


def deactivate(session: Session, by: Actor, user: User, now: datetime) -> None:
    """Close an account and revoke its sessions; raises Forbidden or Mistake."""
    _mine(by, user)
    if user.id == by.user_id:
        raise Mistake("Bạn không thể tự ngừng tài khoản của mình. Hãy nhờ quản trị khác.")
    if user.role == Role.ADMIN and _admins(session, user) < 2:
        raise Mistake("Đây là quản trị duy nhất của phường. Hãy thêm một quản trị khác trước.")
    user.active = False
    session.add(user)
    people.sign_out_everywhere(session, user, now)
    linking.leave(session, by, user, now)
    _record(session, by, user, "user.deactivated", now)


def activate(session: Session, by: Actor, user: User, now: datetime) -> None:
    """Open a closed account again; raises Forbidden."""
    _mine(by, user)
    user.active = True
    session.add(user)
    _record(session, by, user, "user.activated", now)


def reset_password(session: Session, by: Actor, user: User, password_hash: str, now: datetime) -> None:
    """Set a hash made by ``people.hash_password`` and revoke every session of the account; raises Forbidden."""
    _mine(by, user)
    user.password_hash = password_hash
    session.add(user)
    people.sign_out_everywhere(session, user, now)
    _record(session, by, user, "user.password_reset", now)


def _mine(by: Actor, user: User) -> None:
    if user.ward_id is None:
        raise Mistake("Tài khoản của thành phố do thành phố quản lý.")
    require(by, Action.MANAGE, user.ward_id)


def _admins(session: Session, user: User) -> int:
    mine = (User.ward_id == user.ward_id, User.role == Role.ADMIN.value, col(User.active))
    return session.exec(select(func.count()).select_from(User).where(*mine)).one()


def _record(session: Session, by: Actor, user: User, action: str, now: datetime) -> None:
    session.flush()
    record(session, user.ward_id or 0, by, action, "user", user.id, now, username=user.username)
