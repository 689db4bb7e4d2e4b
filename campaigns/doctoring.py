"""The health check of an installation: one finding for each thing that can go wrong, and what to do about it."""

import asyncio
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlmodel import col, func, select

from campaigns import connecting, diagnosing, instance, vitals
from campaigns.audit import BrokenChain, verify
from campaigns.outlets import Desk, seal_place
from campaigns.timetable import local
from content import audio, voice
from content.fonts import FontMissing, face
from store import backups, copies
from store.engine import OldSchema, Store
from store.tables import AuditEvent, Delivery, Instance, Media, Outlet, Worker
from store.vault import SealBroken

HEALTH_SECONDS = 10.0
LEAST_FREE = 1 << 30
BACKUP_AGE = timedelta(hours=26)
PROOF_AGE = timedelta(days=8)
AHEAD = timedelta(minutes=5)
SAMPLE = 200
ZONE = "Asia/Ho_Chi_Minh"


@dataclass(frozen=True)
class Finding:
    """One check: what it is about, whether it is well, what was found, and what to do if it is not."""

    about: str
    well: bool
    said: str
    advice: str = ""


@dataclass(frozen=True)
class Patient:
    """What is examined. ``daemon_here`` says that a daemon holds the data folder."""

    store: Store
    desk: Desk
    folder: Path
    backups: Path
    daemon_here: bool
    now: datetime


class Unwell(Exception):
    """A check found something; the message says what, ``advice`` what to do."""

    def __init__(self, said: str, advice: str) -> None:
        super().__init__(said)
        self.advice = advice


Check = Callable[[Patient], str]


def examine(patient: Patient) -> Iterator[Finding]:
    """Every check, one after the other; when the database cannot be used, what needs it is left out."""
    first = _finding("Cơ sở dữ liệu", _database, patient)
    yield first
    for about, check in CHECKS if first.well else ():
        yield _finding(about, check, patient)
    for about, check in MACHINE:
        yield _finding(about, check, patient)


async def outlets(patient: Patient, network: bool = True) -> list[Finding]:
    """How every outlet stands and, with ``network``, whether each open one can be reached: asked all at once, each at most ten seconds."""
    with patient.store.read() as session:
        found = session.exec(select(Outlet).order_by(col(Outlet.id))).all()
    asked = [
        _asked(patient, outlet) if network and outlet.state == "open" else _stands(patient, outlet) for outlet in found
    ]
    return [finding for finding in await asyncio.gather(*asked) if finding is not None]


async def _asked(patient: Patient, outlet: Outlet) -> Finding:
    """What the platform answers now; when it is well, what else keeps the outlet from its work."""
    try:
        said, words = await asyncio.wait_for(connecting.examine(patient.desk, outlet), HEALTH_SECONDS)
    except TimeoutError:
        advice = diagnosing.ADVICE["unreachable"]
        return Finding(_about(outlet), False, f"không trả lời trong {HEALTH_SECONDS:.0f} giây", advice)
    if said != connecting.REACHED:
        told = diagnosing.FOUND.get(said, diagnosing.FOUND[connecting.BROKEN])
        return Finding(_about(outlet), False, told, words or diagnosing.advice(patient.desk, outlet, said))
    return await _stands(patient, outlet) or Finding(_about(outlet), True, diagnosing.FOUND[said])


async def _stands(patient: Patient, outlet: Outlet) -> Finding | None:
    trouble = diagnosing.standing(outlet, patient.now)
    return Finding(_about(outlet), False, *trouble) if trouble else None


def _about(outlet: Outlet) -> str:
    return f"Kênh {outlet.name}"


def moment(at: datetime) -> str:
    """A moment as people here read it."""
    return local(at.astimezone(UTC), ZONE).strftime("%Hh%M ngày %d/%m/%Y")


def _finding(about: str, check: Check, patient: Patient) -> Finding:
    try:
        return Finding(about, True, check(patient))
    except Unwell as unwell:
        return Finding(about, False, str(unwell), unwell.advice)
    except (DBAPIError, OSError) as error:
        said = str(error.orig if isinstance(error, DBAPIError) else error)
        return Finding(about, False, said, "Hãy kiểm tra đường dẫn, quyền và dung lượng đĩa.")


