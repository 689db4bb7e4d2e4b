"""The settings of a mail outlet: the server that takes our letters, who writes them, how they are signed, where they come back."""

import ssl
from ipaddress import ip_address
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator, model_validator

from channels.contract import ChannelSettings
from channels.email.address import readable
from channels.email.signing import new_key, readable_key
from content.text import nfc, squeeze

SELECTOR = r"^([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?)?$"


class EmailSettings(ChannelSettings):
    """How letters leave and come back. ``dkim_key`` is made by the program where none is given; a blank selector signs nothing."""

    secret_fields: ClassVar[tuple[str, ...]] = ("password", "dkim_key", "imap_password")

    smtp_host: str = Field(min_length=1, title="Máy chủ gửi thư (SMTP)", description="Ví dụ: smtp.haiphong.gov.vn")
    smtp_port: int = Field(default=587, ge=1, le=65535, title="Cổng", description="Thường là 587, 465 hoặc 25")
    security: Literal["starttls", "tls", "plain"] = Field(default="starttls", title="Mã hóa đường truyền")
    username: str = Field(default="", title="Tên đăng nhập", description="Để trống nếu máy chủ không đòi đăng nhập")
    password: str = Field(default="", repr=False, title="Mật khẩu")
    ca_file: str = Field(
        default="",
        title="Tệp chứng chỉ gốc nội bộ",
        description="Chỉ cần khi máy chủ thư dùng chứng chỉ do cơ quan tự cấp",
    )
    sender: str = Field(title="Địa chỉ gửi", description="Người dân thấy địa chỉ này, ví dụ bantin@phuong.gov.vn")
    sender_name: str = Field(default="", max_length=100, title="Tên người gửi", description="Ví dụ: Phường Đông Hải")
    reply_to: str = Field(default="", title="Địa chỉ nhận trả lời", description="Để trống là trả lời về địa chỉ gửi")
    connections: int = Field(default=4, ge=1, le=32, title="Số kết nối cùng lúc")
    per_minute: int = Field(
        default=0, ge=0, le=100_000, title="Số thư tối đa mỗi phút", description="0 là không giới hạn"
    )
    per_day: int = Field(
        default=0, ge=0, le=10_000_000, title="Số thư tối đa mỗi ngày", description="0 là không giới hạn"
    )
    dkim_selector: str = Field(
        default="lantoa", pattern=SELECTOR, title="Tên khóa DKIM", description="Để trống nếu máy chủ thư tự ký DKIM"
    )
    dkim_domain: str = Field(default="", title="Tên miền ký DKIM", description="Để trống là tên miền của địa chỉ gửi")
    dkim_key: str = Field(default="", repr=False, title="Khóa DKIM (PEM)", description="Để trống: chương trình tự tạo")
    bounce_address: str = Field(
        default="",
        title="Hộp thư nhận thư bị trả lại",
        description="Ví dụ: tra-lai@phuong.gov.vn; máy chủ phải nhận cả tra-lai+…@",
    )
    returns: Literal["off", "maildir", "imap"] = Field(default="off", title="Đọc thư bị trả lại")
    maildir: str = Field(default="", title="Thư mục Maildir", description="Chỉ khi chọn đọc từ thư mục Maildir")
    imap_host: str = Field(default="", title="Máy chủ IMAP", description="Chỉ khi chọn đọc từ hộp thư IMAP")
    imap_port: int = Field(default=993, ge=1, le=65535, title="Cổng IMAP")
    imap_user: str = Field(default="", title="Tên đăng nhập IMAP")
    imap_password: str = Field(default="", repr=False, title="Mật khẩu IMAP")

    @classmethod
    def made(cls, given: dict[str, Any]) -> dict[str, Any]:
        """A DKIM key of its own where letters are to be signed and nobody gave one."""
        if given.get("dkim_key") or not given.get("dkim_selector", cls.model_fields["dkim_selector"].default):
            return {}
        return {"dkim_key": new_key()}

    @field_validator("sender", "reply_to", "bounce_address")
    @classmethod
    def _an_address(cls, text: str) -> str:
        if text and readable(text) is None:
            raise ValueError("địa chỉ thư chưa đúng dạng, ví dụ bantin@phuong.gov.vn")
        return text.strip()

    @field_validator("sender_name")
    @classmethod
    def _composed(cls, text: str) -> str:
        return squeeze(nfc(text))

    @field_validator("dkim_key")
    @classmethod
    def _a_key(cls, pem: str) -> str:
        if pem and not readable_key(pem):
            raise ValueError("khóa DKIM không đọc được; dán nguyên văn khóa RSA dạng PEM hoặc để trống")
        return pem.strip()

    @field_validator("ca_file")
    @classmethod
    def _certificates(cls, path: str) -> str:
        if path:
            try:
                ssl.create_default_context(cafile=path)
            except (OSError, ssl.SSLError) as error:
                raise ValueError("không đọc được tệp chứng chỉ này") from error
        return path

    @model_validator(mode="after")
    def _whole(self) -> "EmailSettings":
        if not self.sender:
            raise ValueError("chưa nhập địa chỉ gửi")
        if self.security == "plain" and self.username and not loopback(self.smtp_host):
            raise ValueError("không gửi mật khẩu qua đường không mã hóa; hãy chọn STARTTLS hoặc TLS")
        if self.returns != "off" and not self.bounce_address:
            raise ValueError("muốn đọc thư bị trả lại thì nhập hộp thư nhận thư bị trả lại")
        if self.returns == "maildir" and not self.maildir:
            raise ValueError("chưa nhập thư mục Maildir")
        if self.returns == "imap" and not (self.imap_host and self.imap_user):
            raise ValueError("chưa nhập máy chủ và tên đăng nhập IMAP")
        return self

    @property
    def domain(self) -> str:
        """The domain of the sender's address, in which Message-IDs and the list's name lie."""
        return self.sender.rpartition("@")[2].lower()

    @property
    def signing_domain(self) -> str:
        """The domain that vouches for the letters."""
        return self.dkim_domain.strip().lower() or self.domain

    @property
    def folder(self) -> Path:
        """The Maildir of returned letters."""
        return Path(self.maildir)

    def return_path(self, mark: str) -> str:
        """The envelope's sender: a mailbox of its own for each copy (VERP), so that what comes back names its recipient."""
        local, _, domain = self.bounce_address.rpartition("@")
        return f"{local}+{mark}@{domain}" if self.bounce_address else self.sender


def loopback(host: str) -> bool:
    """Whether a host is this machine itself."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"
