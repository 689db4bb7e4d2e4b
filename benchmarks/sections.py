"""The sections of ``make bench``: what is measured beside what, in how many rounds, and against which goal."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import engine, fanout, growth, lateness, references, rendering, speaking
from benchmarks.house import Databases
from benchmarks.sink import ROOT, forget, sink
from benchmarks.telling import Found, Goal, measured, one, ratio, row

ROUNDS = int(os.environ.get("LANTOA_BENCH_ROUNDS", "3"))
DAYS = 2
PEERS = Path(os.environ.get("LANTOA_PEERS", str(ROOT / ".venv" / "peers"))) / "bin" / "python"
REDIS_PORT = 16_379
#: how many deliveries each does in a round: enough that its start does not count, few enough for fifteen minutes in all
NUMBERS = {"bare": 10_000, "raw": 20_000, "ours": 10_000, "slow": 5_000, "apscheduler": 300, "huey_sqlite": 1_000,
           "apprise_urls": 300, "dramatiq_redis": 1_000, "celery_redis": 600, "procrastinate_postgresql": 600, "bullmq": 3_000}  # fmt: skip
EASY = int(os.environ.get("LANTOA_BENCH_SHARE", "1"))

Job = Callable[[], float]


def _number(name: str) -> int:
    return max(50, NUMBERS[name] // EASY)


def _round(jobs: dict[str, Job], found: Found, gone: dict[str, str], address: str) -> None:
    for name, job in jobs.items():
        if name in gone:
            continue
        print(f"  {name} …", end=" ", flush=True)
        try:
            rate = job()
        except (RuntimeError, OSError, subprocess.SubprocessError) as error:
            if not name.startswith("peer"):
                raise
            gone[name], found[name] = str(error)[:300], []
            print(f"does not count: {gone[name]}", flush=True)
            forget(address)
            continue
        found.setdefault(name, []).append(rate)
        print(f"{rate:.1f}", flush=True)


def rehearsal() -> dict[str, Any]:
    """Two days of two wards through real HTTP."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", "import cli; cli.main()", "rehearse", "--days", str(DAYS), "--out", folder]
        started = time.perf_counter()
        subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        took = time.perf_counter() - started
        summary = json.loads((Path(folder) / "summary.json").read_text("utf-8"))
    lines = summary["lines"]
    sent = sum(line["sent"] for line in lines)
    late = [line["lateness_seconds"] for line in lines if line["sent"]]
    lost = sum(line["losses"] + line["duplicates"] for line in lines)
    rows = [
        one(f"Lượt đăng thật ra trong {DAYS} ngày của hai phường", sent, "lượt"),
        one("Thời gian chạy", took, "giây"),
        one("Tốc độ, tính cả lập kế hoạch, đo và báo cáo", sent / took, "lượt/giây"),
        one("Trễ, trung vị (kênh xấu nhất)", max(item["p50"] for item in late), "giây"),
        one("Trễ, p95 (kênh xấu nhất)", max(item["p95"] for item in late), "giây"),
        one("Mất hoặc lặp, đếm từ các nền tảng", lost, "lượt"),
    ]
    words = "Một lần `lantoa rehearse`, qua HTTP thật tới các bản sao nền tảng, có ảnh và âm thanh. Trễ tính bằng giây của đồng hồ diễn tập."
    return {"title": "Diễn tập", "words": words, "rows": rows}


def fan_out() -> dict[str, Any]:
    """One message to many, beside the machine's limits and beside other programs' engines, in the same rounds."""
    found: Found = {}
    gone: dict[str, str] = {}
    python = str(PEERS if PEERS.exists() else sys.executable)
    with (
        sink(python) as address, tempfile.TemporaryDirectory() as folder, references.redis_server(REDIS_PORT) as redis,
    ):  # fmt: skip
        databases = Databases(Path(folder))
        with databases.server():
            jobs = {
                **_limits(address, python),
                **_ours(databases, address),
                **_peers(databases, address, python, redis),
            }
            for number in range(ROUNDS):
                print(f"round {number + 1}", flush=True)
                _round(jobs, found, gone, address)
    return {"title": "Gửi hàng loạt", "words": _FAN_OUT, "rows": _fan_out_rows(found, gone)}


