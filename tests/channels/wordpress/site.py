"""A real WordPress on SQLite: unpacked and installed once, served by PHP itself, put back to new within milliseconds.

``make tools`` unpacks Debian's WordPress and WordPress' own SQLite drop-in (GPL, a program of its own beside ours) into
.venv/wordpress, and installs Debian's PHP. https://github.com/WordPress/sqlite-database-integration
"""

import json
import shutil
import socket
import subprocess
import time
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
TOOLS = HERE.parents[2] / ".venv" / "wordpress"
PACKAGE = TOOLS / "usr" / "share" / "wordpress"
DROP_IN = TOOLS / "sqlite-database-integration.zip"
INSTALLED = (TOOLS / ".ready").is_file() and shutil.which("php") is not None
EDITOR, CONTRIBUTOR, ADMIN = "dang-bai", "cong-tac", "quan-tri"


@dataclass(frozen=True)
class Site:
    """The site: where PHP serves it, its folder, and the application password of each user."""

    url: str
    folder: Path
    passwords: dict[str, str]

    @property
    def _database(self) -> Path:
        return self.folder / "wp-content" / "database" / "site.sqlite"

    @property
    def _new(self) -> Path:
        return self.folder.parent / "new.sqlite"

    def as_new(self) -> None:
        """Forget every post, file and term since the installation."""
        for leftover in self._database.parent.glob("site.sqlite-*"):
            leftover.unlink()
        shutil.copyfile(self._new, self._database)
        shutil.rmtree(self.folder / "wp-content" / "uploads", ignore_errors=True)


@contextmanager
def site(folder: Path) -> Iterator[Site]:
    """The site, installed into ``folder`` and served until the end of the block."""
    root = folder / "wordpress"
    _unpack(root)
    passwords = _install(root)
    shutil.copyfile(root / "wp-content" / "database" / "site.sqlite", folder / "new.sqlite")
    shutil.copyfile(HERE / "router.php", folder / "router.php")
    with _served(folder) as url:
        yield Site(url, root, passwords)


def _unpack(root: Path) -> None:
    shutil.copytree(PACKAGE, root, ignore_dangling_symlinks=True)
    # copytree takes every relative link for a dangling one; what reads videos lies behind such links.
    shutil.copytree(PACKAGE.parent / "php" / "getid3", root / "wp-includes" / "ID3", dirs_exist_ok=True)
    content = root / "wp-content"
    plugin = content / "plugins" / "plugin-sqlite-database-integration"
    with zipfile.ZipFile(DROP_IN) as packed:
        packed.extractall(content / "plugins")
    drop_in = (plugin / "db.copy").read_text("utf-8").replace("{SQLITE_IMPLEMENTATION_FOLDER_PATH}", str(plugin))
    (content / "db.php").write_text(drop_in.replace("{SQLITE_PLUGIN}", f"{plugin.name}/load.php"), "utf-8")
    # WordPress 6.2 made this property protected; the drop-in expects that, Debian's 6.1 declares it private.
    driver = plugin / "wp-includes" / "sqlite" / "class-wp-sqlite-db.php"
    name = "$allow_unsafe_unquoted_parameters"
    driver.write_text(driver.read_text("utf-8").replace(f"private {name}", f"protected {name}"), "utf-8")
    (content / "database").mkdir(exist_ok=True)
    (content / "mu-plugins").mkdir(exist_ok=True)
    shutil.copyfile(HERE / "switches.php", content / "mu-plugins" / "switches.php")
    (root / "wp-config.php").unlink(missing_ok=True)
    shutil.copyfile(HERE / "wp-config.php", root / "wp-config.php")


def _install(root: Path) -> dict[str, str]:
    told = root.parent / "passwords.json"
    done = subprocess.run(
        ["php", str(HERE / "install.php"), str(root), str(told)], capture_output=True, text=True, timeout=60
    )
    if done.returncode or not told.is_file():
        raise RuntimeError(f"WordPress was not installed: {done.stdout[-2000:]} {done.stderr[-2000:]}")
    return dict(json.loads(told.read_text("utf-8")))


@contextmanager
def _served(folder: Path) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    command = [
        "php",
        "-d",
        "opcache.enable_cli=1",
        "-d",
        "upload_max_filesize=8M",
        "-d",
        "post_max_size=9M",
        "-S",
        address,
        "-t",
        str(folder),
        str(folder / "router.php"),
    ]
    with (folder / "php.log").open("wb") as said, subprocess.Popen(command, stdout=said, stderr=said) as running:
        try:
            _wait_until_up(address)
            yield f"http://{address}"
        finally:
            running.terminate()


def _wait_until_up(address: str) -> None:
    host, _, port = address.partition(":")
    for _ in range(200):
        with suppress(OSError), socket.create_connection((host, int(port)), 1):
            return
        time.sleep(0.05)
    raise RuntimeError("PHP's web server did not start")