def _database(patient: Patient) -> str:
    try:
        patient.store.check()
    except OldSchema as error:
        raise Unwell("phiên bản không khớp với chương trình", str(error)) from error
    if patient.store.dialect == "postgresql":
        return "PostgreSQL, đúng phiên bản"
    return "SQLite, đúng phiên bản"


def _whole(patient: Patient) -> str:
    if patient.store.dialect == "sqlite":
        try:
            copies.sound(Path(make_url(patient.store.url).database or ""))
        except copies.CannotCopy as error:
            raise Unwell(str(error), "Hãy dừng chương trình và chạy: lantoa restore <bản sao lưu> --replace") from error
        return "nguyên vẹn, không có dòng nào trỏ vào chỗ trống"
    with patient.store.read() as session:
        connection = session.connection()
        bad = connection.exec_driver_sql(
            "select c.relname from pg_index i join pg_class c on c.oid = i.indexrelid where not i.indisvalid limit 1"
        ).scalar()
        loose = connection.exec_driver_sql(
            "select conname from pg_constraint where contype = 'f' and not convalidated limit 1"
        ).scalar()
    if bad or loose:
        raise Unwell(f"chỉ mục hoặc ràng buộc «{bad or loose}» không còn hiệu lực", "Hãy báo người quản trị máy chủ.")
    return "chỉ mục và ràng buộc còn hiệu lực"


def _chains(patient: Patient) -> str:
    events = 0
    with patient.store.read() as session:
        for ward_id in instance.wards(session):
            try:
                events += verify(session, ward_id)
            except BrokenChain as error:
                raise Unwell(
                    f"{error} (phường số {ward_id})", "Hãy giữ nguyên dữ liệu và báo người quản trị."
                ) from error
    return f"{events} sự kiện, chuỗi không đứt"


def _media(patient: Patient) -> str:
    broken = patient.desk.files.broken(SAMPLE)
    if broken:
        raise Unwell(f"{len(broken)} tệp hỏng, ví dụ {broken[0][:12]}", "Hãy khôi phục thư mục tep từ bản sao lưu.")
    with patient.store.read() as session:
        named = session.exec(select(Media.sha256).order_by(col(Media.id).desc()).limit(SAMPLE)).all()
    lost = [sha256 for sha256 in named if not patient.desk.files.path(sha256).exists()]
    if lost:
        raise Unwell(f"{len(lost)} tệp của kho tư liệu không còn", "Hãy khôi phục thư mục tep từ bản sao lưu.")
    return "tệp đúng nội dung"


def _secrets(patient: Patient) -> str:
    with patient.store.read() as session:
        sealed = session.exec(select(Outlet).where(Outlet.secrets != "")).all()
    shut = []
    for outlet in sealed:
        try:
            patient.desk.vault.unseal(outlet.secrets, seal_place(outlet))
        except SealBroken:
            shut.append(outlet.name)
    if shut:
        raise Unwell(
            f"tệp khóa không mở được bí mật của: {', '.join(shut)}",
            "Hãy đặt lại tệp khoa-bi-mat từ bản sao lưu mã hóa, hoặc kết nối lại các kênh này.",
        )
    return f"mở được bí mật của {len(sealed)} kênh"


def _clock(patient: Patient) -> str:
    with patient.store.read() as session:
        newest: Any = session.exec(select(AuditEvent.at).order_by(col(AuditEvent.id).desc()).limit(1)).first()
    if newest is not None and newest > patient.now + AHEAD:
        raise Unwell(
            f"đồng hồ máy chậm hơn sự kiện gần nhất ({moment(newest)})", "Hãy bật đồng bộ giờ (systemd-timesyncd)."
        )
    return f"{moment(patient.now)}, không lùi so với nhật ký"


def _safe_mode(patient: Patient) -> str:
    with patient.store.read() as session:
        me = session.get_one(Instance, 1)
    if me.safe_mode:
        raise Unwell("đang bật, không gửi gì", "Nếu đây là bản vận hành thật, hãy chạy: lantoa confirm-home")
    return "không bật"


