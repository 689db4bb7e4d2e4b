"""A real mail server for the tests: Debian's postfix, started as a private instance in a folder of its own, on a free port.

Everything stays on this machine: the transport to anywhere else is an error. Letters are delivered to Maildirs; what
cannot be delivered comes back as postfix's own delivery status notification (RFC 3464).
"""

import os
import pwd
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

DOMAIN = "phuong.example"
MISSING = "the mail server is not installed: make tools"
_MAIN = """
compatibility_level = 3.6
queue_directory = {folder}/spool
data_directory = {folder}/data
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
mail_owner = postfix
setgid_group = postdrop
maillog_file = {folder}/log/mail.log
maillog_file_prefixes = {folder}
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = mx.{domain}
mydomain = {domain}
myorigin = {domain}
mydestination =
mynetworks = 127.0.0.0/8
recipient_delimiter = +
virtual_mailbox_domains = {domain}, noi-khac.example
virtual_mailbox_base = {folder}/mail
virtual_mailbox_maps = texthash:{folder}/etc/boxes
virtual_alias_maps = texthash:{folder}/etc/aliases
virtual_uid_maps = static:{uid}
virtual_gid_maps = static:{gid}
virtual_minimum_uid = 1
smtpd_reject_unlisted_recipient = no
default_transport = error:5.7.1 nothing leaves this machine
relay_transport = error:5.7.1 nothing leaves this machine
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_recipient_restrictions = check_recipient_access texthash:{folder}/etc/refused, permit_mynetworks, reject
message_size_limit = 3000000
virtual_mailbox_limit = 0
mailbox_size_limit = 0
smtpd_tls_cert_file = {folder}/etc/both.pem
smtpd_tls_key_file = {folder}/etc/both.pem
smtpd_tls_security_level = may
smtpd_tls_auth_only = yes
smtputf8_enable = no
queue_run_delay = 1s
bounce_queue_lifetime = 1h
double_bounce_sender = double-bounce
"""
_MASTER = """
127.0.0.1:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
virtual unix - n n - - virtual
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
proxymap unix - - n - - proxymap
postlog unix-dgram n - n - 1 postlogd
"""


@dataclass(frozen=True)
class MailServer:
    """A running server: where it listens, whom its certificate names, where letters lie."""

    folder: Path
    port: int

    def box(self, name: str) -> Path:
        """A reader's Maildir."""
        return self.folder / "mail" / name

    def letters(self, name: str) -> list[EmailMessage]:
        """What a reader has got, oldest first."""
        found = sorted((self.box(name) / "new").glob("*"), key=lambda path: path.stat().st_mtime_ns)
        return [_read(path.read_bytes()) for path in found]

    def raw(self, name: str) -> bytes:
        """The last letter as it lies on the disk, with the line ends of the wire."""
        newest = max((self.box(name) / "new").glob("*"), key=lambda path: path.stat().st_mtime_ns)
        return newest.read_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")

    def wait(self, name: str, number: int = 1, seconds: float = 20) -> list[EmailMessage]:
        """What a reader has got as soon as there are so many."""
        until = time.monotonic() + seconds
        while len(found := self.letters(name)) < number:
            if time.monotonic() > until:
                raise AssertionError(f"{name}: {len(found)} of {number} letters\n{self.log()}")
            time.sleep(0.05)
        return found

    def log(self) -> str:
        """What the server wrote down."""
        file = self.folder / "log" / "mail.log"
        return file.read_text("utf-8", "replace") if file.exists() else "no log"


def _read(content: bytes) -> EmailMessage:
    made = message_from_bytes(content, policy=default)
    assert isinstance(made, EmailMessage)
    return made


@contextmanager
def running(folder: Path, certificate: Path) -> Iterator[MailServer]:
    """The server, for as long as the block lasts."""
    assert shutil.which("postfix"), MISSING
    server = _installed(folder, certificate)
    _postfix(folder, "start")
    try:
        _answering(server)
        yield server
    finally:
        _postfix(folder, "stop")