def _limits(address: str, python: str) -> dict[str, Job]:
    return {
        "wrk": lambda: references.wrk(address),
        "raw": lambda: references.raw(address, _number("raw"), python),
        "bare": lambda: references.bare(address, _number("bare")),
    }


def _ours(databases: Databases, address: str) -> dict[str, Job]:
    def run(dialect: str, workers: int = 1, path: str = "take", at_once: int = 64) -> Job:
        number = _number("slow" if path == "slow" else "ours")
        return lambda: fanout.run(databases, address, dialect, number, workers, path, at_once)["rate"]

    return {
        "sqlite": run("sqlite"),
        "pg1": run("postgresql", 1),
        "pg2": run("postgresql", 2),
        "pg4": run("postgresql", 4),
        "slow64": run("sqlite", path="slow"),
        "slow256": run("sqlite", path="slow", at_once=256),
    }


def _peers(databases: Databases, address: str, python: str, redis: str) -> dict[str, Job]:
    def run(name: str, *where: str) -> Job:
        return lambda: references.peer(python, name, address, _number(name), *where)

    def procrastinate() -> float:
        url, _ = databases.new("postgresql")
        url = url.replace("+psycopg", "")
        return references.peer(python, "procrastinate_postgresql", address, _number("procrastinate_postgresql"), url)

    jobs: dict[str, Job] = {"apscheduler": lambda: references.apscheduler(address, _number("apscheduler"))}
    if PEERS.exists():
        jobs |= {
            "peer huey": run("huey_sqlite"),
            "peer dramatiq": run("dramatiq_redis", redis),
            "peer celery": run("celery_redis", redis),
            "peer procrastinate": procrastinate,
            "peer apprise": run("apprise_urls"),
        }
    if (ROOT / "benchmarks" / "peers" / "node_modules").exists() and shutil.which("node"):
        jobs["peer bullmq"] = lambda: references.bullmq(address, _number("bullmq"), redis)
    return jobs


_FAN_OUT = (
    "Một tin gửi tới từng người, qua cả máy gửi thật, từ «đến giờ» đến «đã đăng»: lập danh sách, mỗi người một trạng thái trên đĩa "
    "(`synchronous=FULL`) trước byte đầu tiên, kết quả ghi theo nhóm, nhật ký chuỗi băm. Thân tin khoảng 1 kB, 64 cùng lúc, máy nhận ở tiến trình "
    "riêng trên cùng máy; mọi dòng đo xen kẽ trong cùng vòng. Dòng chỉ được tính khi mọi người nhận đều «đã gửi» và máy nhận đếm đủ, không ai hai "
    "lần. Bốn dòng mốc đầu không lưu gì; các máy khác giữ một dòng bền cho mỗi lượt, như người dùng của chúng thường viết."
)


def _fan_out_rows(found: Found, gone: dict[str, str]) -> list[dict[str, str]]:
    peers = {"peer bullmq": ("BullMQ (Redis), Node", 2.0), "peer huey": ("Huey (SQLite, fsync), 16 luồng", 8.0),
             "peer dramatiq": ("Dramatiq (Redis), 16 luồng", 8.0), "peer celery": ("Celery (Redis), 16 luồng", 8.0),
             "peer apprise": ("Apprise, 16 luồng", 10.0), "apscheduler": ("APScheduler + httpx, 16 luồng", 20.0),
             "peer procrastinate": ("Procrastinate, mỗi lượt một việc", 0.0)}  # fmt: skip
    g1 = (
        Goal("G1", "bare", 0.7, name="aiohttp trần"),
        Goal("G1", "raw", 0.25, name="asyncio thô"),
        Goal("G1", "wrk", 0.10, name="wrk"),
    )
    g2 = tuple(
        Goal("G2", key, times, name=name.split(" ")[0].rstrip(","))
        for key, (name, times) in peers.items()
        if times and found.get(key)
    )
    rate = "lượt/giây"
    rows = [
        measured(found, "wrk", "Mốc: wrk, 64 kết nối (sức của máy nhận và của máy)", rate),
        measured(found, "raw", "Mốc: asyncio thô trên uvloop", rate),
        measured(found, "bare", "Mốc: aiohttp trần, không lưu gì", rate),
        measured(found, "sqlite", "Lan Tỏa, SQLite", rate, (*g1, *g2)),
        measured(found, "pg1", "Lan Tỏa, PostgreSQL, 1 tiến trình", rate, (Goal("G3", "sqlite", 0.8, name="SQLite"),)),
        measured(found, "pg2", "Lan Tỏa, PostgreSQL, 2 tiến trình", rate, (Goal("G3", "pg1", 1.6, name="1 tiến trình"),)),
        measured(found, "pg4", "Lan Tỏa, PostgreSQL, 4 tiến trình", rate, also=f"{_said(ratio(found, 'pg4', 'pg1'))} × 1 tiến trình"),
        _slow(found, "slow64", 64, 0.85),
        _slow(found, "slow256", 256, 0.75),
    ]  # fmt: skip
    for key, (name, _) in peers.items():
        if found.get(key):
            rows.append(measured(found, key, f"Mốc: {name}", rate, also=f"{_said(ratio(found, key, 'bare'))} × aiohttp trần"))  # fmt: skip
    return rows


