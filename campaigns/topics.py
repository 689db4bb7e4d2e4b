"""The kinds of notices that a person chooses from, and the right without which nobody gets one."""

from dataclasses import dataclass

from campaigns.people import Action


@dataclass(frozen=True)
class Topic:
    """One kind of notice that a person chooses: its words, and the right without which nobody gets it."""

    key: str
    words: str
    about: str
    needs: Action


TOPICS: dict[str, Topic] = {
    one.key: one
    for one in (
        Topic("waiting", "Bài chờ duyệt", "Có bài, lịch thường kỳ hoặc đính chính vừa gửi duyệt; kèm liên kết «Xem và duyệt».", Action.APPROVE),
        Topic("person", "Lượt đăng cần người xem", "Không rõ kết quả, không đăng được, lỡ giờ, hoặc có bản thừa trên kênh.", Action.SETTLE),
        Topic("broken", "Kênh hỏng, tạm dừng, tạm nghỉ", "Kênh ngừng đăng hoặc cần kết nối lại.", Action.SETTLE),
        Topic("expiring", "Sắp hết hạn quyền", "Quyền truy cập của kênh sắp hết; nhắc mỗi tuần một lần.", Action.MANAGE),
        Topic("hold", "Lệnh tạm dừng toàn bộ", "Có người tạm dừng hoặc mở lại; luôn báo ngay, kể cả trong giờ yên tĩnh.", Action.WRITE),
    )
}  # fmt: skip
