"""The generated pages of the docs, written from the program itself (``make docs``).

Settings, channels, states, commands, and the benchmarks' table. ``tests/house/test_docs.py`` fails when a page on disk differs.
"""

import json
import re
import sys
from pathlib import Path
from types import NoneType
from typing import Any, Literal, get_args, get_origin

import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "docs")]

import live  # noqa: E402
import proofs  # noqa: E402

from campaigns.states import FINAL, LEGAL, State  # noqa: E402
from channels.contract import Capability, Certainty, Channel  # noqa: E402
from channels.registry import kinds  # noqa: E402
from cli import app  # noqa: E402
from settings import FILE_VARIABLE, PREFIX, Settings  # noqa: E402
from web.console.words import DELIVERY  # noqa: E402

DOCS = ROOT / "docs"
NOTE = "<!-- Trang này do `make docs` viết ra từ mã nguồn; đừng sửa bằng tay. -->\n\n"
SUPPORT = re.compile(r"\*\*Mức hỗ trợ: (thật|thử với bản sao)[^,*]*, (\d{1,2}/\d{1,2}/\d{4})")

CAPABILITIES = {
    Capability.TEXT: "Chữ",
    Capability.PHOTO: "Ảnh",
    Capability.VIDEO: "Video",
    Capability.AUDIO: "Âm thanh",
    Capability.PIN: "Ghim",
    Capability.STAGE: "Chuẩn bị trước",
    Capability.FIND: "Tra cứu lại",
    Capability.MEASURE: "Đo",
    Capability.WITHDRAW: "Gỡ",
    Capability.AMEND: "Đính chính",
    Capability.RENEW: "Tự gia hạn kết nối",
    Capability.FAN_OUT: "Gửi từng người",
    Capability.RETURNS: "Đọc thư trả lại",
    Capability.EVENTS: "Nhận sự kiện nền tảng báo về",
}
CERTAINTIES = {
    Certainty.KEYED: "có khóa: gửi lại cùng khóa không sinh bài thứ hai, nên đúng một lần",
    Certainty.STAGED: "chuẩn bị ẩn rồi cho hiện theo mã: nhiều nhất một bài hiện ra, máy tự tra lại",
    Certainty.LOOKUP: "tra lại theo dấu riêng (liên kết rút gọn): nhiều nhất một bài, khi danh sách của nền tảng chậm quá thời gian chờ thì báo người xem",
    Certainty.BLIND: "không tra lại được: chỉ gửi một lần, mất câu trả lời thì người quyết định",
}


def pages() -> dict[Path, str]:
    """Every generated page by its place."""
    made = {
        DOCS / "settings.md": settings(),
        DOCS / "channels" / "index.md": channels(),
        DOCS / "channels" / "live.md": f"{NOTE}{live.page(kinds())}",
        DOCS / "states.md": states(),
        DOCS / "commands.md": commands(),
        ROOT / "README.md": proved((ROOT / "README.md").read_text("utf-8")),
    }
    evidence = DOCS / "evidence" / "bench.json"
    if evidence.exists():
        made[DOCS / "benchmarks.md"] = benchmarks(json.loads(evidence.read_text("utf-8")))
    return made


def settings() -> str:
    """Every setting with its key, variable, type, default and meaning."""
    rows = [("Khóa", "Biến môi trường", "Kiểu", "Mặc định", "Nghĩa"), *_rows(Settings, ())]
    return (
        f"{NOTE}# Thiết lập\n\n"
        "Thiết lập đọc từ `settings.toml` trong thư mục đang đứng (hoặc tệp ghi ở biến "
        f"`{FILE_VARIABLE}`), rồi từ biến môi trường; biến môi trường thắng.\n"
        "Khóa có dấu chấm nằm trong mục của tệp: `web.port` là khóa `port` trong `[web]`. Danh sách trong biến môi trường "
        "ngăn bằng dấu phẩy.\nKhóa lạ hoặc giá trị sai thì chương trình không khởi động và nêu đúng tên khóa.\n\n"
        f"{_table(rows)}"
    )


def _rows(model: type[BaseModel], path: tuple[str, ...]) -> list[tuple[str, ...]]:
    rows = []
    for key, field in model.model_fields.items():
        kind = field.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            rows += _rows(kind, (*path, key))
            continue
        here = (*path, key)
        variable = PREFIX + "__".join(here).upper()
        rows.append(
            (
                f"`{'.'.join(here)}`",
                f"`{variable}`",
                _kind(field),
                _default(field.default),
                field.description or "",
            )
        )
    return rows


def _kind(field: FieldInfo) -> str:
    kind = field.annotation
    if get_origin(kind) is Literal:
        return " hoặc ".join(f"`{choice}`" for choice in get_args(kind))
    words = {int: "số nguyên", float: "số", str: "chữ", bool: "đúng, sai", Path: "đường dẫn"}.get(kind, "")  # type: ignore[call-overload]
    return f"{words or 'danh sách chữ'}{_span(field)}"