def _daemons(patient: Patient) -> str:
    with patient.store.read() as session:
        recent = (col(Worker.stopped_at).is_(None), col(Worker.seen_at) > patient.now - timedelta(seconds=45))
        alive = session.exec(select(Worker).where(*recent)).all()
    daemons = [worker for worker in alive if worker.role == "daemon"]
    if len(daemons) > 1:
        where = ", ".join(f"{worker.host} (tiến trình {worker.pid})" for worker in daemons)
        raise Unwell(f"có {len(daemons)} bộ lập lịch cùng chạy: {where}", "Hãy chỉ để lại một.")
    if patient.daemon_here and not daemons:
        raise Unwell("tiến trình đang giữ thư mục nhưng không còn báo nhịp", "Hãy khởi động lại lantoa.")
    return "đang chạy" if daemons else "chưa chạy"


def _overdue(patient: Patient) -> str:
    with patient.store.read() as session:
        since = vitals.pulse(session, patient.now).overdue_since
        people = session.exec(select(func.count()).where(Delivery.state == "needs_human")).one()
    if since is not None:
        raise Unwell(
            f"có lượt đăng quá giờ từ {moment(since)}", "Hãy xem lantoa up có đang chạy, rồi xem trang Hôm nay."
        )
    return f"không có lượt nào quá giờ; {people} lượt cần người xem"


def _backups(patient: Patient) -> str:
    newest = next(iter(backups.found(patient.backups)), None)
    if newest is None:
        raise Unwell("chưa có bản nào", "Hãy chạy: lantoa backup")
    said = f"{moment(newest.at)} ({newest.path.name})"
    if patient.now - newest.at > BACKUP_AGE:
        raise Unwell(said, "Đã quá một ngày; hãy chạy: lantoa backup và đặt lịch sao lưu hằng giờ.")
    return said


def _proof(patient: Patient) -> str:
    with patient.store.read() as session:
        at = session.get_one(Instance, 1).proved_restore_at
    if at is None:
        raise Unwell("chưa có lần nào", "Hãy chạy: lantoa doctor --drill")
    if patient.now - at > PROOF_AGE:
        raise Unwell(moment(at), "Đã lâu; hãy chạy lại: lantoa doctor --drill")
    return moment(at)


def _disk(patient: Patient) -> str:
    places = {str(place): place for place in (patient.folder, patient.backups) if place.exists()}
    free = {name: shutil.disk_usage(place).free for name, place in places.items()}
    tight = [name for name, left in free.items() if left < LEAST_FREE]
    if tight:
        raise Unwell(f"«{tight[0]}» chỉ còn {free[tight[0]] / 1e9:.1f} GB", "Hãy dọn bớt đĩa, để trống ít nhất 1 GB.")
    return f"còn trống {min(free.values(), default=0) / 1e9:.0f} GB"


def _voice(_patient: Patient) -> str:
    try:
        audio.measure(voice.speak("Xin chào bà con."))
    except (voice.VoiceMistake, audio.AudioMistake) as error:
        raise Unwell("chưa dựng được âm thanh", str(error)) from error
    return "dựng được âm thanh"


def _fonts(_patient: Patient) -> str:
    try:
        face("Bold", 20)
    except FontMissing as error:
        raise Unwell("chưa vẽ được chữ", str(error)) from error
    return "vẽ được chữ tiếng Việt"


CHECKS: tuple[tuple[str, Check], ...] = (
    ("Dữ liệu", _whole),
    ("Nhật ký", _chains),
    ("Tệp tư liệu", _media),
    ("Khóa bí mật", _secrets),
    ("Đồng hồ", _clock),
    ("Chế độ an toàn", _safe_mode),
    ("Bộ lập lịch", _daemons),
    ("Lượt đăng quá giờ", _overdue),
    ("Bản sao lưu gần nhất", _backups),
    ("Lần khôi phục thử thành công gần nhất", _proof),
)
MACHINE: tuple[tuple[str, Check], ...] = (
    ("Đĩa", _disk),
    ("Giọng đọc và ffmpeg", _voice),
    ("Phông chữ", _fonts),
)
