"""Who may come in: names, passwords, sessions that end, and what a guesser meets."""

from datetime import timedelta

import pytest
from sqlmodel import select

from campaigns import people
from campaigns.audit import MACHINE
from campaigns.people import Action, Forbidden, Mistake, Role, may, require
from store.tables import AuditEvent, LoginFailure, User
from store.tables import Session as Login
from tests.campaigns.conftest import House

WORD = "hoa phượng đỏ 2026"
HERE = "10.0.0.1"


@pytest.fixture
def lan(house: House) -> User:
    with house.store.write() as session:
        return people.add_user(
            session, house.admin, house.ward, " Lan.Anh ", "Nguyễn Lan Anh", "editor", WORD, house.desk.now()
        )


def _sign_in(house: House, password: str, name: str = "lan.anh", address: str = HERE) -> str | None:
    with house.store.write() as session:
        return people.sign_in(session, name, password, address, "Firefox", house.desk.now())


def _who(house: House, token: str) -> str | None:
    with house.store.read() as session:
        user = people.signed_in(session, token, house.desk.now())
        return user.username if user else None


def test_lan_signs_in_with_her_password_only(house: House, lan: User) -> None:
    token = _sign_in(house, WORD)
    assert token is not None
    assert _who(house, token) == "lan.anh"
    assert _sign_in(house, "một mật khẩu khác") is None
    assert _who(house, "x" * 43) is None


def test_a_password_typed_in_another_unicode_form_is_the_same(house: House, lan: User) -> None:
    import unicodedata

    assert _sign_in(house, unicodedata.normalize("NFD", WORD)) is not None


def test_only_the_hash_of_the_cookie_is_kept(house: House, lan: User) -> None:
    token = _sign_in(house, WORD)
    with house.store.read() as session:
        [row] = session.exec(select(Login)).all()
    assert token not in str(row.model_dump())


def test_an_idle_session_ends_and_a_used_one_ends_after_twelve_hours(house: House, lan: User, clock) -> None:
    token = _sign_in(house, WORD) or ""
    clock.forward(minutes=59)
    with house.store.write() as session:
        people.touch(session, token, clock())
    clock.forward(minutes=59)
    assert _who(house, token) == "lan.anh"
    clock.forward(minutes=1)
    assert _who(house, token) is None
    token = _sign_in(house, WORD) or ""
    for _ in range(24):
        clock.forward(minutes=30)
        with house.store.write() as session:
            people.touch(session, token, clock())
    assert _who(house, token) is None


def test_signing_out_and_changing_the_password_end_sessions(house: House, lan: User, clock) -> None:
    mine, elsewhere, left = (_sign_in(house, WORD) or "" for _ in range(3))
    with house.store.write() as session:
        people.sign_out(session, left, clock())
        user = session.get_one(User, lan.id)
        people.change_password(session, user, WORD, "một mật khẩu mới hẳn", mine, clock())
    assert [_who(house, token) for token in (mine, elsewhere, left)] == ["lan.anh", None, None]
    assert _sign_in(house, WORD) is None


def test_a_closed_account_is_out_at_once(house: House, lan: User) -> None:
    token = _sign_in(house, WORD) or ""
    with house.store.write() as session:
        session.get_one(User, lan.id).active = False
    assert _who(house, token) is None
    assert _sign_in(house, WORD) is None


def test_guessing_a_name_is_stopped_and_forgiven_later(house: House, lan: User, clock) -> None:
    for guess in range(people.FAILURES_PER_NAME):
        assert _sign_in(house, f"đoán lần thứ {guess}", address=f"10.0.1.{guess}") is None
    assert _sign_in(house, WORD) is None
    clock.forward(minutes=16)
    assert _sign_in(house, WORD) is not None


def test_guessing_many_names_from_one_address_is_stopped(house: House, lan: User, clock) -> None:
    with house.store.write() as session:
        session.add_all([LoginFailure(subject=f"from:{HERE}", at=clock()) for _ in range(people.FAILURES_PER_ADDRESS)])
    assert _sign_in(house, WORD) is None
    assert _sign_in(house, WORD, address="10.0.0.2") is not None


