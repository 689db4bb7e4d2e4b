"""What people are told when the disk or the database does not work: why, what is safe, and what to do."""

from store.troubles import Trouble

TROUBLES: dict[Trouble, tuple[str, str]] = {
    Trouble.FULL: (
        "Đĩa đã đầy",
        "Đĩa đã đầy nên chưa lưu được. Những gì đã lưu vẫn còn, và chưa có bài nào được gửi thêm. Hãy báo người quản trị "
        "dọn bớt đĩa; khi có chỗ, chương trình tự chạy tiếp, bạn chỉ cần làm lại việc này.",
    ),
    Trouble.READ_ONLY: (
        "Đĩa chỉ đọc được",
        "Đĩa đang ở chế độ chỉ đọc nên chưa lưu được. Những gì đã lưu vẫn còn. Hãy báo người quản trị kiểm tra đĩa; khi "
        "ghi được, chương trình tự chạy tiếp, bạn chỉ cần làm lại việc này.",
    ),
    Trouble.BUSY: (
        "Cơ sở dữ liệu đang bận",
        "Cơ sở dữ liệu đang bận nên chưa lưu được. Hãy đợi một phút rồi làm lại; nếu vẫn bận, báo người quản trị.",
    ),
    Trouble.BROKEN: (
        "Đĩa đang lỗi",
        "Máy đọc hoặc ghi đĩa bị lỗi nên chưa lưu được. Hãy báo người quản trị kiểm tra đĩa ngay, rồi làm lại việc này.",
    ),
    Trouble.UNREACHABLE: (
        "Không tới được cơ sở dữ liệu",
        "Chương trình chưa nối được tới cơ sở dữ liệu. Hãy đợi một phút rồi làm lại; nếu vẫn chưa được, báo người quản trị.",
    ),
}
