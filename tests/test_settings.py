"""Settings: a file, the environment above it, and no unknown or bad key goes through in silence."""

from pathlib import Path

import pytest

from settings import BadSettings, load


def _file(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "settings.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_environment_wins_over_the_file_and_the_file_over_the_default(tmp_path: Path) -> None:
    path = _file(tmp_path, 'mode = "live"\n[web]\nport = 8100\nhost = "0.0.0.0"\n')
    found = load(path, {"LANTOA_WEB__PORT": "8200", "PATH": "/bin"})
    assert (found.mode, found.web.port, found.web.host, found.twins.port) == ("live", 8200, "0.0.0.0", 8010)


def test_lists_are_written_with_commas(tmp_path: Path) -> None:
    found = load(_file(tmp_path, ""), {"LANTOA_NETWORK__ALLOW": "10.0.0.1:80, máy:8000,", "LANTOA_WEB__PROXIES": ""})
    assert (found.network.allow, found.web.proxies) == (("10.0.0.1:80", "máy:8000"), ())


def test_without_a_file_the_defaults_hold(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert load(environment={}).database_url == "sqlite:///data/lantoa.db"


@pytest.mark.parametrize(
    ("text", "environment", "said"),
    [
        ("ports = 1", {}, "Không có thiết lập nào tên «ports»"),
        ("[web]\nprot = 1", {}, "Không có thiết lập nào tên «web.prot»"),
        ("", {"LANTOA_WEB__PROT": "1"}, "Không có thiết lập nào tên «web.prot»"),
        ("", {"LANTOA_MODES": "live"}, "Không có thiết lập nào tên «modes»"),
        ('mode = "thử"', {}, "Thiết lập «mode» phải là một trong: 'rehearsal' or 'live' (đang là 'thử')."),
        ("", {"LANTOA_WEB__PORT": "tám nghìn"}, "Thiết lập «web.port» phải là số nguyên"),
        ("", {"LANTOA_WEB__PORT": "70000"}, "Thiết lập «web.port» phải từ 65535 trở xuống"),
        ("", {"LANTOA_DAEMON__WAVE": "0"}, "Thiết lập «daemon.wave» phải từ 1 trở lên"),
        ("", {"LANTOA_DAEMON__IDLE_SECONDS": "0"}, "Thiết lập «daemon.idle_seconds» phải lớn hơn 0"),
        ("", {"LANTOA_WEB__PUBLIC_URL": "phuong.vn"}, "Thiết lập «web.public_url» phải là địa chỉ như https://"),
        ("web = 8000", {}, "Thiết lập «web» là một nhóm thiết lập"),
        ("", {"LANTOA_WEB": "x", "LANTOA_WEB__PORT": "1"}, "không dùng cùng nhau được"),
        ("", {"LANTOA_WEB__PORT": "1", "LANTOA_WEB": "x"}, "là tên một nhóm thiết lập"),
        ("web = [", {}, "không đọc được"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(
    tmp_path: Path, text: str, environment: dict[str, str], said: str
) -> None:
    with pytest.raises(BadSettings) as told:
        load(_file(tmp_path, text), environment)
    assert said in str(told.value)


def test_everything_bad_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(BadSettings) as told:
        load(_file(tmp_path, "a = 1\nb = 2\n"), {})
    assert "«a»" in str(told.value)
    assert "«b»" in str(told.value)


def test_a_file_that_was_named_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(BadSettings, match=r"Không có tệp thiết lập .*thieu\.toml"):
        load(environment={"LANTOA_SETTINGS": str(tmp_path / "thieu.toml")})


def test_a_file_that_is_no_text_is_refused_in_words(tmp_path: Path) -> None:
    (tmp_path / "settings.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(BadSettings, match="không đọc được"):
        load(tmp_path / "settings.toml", {})
