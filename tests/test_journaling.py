"""The technical log: every line readable by a machine, with its delivery, and never a secret in it."""

import contextlib
import io
import json
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
import structlog

import journaling
from store import vault
from store.vault import Vault

CANARY = "kDf83-canary-9Qz_secret"


@pytest.fixture(autouse=True)
def put_back() -> Iterator[None]:
    root, lantoa = logging.getLogger(), logging.getLogger("lantoa")
    before = (root.handlers[:], root.level, lantoa.level, vault.listen)
    yield
    root.handlers[:], root.level, vault.listen = before[0], before[1], before[3]
    lantoa.setLevel(before[2])
    logging.captureWarnings(False)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()


def _lines(stream: io.StringIO) -> list[dict]:
    return [json.loads(line) for line in stream.getvalue().splitlines()]


def test_a_line_is_json_with_the_delivery_it_is_about() -> None:
    stream = io.StringIO()
    journaling.begin("auto", stream=stream)
    about = {"delivery": "k1", "outlet": 7, "ward": 2, "epoch": "ab", "fence": 3}
    logging.getLogger("lantoa.deliver").info("gửi lượt %s", "một", extra=about)
    [line] = _lines(stream)
    assert {name: line[name] for name in about} == about
    assert (line["event"], line["level"], line["logger"]) == ("gửi lượt một", "info", "lantoa.deliver")
    assert line["at"].endswith("Z")


def test_what_is_bound_for_a_task_stands_in_the_lines_of_libraries_too() -> None:
    stream = io.StringIO()
    journaling.begin("json", stream=stream)
    with structlog.contextvars.bound_contextvars(delivery="k2"):
        logging.getLogger("some.library").warning("slow")
        structlog.get_logger("lantoa.x").info("here", outlet=5)
    logging.getLogger("some.library").warning("after")
    first, second, third = _lines(stream)
    assert (first["delivery"], second["delivery"], second["outlet"]) == ("k2", "k2", 5)
    assert "delivery" not in third


def test_an_exception_is_one_line_and_tells_no_local_values() -> None:
    stream = io.StringIO()
    journaling.begin("json", stream=stream)
    hidden = "value-of-a-local-name"
    try:
        raise ZeroDivisionError(str(len(hidden)))
    except ZeroDivisionError:
        logging.getLogger("lantoa").exception("broken")
    [line] = _lines(stream)
    assert "ZeroDivisionError" in line["exception"]
    assert hidden not in stream.getvalue()


def test_text_is_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    stream = io.StringIO()
    journaling.begin("text", stream=stream)
    logging.getLogger("lantoa").warning("đĩa đầy", extra={"delivery": "k3"})
    try:
        raise ValueError(f"token={CANARY}")
    except ValueError:
        logging.getLogger("lantoa").exception("broken")
    said = stream.getvalue()
    assert "đĩa đầy" in said and "delivery=k3" in said and not said.startswith("{")
    assert "ValueError" in said and CANARY not in said


@pytest.mark.parametrize(
    ("words", "kept"),
    [
        (f"GET https://graph.example.org/v20/me?access_token={CANARY}&x=1 200", "https://graph.example.org/v20/me?***"),
        (f"https://api.telegram.org/bot1234567:{CANARY}abcdefghij/sendMessage", "https://api.telegram.org/***/sendMessage"),
        (f"Authorization: Bearer {CANARY}", "Authorization"),
        (f"{{'refresh_token': '{CANARY}', 'page': 'p'}}", "'page': 'p'"),
        (f'{{"app_secret": "{CANARY}"}}', "app_secret"),
        (f"postgresql+psycopg://lantoa:{CANARY}@db.example/lantoa", "postgresql+psycopg://***@db.example/lantoa"),
        (f"/dich-vu?ma={CANARY}", "/dich-vu?***"),
        (f"https://a.example/b?{CANARY}", "https://a.example/b?***"),
        (f"password={CANARY}; next", "; next"),
    ],
)  # fmt: skip
def test_secrets_in_words_are_taken_out(words: str, kept: str) -> None:
    stream = io.StringIO()
    journaling.begin("json", stream=stream)
    logging.getLogger("lantoa").info(words)
    logging.getLogger("lantoa").info("%s", words, extra={"seen": [words, {"inner": words}]})
    assert CANARY not in stream.getvalue()
    assert kept in _lines(stream)[0]["event"]


