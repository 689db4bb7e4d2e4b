"""``lantoa``: the program's command line."""

import asyncio
import contextlib
import getpass
import logging
import signal
import sys
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, NoReturn
from zoneinfo import ZoneInfo

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError
from sqlmodel import select

import journaling
import keeping
import operating
import worker
from campaigns import dictionary
from campaigns.audit import MACHINE, Actor
from campaigns.people import Mistake, Role, add_user
from channels.contract import Capability
from channels.registry import kinds
from content.plans import PlanMistake, load_plans, read_plan
from content.speech import Manner, lexicon_of
from content.speech import say as read_aloud
from journaling import Redactor
from rehearsal import CannotRehearse
from rehearsal import rehearse as run_rehearsal
from scheduler import SecondDaemon
from settings import BadSettings, Settings, load
from store.engine import OldSchema, Store
from store.tables import Ward
from store.vault import SealBroken

app = typer.Typer(
    no_args_is_help=True, add_completion=False, help="Lan Tỏa: truyền thông chiến dịch đa kênh cho phường."
)
user = typer.Typer(no_args_is_help=True, help="Tài khoản người dùng.")
ward_ = typer.Typer(no_args_is_help=True, help="Phường.")
app.add_typer(user, name="user")
app.add_typer(ward_, name="ward")
app.add_typer(keeping.app)
screen = Console()

CAN = {
    Capability.TEXT: "chữ",
    Capability.PHOTO: "ảnh",
    Capability.VIDEO: "video",
    Capability.AUDIO: "tiếng",
    Capability.PIN: "ghim",
    Capability.STAGE: "chuẩn bị trước",
    Capability.FIND: "tra cứu lại",
    Capability.MEASURE: "đo",
    Capability.WITHDRAW: "gỡ bài",
    Capability.AMEND: "đính chính",
    Capability.RENEW: "gia hạn quyền",
    Capability.FAN_OUT: "gửi từng người",
    Capability.RETURNS: "đọc thư trả lại",
    Capability.EVENTS: "nhận sự kiện",
}
EXPECTED = (
    BadSettings, OldSchema, SecondDaemon, SealBroken, Mistake, PlanMistake, CannotRehearse, operating.CannotStart,
    *keeping.EXPECTED, worker.CannotWork,
)  # fmt: skip


def _settings() -> Settings:
    return load()


def _with_log(settings: Settings) -> Settings:
    """The same settings, with the technical log begun as they say."""
    journaling.begin(settings.ops.log, Redactor(settings.ops.metrics_token, make_url(settings.database_url).password))
    return settings


def say(words: str) -> None:
    """Tell whoever started the program; a screen or file that takes nothing (its disk is full) stops nobody."""
    with contextlib.suppress(OSError):
        screen.print(words)


def _store(settings: Settings) -> Store:
    store = Store(settings.database_url)
    store.check()
    return store


@app.command()
def up() -> None:
    """Chạy bảng điều khiển và bộ lập lịch (vận hành thật)."""
    asyncio.run(operating.up(_with_log(_settings()), _until_signal, say))


@app.command(name="demo")
def demo_() -> None:
    """Chạy bản trình diễn hai phường ở chế độ diễn tập, tự chuẩn bị mọi thứ."""
    asyncio.run(operating.demo(_with_log(_settings()), _until_signal, say))


