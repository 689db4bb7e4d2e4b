"""``make bench``: prints the table and writes docs/evidence/bench.json; the page docs/benchmarks.md is made from it."""

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import engine, rendering
from benchmarks.sink import sink

ROOT = Path(__file__).resolve().parents[1]
EVIDENCE = ROOT / "docs" / "evidence" / "bench.json"
ROUNDS = 3
DAYS = 2


def main() -> None:
    """Measure everything, one section after the other, and write it down."""
    load = os.getloadavg()[0]
    sections = [_rehearsal(), _engine(), _rendering(), _cards()]
    note = (
        f"Máy đang chạy việc khác khi bắt đầu đo (tải trung bình {_said(load)}), nên số tuyệt đối thấp hơn máy rảnh; các tỷ lệ đo xen kẽ "
        "trong cùng lần chạy nên vẫn so sánh được."
        if load > 0.5
        else "Máy rảnh khi đo."
    )
    found = {
        "date": f"{datetime.now(UTC):%d/%m/%Y}",
        "machine": _machine(),
        "note": note,
        "load": round(load, 2),
        "sections": sections,
    }
    EVIDENCE.parent.mkdir(parents=True, exist_ok=True)
    EVIDENCE.write_text(json.dumps(found, ensure_ascii=False, indent=2) + "\n", "utf-8")
    for section in sections:
        print(f"\n{section['title']}")
        for row in section["rows"]:
            print(f"  {row['name']}: {row['median']} {row['unit']} ({row['low']}–{row['high']}) {row['ratio']}")
    print(f"\n{EVIDENCE.relative_to(ROOT)}; make docs")


def _rehearsal() -> dict[str, Any]:
    print(f"rehearse --days {DAYS} …", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable,
            "-c",
            "import cli; cli.main()",
            "rehearse",
            "--days",
            str(DAYS),
            "--out",
            folder,
        ]
        started = time.perf_counter()
        subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
        took = time.perf_counter() - started
        summary = json.loads((Path(folder) / "summary.json").read_text("utf-8"))
    lines = summary["lines"]
    sent = sum(line["sent"] for line in lines)
    late = [line["lateness_seconds"] for line in lines if line["sent"]]
    rows = [
        _one(f"Lượt đăng thật ra trong {DAYS} ngày của hai phường", sent, "lượt"),
        _one("Thời gian chạy", took, "giây"),
        _one("Tốc độ, tính cả lập kế hoạch, đo và báo cáo", sent / took, "lượt/giây"),
        _one("Trễ, trung vị (kênh xấu nhất)", max(item["p50"] for item in late), "giây"),
        _one("Trễ, p95 (kênh xấu nhất)", max(item["p95"] for item in late), "giây"),
        _one(
            "Mất hoặc lặp, đếm từ các nền tảng",
            sum(line["losses"] + line["duplicates"] for line in lines),
            "lượt",
        ),
    ]
    words = "Một lần `lantoa rehearse`, qua HTTP thật tới các bản sao nền tảng, có ảnh và âm thanh. Trễ tính bằng giây của đồng hồ diễn tập."
    return {"title": "Diễn tập", "words": words, "rows": rows}


def _engine() -> dict[str, Any]:
    print(f"engine, {ROUNDS} rounds …", flush=True)
    with sink() as address, tempfile.TemporaryDirectory() as folder:
        found = engine.rounds(address, Path(folder), ROUNDS)
    names = {
        "bare": "Mốc: aiohttp trần, 64 cùng lúc, không lưu gì",
        "plain": "Mốc: APScheduler, mỗi lượt một việc, httpx dùng chung, mỗi lượt một dòng SQLite",
        "instant": "Lan Tỏa, nền tảng trả lời ngay (chỉ phần máy)",
        "ahead": "Lan Tỏa, nền tảng trả lời ngay, bài đã viết sẵn trước giờ",
        "http": "Lan Tỏa, mỗi lượt một kết nối HTTP mới",
    }
    against = {"instant": ("bare", "plain"), "ahead": ("bare", "plain"), "http": ("bare", "plain")}
    rows = [
        _row(words, found[key], "lượt/giây", _ratios(found, key, against.get(key, ()))) for key, words in names.items()
    ]
    words = (
        f"Từ «đến giờ» đến «đã đăng», {engine.EACH * engine.POSTS} lượt tới {engine.OUTLETS} kênh. Mỗi lượt của Lan Tỏa có trạng thái, lần thử "
        "và nhật ký chuỗi băm trên đĩa (`synchronous=FULL`) trước byte đầu tiên; hai mốc không có những thứ đó. Dòng chỉ được tính khi mọi "
        "lượt đã ra đúng một lần: đếm trong cơ sở dữ liệu, và ở máy nhận khi có HTTP. Đích cho gửi hàng loạt: từ 0,7 × aiohttp trần và từ 20 × APScheduler; chưa tới đích thì "
        "vẫn đủ cho lịch của phường (vài chục lượt một giờ), chưa đủ cho cả thành phố."
    )
    return {"title": "Máy gửi", "words": words, "rows": rows}