def test_guesses_sent_all_at_once_do_not_slip_past_the_limit(house: House, lan: User, clock) -> None:
    with house.store.read() as session:
        tried = [people.attempt(session, "lan.anh", HERE, clock()) for _ in range(people.FAILURES_PER_NAME + 1)]
    with house.store.write() as session:
        for guess in tried[:-1]:
            assert guess is not None
            assert people.finish(session, guess, False, "", clock()) is None
        last = tried[-1]
        assert last is not None
        assert people.finish(session, last, True, "", clock()) is None


def test_a_password_changed_while_signing_in_wins(house: House, lan: User, clock) -> None:
    with house.store.read() as session:
        tried = people.attempt(session, "lan.anh", HERE, clock())
    assert tried is not None
    assert tried.matches(WORD)
    with house.store.write() as session:
        people.change_password(session, session.get_one(User, lan.id), WORD, "một mật khẩu mới hẳn", "", clock())
    with house.store.write() as session:
        assert people.finish(session, tried, True, "", clock()) is None


def test_an_unknown_name_costs_as_much_hashing_as_a_wrong_password(house: House, lan: User, monkeypatch) -> None:
    checked: list[str] = []
    real = people._matches
    monkeypatch.setattr(people, "_matches", lambda kept, typed: checked.append(kept) or real(kept, typed))
    _sign_in(house, "sai mật khẩu rồi")
    _sign_in(house, "sai mật khẩu rồi", name="khong.co")
    assert len(checked) == 2
    assert all(kept.startswith("$argon2id$v=19$m=19456,t=2,p=1$") for kept in checked)


def test_a_city_account_enters_every_ward_and_stands_in_every_log(house: House, clock) -> None:
    with house.store.write() as session:
        city = people.add_user(session, MACHINE, None, "thanh.pho", "Thành phố", "admin", WORD, clock())
        for ward in (house.ward, house.neighbour_ward):
            require(people.actor_of(city), Action.MANAGE, ward.id or 0)
        people.change_password(session, city, WORD, "một mật khẩu mới hẳn", "", clock())
    with house.store.read() as session:
        told = session.exec(select(AuditEvent.ward_id, AuditEvent.action).where(AuditEvent.subject == "user")).all()
    assert set(told) == {
        (w.id, a) for w in (house.ward, house.neighbour_ward) for a in ("user.added", "user.password_changed")
    }


def test_the_neighbour_does_not_get_in(house: House) -> None:
    with pytest.raises(Forbidden, match="phường khác"):
        require(house.neighbour, Action.VIEW, house.ward.id or 0)
    with pytest.raises(Forbidden, match="không có quyền"):
        require(house.editor, Action.APPROVE, house.ward.id or 0)


def test_the_machine_may_do_nothing_that_needs_a_person() -> None:
    assert not any(may(MACHINE, action) for action in Action)


@pytest.mark.parametrize(
    ("name", "role", "password", "said"),
    [
        ("", "editor", WORD, "chỉ gồm chữ"),
        ("lan anh", "editor", WORD, "chỉ gồm chữ"),
        ("lan.anh", "editor", WORD, "đã có người dùng"),
        ("mai", "sep", WORD, "Vai trò phải là một trong"),
        ("mai", "editor", "ngắn", "từ 12 đến 128 ký tự"),
        ("mai", "editor", "d" * 129, "từ 12 đến 128 ký tự"),
    ],
)
def test_a_bad_account_is_refused_in_words(
    house: House, lan: User, name: str, role: str, password: str, said: str
) -> None:
    with pytest.raises(Mistake, match=said), house.store.write() as session:
        people.add_user(session, house.admin, house.ward, name, "Mai", role, password, house.desk.now())


def test_failures_are_forgotten_after_an_hour(house: House, lan: User, clock) -> None:
    _sign_in(house, "sai mật khẩu rồi")
    clock.forward(hours=1, seconds=1)
    _sign_in(house, WORD)
    with house.store.read() as session:
        assert session.exec(select(LoginFailure)).all() == []


def test_every_role_has_words_and_rights() -> None:
    assert set(people.ROLE_WORDS) == set(Role) == set(people._ALLOWED)
    assert people.IDLE < people.LONGEST <= timedelta(hours=12)