def _installed(folder: Path, certificate: Path) -> MailServer:
    for name in ("etc", "spool", "data", "mail", "log"):
        (folder / name).mkdir(parents=True)
    user = pwd.getpwnam("postfix")
    os.chown(folder / "data", user.pw_uid, user.pw_gid)
    os.chown(folder / "mail", user.pw_uid, user.pw_gid)
    port = _free_port()
    values = {"folder": folder, "domain": DOMAIN, "uid": user.pw_uid, "gid": user.pw_gid, "port": port}
    etc = folder / "etc"
    (etc / "main.cf").write_text(_MAIN.format(**values))
    (etc / "master.cf").write_text(_MASTER.format(**values))
    shutil.copy(certificate, etc / "both.pem")
    (etc / "both.pem").chmod(0o600)
    boxes = [f"{name}@{DOMAIN} {name}/" for name in ("co-hoa", "bac-nam", "tra-lai", "bantin")]
    (etc / "boxes").write_text("\n".join(boxes) + "\n")
    (etc / "aliases").write_text("")
    (etc / "refused").write_text(
        f"da-nghi@{DOMAIN} 550 5.1.1 User unknown\nday@{DOMAIN} 452 4.2.2 Mailbox full\nxam@{DOMAIN} 450 4.7.1 Greylisted\n"
        f"cham@{DOMAIN} 421 4.7.0 Too many connections\n"
    )
    return MailServer(folder, port)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _postfix(folder: Path, verb: str) -> None:
    """With its own files for words, because the server would keep the pipes of whoever started it."""
    with (folder / "log" / f"{verb}.txt").open("wb") as said:
        done = subprocess.run(
            ["postfix", "-c", str(folder / "etc"), verb], stdin=subprocess.DEVNULL, stdout=said, stderr=said, timeout=30
        )
    if verb == "start" and done.returncode:
        raise AssertionError((folder / "log" / "start.txt").read_text("utf-8", "replace"))


def _answering(server: MailServer, seconds: float = 20) -> None:
    until = time.monotonic() + seconds
    while True:
        try:
            with socket.create_connection(("127.0.0.1", server.port), 2) as line:
                if line.recv(64).startswith(b"220"):
                    return
        except OSError:
            pass
        if time.monotonic() > until:
            raise AssertionError(server.log())
        time.sleep(0.05)


_DOVECOT = """
base_dir = {folder}/imap/run
state_dir = {folder}/imap/state
log_path = {folder}/log/imap.log
protocols = imap
listen = 127.0.0.1
ssl = required
auth_failure_delay = 0
ssl_cert = <{folder}/etc/both.pem
ssl_key = <{folder}/etc/both.pem
mail_location = maildir:{folder}/mail/%n
first_valid_uid = 1
first_valid_gid = 1
passdb {{
  driver = static
  args = password=mat-khau-hop-thu
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={folder}/mail
}}
service imap-login {{
  chroot =
  inet_listener imap {{
    port = 0
  }}
  inet_listener imaps {{
    port = {port}
    ssl = yes
  }}
}}
service stats {{
  chroot =
}}
"""


@contextmanager
def imap(server: MailServer) -> Iterator[int]:
    """The same mailboxes over IMAP with TLS (Debian's dovecot), for as long as the block lasts; gives the port."""
    assert shutil.which("dovecot"), MISSING
    user, port = pwd.getpwnam("postfix"), _free_port()
    folder = server.folder
    for name in ("run", "state"):
        (folder / "imap" / name).mkdir(parents=True)
    config = folder / "imap" / "dovecot.conf"
    config.write_text(_DOVECOT.format(folder=folder, uid=user.pw_uid, gid=user.pw_gid, port=port))
    with (folder / "log" / "imap.txt").open("wb") as said:
        subprocess.run(
            ["dovecot", "-c", str(config)], stdin=subprocess.DEVNULL, stdout=said, stderr=said, check=True, timeout=30
        )
    try:
        yield port
    finally:
        subprocess.run(
            ["doveadm", "-c", str(config), "stop"], stdin=subprocess.DEVNULL, capture_output=True, timeout=30
        )