@app.command()
def rehearse(
    days: Annotated[int, typer.Option(min=1, max=60, help="Số ngày diễn tập.")] = 7,
    out: Annotated[Path, typer.Option(help="Thư mục nhận kết quả.")] = Path("out/dien-tap"),
    seed: Annotated[int, typer.Option(help="Số khởi tạo ngẫu nhiên.")] = 2026,
) -> None:
    """Diễn tập một tuần của hai phường với đồng hồ ảo, qua HTTP thật tới các bản sao nền tảng."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.percentage:>3.0f}%"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=screen) as bar:
        task = bar.add_task("Chuẩn bị", total=1.0)
        summary = run_rehearsal(
            out, days, seed, lambda done, words: bar.update(task, completed=done, description=words)
        )
    screen.print(_table(summary))
    for complaint in summary.complaints:
        screen.print(complaint, style="red", markup=False)
    screen.print(f"Kết quả ở {out}: summary.json, bao-cao.docx, bao-cao.xlsx và thư mục từng kênh.")
    raise typer.Exit(0 if summary.clean else 1)


@app.command()
def migrate() -> None:
    """Đưa cơ sở dữ liệu lên phiên bản mới nhất."""
    store = Store(_settings().database_url)
    store.migrate()
    worker.migrate_wakes(store)
    store.close()
    screen.print("Cơ sở dữ liệu đã ở phiên bản mới nhất.")


@app.command(name="worker")
def worker_(
    concurrency: Annotated[int, typer.Option(min=1, max=200, help="Số kênh được gửi cùng lúc.")] = 16,
) -> None:
    """Chạy một tiến trình gửi, bao nhiêu cũng được và trên máy nào cũng được; cần PostgreSQL."""
    settings = _with_log(_settings())
    store = worker.opened(settings)
    asyncio.run(worker.work(settings, store, concurrency, _until_signal))
    store.close()


@ward_.command("add")
def ward_add(
    slug: Annotated[str, typer.Argument(help="Tên viết gọn của phường, ví dụ dong-hai.")],
    plan: Annotated[Path | None, typer.Option(help="Tệp kế hoạch của phường khác, dạng TOML.")] = None,
) -> None:
    """Lập một phường từ kế hoạch: chiến dịch, nhiệm vụ, bộ mẫu, trang công khai và truyền thanh."""
    settings = _settings()
    store = _store(settings)
    plans = [read_plan(_text(plan), plan.name)] if plan else load_plans()
    chosen = next((one for one in plans if one.ward.slug == slug), None)
    if chosen is None:
        raise Mistake(f"Không có kế hoạch của phường «{slug}». Đang có: {', '.join(one.ward.slug for one in plans)}.")
    connected = operating.found_ward(settings, store, chosen)
    store.close()
    screen.print(
        f"{chosen.ward.name}: {len(chosen.tasks)} nhiệm vụ. Kênh đã nối: {', '.join(connected) or 'không có kênh mới'}."
    )


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Mistake(f"Không đọc được tệp «{path}»; hãy kiểm tra đường dẫn.") from error


@user.command("add")
def user_add(
    username: str,
    name: Annotated[str, typer.Option(help="Họ và tên.")],
    role: Annotated[Role, typer.Option(help="Vai trò.")] = Role.EDITOR,
    ward: Annotated[str, typer.Option(help="Tên viết gọn của phường; để trống là tài khoản thành phố.")] = "",
) -> None:
    """Thêm một tài khoản; mật khẩu được hỏi, hoặc đọc từ đầu vào chuẩn."""
    password = getpass.getpass("Mật khẩu: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")
    store = _store(_settings())
    with store.write() as session:
        home = session.exec(select(Ward).where(Ward.slug == ward)).first() if ward else None
        if ward and home is None:
            known = ", ".join(session.exec(select(Ward.slug)).all()) or "chưa có phường nào"
            raise Mistake(f"Không có phường «{ward}». Đang có: {known}.")
        add_user(session, MACHINE, home, username, name, role, password, datetime.now(UTC))
    store.close()
    screen.print(f"Đã thêm tài khoản {username}.")


@app.command()
def channels() -> None:
    """Liệt kê các nền tảng đã cài và khả năng của chúng."""
    table = Table("Nền tảng", "Tên", "Lớp", "Khả năng")
    for kind, channel in kinds().items():
        can = ", ".join(CAN[capability] for capability in Capability if capability in channel.capabilities)
        classes = ", ".join(sorted({one.value for one in (channel.certainty, *channel.other_certainties)}))
        table.add_row(kind, channel.name, classes, can)
    screen.print(table)


class Region(StrEnum):
    """Whose number words are read."""

    NORTH = "north"
    SOUTH = "south"


@app.command()
def speak(
    ward: Annotated[
        str, typer.Option(help="Tên viết gọn của phường: dùng từ điển đọc và cách đọc số của phường.")
    ] = "",
    region: Annotated[
        Region | None, typer.Option(help="Cách đọc số: north (nghìn, linh) hoặc south (ngàn, lẻ).")
    ] = None,
    mark: Annotated[bool, typer.Option("--mark", help="Ghi chỗ chưa chắc ở cuối dòng, sau dấu «⚑».")] = False,
) -> None:
    """Đọc từng dòng của đầu vào chuẩn và in lời đọc, mỗi dòng một lời; chỗ chưa chắc được báo ở đầu ra lỗi."""
    manner = _manner(ward) if ward else Manner()
    lexicon, spoken = lexicon_of(manner), region.value if region else manner.region
    for number, line in enumerate(sys.stdin, 1):
        reading = read_aloud(line.rstrip("\n"), lexicon, spoken)
        doubts = "; ".join(f"{one.written}: {one.why}" for one in reading.doubts)
        typer.echo(f"{reading.text} ⚑ {doubts}" if mark and doubts else reading.text)
        if doubts and not mark:
            typer.echo(f"Dòng {number}, chưa chắc cách đọc: {doubts}", err=True)


def _manner(slug: str) -> Manner:
    store = _store(_settings())
    with store.read() as session:
        ward = session.exec(select(Ward).where(Ward.slug == slug)).first()
        if ward is None:
            raise Mistake(
                f"Không có phường «{slug}». Đang có: {', '.join(session.exec(select(Ward.slug)).all()) or 'chưa có phường nào'}."
            )
        found = dictionary.manner(session, ward)
    store.close()
    return found


@app.command()
def report(
    since: Annotated[str, typer.Option(help="Từ ngày, ví dụ 2026-11-23.")],
    until: Annotated[str, typer.Option(help="Đến hết ngày, ví dụ 2026-11-29.")],
    ward: Annotated[str, typer.Option(help="Tên viết gọn của phường; để trống là mọi phường.")] = "",
    out: Annotated[Path, typer.Option(help="Thư mục nhận báo cáo.")] = Path("out/bao-cao"),
) -> None:
    """Viết báo cáo DOCX và XLSX của một khoảng ngày."""
    from campaigns import reports

    settings = _settings()
    store = _store(settings)
    start, end = _day(since), _day(until) + timedelta(days=1)
    if end <= start:
        raise Mistake("Ngày kết thúc phải sau ngày bắt đầu.")
    out.mkdir(parents=True, exist_ok=True)
    with store.write() as session:
        wards = list(session.exec(select(Ward).where(Ward.slug == ward) if ward else select(Ward)).all())
        if not wards:
            raise Mistake(
                f"Không có phường «{ward}»." if ward else "Chưa có phường nào. Hãy chạy «lantoa demo» hoặc thêm phường."
            )
        by = Actor(None, "Dòng lệnh", Role.ADMIN)
        rehearsal = settings.mode == "rehearsal"
        frozen = reports.freeze(session, by, wards, start, end, datetime.now(UTC), rehearsal)
    written = frozen.print(out)
    store.close()
    screen.print(f"Đã viết {written.docx} và {written.xlsx}.")


def _day(text: str) -> datetime:
    try:
        return datetime.combine(date.fromisoformat(text), time(), ZoneInfo("Asia/Ho_Chi_Minh"))
    except ValueError as error:
        raise Mistake(f"Ngày «{text}» không hợp lệ; hãy nhập dạng 2026-11-23.") from error


def _until_signal(stop: Callable[[], None]) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)


def _table(summary: Any) -> Table:
    table = Table(
        "Phường", "Kênh", "Kế hoạch", "Đã đăng", "Lỗi", "Lỡ", "Chưa rõ", "Cần người xem", "Mất", "Lặp", "Trễ p95 (s)"
    )
    for line in summary.lines:
        table.add_row(
            line.ward, line.channel, *(str(n) for n in (line.planned, line.sent, line.failed, line.missed, line.unknown,
            line.needs_human, line.losses, line.duplicates)), f"{line.lateness_seconds.p95:.1f}",
        )  # fmt: skip
    return table


def main() -> None:
    """The command's door: expected failures are said in a sentence, without a traceback."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    try:
        app()
    except EXPECTED as error:
        _fail(str(error), error)
    except OSError as error:
        place = f" «{error.filename}»" if error.filename else ""
        _fail(
            f"Không đọc hoặc ghi được{place}: {error.strerror or error}. Hãy kiểm tra quyền và dung lượng đĩa.", error
        )
    except DBAPIError as error:
        _fail(f"Không dùng được cơ sở dữ liệu: {error.orig}. Hãy kiểm tra địa chỉ, quyền và dung lượng đĩa.", error)


def _fail(words: str, error: Exception) -> NoReturn:
    Console(stderr=True).print(words, style="red", markup=False, highlight=False, soft_wrap=True)
    raise SystemExit(2) from error


if __name__ == "__main__":
    main()