def _slow(found: Found, key: str, at_once: int, share: float) -> dict[str, str]:
    ideal = at_once / 0.1
    found[f"{key} share"] = [value / ideal for value in found[key]]
    _, goal = Goal("G4", "", share, name="× lý tưởng").said(found, f"{key} share")
    words = f"Lan Tỏa, SQLite, máy nhận trả lời sau 100 ms, {at_once} cùng lúc (lý tưởng {_said(ideal)})"
    middle = sorted(found[f"{key} share"])[len(found[key]) // 2]
    return row(words, found[key], "lượt/giây", f"{_said(middle)} × lý tưởng", goal)


def _said(value: float) -> str:
    from benchmarks.telling import figure

    return figure(value)


def single_posts() -> dict[str, Any]:
    """Posts one by one, each with its own commits."""
    found: Found = {}
    with sink() as address, tempfile.TemporaryDirectory() as folder:
        databases = Databases(Path(folder))
        with databases.server():
            jobs: dict[str, Job] = {
                "bare": lambda: references.bare(address, _number("bare") // 4),
                "instant": lambda: engine.run(databases, address, "sqlite", over_http=False),
                "ahead": lambda: engine.run(databases, address, "sqlite", over_http=False, written_ahead=True),
                "http": lambda: engine.run(databases, address, "sqlite", over_http=True),
                "pg": lambda: engine.run(databases, address, "postgresql", over_http=True),
                "apscheduler": lambda: references.apscheduler(address, _number("apscheduler")),
            }
            for number in range(ROUNDS):
                print(f"round {number + 1}", flush=True)
                _round(jobs, found, {}, address)
    names = {
        "bare": "Mốc: aiohttp trần, 64 cùng lúc, không lưu gì",
        "apscheduler": "Mốc: APScheduler, mỗi lượt một việc, httpx dùng chung, mỗi lượt một dòng SQLite",
        "instant": "Lan Tỏa, SQLite, nền tảng trả lời ngay (chỉ phần máy)",
        "ahead": "Lan Tỏa, SQLite, nền tảng trả lời ngay, bài đã viết sẵn trước giờ",
        "http": "Lan Tỏa, SQLite, mỗi lượt một kết nối HTTP mới",
        "pg": "Lan Tỏa, PostgreSQL, mỗi lượt một kết nối HTTP mới",
    }
    ours = ("instant", "ahead", "http", "pg")
    rows = [
        measured(found, key, words, "lượt/giây", also=f"{_said(ratio(found, key, 'apscheduler'))} × APScheduler" if key in ours else "")
        for key, words in names.items()
    ]  # fmt: skip
    words = (
        f"Từ «đến giờ» đến «đã đăng», {engine.EACH * engine.POSTS} lượt tới {engine.OUTLETS} kênh, mỗi kênh một lượt một lúc. Mỗi lượt có trạng "
        "thái, lần thử và nhật ký chuỗi băm trên đĩa trước byte đầu tiên, và một kết nối mới để biết chắc có byte nào đã rời máy hay chưa."
    )
    return {"title": "Từng lượt đăng", "words": words, "rows": rows}


def late() -> dict[str, Any]:
    """How late single posts are, idle and beside a fan-out."""
    rows = []
    with sink() as address, tempfile.TemporaryDirectory() as folder:
        databases = Databases(Path(folder))
        recipients = 30_000 // EASY
        for number, words, goal in (
            (0, "không có việc gì khác", Goal("G6", "", 50, at_least=False, name="ms")),
            (
                recipients,
                f"trong khi gửi hàng loạt {_said(recipients)} người",
                Goal("G5", "", 100, at_least=False, name="ms"),
            ),
        ):
            runs = [lateness.run(databases, address, "sqlite", number) for _ in range(2 if number else 1)]
            forget(address)
            p50, p99 = ([run[key] for run in runs] for key in ("p50", "p99"))
            drained = "" if not number or all(run["still_draining"] for run in runs) else "đã gửi xong trước lượt cuối"
            rows.append(row(f"Trễ, trung vị, {words}", p50, "ms"))
            rows.append(row(f"Trễ, p99, {words}", p99, "ms", drained, goal.said({"p99": p99}, "p99")[1]))
    words = (
        f"{lateness.OUTLETS * lateness.POSTS} lượt đăng lẻ rải đều trong {lateness.SECONDS:.0f} giây tới {lateness.OUTLETS} kênh, bằng chính tiến "
        "trình chạy nền, SQLite. Trễ là từ giờ hẹn đến lúc kênh bắt đầu gửi."
    )
    return {"title": "Đúng giờ", "words": words, "rows": rows}


def size() -> dict[str, Any]:
    """What grows: making the list, memory, cold start."""
    rows = []
    with sink() as address, tempfile.TemporaryDirectory() as folder:
        databases = Databases(Path(folder))
        with databases.server():
            for dialect, name in (("sqlite", "SQLite"), ("postgresql", "PostgreSQL")):
                ours, bare = growth.list_making(databases, dialect)
                _, goal = Goal("G9", "bare", 2, at_least=False, name="INSERT … SELECT trần").said(
                    {"o": [ours], "bare": [bare]}, "o"
                )
                rows.append(one(f"Lập danh sách 100.000 người nhận, {name}", ours, "giây", f"{_said(ours / bare)} × INSERT … SELECT trần", goal))  # fmt: skip
            small, large = growth.memory(databases, address)
            words = f"Bộ nhớ lớn nhất, gửi {_said(growth.LARGE)} người (10.000 người: {_said(small)} MB)"
            _, goal = Goal("G8", "small", 1.15, at_least=False, name="lúc 10.000").said(
                {"l": [large], "small": [small]}, "l"
            )
            _, most = Goal("G8", "", 120, at_least=False, name="MB").said({"l": [large]}, "l")
            rows.append(one(words, large, "MB", f"{_said(large / small)} × lúc 10.000", f"{goal}; {most}"))
            claim, floor = growth.cold_start(databases)
            _, goal = Goal("G14", "floor", 1.5, at_least=False, name="nạp gói trần").said(
                {"c": [claim], "floor": [floor]}, "c"
            )
            rows.append(one("Từ lúc khởi động đến lần nhận việc đầu tiên", claim, "giây", f"{_said(claim / floor)} × nạp gói trần", goal))  # fmt: skip
    return {
        "title": "Khi lớn lên",
        "words": "Lớn hơn theo ý muốn: `LANTOA_BENCH_LARGE=1000000 make bench ONLY=size`.",
        "rows": rows,
    }


def render() -> dict[str, Any]:
    """Texts, from a template to every channel."""
    found = rendering.rounds(ROUNDS + 2)
    names = {
        "plain": "Mốc: Jinja2 thường, cùng phần thân của mẫu",
        "sandboxed": "Lan Tỏa: cùng phần thân, trong hộp cát, giữ nguyên từng chữ đã gõ, có giới hạn độ dài",
        "document": "Lan Tỏa: đọc trường, dựng mẫu, đọc Markdown, cả bản riêng cho kênh",
        "every": "Từ một tài liệu ra tin của mọi kênh",
        **{kind: f"– riêng {channel.name}" for kind, channel in rendering.kinds().items()},
    }
    rows = [
        measured(found, key, words, "µs CPU",
                 (Goal("G15", "plain", 1.18, at_least=False, name="mốc"),) if key == "sandboxed" else (),
                 f"{_said(ratio(found, key, 'plain'))} × mốc" if key == "document" else "")
        for key, words in names.items()
    ]  # fmt: skip
    return {"title": "Dựng bài", "words": f"Mẫu «{rendering.SLUG}», biên dịch một lần.", "rows": rows}


def cards() -> dict[str, Any]:
    """Picture cards beside Pillow drawing the same lines."""
    runs: list[dict[str, Any]] = []
    for _ in range(ROUNDS):
        done = subprocess.run(
            [sys.executable, "benchmarks/cards.py"], cwd=ROOT, check=True, capture_output=True, text=True
        )
        runs.append(json.loads(done.stdout))
    reference = "reference: Pillow draws the same lines only"
    names = {
        reference: ("Mốc: Pillow chỉ vẽ đúng những dòng chữ đó, không nén", ()),
        "flat card, wide": ("Thẻ 1200×630, nền đồ họa, nén xong", (Goal("G15", "", 30, at_least=False, name="ms"),)),
        "flat card, square": ("Thẻ vuông, nền đồ họa, nén xong", (Goal("G15", "", 30, at_least=False, name="ms"),)),
        "photo card, wide": (
            "Thẻ 1200×630 trên ảnh chụp 2000×1500, nén xong",
            (Goal("G15", "", 80, at_least=False, name="ms"),),
        ),
    }
    found = {key: [run[key]["cpu_ms"] for run in runs] for key in names}
    rows = [
        measured(found, key, words, "ms CPU", goals, "" if key == reference else f"{_said(ratio(found, key, reference))} × mốc")
        for key, (words, goals) in names.items()
    ]  # fmt: skip
    words = "Mỗi vòng vẽ chữ chưa từng vẽ; phông và nền giữ trong bộ nhớ như khi chạy thật."
    return {"title": "Ảnh thẻ", "words": words, "rows": rows}


def speak() -> dict[str, Any]:
    """Texts read aloud, beside two packages that do the same."""
    rows, gone = [], []
    for which, words in (("ward", "tập câu của phường"), ("held_out", "tập để dành")):
        for name, said in speaking.NAMES.items():
            try:
                runs = [speaking.run(name, which, PEERS) for _ in range(ROUNDS)]
            except (RuntimeError, OSError) as error:
                gone.append(f"{said} không chạy được: {error}")
                continue
            last = runs[-1]
            least = 97 if which == "ward" else 90
            goal = (
                Goal("G18", "", least, name="%").said({"s": [100 * last.right / last.lines]}, "s")[1]
                if name == "ours"
                else ""
            )
            facts = f"đủ dữ kiện: {last.whole}/{last.lines} câu"
            rows.append(one(f"{said}, {words}: đúng từng chữ", 100 * last.right / last.lines, "% câu", facts, goal))
            if which == "ward":
                limit = (Goal("G18", "", 1_000, name="câu/giây"),) if name == "ours" else ()
                rows.append(
                    measured({name: [one_run.rate for one_run in runs]}, name, f"{said}: tốc độ", "câu/giây CPU", limit)
                )
    words = (
        "Mỗi câu được viết kèm lời đọc đúng trước khi chỉnh quy tắc (tests/content/spoken, cách làm ở docs/speech.md); so từng chữ, không kể dấu câu. «Đủ dữ kiện» là mọi số, "
        "ngày, giờ, tỷ lệ của câu được nghe lại trong lời đọc, đúng thứ tự, do một bộ kiểm tra viết riêng. Quy ước của tập (đọc tên cơ quan "
        "thay cho ký hiệu, không lặp tên loại văn bản, phiên âm từ nước ngoài) là của Lan Tỏa, nên cột «đúng từng chữ» khắt khe với hai gói kia."
    )
    return {"title": "Đọc thành tiếng", "words": " ".join([words, *dict.fromkeys(gone)]), "rows": rows}


SECTIONS: dict[str, Callable[[], dict[str, Any]]] = {
    "rehearsal": rehearsal, "fanout": fan_out, "engine": single_posts, "late": late, "size": size, "render": render, "cards": cards, "speak": speak,
}  # fmt: skip