def _span(field: FieldInfo) -> str:
    words = {"ge": "từ", "gt": "lớn hơn", "le": "đến", "lt": "nhỏ hơn"}
    said = [
        f"{word} {getattr(rule, name):g}"
        for rule in field.metadata
        for name, word in words.items()
        if hasattr(rule, name)
    ]
    return f", {' '.join(said)}" if said else ""


def _default(value: Any) -> str:
    return "(trống)" if value in ("", (), None) else f"`{value}`"


def channels() -> str:
    """The installed channels: what each can do, promises and takes, and how far it was tested."""
    found = kinds()
    can = [("Nền tảng", *CAPABILITIES.values())]
    can += [
        (_linked(kind, one), *("✓" if c in one.capabilities else "–" for c in CAPABILITIES))
        for kind, one in found.items()
    ]
    promised = [("Nền tảng", "Hạng", "Loại hình (NĐ 49/2024)", "Chờ rồi tra lại", "Cách nhau ít nhất", "Mức hỗ trợ")]
    promised += [
        (
            _linked(kind, one),
            ", ".join(sorted({one.certainty.value, *(c.value for c in one.other_certainties)})),
            one.grassroots_kind,
            f"{one.settle_seconds} giây",
            f"{one.spacing_seconds} giây",
            _support(kind),
        )
        for kind, one in found.items()
    ]
    limits = [("Nền tảng", "Tiêu đề", "Tóm tắt", "Nội dung", "Chú thích ảnh", "Số phần", "Ảnh", "Nguồn")]
    limits += [(_linked(kind, one), *_limits(one)) for kind, one in found.items()]
    classes = [("Hạng", "Khi mất câu trả lời"), *((c.value, words) for c, words in CERTAINTIES.items())]
    return (
        f"{NOTE}# Các kênh\n\n## Làm được gì\n\n{_table(can)}\n## Hứa gì\n\n{_table(promised)}\n{_table(classes)}\n"
        "Mức hỗ trợ: **thử thật** là đã chạy với nền tảng, máy chủ hoặc phần mềm thật; **thử với bản sao** là đã chạy với bản sao "
        "của nền tảng, giữ đúng giới hạn và lỗi đã biết, nhưng chưa chạy với nền tảng thật. Có khóa của nền tảng thì tự thử thật "
        f"được: xem [Thử với nền tảng thật](live.md).\n\n## Giới hạn\n\n{_table(limits)}\n"
        "Số đếm theo đơn vị riêng của từng nền tảng (trang của kênh nói rõ); «–» là nền tảng không có mục đó hoặc không công bố.\n"
    )


def _linked(kind: str, one: type[Channel]) -> str:
    return f"[{one.name}]({kind}.md)"


def _support(kind: str) -> str:
    """The day of the last run on the real platform, else what the channel's own page says."""
    tried = live.tried(DOCS / "evidence" / "live.json").get(kind)
    if tried:
        return f"thử thật ngày {tried}"
    page = DOCS / "channels" / f"{kind}.md"
    found = SUPPORT.search(page.read_text("utf-8")) if page.exists() else None
    return f"{found.group(1).replace('thật', 'thử thật')} ngày {found.group(2)}" if found else "chưa ghi"


def _limits(one: type[Channel]) -> tuple[str, ...]:
    limits = one.limits
    picture = limits.picture
    said = (
        f"{picture.format.upper()}, cạnh ≤ {_number(picture.max_side)}, ≤ {_number(picture.max_bytes)} byte, ≤ {limits.pictures} ảnh"
        if picture
        else "–"
    )
    numbers = (limits.title, limits.summary, limits.text, limits.caption, limits.parts)
    source = f"<{limits.source}>" if re.fullmatch(r"https?://\S+", limits.source) else limits.source
    return (*("–" if value is None else _number(value) for value in numbers), said, source)


def _number(value: int) -> str:
    return f"{value:,}".replace(",", ".")


def states() -> str:
    """The states of a delivery in words, and the moves that the database allows."""
    names = [("Trạng thái", "Trên màn hình", "Cuối cùng?")]
    names += [(f"`{state.value}`", DELIVERY[state][0], "có" if state in FINAL else "") for state in State]
    moves = [("Từ \\ Sang", *(f"`{state.value}`" for state in State))]
    moves += [(f"`{a.value}`", *("●" if (a, b) in LEGAL else "" for b in State)) for a in State]
    return (
        f"{NOTE}# Trạng thái của một lượt đăng\n\n{_table(names)}\n"
        "Trạng thái cuối cùng không bao giờ tự đổi; người có quyền vẫn cho gửi lại, xác nhận hoặc gỡ được theo bảng dưới.\n\n"
        f"## Đi được những bước nào\n\n```\n{_drawing()}```\n\n"
        f"Mọi bước khác bị chính cơ sở dữ liệu từ chối (bảng `delivery_move` và trigger), trên cả SQLite và PostgreSQL.\n\n{_table(moves)}"
    )


