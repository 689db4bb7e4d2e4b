"""``lantoa backup | restore | move | doctor | confirm-home``: keeping the data, and knowing that it is kept."""

import asyncio
import contextlib
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from sqlalchemy.engine import make_url

from campaigns import doctoring, instance
from campaigns.audit import Actor, BrokenChain, verify
from campaigns.bringing_back import Brought, CannotBringBack, bring_back, refuse_if_alive
from campaigns.drilling import drill as prove
from campaigns.people import Mistake, Role
from scheduler import SecondDaemon, desk, lock, own_addresses
from settings import VERSION, Settings, load
from store import archives, backups, moving
from store.backups import CannotBackUp, Keep, Place
from store.copies import CannotCopy
from store.engine import Store
from store.moving import CannotMove
from store.sole import sole

app = typer.Typer()
screen = Console()

EXPECTED = (CannotBackUp, CannotBringBack, CannotCopy, CannotMove, BrokenChain, archives.BadArchive)
BY = Actor(None, "Dòng lệnh", Role.ADMIN)
Identity = Annotated[Path | None, typer.Option(help="Tệp khóa giải mã do age-keygen tạo.")]


@app.command()
def backup(
    out: Annotated[Path | None, typer.Option(help="Thư mục nhận bản sao lưu.")] = None,
    key: Annotated[str, typer.Option(help="Khóa công khai age1… để mã hóa.")] = "",
    keep: Annotated[str, typer.Option(help="Giữ bao nhiêu bản theo giờ, ngày, tháng.")] = "24,14,12",
) -> None:
    """Sao lưu cơ sở dữ liệu, tệp tư liệu và (khi mã hóa) tệp khóa; chạy được khi chương trình đang hoạt động."""
    settings = load()
    kept = _keep(keep)
    folder, key = out or settings.backups, key or settings.backup.key
    with _store(settings) as store, _shown("Đang sao lưu"):
        written = backups.make(store, _place(settings), folder, _now(), VERSION, key)
    gone = backups.rotate(folder, written, kept)
    screen.print(f"Đã sao lưu vào {written} ({written.stat().st_size / 1e6:.1f} MB).", soft_wrap=True)
    if not key:
        screen.print(
            "Bản này không mã hóa nên không kèm tệp khóa bí mật; hãy cất riêng tệp khoa-bi-mat, hoặc dùng --key age1…",
            soft_wrap=True,
        )
    if gone:
        screen.print(f"Đã xóa {len(gone)} bản cũ.")


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="Tệp sao lưu.")],
    identity: Identity = None,
    replace: Annotated[
        bool, typer.Option("--replace", help="Thay dữ liệu đang có; dữ liệu cũ được cất riêng.")
    ] = False,
) -> None:
    """Khôi phục từ bản sao lưu; không gửi lại điều gì khi chưa tra cứu hoặc chưa có người xem."""
    settings = load()
    identities = archives.identities(identity) if identity else ()
    with _alone(settings), _shown("Đang khôi phục"):
        brought = bring_back(settings.database_url, _place(settings), file, identities, _now(), replace)
    for line in _restored(brought, settings):
        screen.print(line, soft_wrap=True, markup=False)


@app.command()
def move(to: Annotated[str, typer.Option(help="Địa chỉ đích, ví dụ postgresql://ten:mat-khau@may/lantoa.")]) -> None:
    """Chuyển toàn bộ dữ liệu sang cơ sở dữ liệu khác, đối chiếu từng bảng."""
    settings = load()
    address = moving.address(to)
    with _alone(settings), _store(settings) as source, contextlib.closing(Store(address)) as target:
        source.check()
        refuse_if_alive(source, _now())
        _verify(source)
        with _shown("Đang chuyển dữ liệu"):
            held = moving.move(source, target)
        _verify(target)
        with source.write("moved") as session:
            moved = "Dữ liệu đã được chuyển sang cơ sở dữ liệu khác; bản này không gửi gì nữa."
            instance.begin_safe_mode(session, instance.locked(session), moved, _now())
    rows = sum(content.rows for content in held.values())
    screen.print(f"Đã chuyển {rows} dòng của {len(held)} bảng; nội dung hai bên giống nhau, nhật ký không đứt.")
    screen.print("Hãy ghi vào settings.toml, rồi chạy lại lantoa:")
    hidden = make_url(address).render_as_string(hide_password=True)
    screen.print(f'  database = "{hidden}"', markup=False, soft_wrap=True)
    if "***" in hidden:
        screen.print("(thay *** bằng mật khẩu thật, hoặc đặt biến LANTOA_DATABASE)")
    screen.print("Dữ liệu ở chỗ cũ được giữ nguyên, ở chế độ an toàn.")


