"""One folder is one room; data moves one way; the core names no channel; the network has one door."""

import ast
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from tests.house.tree import DOORS, ROOMS, ROOT, docstrings, files, imports, name, program, python, tree

#: the only files of the rooms that may open a connection, and with what
ON_THE_NETWORK = {
    "channels/wire.py": {"httpx", "aiohttp", "httpcore", "httpx_aiohttp", "socket"},
    "channels/guard.py": {"socket"},
    "channels/rehearsing.py": {"socket"},  # hands the twins' server a socket that is already bound
    "channels/loudspeaker/transports/icecast.py": {
        "socket"
    },  # a stream of a quarter of an hour, in a thread of its own
    "channels/loudspeaker/transports/rtp.py": {"socket"},  # UDP
    "channels/email/smtp.py": {"aiosmtplib", "socket"},  # SMTP to addresses that went through the guard
    "channels/email/mailbox.py": {"imaplib", "socket"},  # IMAP likewise
    "channels/telegram/api.py": {"telegram"},  # python-telegram-bot, on the wire's own transport
    "channels/telegram/adapter.py": {"telegram"},  # its types; requests are made in api.py alone
    "channels/telegram/editing.py": {"telegram"},
    "channels/telegram/sending.py": {"telegram"},
}
NETWORK = {
    "httpx", "aiohttp", "httpcore", "httpx_aiohttp", "socket", "requests", "urllib.request", "http.client", "smtplib",
    "telegram", "ftplib", "websockets", "aiosmtplib", "imaplib", "poplib",
}  # fmt: skip
#: a ward's web address is called «website» too, in its table and in the words a template may use
NOT_A_KIND = {
    ("store/tables.py", "website"),
    ("campaigns/wards.py", "website"),
    ("campaigns/composing.py", "website"),
    ("rehearsal.py", "facebook"),  # a reader's user agent: the previews that count as no reader
}
#: pages that cannot do without the word
ON_PAGES = {
    ("web/public/templates/share.html", "website"),  # og:type (https://ogp.me/#no_vertical)
    ("web/public/templates/subscribe.html", "email"),  # the kind of input field (HTML)
    ("web/public/templates/layout.html", "website"),  # the ward's own web address
    ("web/templates/console/template_edit.html", "loudspeaker"),  # how a block for one channel is written
}
#: decisions and renderings: pure, so that they can be proved on values alone
PURE = ("campaigns/states.py", "campaigns/timetable.py")
IMPURE = {"sqlmodel", "sqlalchemy", "store", "asyncio", "channels.wire", "channels.registry", *NETWORK}


@cache
def kinds() -> set[str]:
    return {path.parent.name for path in files() if path.name == "adapter.py" and path.parent.parent.name == "channels"}


@pytest.mark.parametrize(
    "init", [p for p in python(*ROOMS) if p.name == "__init__.py" and "migrations" not in p.parts], ids=name
)
def test_every_room_says_in_its_first_sentence_what_it_is_for(init: Path) -> None:
    words = ast.get_docstring(tree(init)) or ""
    first = words.split("\n\n")[0].replace("\n", " ")
    assert len(first) > 20, f"{name(init)} does not say what the room is for"
    assert first.endswith("."), f"{name(init)}: «{first}» is no sentence"


def test_every_folder_of_code_is_a_room() -> None:
    folders = {path.parent for path in python(*ROOMS)}
    assert [name(folder) for folder in sorted(folders) if not (folder / "__init__.py").exists()] == []


def test_data_moves_one_way() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    done = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_rooms_do_not_know_the_doors() -> None:
    doors = {door.removesuffix(".py") for door in DOORS}
    broken = [
        f"{name(path)}:{line} {module}" for path in python(*ROOMS) for module, line in imports(path) if module in doors
    ]
    assert broken == []


def test_only_the_wire_opens_connections() -> None:
    broken = [
        f"{name(path)}:{line} {module}"
        for path in python(*ROOMS)
        for module, line in imports(path)
        if any(module == known or module.startswith(f"{known}.") for known in NETWORK)
        and module.split(".")[0] not in ON_THE_NETWORK.get(name(path), set())
    ]
    assert broken == []


def test_the_library_s_own_client_is_built_in_one_file() -> None:
    built = {
        name(path) for path in python(*ROOMS) for module, _ in imports(path) if module.startswith("telegram.request")
    }
    assert built == {"channels/telegram/api.py"}


def test_exceptions_to_the_rule_are_still_needed() -> None:
    for path, modules in ON_THE_NETWORK.items():
        used = {module.split(".")[0] for module, _ in imports(ROOT / path)}
        assert modules <= used, f"{path} no longer imports {modules - used}: take it off the list"


def test_decisions_and_renderings_are_pure() -> None:
    pure = [ROOT / path for path in PURE] + [path for path in python("channels") if path.name == "render.py"]
    assert len(pure) >= 6
    broken = [
        f"{name(path)}:{line} {module}"
        for path in pure
        for module, line in imports(path)
        if any(module == known or module.startswith(f"{known}.") for known in IMPURE)
    ]
    assert broken == []


def test_the_core_names_no_channel() -> None:
    core = [path for path in program() if name(path).split("/")[0] not in ("channels", "content")]
    assert len(core) > 60
    assert [found for path in core for found in _channels_named(path)] == []


def test_the_console_s_pages_name_no_channel() -> None:
    pattern = re.compile(rf"\b({'|'.join(kinds())})\b")
    pages = [
        path
        for path in files()
        if name(path).startswith("web/") and path.suffix in (".html", ".js", ".css", ".xml", ".txt")
    ]
    assert len(pages) > 20
    broken = [
        f"{name(path)}:{number} {found.group()}"
        for path in pages
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1)
        if (found := pattern.search(line)) and (name(path), found.group()) not in ON_PAGES
    ]
    assert broken == []


def _channels_named(path: Path) -> list[str]:
    words = docstrings(path)
    found = []
    for node in ast.walk(tree(path)):
        said = _said(node) if id(node) not in words else ""
        named = {kind for kind in kinds() if kind in said and re.search(rf"(?<![a-z]){kind}(?![a-z])", said)}
        found += [f"{name(path)}:{node.lineno} {kind}" for kind in named if (name(path), kind) not in NOT_A_KIND]  # type: ignore[attr-defined]
    return found


def _said(node: ast.AST) -> str:
    """The word that a node says: a name, an attribute, an argument, a text."""
    match node:
        case ast.Name(id=said) | ast.Attribute(attr=said) | ast.arg(arg=said) | ast.alias(name=said):
            return said.lower()
        case ast.FunctionDef(name=said) | ast.AsyncFunctionDef(name=said) | ast.ClassDef(name=said):
            return said.lower()
        case ast.keyword(arg=str(said)) | ast.Constant(value=str(said)):
            return said.lower()
    return ""