def test_what_is_said_in_fields_of_a_secret_s_name_is_hidden() -> None:
    stream = io.StringIO()
    journaling.begin("json", stream=stream)
    logging.getLogger("lantoa").info("seen", extra={"access_token": CANARY, "headers": {"Authorization": CANARY}})
    assert CANARY not in stream.getvalue()
    assert _lines(stream)[0]["access_token"] == "***"


def test_what_the_vault_seals_opens_or_derives_is_known_from_then_on(tmp_path: Path) -> None:
    stream = io.StringIO()
    closed = Vault.open(tmp_path / "khoa")
    sealed = closed.seal({"page_token": CANARY, "more": ["another canary/of ours"]}, "outlet:1:secrets")
    journaling.begin("json", stream=stream)
    opened = closed.unseal(sealed, "outlet:1:secrets")
    derived = closed.derive("site:x")
    words = f"answer was {opened['page_token']} and another%20canary%2Fof%20ours and another canary/of ours, {derived}"
    logging.getLogger("lantoa").warning(words)
    said = stream.getvalue()
    assert CANARY not in said and "canary" not in said and derived not in said
    closed.seal({"secret": "typed just now"}, "outlet:2:secrets")
    logging.getLogger("lantoa").warning("typed just now")
    assert "typed just now" not in stream.getvalue()


def test_ordinary_words_are_left_alone() -> None:
    stream = io.StringIO()
    redactor = journaling.begin("json", stream=stream)
    redactor.learn("ba")  # too short to be told from words
    words = "Lượt đăng 17 tới «Zalo» lúc 08:30: xong? có, 3/3 phần; https://phuong.example/bai/mot"
    logging.getLogger("lantoa").info(words)
    assert _lines(stream)[0]["event"] == words


class Full(io.StringIO):
    """A log file on a disk that is full until it is not."""

    full = True

    def write(self, text: str) -> int:
        if self.full:
            raise OSError(28, "No space left on device")
        return super().write(text)


def test_a_log_that_cannot_be_written_stops_nobody_and_comes_back(capsys: pytest.CaptureFixture[str]) -> None:
    stream = Full()
    journaling.begin("json", stream=stream)
    logging.getLogger("lantoa").info("lost")
    stream.full = False
    logging.getLogger("lantoa").info("kept")
    assert [line["event"] for line in _lines(stream)] == ["kept"]
    assert capsys.readouterr().err == ""


LANTOA = Path(sys.executable).parent / "lantoa"


def test_the_program_itself_logs_in_json_and_tells_no_secret(tmp_path: Path, migrated: Path) -> None:
    (tmp_path / "data").mkdir()
    shutil.copyfile(migrated, tmp_path / "data" / "lantoa.db")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        port = str(taken.getsockname()[1])
    clean = {name: value for name, value in os.environ.items() if not name.startswith("LANTOA_")}
    given = {**clean, "LANTOA_FOLDER": str(tmp_path / "data"), "LANTOA_MODE": "live", "LANTOA_WEB__PORT": port,
             "LANTOA_OPS__METRICS_TOKEN": CANARY, "LANTOA_DATABASE": f"sqlite:///{tmp_path}/data/lantoa.db"}  # fmt: skip
    running = subprocess.Popen([str(LANTOA), "up"], cwd=tmp_path, env=given, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)  # fmt: skip
    end = time.monotonic() + 60
    while time.monotonic() < end:
        with contextlib.suppress(httpx.HTTPError):
            answer = httpx.get(f"http://127.0.0.1:{port}/metrics", headers={"authorization": f"Bearer {CANARY}"})
            if answer.status_code == 200:
                break
        time.sleep(0.2)
    running.send_signal(signal.SIGTERM)
    said, logged = running.communicate(timeout=60)
    assert running.returncode == 0, logged[-2000:]
    assert CANARY not in said + logged
    lines = [json.loads(line) for line in logged.splitlines()]
    assert [line["event"] for line in lines if line["logger"] == "lantoa.operating"] == ["began", "stopped"]
