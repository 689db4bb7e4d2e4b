"""Files are kept whole or not at all, under the hash of their bytes."""

import hashlib
import os
from pathlib import Path

import pytest

from store.files import Files


def test_what_is_kept_is_found_by_its_hash(tmp_path: Path) -> None:
    files = Files(tmp_path, "https://phuong.example/")
    sha256 = files.put("ảnh".encode())
    assert sha256 == hashlib.sha256("ảnh".encode()).hexdigest()
    assert files.read(sha256) == "ảnh".encode()
    assert files.put("ảnh".encode()) == sha256
    assert files.url(sha256) == f"https://phuong.example/tep/{sha256}"


@pytest.mark.parametrize("name", ["../khoa-bi-mat", "", "a" * 63, "A" * 64, "a" * 64 + "\n", "/etc/passwd"])
def test_what_is_no_hash_leads_nowhere(tmp_path: Path, name: str) -> None:
    with pytest.raises(FileNotFoundError):
        Files(tmp_path).path(name)


def test_a_full_disk_leaves_nothing_half_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    files = Files(tmp_path)
    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space"):
            files.put(b"x" * 1000)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    files.put(b"x" * 1000)
