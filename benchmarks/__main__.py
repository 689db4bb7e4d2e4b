"""``make bench``: prints the tables and writes docs/evidence/bench.json; the page docs/benchmarks.md is made from it.

``python -m benchmarks only=fanout,late`` measures these sections alone, says in them when, and keeps the others as they were.
"""

import json
import os
import platform
import sys
import time
from datetime import UTC, datetime
from typing import Any

from benchmarks.sections import SECTIONS
from benchmarks.sink import ROOT
from benchmarks.telling import figure

EVIDENCE = ROOT / "docs" / "evidence" / "bench.json"


def main() -> None:
    """Measure, one section after the other, and write it down."""
    load, started = os.getloadavg()[0], time.monotonic()
    wanted = _wanted()
    kept = json.loads(EVIDENCE.read_text("utf-8")) if EVIDENCE.exists() and len(wanted) < len(SECTIONS) else {}
    earlier = {section["title"]: section for section in kept.get("sections", [])}
    sections: list[dict[str, Any]] = []
    for name, measure in SECTIONS.items():
        if name in wanted:
            print(f"\n{name} …", flush=True)
            section = measure()
            if kept:
                section["words"] += (
                    f" Đo riêng ngày {datetime.now(UTC):%d/%m/%Y}, tải trung bình lúc bắt đầu {figure(load)}."
                )
            earlier[section["title"]] = section
            sections.append(section)
            _tell(section)
    everything = list(earlier.values()) if kept else sections
    note = (
        f"Máy đang chạy việc khác khi bắt đầu đo (tải trung bình {figure(load)}), nên số tuyệt đối thấp hơn máy rảnh; các tỷ lệ đo xen kẽ "
        "trong cùng lần chạy nên vẫn so sánh được."
        if load > 0.5
        else "Máy rảnh khi đo."
    )
    found = {
        "date": f"{datetime.now(UTC):%d/%m/%Y}", "machine": _machine(), "note": note, "load": round(load, 2), "sections": everything,
    }  # fmt: skip
    found |= {name: kept[name] for name in ("date", "machine", "note", "load") if name in kept}
    EVIDENCE.parent.mkdir(parents=True, exist_ok=True)
    EVIDENCE.write_text(json.dumps(found, ensure_ascii=False, indent=2) + "\n", "utf-8")
    print(f"\n{EVIDENCE.relative_to(ROOT)} after {(time.monotonic() - started) / 60:.1f} minutes; make docs")


def _wanted() -> list[str]:
    only = next((word.removeprefix("only=") for word in sys.argv[1:] if word.startswith("only=")), "")
    names = [name for name in only.split(",") if name] or list(SECTIONS)
    if unknown := [name for name in names if name not in SECTIONS]:
        sys.exit(f"unknown section: {', '.join(unknown)}; there are {', '.join(SECTIONS)}")
    return names


def _tell(section: dict[str, Any]) -> None:
    print(f"\n{section['title']}")
    for row in section["rows"]:
        print(
            f"  {row['name']}: {row['median']} {row['unit']} ({row['low']}–{row['high']}) {row['ratio']} {row['goal']}"
        )


def _machine() -> str:
    return f"{os.cpu_count()} nhân {platform.machine()}, {platform.system()}, Python {platform.python_version()}, SQLite trên đĩa của máy"


if __name__ == "__main__":
    main()
