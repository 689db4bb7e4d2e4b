"""The menu: what stands in it, in which order, and who sees it."""

from dataclasses import dataclass

from campaigns.people import Action


@dataclass(frozen=True)
class Entry:
    """One entry: ``section`` is the name a page gives to be marked, ``bar`` puts it into a phone's bottom bar."""

    section: str
    href: str
    icon: str
    words: str
    needs: Action = Action.VIEW
    bar: bool = False


MENU: tuple[tuple[str, tuple[Entry, ...]], ...] = (
    (
        "Công việc",
        (
            Entry("today", "/quan-tri", "home", "Hôm nay", bar=True),
            Entry("calendar", "/quan-tri/lich", "calendar-week", "Lịch", bar=True),
            Entry("compose", "/quan-tri/soan", "edit", "Soạn tin", Action.WRITE, bar=True),
            Entry("approval", "/quan-tri/cho-duyet", "checkbox", "Chờ duyệt", bar=True),
            Entry("posts", "/quan-tri/bai", "news", "Tin, bài"),
            Entry("programme", "/quan-tri/chuong-trinh", "speakerphone", "Chương trình phát thanh"),
            Entry("deliveries", "/quan-tri/luot-dang", "send", "Lượt đăng"),
            Entry("holds", "/quan-tri/tam-dung", "hand-stop", "Tạm dừng toàn bộ"),
        ),
    ),
    (
        "Nội dung",
        (
            Entry("templates", "/quan-tri/mau", "template", "Mẫu"),
            Entry("rules", "/quan-tri/thuong-ky", "repeat", "Đăng thường kỳ"),
            Entry("dictionary", "/quan-tri/tu-dien-doc", "volume", "Từ điển đọc"),
            Entry("sources", "/quan-tri/nguon", "rss", "Nguồn chính thống"),
        ),
    ),
    (
        "Theo dõi",
        (
            Entry("outlets", "/quan-tri/kenh", "broadcast", "Kênh"),
            Entry("readers", "/quan-tri/nguoi-nhan", "mail", "Người nhận tin"),
            Entry("logbook", "/quan-tri/so-phat-thanh", "notebook", "Sổ phát thanh"),
            Entry("report", "/quan-tri/bao-cao", "report-analytics", "Báo cáo"),
            Entry("audit", "/quan-tri/nhat-ky", "history", "Nhật ký"),
            Entry("users", "/quan-tri/nguoi-dung", "users", "Người dùng", Action.MANAGE),
        ),
    ),
)