def _drawing() -> str:
    lines = []
    for state in State:
        after = [other for other in State if (state, other) in LEGAL]
        start = f"{DELIVERY[state][0]} ({state.value})"
        for place, other in enumerate(after):
            lead = start.ljust(30) if place == 0 else " " * 30
            branch = "───" if len(after) == 1 else "─┬─" if place == 0 else " └─" if place == len(after) - 1 else " ├─"
            lines.append(f"{lead} {branch}► {DELIVERY[other][0]} ({other.value})")
    return "\n".join(lines) + "\n"


def commands() -> str:
    """The command line and the make targets."""
    root = typer.main.get_command(app)
    parts = [f"{NOTE}# Lệnh\n\n## `lantoa`\n\n{root.help or ''}\n"]
    parts += [_command(name, one) for name, one in _leaves(root, ())]
    targets = [("Lệnh", "Việc"), *((f"`make {name}`", words) for name, words in make_targets().items())]
    return "\n".join([*parts, f"## `make`\n\n{_table(targets)}"])


def _leaves(group: Any, path: tuple[str, ...]) -> list[tuple[str, Any]]:
    found = []
    for name in sorted(group.commands):
        one = group.commands[name]
        found += _leaves(one, (*path, name)) if hasattr(one, "commands") else [(" ".join((*path, name)), one)]
    return found


def _command(name: str, one: Any) -> str:
    rows = [("Tham số", "Mặc định", "Nghĩa")]
    for item in one.params:
        if item.name == "help":
            continue
        said = f"`{item.opts[0]}`" if item.param_type_name == "option" else f"`{item.name.upper()}`"
        rows.append((said, _typed(item), getattr(item, "help", None) or ""))
    table = f"\n{_table(rows)}" if len(rows) > 1 else ""
    return f"### `lantoa {name}`\n\n{one.help}\n{table}"


def _typed(item: Any) -> str:
    if item.required:
        return "bắt buộc"
    value = getattr(item.default, "value", item.default)
    return "(trống)" if value == "" or isinstance(value, NoneType) else f"`{value}`"


def make_targets() -> dict[str, str]:
    """The targets of the Makefile with what is said behind ``##``; one without words has a recipe only."""
    found = {}
    for line in (ROOT / "Makefile").read_text("utf-8").splitlines():
        match = re.match(r"([a-z]+):(?!=)[^#]*(?:## (.*))?$", line)
        if match:
            found[match.group(1)] = match.group(2) or ""
    return found


def benchmarks(found: dict[str, Any]) -> str:
    """The table of the last benchmark run, with the references of the same run."""
    parts = [
        f"{NOTE}# Đo tốc độ\n\n`make bench` đo chương trình bên cạnh các mốc so sánh **trong cùng một lần chạy**, xen kẽ nhiều vòng, "
        "lấy trung vị; số thô ở [evidence/bench.json](evidence/bench.json). Cột «Đích» là mức đã đặt trước khi làm, kèm đạt hay chưa; "
        "tỷ lệ là trung vị của tỷ lệ trong từng vòng. Đo riêng một mục: `make bench ONLY=fanout`.\n\n"
        f"Máy: {found['machine']}. Ngày {found['date']}. {found['note']}\n",
    ]
    for section in found["sections"]:
        rows = [("Việc", "Trung vị", "Thấp nhất", "Cao nhất", "So với mốc", "Đích")]
        rows += [
            (
                row["name"],
                f"{row['median']} {row['unit']}",
                str(row["low"]),
                str(row["high"]),
                row["ratio"],
                row.get("goal", ""),
            )
            for row in section["rows"]
        ]
        parts.append(f"## {section['title']}\n\n{section['words']}\n\n{_table(rows)}")
    return "\n".join(parts)


def proved(readme: str) -> str:
    """The README with the table of the reliability tests as their evidence stands."""
    before, begin, rest = readme.partition("<!-- make chaos -->\n")
    _, end, after = rest.partition("<!-- /make chaos -->\n")
    return f"{before}{begin}\n{proofs.table(DOCS / 'evidence')}\n{end}{after}" if begin and end else readme


def _table(rows: list[tuple[str, ...]]) -> str:
    head, *body = [[cell.replace("|", "\\|").replace("\n", " ") for cell in row] for row in rows]
    lines = [head, ["---"] * len(head), *body]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def main() -> None:
    """Write every page that differs."""
    for path, text in pages().items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
        sys.stdout.write(f"{path.relative_to(ROOT)}\n")


if __name__ == "__main__":
    main()
