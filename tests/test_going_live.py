"""Going live, command by command, as docs/go-live.md tells it."""

from pathlib import Path

import pytest
from sqlmodel import select
from typer.testing import CliRunner, Result

import cli
from campaigns.people import Mistake
from content.kit import LIBRARY
from content.plans import PlanMistake
from store.engine import OldSchema, Store
from store.tables import Outlet, Template, User, Ward


@pytest.fixture(autouse=True)
def live(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "settings.toml").write_text('mode = "live"\n[web]\npublic_url = "https://thongtin.example.vn"\n')


def lantoa(*words: str, typed: str = "") -> Result:
    return CliRunner().invoke(cli.app, list(words), input=typed, catch_exceptions=False)


def test_a_ward_is_founded_with_what_needs_nobody_s_account() -> None:
    lantoa("migrate")
    assert "11 nhiệm vụ" in " ".join(lantoa("ward", "add", "dong-hai").output.split())
    store = Store("sqlite:///data/lantoa.db")
    with store.read() as session:
        ward = session.exec(select(Ward)).one()
        outlets = {outlet.kind: outlet for outlet in session.exec(select(Outlet)).all()}
        assert ward.slug == "dong-hai"
        assert session.exec(select(Template)).first() is not None
    store.close()
    assert set(outlets) == {"loudspeaker", "website"}
    assert outlets["website"].settings["site_url"] == "https://thongtin.example.vn"
    assert "token" not in outlets["website"].settings, "the publishing key is sealed"


def test_founding_twice_changes_nothing() -> None:
    lantoa("migrate")
    lantoa("ward", "add", "dong-hai")
    assert "không có kênh mới" in " ".join(lantoa("ward", "add", "dong-hai").output.split())
    store = Store("sqlite:///data/lantoa.db")
    with store.read() as session:
        assert len(session.exec(select(Ward)).all()) == 1
        assert len(session.exec(select(Outlet)).all()) == 2
    store.close()


def test_another_ward_brings_its_own_plan(tmp_path: Path) -> None:
    text = (LIBRARY / "plans" / "dong-hai.toml").read_text("utf-8")
    (tmp_path / "khac.toml").write_text(text.replace('slug = "dong-hai"', 'slug = "phuong-khac"'), "utf-8")
    lantoa("migrate")
    assert lantoa("ward", "add", "phuong-khac", "--plan", "khac.toml").exit_code == 0


def test_what_cannot_be_founded_says_why(tmp_path: Path) -> None:
    with pytest.raises(OldSchema, match="lantoa migrate"):
        lantoa("ward", "add", "dong-hai")
    lantoa("migrate")
    with pytest.raises(Mistake, match="Đang có: dong-hai, le-thanh-nghi"):
        lantoa("ward", "add", "dong-hoi")
    with pytest.raises(Mistake, match="Không đọc được tệp"):
        lantoa("ward", "add", "dong-hai", "--plan", "khong-co.toml")
    (tmp_path / "hong.toml").write_text("code = ", "utf-8")
    with pytest.raises(PlanMistake, match="không đọc được"):
        lantoa("ward", "add", "dong-hai", "--plan", "hong.toml")


def test_the_first_account_is_the_ward_s_administrator() -> None:
    lantoa("migrate")
    lantoa("ward", "add", "dong-hai")
    done = lantoa(
        "user",
        "add",
        "quantri.dh",
        "--name",
        "Quản trị",
        "--role",
        "admin",
        "--ward",
        "dong-hai",
        typed="mat-khau-dai-2026\n",
    )
    assert done.exit_code == 0
    store = Store("sqlite:///data/lantoa.db")
    with store.read() as session:
        user = session.exec(select(User)).one()
    store.close()
    assert (user.username, user.role) == ("quantri.dh", "admin")
    assert "mat-khau" not in user.password_hash
