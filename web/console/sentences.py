"""What the audit log says, as Vietnamese sentences; and the words of one delivery's life."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from campaigns.timetable import local
from content.templates import format_date
from store.tables import AuditEvent
from web.console import words

#: action -> words, tone, icon, for the life of a delivery
LIFE: dict[str, tuple[str, str, str]] = {
    "delivery.planned": ("Lên lịch", "calm", "calendar-plus"),
    "delivery.prepared": ("Nhận việc, dựng và khóa nội dung", "active", "lock"),
    "delivery.wire": ("Bắt đầu gửi lên nền tảng", "active", "send"),
    "delivery.sent": ("Đã đăng", "good", "circle-check"),
    "delivery.due": ("Chờ gửi lại", "warn", "clock"),
    "delivery.unknown": ("Chưa rõ kết quả", "warn", "help-circle"),
    "delivery.needs_human": ("Cần người xem", "bad", "eye-exclamation"),
    "delivery.failed": ("Không đăng được", "bad", "circle-x"),
    "delivery.missed": ("Lỡ giờ", "bad", "clock-x"),
    "delivery.held": ("Tạm dừng", "warn", "player-pause"),
    "delivery.released": ("Cho đăng sau tạm dừng", "active", "player-play"),
    "delivery.cancelled": ("Đã hủy", "muted", "ban"),
    "delivery.closed": ("Đã bỏ", "muted", "ban"),
    "delivery.settled_sent": ("Người xem xác nhận: đã đăng", "good", "user-check"),
    "delivery.settled_again": ("Người xem cho đăng lại", "warn", "refresh-alert"),
    "delivery.settled_closed": ("Người xem bỏ lượt này", "muted", "ban"),
    "delivery.retried": ("Cho thử lại", "active", "refresh"),
    "delivery.withdrawing": ("Đang gỡ", "active", "loader"),
    "delivery.withdrawn": ("Đã gỡ", "muted", "arrow-back-up"),
    "delivery.withdrawn_by_hand": ("Người gỡ bài trên kênh", "muted", "user-check"),
    "delivery.not_withdrawn": ("Chưa gỡ được, bài vẫn còn", "bad", "alert-triangle"),
    "delivery.left_up": ("Thôi gỡ, bài để trên kênh", "good", "eye"),
    "delivery.said_aired": ("Người phát xác nhận: đã phát", "good", "user-check"),
    "delivery.said_silent": ("Người phát ghi: chưa phát", "muted", "volume-off"),
    "delivery.airing_corrected": ("Ghi dòng sửa trong sổ phát thanh", "warn", "pencil"),
    "delivery.amending": ("Duyệt đính chính, chờ sửa trên kênh", "active", "pencil"),
    "delivery.amended": ("Đã đính chính", "good", "circle-check"),
    "delivery.amended_by_hand": ("Người xem xác nhận bài đã đúng", "good", "user-check"),
    "delivery.not_amended": ("Không sửa được, bài còn như cũ", "bad", "alert-triangle"),
    "delivery.amend_in_doubt": ("Chưa rõ bài đã sửa chưa", "bad", "eye-exclamation"),
    "delivery.amend_void": ("Thôi đính chính", "muted", "ban"),
    "delivery.amend_given_up": ("Người xem thôi đính chính", "muted", "ban"),
}

VERB = {
    "look": "Tra cứu lại",
    "publish": "Đăng",
    "stage": "Chuẩn bị",
    "withdraw_look": "Xem đã gỡ chưa",
    "amend_look": "Xem bài còn không",
}
OUTCOME = {"crash": "Chương trình dừng giữa chừng"}

#: action -> a sentence; {…} are the event's particulars, {số} is the subject's number. Missing ones leave «…».
_SAID: dict[str, str] = {
    "ward.founded": "mở phường {name} trong hệ thống",
    "campaign.founded": "mở chiến dịch «{name}» với {tasks} nhiệm vụ",
    "post.saved": "lưu bài số {số}",
    "post.submitted": "gửi duyệt bài số {số}",
    "post.approved": "duyệt bài số {số}",
    "post.returned": "trả lại bài số {số}: {note}",
    "post.withdrawn": "rút bài số {số}",
    "post.approval_void": "hủy lần duyệt của bài số {số}, vì nội dung đã đổi",
    "post.from_rule": "tạo bài số {số} theo lịch thường kỳ số {rule}",
    "delivery.planned": "lên lịch lượt đăng số {số}",
    "delivery.prepared": "nhận và khóa nội dung lượt đăng số {số}",
    "delivery.wire": "bắt đầu gửi lượt đăng số {số}",
    "delivery.fan_out": "ghi nhận một nhóm người nhận của lượt đăng số {số}",
    "delivery.sent": "ghi nhận lượt đăng số {số} đã ra kênh",
    "delivery.due": "xếp lại lượt đăng số {số} để gửi sau",
    "delivery.unknown": "chưa rõ kết quả lượt đăng số {số}, sẽ tra cứu lại",
    "delivery.needs_human": "chuyển lượt đăng số {số} cho người xem",
    "delivery.failed": "ghi nhận lượt đăng số {số} không đăng được",
    "delivery.missed": "ghi nhận lượt đăng số {số} lỡ giờ",
    "delivery.said_aired": "ghi sổ phát thanh: lượt đăng số {số} đã phát",
    "delivery.said_silent": "ghi sổ phát thanh: lượt đăng số {số} chưa phát, vì {note}",
    "delivery.airing_corrected": "ghi dòng sửa cho dòng {line} của sổ phát thanh: {note}",
    "delivery.held": "tạm dừng lượt đăng số {số}",
    "delivery.released": "cho đăng lượt đăng số {số} sau tạm dừng",
    "hold.opened": "tạm dừng toàn bộ: {reason}",
    "hold.catch_up": "giữ các lượt đăng trễ để chờ duyệt kế hoạch đăng bù: {reason}",
    "hold.released": "mở lại sau tạm dừng: {now} lượt đăng theo nhịp, {later} lượt dời giờ, {skipped} lượt bỏ",
    "delivery.cancelled": "hủy lượt đăng số {số}",
    "delivery.settled_sent": "xác nhận lượt đăng số {số} đã đăng",
    "delivery.settled_again": "cho đăng lại lượt đăng số {số}",
    "delivery.settled_closed": "bỏ lượt đăng số {số}",
    "delivery.retried": "cho thử lại lượt đăng số {số}",
    "delivery.withdrawing": "yêu cầu gỡ bài của lượt đăng số {số}: {note}",
    "delivery.withdrawn": "gỡ bài của lượt đăng số {số}",
    "delivery.withdrawn_by_hand": "gỡ bài của lượt đăng số {số} trên kênh: {note}",
    "delivery.not_withdrawn": "chưa gỡ được bài của lượt đăng số {số}",
    "delivery.left_up": "để bài của lượt đăng số {số} trên kênh",
    "delivery.amending": "cho sửa bài của lượt đăng số {số} theo đính chính số {amendment}",
    "delivery.amended": "đính chính bài của lượt đăng số {số} theo đính chính số {amendment}",
    "delivery.amended_by_hand": "xác nhận bài của lượt đăng số {số} đã đúng theo đính chính số {amendment}",
    "delivery.not_amended": "chưa đính chính được bài của lượt đăng số {số}",
    "delivery.amend_in_doubt": "chưa rõ bài của lượt đăng số {số} đã đính chính chưa",
    "delivery.amend_void": "thôi đính chính bài của lượt đăng số {số}",
    "delivery.amend_given_up": "quyết định không đính chính bài của lượt đăng số {số} nữa",
    "amendment.submitted": "gửi duyệt đính chính số {số} của bài số {post}: {note}",
    "amendment.approved": "duyệt đính chính số {số} của bài số {post}: {note}",
    "amendment.returned": "trả lại đính chính số {số} của bài số {post}: {answer}",
    "amendment.recalled": "rút đính chính số {số} của bài số {post}",
    "outlet.rested": "cho kênh «{name}» tạm nghỉ sau {failures} lần lỗi liên tiếp",
    "outlet.recovered": "ghi nhận kênh «{name}» hoạt động trở lại",
    "outlet.tried_at_once": "cho thử lại ngay kênh «{name}» đang tạm nghỉ",
    "instance.safe_mode": "chuyển sang chế độ an toàn, không gửi gì: {why}",
    "instance.confirmed": "xác nhận đây là bản đang vận hành thật",
    "instance.restored": "khôi phục dữ liệu từ bản sao lưu; lượt đã qua giờ được tra cứu trước khi gửi lại",
    "instance.restore_proved": "khôi phục thử thành công bản sao lưu {backup}",
    "outlet.reauth_check": "nhắc kiểm tra lại quyền truy cập của kênh số {số} sau khi khôi phục",
    "outlet.connected": "kết nối kênh «{name}»",
    "outlet.changed": "sửa thiết lập kênh «{name}»",
    "outlet.checked": "kiểm tra kết nối kênh «{name}»: {result}",
    "outlet.authorised": "cấp quyền truy cập kênh «{name}» trên nền tảng",
    "outlet.trial_begun": "bắt đầu đăng thử kênh «{name}», lượt thử số {trial}",
    "outlet.trial_wire": "gửi tin thử số {trial} lên kênh «{name}»",
    "outlet.trial_answered": "ghi nhận trả lời của kênh «{name}» về tin thử số {trial}",
    "outlet.trial_ended": "kết thúc lượt đăng thử số {trial} của kênh «{name}»",
    "outlet.trial_removing": "gỡ lại tin thử số {trial} trên kênh «{name}», lần {removal}",
    "outlet.trial_removed": "ghi nhận trả lời của kênh «{name}» về việc gỡ lại tin thử số {trial}",
    "outlet.renewed": "gia hạn quyền truy cập của kênh số {số}",
    "outlet.paused": "tạm dừng kênh số {số}: {reason}",
    "outlet.resumed": "mở lại kênh số {số}",
    "template.saved": "lưu mẫu «{slug}», bản {version}",
    "rule.saved": "lưu lịch thường kỳ «{name}»",
    "rule.submitted": "gửi duyệt lịch thường kỳ «{name}»",
    "rule.approved": "duyệt lịch thường kỳ số {số}",
    "rule.returned": "trả lại lịch thường kỳ «{name}»: {note}",
    "rule.stopped": "dừng lịch thường kỳ «{name}»: {note}",
    "rule.skipped": "bỏ qua lần đăng của lịch thường kỳ số {số}",
    "rule.approval_void": "hủy lần duyệt của lịch thường kỳ số {số}, vì nội dung đã đổi",
    "source.watched": "theo dõi nguồn {url}",
    "source.read": "đọc nguồn số {số}, có {new} tin mới",
    "source.paused": "tạm ngừng theo dõi nguồn «{name}»",
    "source.resumed": "theo dõi lại nguồn «{name}»",
    "source.removed": "bỏ nguồn «{name}»",
    "subscriber.asked": "đăng ký nhận tin qua thư, chờ xác nhận",
    "subscriber.letter": "gửi thư xác nhận cho người đăng ký số {số}: {result}",
    "subscriber.confirmed": "xác nhận đăng ký nhận tin",
    "subscriber.left": "ngừng gửi và xóa địa chỉ của người nhận số {số}: {how}",
    "subscriber.suspended": "tạm ngừng gửi cho người nhận số {số} sau {bounces} lần thư bị trả lại",
    "subscriber.forgotten": "xóa {number} lượt đăng ký không xác nhận trong 7 ngày",
    "subscriber.imported": "nhập danh sách người nhận tin: thêm {new}, đã có {known}, không thêm {kept_out}; căn cứ: {proof}",
    "subscriber.exported": "xuất danh sách {number} người nhận tin",
    "media.added": "thêm ảnh số {số} vào kho tư liệu",
    "report.written": "lập và chốt «{title}»",
    "user.added": "thêm tài khoản «{username}»",
    "user.deactivated": "ngừng tài khoản «{username}» và đăng xuất mọi thiết bị",
    "user.activated": "mở lại tài khoản «{username}»",
    "user.password_reset": "đặt lại mật khẩu của tài khoản «{username}»",
    "user.password_changed": "đổi mật khẩu của mình",
    "bot.connected": "kết nối bot {platform} báo việc cho cán bộ",
    "bot.changed": "sửa thiết lập bot {platform} báo việc cho cán bộ",
    "bot.checked": "kiểm tra bot {platform} báo việc cho cán bộ: {result}",
    "bot.removed": "gỡ bot {platform} báo việc cho cán bộ",
    "chat.linked": "liên kết {platform} để nhận thông báo cho tài khoản «{username}»",
    "chat.unlinked": "ngừng báo việc qua chat cho tài khoản «{username}»: {how}",
    "chat.blocked": "ghi nhận {platform} không gửi được cho tài khoản số {số} vì người nhận đã chặn bot hoặc xóa cuộc trò chuyện",
}

#: what an event is about -> words, and where it is shown
SUBJECTS: dict[str, tuple[str, str]] = {
    "post": ("Tin, bài", "/quan-tri/bai/{}"),
    "delivery": ("Lượt đăng", "/quan-tri/luot-dang/{}"),
    "amendment": ("Đính chính", "/quan-tri/dinh-chinh/{}"),
    "outlet": ("Kênh", "/quan-tri/kenh/{}"),
    "hold": ("Tạm dừng toàn bộ", "/quan-tri/tam-dung"),
    "template": ("Mẫu", ""),
    "rule": ("Đăng thường kỳ", "/quan-tri/thuong-ky/{}"),
    "source": ("Nguồn chính thống", ""),
    "subscriber": ("Người nhận tin", ""),
    "report": ("Báo cáo", ""),
    "user": ("Tài khoản", ""),
    "media": ("Kho tư liệu", ""),
    "bot": ("Bot báo việc", "/quan-tri/thong-bao/bot"),
    "instance": ("Bản cài đặt", ""),
    "ward": ("Phường", ""),
    "campaign": ("Chiến dịch", ""),
}


class _Particulars(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return "…"


def sentence(event: AuditEvent) -> str:
    """What was done, as it follows the actor's name; an action without words is shown as it is."""
    said = _SAID.get(event.action)
    if said is None:
        return f"{event.action} ({event.subject} {event.subject_id})"
    values = _Particulars({key: value for key, value in event.particulars.items() if isinstance(value, str | int)})
    values["số"] = event.subject_id
    reason = words.REASON.get(str(event.particulars.get("reason") or ""), "")
    text = said.format_map(values)
    return f"{text} ({reason[:1].lower()}{reason[1:]})" if reason and "{reason}" not in said else text


def plain(action: str) -> str:
    """The words for an action outside a sentence."""
    return words.EVENT.get(action, action)


def address(event: AuditEvent) -> str:
    """Where what the event is about is shown; empty where it has no page."""
    pattern = SUBJECTS.get(event.subject, ("", ""))[1]
    return pattern.format(event.subject_id) if pattern and event.subject_id.isdigit() else ""


def exact(at: datetime, zone: str) -> str:
    """A moment to the second, as lists show it: 17:00:05 09/4/2026."""
    clock = local(at, zone)
    return f"{clock:%H:%M:%S} {format_date(clock.date())}"


def extras(event: AuditEvent) -> Mapping[str, str]:
    """Short particulars worth showing below the sentence, never the long snapshots kept for comparing."""
    shown = {
        key: value for key, value in event.particulars.items() if isinstance(value, str | int) and key not in ("fence",)
    }
    return {key: str(value)[:200] for key, value in shown.items()}
