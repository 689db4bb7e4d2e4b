"""Sealed secrets open only where they were sealed, with the key that sealed them."""

import base64
import stat
import threading
from pathlib import Path

import pytest

from store.vault import SealBroken, Vault


def test_what_is_sealed_opens_at_its_place(tmp_path: Path) -> None:
    vault = Vault.open(tmp_path / "khoa")
    sealed = vault.seal({"token": "bí mật"}, "outlet:1:secrets")
    assert "bí mật" not in sealed
    assert Vault.open(tmp_path / "khoa").unseal(sealed, "outlet:1:secrets") == {"token": "bí mật"}
    assert vault.seal("x", "a") != vault.seal("x", "a")


@pytest.mark.parametrize("place", ["outlet:2:secrets", "outlet:1:settings", ""])
def test_moved_to_another_row_or_field_it_does_not_open(tmp_path: Path, place: str) -> None:
    vault = Vault.open(tmp_path / "khoa")
    with pytest.raises(SealBroken):
        vault.unseal(vault.seal("x", "outlet:1:secrets"), place)


def test_another_key_does_not_open_it(tmp_path: Path) -> None:
    sealed = Vault.open(tmp_path / "khoa").seal("x", "a")
    with pytest.raises(SealBroken, match="kết nối lại"):
        Vault.open(tmp_path / "khac").unseal(sealed, "a")


@pytest.mark.parametrize("broken", ["", "v1.", "v1.AAAA", "v2.AAAA", "v1.không phải base64", "v1." + "A" * 200])
def test_what_was_changed_does_not_open(tmp_path: Path, broken: str) -> None:
    with pytest.raises(SealBroken):
        Vault.open(tmp_path / "khoa").unseal(broken, "a")


def test_a_new_key_is_for_its_owner_only_and_leaves_no_litter(tmp_path: Path) -> None:
    Vault.open(tmp_path / "sau" / "khoa")
    assert stat.S_IMODE((tmp_path / "sau" / "khoa").stat().st_mode) == 0o600
    assert [path.name for path in (tmp_path / "sau").iterdir()] == ["khoa"]


def test_two_first_starts_at_once_agree_on_one_key(tmp_path: Path) -> None:
    made: list[Vault] = []
    threads = [threading.Thread(target=lambda: made.append(Vault.open(tmp_path / "khoa"))) for _ in range(8)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert len({vault.derive("x") for vault in made}) == 1
    assert len(made) == 8


@pytest.mark.parametrize("content", [b"", b"AAAA", b"!!!!", base64.b64encode(b"k" * 16)])
def test_a_damaged_key_file_is_said_and_never_replaced(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "khoa").write_bytes(content)
    with pytest.raises(SealBroken, match="khôi phục từ bản sao lưu"):
        Vault.open(tmp_path / "khoa")
    assert (tmp_path / "khoa").read_bytes() == content


def test_a_key_restored_with_a_line_end_is_the_same_key(tmp_path: Path) -> None:
    sealed = Vault.open(tmp_path / "khoa").seal("x", "a")
    (tmp_path / "khoa").write_bytes((tmp_path / "khoa").read_bytes() + b"\n")
    assert Vault.open(tmp_path / "khoa").unseal(sealed, "a") == "x"


def test_derived_secrets_are_steady_and_tell_nothing(tmp_path: Path) -> None:
    vault = Vault.open(tmp_path / "khoa")
    assert vault.derive("site:a") == Vault.open(tmp_path / "khoa").derive("site:a") != vault.derive("site:b")
    assert repr(vault) == "Vault(***)"
