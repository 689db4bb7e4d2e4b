"""The page on trying the channels on the real platforms (``make live``), and what its evidence says."""

import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path

from channels.contract import Capability, Channel, Grassroots
from tests.live import keys
from tests.live.suite import LEFT_OUT, UNSEEN, VISIBLE

STEPS = {
    "test_rendering_is_pure_and_composed": "Nội dung gửi đi đúng mẫu, có dấu riêng, chữ dựng sẵn (NFC)",
    "test_limits_hold_to_the_character": "Giới hạn đúng đến từng ký tự",
    "test_claims_are_true": "Khả năng đã khai đều có thật",
    "test_its_folder_is_whole": "Đủ biểu tượng và mẫu xem trước",
    "test_every_secret_is_named": "Mọi khóa đều được niêm phong",
    "test_the_outlet_is_healthy": "Khóa dùng được",
    "test_a_wrong_key_is_recognised": "Khóa sai thì nhận ra là sai",
    "test_secrets_stay_secret": "Khóa không lọt ra nhật ký, lỗi hay màn hình",
    "test_a_post_goes_out_once_and_is_found": "Tin lên đúng một lần và tra lại được",
    "test_figures_are_labelled": "Hỏi được số liệu, số nào cũng có cách tính",
    "test_a_withdrawn_post_is_gone": "Gỡ thì mất thật",
    "test_repeating_is_harmless_where_promised": "Gửi lại vẫn chỉ có một bài (nền tảng hạng A, B)",
    "test_nothing_left_is_deferred": "Không ai nghe máy: chắc chắn chưa đăng",
    "test_documented_refusals": "Nền tảng từ chối, giới hạn tốc độ, khóa hết hạn",
    "test_a_lost_request_is_unknown_and_found_absent": "Mất mạng trước khi nền tảng làm",
    "test_lost_answers_are_unknown_and_found_out": "Nền tảng đã làm nhưng mất câu trả lời",
    "test_a_late_answer_is_unknown_and_found_out": "Nền tảng trả lời quá muộn",
    "test_staging_may_fail_and_be_done_again": "Chuẩn bị hỏng thì làm lại được",
}


def tried(path: Path) -> dict[str, str]:
    """The day («22/11/2026») of the last run that may be called real, by channel."""
    told = json.loads(path.read_text("utf-8")) if path.exists() else {}
    return {kind: f"{date.fromisoformat(one['date']):%d/%m/%Y}" for kind, one in told.items() if one["real"]}


def page(kinds: Mapping[str, type[Channel]]) -> str:
    """How to try the channels for real: variables, steps, what is left out."""
    common = "\n".join(f"- `{name}`: {words}." for name, words in keys.COMMON.items())
    return (
        "# Thử với nền tảng thật\n\n"
        "`make live` chạy bộ kiểm tra của hợp đồng kênh với **nền tảng thật**, bằng khóa lấy từ biến môi trường. Kênh nào thiếu khóa thì "
        "bỏ qua và nói rõ còn thiếu biến nào. `make test` không bao giờ chạy phần này.\n\n"
        "Mọi tin đăng lên đều mang chữ «[THỬ]», và được gỡ ngay sau mỗi bước nếu nền tảng cho gỡ; tin nào còn lại được nêu địa chỉ để người "
        "tự gỡ. Nền tảng có chế độ đăng ẩn thì tin thử được đăng ẩn. **Không có gì được đăng** khi tên nền tảng chưa nằm trong "
        f"`{keys.VISIBLE}`: khi đó chỉ chạy các bước không ai thấy.\n\n"
        "Kết quả ghi vào `docs/evidence/live.json` (ngày, phiên bản, bước nào đạt; không có khóa hay tên tài khoản); chạy `make docs` thì "
        'cột «Mức hỗ trợ» ở [bảng các kênh](index.md) đổi theo. Chỉ thử vài kênh: `make live ONLY="telegram zalo"`.\n\n'
        "```sh\nexport LANTOA_LIVE_TELEGRAM_TOKEN=... LANTOA_LIVE_TELEGRAM_CHAT_ID=@kenh_thu LANTOA_LIVE_TELEGRAM_USERNAME=kenh_thu\n"
        "export LANTOA_LIVE_VISIBLE=telegram\nmake live ONLY=telegram\nmake docs\n```\n\n"
        f"## Biến chung\n\n{common}\n\n## Biến của từng nền tảng\n\n"
        "Mỗi mục trong phần cài đặt của kênh có một biến; mục không bắt buộc bỏ trống thì lấy mặc định. Danh sách ngăn bằng dấu phẩy.\n\n"
        f"{''.join(_channel(one) for one in kinds.values())}"
        f"## Các bước\n\nKhông ai thấy:\n\n{_steps(UNSEEN)}\nCó đăng tin thử:\n\n{_steps(VISIBLE)}\n"
        f"Không làm được với nền tảng thật ({next(iter(LEFT_OUT.values()))}):\n\n{_steps(tuple(LEFT_OUT))}"
    )


def _channel(kind: type[Channel]) -> str:
    title = f"### {kind.name} (`{kind.kind}`)\n\n"
    if kind.grassroots_kind == Grassroots.STATION:
        return f"{title}Loa được nghe tại chỗ, nên không thử từ xa: dùng nút «Đăng thử» ở trang của kênh, cạnh loa.\n\n"
    needed = set(keys.wanted(kind))
    rows = [
        (keys.variable(kind.kind, name), field.title or name, keys.variable(kind.kind, name) in needed)
        for name, field in kind.Settings.model_fields.items()
    ]
    rows += (
        [(keys.recipient(kind.kind), "Địa chỉ nhận thư thử", True)] if Capability.FAN_OUT in kind.capabilities else []
    )
    lines = "".join(f"| `{name}` | {title} | {'có' if must else ''} |\n" for name, title, must in rows)
    return f"{title}| Biến | Nghĩa | Bắt buộc |\n| --- | --- | --- |\n{lines}\n"


def _steps(names: tuple[str, ...]) -> str:
    return "".join(f"- {STEPS[name]}\n" for name in names)