def _rendering() -> dict[str, Any]:
    print("rendering …", flush=True)
    found = rendering.rounds(ROUNDS + 2)
    names = {
        "plain": "Mốc: Jinja2 thường, cùng phần thân của mẫu",
        "sandboxed": "Lan Tỏa: cùng phần thân, trong hộp cát, giữ nguyên từng chữ đã gõ, có giới hạn độ dài",
        "document": "Lan Tỏa: đọc trường, dựng mẫu, đọc Markdown, cả bản riêng cho kênh",
        "five": "Từ một tài liệu ra tin của năm kênh",
        **{kind: f"– riêng {channel.name}" for kind, channel in rendering.kinds().items()},
    }
    rows = [
        _row(
            words,
            found[key],
            "µs CPU",
            _ratios(found, key, ("plain",)) if key in ("sandboxed", "document") else "",
        )
        for key, words in names.items()
    ]
    return {
        "title": "Dựng bài",
        "words": f"Mẫu «{rendering.SLUG}», biên dịch một lần. Đích của riêng phần dựng chữ: không quá 1,18 × mốc.",
        "rows": rows,
    }


def _cards() -> dict[str, Any]:
    print("cards …", flush=True)
    runs: list[dict[str, Any]] = []
    for _ in range(ROUNDS):
        done = subprocess.run(
            [sys.executable, "benchmarks/cards.py"], cwd=ROOT, check=True, capture_output=True, text=True
        )
        runs.append(json.loads(done.stdout))
    reference = "reference: Pillow draws the same lines only"
    names = {
        reference: "Mốc: Pillow chỉ vẽ đúng những dòng chữ đó, không nén",
        "flat card, wide": "Thẻ 1200×630, nền đồ họa, nén xong",
        "flat card, square": "Thẻ vuông, nền đồ họa, nén xong",
        "photo card, wide": "Thẻ 1200×630 trên ảnh chụp 2000×1500, nén xong",
    }
    found = {key: [run[key]["cpu_ms"] for run in runs] for key in names}
    rows = [
        _row(words, found[key], "ms CPU", _ratios(found, key, (reference,)) if key != reference else "")
        for key, words in names.items()
    ]
    return {
        "title": "Ảnh thẻ",
        "words": "Mỗi vòng vẽ chữ chưa từng vẽ; phông và nền giữ trong bộ nhớ như khi chạy thật. Đích: thẻ đồ họa từ 30 ms trở xuống, thẻ ảnh chụp từ 80 ms trở xuống.",
        "rows": rows,
    }


def _ratios(found: dict[str, list[float]], key: str, against: tuple[str, ...]) -> str:
    """The median of the rounds' own ratios, against each reference of the same round."""
    said = {"bare": "aiohttp trần", "plain": "mốc" if len(against) == 1 else "APScheduler"}
    ratios = {name: statistics.median(a / b for a, b in zip(found[key], found[name], strict=True)) for name in against}
    return "; ".join(f"{_said(ratio)} × {said.get(name, 'mốc')}" for name, ratio in ratios.items())


def _row(name: str, values: list[float], unit: str, ratio: str = "") -> dict[str, str]:
    return {
        "name": name, "median": _said(statistics.median(values)), "low": _said(min(values)), "high": _said(max(values)),
        "unit": unit, "ratio": ratio,
    }  # fmt: skip


def _one(name: str, value: float, unit: str) -> dict[str, str]:
    return {"name": name, "median": _said(value), "low": "", "high": "", "unit": unit, "ratio": ""}


def _said(value: float) -> str:
    """1.250 or 98,5 or 0,053: three figures that matter."""
    digits = 0 if value >= 100 or value == int(value) else 1 if value >= 10 else 2 if value >= 1 else 3
    return f"{value:,.{digits}f}".replace(",", "\0").replace(".", ",").replace("\0", ".")


def _machine() -> str:
    return f"{os.cpu_count()} nhân {platform.machine()}, {platform.system()}, Python {platform.python_version()}, SQLite trên đĩa của máy"


if __name__ == "__main__":
    main()
