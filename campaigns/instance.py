"""The installation's own identity: which machine and folder is the live one, and safe mode for every other copy of it.

A copied folder or a cloned machine would send everything a second time. It starts in safe mode instead: the console
works, nothing is sent, and a person says that this one is the live one.
"""

import hashlib
import platform
from datetime import datetime
from pathlib import Path

from sqlmodel import Session, col, select

from campaigns.audit import MACHINE, Actor, record
from campaigns.people import Action, Mistake, require
from store.engine import Store
from store.tables import Instance, Ward

MACHINE_ID = Path("/etc/machine-id")
ELSEWHERE = "Dữ liệu này được sao chép từ máy hoặc thư mục khác; nếu cùng gửi với bản đang chạy thật, bà con sẽ thấy mỗi tin hai lần."


def home(folder: Path) -> str:
    """The machine and the data folder as one hash (https://www.freedesktop.org/software/systemd/man/machine-id.html)."""
    try:
        machine = MACHINE_ID.read_text("utf-8").strip()
    except OSError:
        machine = ""
    return hashlib.sha256(f"{machine or platform.node()}\n{folder.resolve()}".encode()).hexdigest()


def at_start(store: Store, folder: Path, now: datetime) -> str:
    """To be asked before anything is sent: gives why nothing may be, empty when this is the live installation.

    The first start makes its home the live one; a start anywhere else begins safe mode.
    """
    with store.write() as session:
        instance = locked(session)
        here = home(folder)
        if not instance.home:
            instance.home = here
            session.add(instance)
        elif instance.home != here and not instance.safe_mode:
            begin_safe_mode(session, instance, ELSEWHERE, now)
        return instance.safe_mode


def begin_safe_mode(session: Session, instance: Instance, why: str, now: datetime) -> None:
    """From now on nothing is sent, in any ward, until a person confirms; ``why`` is shown on every page."""
    instance.safe_mode = why
    session.add(instance)
    _tell(session, MACHINE, "instance.safe_mode", now, why=why)


def confirm(session: Session, by: Actor, folder: Path, now: datetime) -> None:
    """«Đây là bản đang vận hành thật»: this home is the live one and may send; raises Forbidden, Mistake."""
    for ward_id in wards(session):
        require(by, Action.MANAGE, by.ward_id or ward_id)
    instance = locked(session)
    here = home(folder)
    if not instance.safe_mode and instance.home == here:
        raise Mistake("Chương trình không ở chế độ an toàn; không cần xác nhận.")
    instance.home, instance.safe_mode = here, ""
    session.add(instance)
    _tell(session, by, "instance.confirmed", now, home=here[:12])


def locked(session: Session) -> Instance:
    """The one row that says who we are, kept from other writers until the transaction ends."""
    return session.exec(select(Instance).where(Instance.id == 1).with_for_update(key_share=True)).one()


def wards(session: Session) -> list[int]:
    """Every ward, in the order in which their audit chains are written."""
    return [id for id in session.exec(select(Ward.id).order_by(col(Ward.id))).all() if id is not None]


def _tell(session: Session, by: Actor, action: str, now: datetime, **particulars: str) -> None:
    for ward_id in wards(session):
        record(session, ward_id, by, action, "instance", 1, now, **particulars)