@app.command()
def doctor(
    drill: Annotated[bool, typer.Option("--drill", help="Khôi phục thử bản sao lưu mới nhất vào chỗ tạm.")] = False,
    identity: Identity = None,
    network: Annotated[bool, typer.Option(help="Hỏi từng kênh xem có kết nối được không.")] = True,
) -> None:
    """Kiểm tra sức khỏe: mỗi dòng một việc, ✓ là tốt, ✗ kèm cách xử lý."""
    settings = load()
    proved = True
    with _store(settings) as store:
        if drill:
            proved = _drill(settings, store, archives.identities(identity) if identity else ())
        patient = _patient(settings, store)
        found = []
        for finding in doctoring.examine(patient):
            _say(finding)
            found.append(finding)
        if found[0].well:
            for finding in asyncio.run(_outlets(patient, network)):
                _say(finding)
                found.append(finding)
    raise typer.Exit(0 if proved and all(finding.well for finding in found) else 1)


@app.command(name="confirm-home")
def confirm_home() -> None:
    """Xác nhận đây là bản đang vận hành thật, để thoát chế độ an toàn."""
    settings = load()
    with _store(settings) as store:
        store.check()
        with store.write("confirm") as session:
            instance.confirm(session, BY, settings.folder, _now())
    screen.print("Đã xác nhận: đây là bản đang vận hành thật. Chương trình gửi lại bình thường.")


def _drill(settings: Settings, store: Store, identities: tuple[object, ...]) -> bool:
    try:
        with _shown("Đang khôi phục thử"):
            proof = prove(store, _place(settings), settings.backups, identities, _now())
    except (*EXPECTED, OSError) as error:
        _say(doctoring.Finding("Khôi phục thử", False, str(error), "Hãy chạy: lantoa backup, rồi thử lại."))
        return False
    said = f"{proof.backup.name}: {proof.rows} dòng, {proof.media} tệp, {proof.seconds:.1f} giây"
    _say(doctoring.Finding("Khôi phục thử", True, said))
    return True


def _patient(settings: Settings, store: Store) -> doctoring.Patient:
    try:
        with lock(settings.folder):
            running = False
    except SecondDaemon:
        running = True
    return doctoring.Patient(
        store, desk(settings, allow=own_addresses(settings)), settings.folder, settings.backups, running, _now()
    )


async def _outlets(patient: doctoring.Patient, network: bool) -> list[doctoring.Finding]:
    try:
        return await doctoring.outlets(patient, network)
    finally:
        await patient.desk.wire.close()


def _say(finding: doctoring.Finding) -> None:
    mark, style = ("✓", "green") if finding.well else ("✗", "red")
    screen.print(f"{mark} {finding.about}: {finding.said}", style=style, markup=False, highlight=False, soft_wrap=True)
    if not finding.well:
        screen.print(f"  → {finding.advice}", markup=False, highlight=False, soft_wrap=True)


def _restored(brought: Brought, settings: Settings) -> Iterator[str]:
    yield f"Đã khôi phục dữ liệu lúc {doctoring.moment(brought.manifest.created_at)}."
    if brought.settled.looked_up:
        yield f"{brought.settled.looked_up} lượt đăng đã qua giờ sẽ được tra cứu trên kênh trước khi gửi lại."
    if brought.settled.for_people:
        yield f"{brought.settled.for_people} lượt đăng không tra cứu được: hãy mở Lượt đăng › Cần người xem."
    if brought.kept_away:
        yield f"{brought.kept_away} người nhận tin đã hủy đăng ký sau lúc sao lưu vẫn không nhận tin."
    for name in brought.lists_paused:
        yield f"Kênh «{name}» tạm dừng: không biết ai đã hủy đăng ký sau lúc sao lưu; hãy xem trang Người nhận tin rồi mở lại kênh."
    for name in brought.settled.to_reconnect:
        yield f"Kênh «{name}» có thể phải kết nối lại; hãy kiểm tra kết nối."
    for aside in filter(None, (brought.database_aside, brought.key_aside)):
        yield f"Dữ liệu trước khi khôi phục được cất ở «{aside}»."
    if not brought.has_key:
        yield f"Chưa có tệp khóa «{settings.key_file}»: hãy đặt lại tệp này, nếu không phải kết nối lại mọi kênh."
    yield "Mọi người phải đăng nhập lại. Hãy chạy: lantoa doctor"


def _verify(store: Store) -> None:
    with store.read() as session:
        for ward_id in instance.wards(session):
            verify(session, ward_id)


@contextlib.contextmanager
def _alone(settings: Settings) -> Iterator[None]:
    """No daemon works here, and none begins meanwhile."""
    with lock(settings.folder), _store(settings) as store, sole(store):
        yield


@contextlib.contextmanager
def _store(settings: Settings) -> Iterator[Store]:
    store = Store(settings.database_url)
    try:
        yield store
    finally:
        store.close()


@contextlib.contextmanager
def _shown(words: str) -> Iterator[None]:
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal) as bar:
        bar.add_task(words)
        yield


def _keep(text: str) -> Keep:
    try:
        hours, days, months = (int(part) for part in text.split(","))
    except ValueError as error:
        raise Mistake("--keep nhận ba số: theo giờ, theo ngày, theo tháng, ví dụ 24,14,12.") from error
    if min(hours, days, months) < 0:
        raise Mistake("--keep không nhận số âm.")
    return Keep(hours, days, months)


def _place(settings: Settings) -> Place:
    return Place(settings.folder, settings.key_file)


def _now() -> datetime:
    return datetime.now(UTC)
