"""What to do about a bad check, for each way to the loudspeakers, in plain Vietnamese."""

from channels.contract import Reason
from channels.loudspeaker.settings import LoudspeakerSettings
from channels.loudspeaker.transports.folder import plugged
from channels.loudspeaker.transports.ways import WayName

_ALLOW = (
    "Địa chỉ trong mục «Các cụm loa» chưa được phép: thêm «địa chỉ:cổng» của từng cụm vào network.allow trong "
    "settings.toml, rồi khởi động lại chương trình."
)
_OF_WAY: dict[WayName, dict[Reason, str]] = {
    "folder": {},
    "icecast": {
        Reason.UNREACHABLE: "Không nối được với máy chủ Icecast. Kiểm tra máy chủ đang bật, đúng địa chỉ và cổng trong mục «Các cụm loa».",
        Reason.UNAUTHORIZED: "Máy chủ Icecast không nhận mật khẩu. Chép lại source-password trong icecast.xml vào mục «Mật khẩu của thiết bị».",
        Reason.MISCONFIGURED: _ALLOW,
    },
    "rtp": {
        Reason.UNREACHABLE: "Máy này không có đường mạng tới địa chỉ loa. Kiểm tra dây mạng, địa chỉ, và mục «Địa chỉ card mạng phát multicast».",
        Reason.MISCONFIGURED: _ALLOW,
    },
    "axis": {
        Reason.UNREACHABLE: "Có loa Axis không trả lời. Kiểm tra nguồn điện và mạng của từng loa, rồi mở trang của loa bằng trình duyệt trên máy này.",
        Reason.UNAUTHORIZED: "Có loa Axis không nhận tên đăng nhập, mật khẩu. Dùng tài khoản có quyền Operator, giống nhau trên mọi loa của kênh.",
        Reason.MISCONFIGURED: _ALLOW,
        Reason.BUSY: "Có loa Axis trả lời không đọc được. Kiểm tra loa có hỗ trợ Media clip (phần mềm 5.40 trở lên).",
    },
    "algo": {
        Reason.UNREACHABLE: "Có loa Algo không trả lời. Kiểm tra nguồn điện, mạng, và địa chỉ trong mục «Các cụm loa».",
        Reason.UNAUTHORIZED: "Loa Algo không nhận mật khẩu API, hoặc giờ của loa lệch quá 30 giây. Đặt lại mật khẩu RESTful API, bật NTP trên loa và trên máy này.",
        Reason.MISCONFIGURED: f"Bật RESTful API ở Advanced Settings → Admin của loa, phần mềm 5.3.4 trở lên. {_ALLOW}",
    },
}
_OF_FOLDER = {
    Reason.UNREACHABLE: "Chưa thấy USB ở thư mục chương trình. Cắm USB vào máy này rồi kiểm tra lại.",
    Reason.MISCONFIGURED: "Không mở được thư mục chương trình. Kiểm tra đường dẫn trong phần Thiết lập.",
    Reason.FORBIDDEN: "Chương trình không có quyền ghi vào thư mục. Cấp quyền ghi cho tài khoản chạy Lan Tỏa.",
    Reason.QUOTA: "Thư mục chương trình còn dưới 50 MB. Xóa bớt chương trình của những ngày cũ.",
}


def advice(settings: LoudspeakerSettings, reason: Reason) -> str:
    """The words for this outlet; empty where the usual ones do."""
    of_folder = reason in (Reason.FORBIDDEN, Reason.QUOTA) or settings.transport == "folder" or not plugged(settings)
    return (_OF_FOLDER if of_folder else _OF_WAY[settings.transport]).get(reason, "")
