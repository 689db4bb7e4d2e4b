"""What must never happen at the console's doors; every refusal is shown beside the same request being accepted."""

import hashlib
import re
import sqlite3
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import APIRoute
from sqlmodel import Session, select

from campaigns import approving, people, planning
from store.engine import Store
from store.tables import LoginFailure, Post, User
from store.tables import Session as LoginSession
from tests.conftest import FakeClock
from tests.web.conftest import PASSWORD, SITE, Client, Scene, active_parts, make_scene
from web.session import SIGN_IN

pytestmark = pytest.mark.anyio
Typed = Callable[..., dict[str, Any]]

FROM_ELSEWHERE = [
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
    {"sec-fetch-site": "cross-site", "origin": SITE},
    {"sec-fetch-site": "", "origin": SITE},
    {"origin": "http://ke-gian.example"},
    {"origin": "null"},
    {"origin": "http://may-chu.ke-gian.example"},
    {"origin": "http://may-chu:8080"},
    {},
]
FROM_HERE = [{"sec-fetch-site": "same-origin"}, {"sec-fetch-site": "none"}, {"origin": SITE}]


def paths(scene: Scene, method: str, id: str = "1") -> Iterator[str]:
    """Every path of the console that takes this method, with ids filled in."""
    from web import console

    for included in console.router().routes:
        for route in included.original_router.routes:  # type: ignore[attr-defined]
            if isinstance(route, APIRoute) and method in route.methods:
                yield "/quan-tri" + re.sub(r"\{[a-z0-9_]+(:[a-z]+)?\}", id, route.path)


async def put(scene: Scene, visitor: Client, headers: dict[str, str]) -> int:
    async with visitor("bientap.phuong-ta") as client:
        del client.headers["sec-fetch-site"]
        answer = await client.post("/quan-tri/soan/luu", data={"title": "Thử"}, headers=headers)
    return answer.status_code


@pytest.mark.parametrize("headers", FROM_ELSEWHERE, ids=str)
async def test_another_site_cannot_make_a_browser_write(scene: Scene, visitor: Client, headers: dict[str, str]) -> None:
    assert await put(scene, visitor, headers) == 403
    assert scene.all(Post) == []


@pytest.mark.parametrize("headers", FROM_HERE, ids=str)
async def test_our_own_pages_can_write(scene: Scene, visitor: Client, headers: dict[str, str]) -> None:
    assert await put(scene, visitor, headers) == 303
    assert len(scene.all(Post)) == 1


async def test_every_unsafe_path_refuses_another_site(scene: Scene, visitor: Client) -> None:
    async with visitor("duyet.phuong-ta") as client:
        for path in paths(scene, "POST"):
            answer = await client.post(path, headers={"sec-fetch-site": "cross-site"})
            assert answer.status_code == 403, path
        assert (await client.get("/quan-tri")).status_code == 200  # not even signed out


def fingerprint(store: Store) -> str:
    with sqlite3.connect(store.url.removeprefix("sqlite:///")) as connection:
        lines = [line for line in connection.iterdump() if not line.startswith('INSERT INTO "login_session"')]
    connection.close()
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


async def test_no_get_changes_anything(scene: Scene, visitor: Client, typed: Typed) -> None:
    async with visitor("duyet.phuong-ta") as client:
        await client.post("/quan-tri/soan/luu", data=typed())
        before = fingerprint(scene.store)
        for path in paths(scene, "GET"):
            assert (await client.get(path)).status_code < 500, path
        assert fingerprint(scene.store) == before
        await client.post("/quan-tri/soan/luu", data=typed())
        assert fingerprint(scene.store) != before


async def test_every_page_needs_somebody_signed_in(scene: Scene, visitor: Client) -> None:
    open_to_all = {SIGN_IN, "/quan-tri/kenh.css", "/quan-tri/kenh/bieu-tuong/1"}
    async with visitor() as client:
        for path in paths(scene, "GET"):
            answer = await client.get(path)
            allowed = (200, 404) if path in open_to_all else (303,)
            assert answer.status_code in allowed, (path, answer.status_code)


async def test_every_page_carries_the_policy_and_keeps_it(scene: Scene, visitor: Client, typed: Typed) -> None:
    async with visitor("duyet.phuong-ta") as client:
        await client.post("/quan-tri/soan/luu", data=typed())
        for path in [*paths(scene, "GET"), "/quan-tri/khong-co-trang-nay"]:
            answer = await client.get(path)
            if not answer.headers.get("content-type", "").startswith("text/html"):
                continue
            policy = answer.headers["content-security-policy"]
            assert "default-src 'none'" in policy, path
            assert "unsafe-inline" not in policy, path
            assert "unsafe-eval" not in policy, path
            assert answer.headers["x-content-type-options"] == "nosniff"
            assert answer.headers["referrer-policy"] == "same-origin"
            assert active_parts(answer.text) == [], path


async def test_an_error_of_ours_is_a_page_with_the_policy_and_without_particulars(
    scene: Scene, visitor: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise RuntimeError("bí mật của máy")

    async with visitor("duyet.phuong-ta") as client:
        monkeypatch.setattr("campaigns.views.today", broken)
        answer = await client.get("/quan-tri")
    assert answer.status_code == 500
    assert "Có lỗi xảy ra" in answer.text
    assert "bí mật" not in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]


async def test_the_cookie_is_out_of_reach(scene: Scene, visitor: Client, cast_database: Path, tmp_path: Path) -> None:
    (tmp_path / "https").mkdir()
    safe = make_scene(cast_database, tmp_path / "https", FakeClock(scene.clock()), secure=True)
    async with visitor("", app=safe.app) as client:
        answer = await client.post("/quan-tri/dang-nhap", data={"username": "bientap.phuong-ta", "password": PASSWORD})
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-lantoa=")
    for part in ("HttpOnly", "Secure", "SameSite=lax", "Path=/"):
        assert part in cookie
    assert "Domain" not in cookie
    assert "strict-transport-security" in answer.headers
    safe.store.close()


async def test_signing_in_gives_a_new_session_and_signing_out_ends_it(scene: Scene, visitor: Client) -> None:
    async with visitor("bientap.phuong-ta") as client:
        first = client.cookies["lantoa"]
        await client.post("/quan-tri/dang-nhap", data={"username": "bientap.phuong-ta", "password": PASSWORD})
        second = client.cookies["lantoa"]
        assert second != first
        assert (await client.get("/quan-tri")).status_code == 200
        await client.post("/quan-tri/dang-xuat")
    for token in (first, second):
        async with visitor() as client:
            client.cookies.set("lantoa", token)
            assert (await client.get("/quan-tri")).status_code == 303


async def test_the_cookie_itself_is_not_in_the_database(scene: Scene, visitor: Client) -> None:
    async with visitor("bientap.phuong-ta") as client:
        token = client.cookies["lantoa"]
    kept = scene.all(LoginSession)[0]
    assert kept.token_hash == hashlib.sha256(token.encode()).hexdigest()


@pytest.mark.parametrize(("minutes", "status"), [(59, 200), (61, 303)])
async def test_an_idle_session_ends(scene: Scene, visitor: Client, minutes: int, status: int) -> None:
    async with visitor("bientap.phuong-ta") as client:
        scene.clock.forward(minutes=minutes)
        assert (await client.get("/quan-tri")).status_code == status


async def test_a_used_session_lives_on_but_not_beyond_twelve_hours(scene: Scene, visitor: Client) -> None:
    async with visitor("bientap.phuong-ta") as client:
        for _ in range(23):
            scene.clock.forward(minutes=30)
            assert (await client.get("/quan-tri")).status_code == 200
        scene.clock.forward(minutes=31)
        assert (await client.get("/quan-tri")).status_code == 303


async def test_a_new_password_ends_the_other_sessions(scene: Scene, visitor: Client) -> None:
    new = "mot-mat-khau-khac-han"
    async with visitor("bientap.phuong-ta") as here, visitor("bientap.phuong-ta") as there:
        wrong = await here.post("/quan-tri/tai-khoan/mat-khau", data={"old": "sai", "new": new, "again": new})
        assert wrong.status_code == 422
        assert (await there.get("/quan-tri")).status_code == 200
        right = await here.post("/quan-tri/tai-khoan/mat-khau", data={"old": PASSWORD, "new": new, "again": new})
        assert right.status_code == 303
        assert (await there.get("/quan-tri")).status_code == 303
        assert (await here.get("/quan-tri")).status_code == 200


async def test_signing_out_everywhere_ends_every_session(scene: Scene, visitor: Client) -> None:
    async with visitor("bientap.phuong-ta") as here, visitor("bientap.phuong-ta") as there:
        await here.post("/quan-tri/tai-khoan/dang-xuat-het")
        assert (await here.get("/quan-tri")).status_code == 303
        assert (await there.get("/quan-tri")).status_code == 303


async def test_a_wrong_name_and_a_wrong_password_are_answered_alike(
    scene: Scene, visitor: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed: list[str] = []
    real = people._matches
    monkeypatch.setattr(people, "_matches", lambda kept, given: hashed.append(kept[:12]) or real(kept, given))
    async with visitor() as client:
        answers = [
            await client.post("/quan-tri/dang-nhap", data={"username": name, "password": "khong-phai-mat-khau"})
            for name in ("bientap.phuong-ta", "khongco.phuong-ta")
        ]
    bodies = [answer.text.replace("khongco", "bientap") for answer in answers]
    assert [answer.status_code for answer in answers] == [401, 401]
    assert bodies[0] == bodies[1]
    assert len(hashed) == 2  # argon2 ran for the name that nobody has, too
    assert hashed[0] == hashed[1]


async def test_the_database_is_free_while_a_password_is_hashed(
    scene: Scene, visitor: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    free: list[bool] = []

    def watching(kept: str, given: str) -> bool:
        connection = sqlite3.connect(scene.store.url.removeprefix("sqlite:///"), timeout=0.2)
        connection.execute("begin immediate")
        connection.rollback()
        connection.close()
        free.append(True)
        return real(kept, given)

    real = people._matches
    monkeypatch.setattr(people, "_matches", watching)
    async with visitor("bientap.phuong-ta"):
        assert free == [True]


async def test_guessing_is_slowed_by_name_and_by_the_socket_s_address(scene: Scene, visitor: Client) -> None:
    async with visitor() as client:
        for number in range(people.FAILURES_PER_NAME):
            forged = {"x-forwarded-for": f"203.0.113.{number}"}
            await client.post(
                "/quan-tri/dang-nhap", data={"username": "duyet.phuong-ta", "password": "sai"}, headers=forged
            )
        right = {"username": "duyet.phuong-ta", "password": PASSWORD}
        assert (await client.post("/quan-tri/dang-nhap", data=right)).status_code == 401
        subjects = {failure.subject for failure in scene.all(LoginFailure)}
        assert subjects == {"name:duyet.phuong-ta", "from:192.0.2.7"}
        scene.clock.forward(minutes=16)
        assert (await client.post("/quan-tri/dang-nhap", data=right)).status_code == 303


@pytest.mark.parametrize(
    "wanted",
    ["//ke-gian.example", "\\\\ke-gian.example", "https://ke-gian.example/quan-tri", "/\\ke-gian", "https:ke-gian", "/quan-tri/../x",
     "/quan-tri\r\nX: y", "/quan-tri/khong-co", "javascript:alert(1)", "/quan-tri@ke-gian.example", "/quan-tri//ke-gian", "/%2f/ke-gian", "/tep/1"],
)  # fmt: skip
async def test_signing_in_leads_only_to_our_own_pages(scene: Scene, visitor: Client, wanted: str) -> None:
    async with visitor() as client:
        data = {"username": "bientap.phuong-ta", "password": PASSWORD, "next": wanted}
        assert (await client.post("/quan-tri/dang-nhap", data=data)).headers["location"] == "/quan-tri"


async def test_signing_in_leads_back_to_the_page_that_was_asked_for(scene: Scene, visitor: Client) -> None:
    async with visitor() as client:
        asked = await client.get("/quan-tri/lich?xem=thang&tu=2026-11-01")
        page = await client.get(asked.headers["location"])
        wanted = re.search(r'name="next" value="([^"]+)"', page.text)
        assert wanted is not None
        data = {"username": "bientap.phuong-ta", "password": PASSWORD, "next": wanted[1].replace("&amp;", "&")}
        answer = await client.post("/quan-tri/dang-nhap", data=data)
        assert answer.headers["location"] == "/quan-tri/lich?xem=thang&tu=2026-11-01"


async def test_a_body_that_is_too_large_is_refused_whether_told_or_not(scene: Scene, visitor: Client) -> None:
    async def endless() -> Any:
        yield b'--o\r\nContent-Disposition: form-data; name="photo"; filename="a.png"\r\n\r\n'
        for _ in range(30):
            yield b"x" * 1_000_000

    kind = {"content-type": "multipart/form-data; boundary=o"}
    async with visitor("bientap.phuong-ta") as client:
        told = await client.post("/quan-tri/soan/luu", content=b"x" * 25_000_000, headers=kind)
        untold = await client.post("/quan-tri/soan/luu", content=endless(), headers=kind)
        assert (told.status_code, untold.status_code) == (413, 413)
        assert "Dữ liệu gửi lên quá lớn" in told.text
        assert (await client.post("/quan-tri/soan/luu", data={"title": "x" * 1000})).status_code == 303
        several = [("photo", (f"{at}.jpg", b"\xff\xd8\xff" + b"x" * 9_000_000, "image/jpeg")) for at in range(3)]
        read = await client.post("/quan-tri/soan/anh", files=several)
        assert read.status_code == 422 and all(f"«{at}.jpg»" in read.text for at in range(3))
        too_many = await client.post("/quan-tri/soan/anh", content=b"x" * 85_000_000, headers=kind)
        assert too_many.status_code == 413


async def test_the_neighbour_ward_finds_nothing(scene: Scene, visitor: Client, typed: Typed) -> None:
    async with visitor("bientap.phuong-ta") as client:
        await client.post("/quan-tri/soan/luu", data=typed())
        post_id = scene.all(Post)[0].id
        assert (await client.get(f"/quan-tri/bai/{post_id}")).status_code == 200
    async with visitor("duyet.phuong-ben") as neighbour:
        for path in (f"/quan-tri/bai/{post_id}", f"/quan-tri/bai/{post_id}/soan", f"/quan-tri/bai/{post_id}/gui"):
            assert (await neighbour.get(path)).status_code == 404, path
        for verb in ("gui", "duyet", "tra-lai", "rut"):
            data = {"reason": "x", "note": "x", "digest": "x"}
            assert (await neighbour.post(f"/quan-tri/bai/{post_id}/{verb}", data=data)).status_code == 404, verb
        stolen = await neighbour.post("/quan-tri/soan/luu", data=typed(post_id=str(post_id)))
        assert stolen.status_code == 404
        assert (
            await neighbour.post("/quan-tri/soan/luu", data=typed(template_id=None))
        ).status_code == 400  # our outlets
        listed = await neighbour.get("/quan-tri/bai")
        assert "Lịch tiếp dân" not in listed.text
    assert len(scene.all(Post)) == 1


async def test_no_page_shows_the_neighbour_s_anything(scene: Scene, visitor: Client, typed: Typed) -> None:
    async with visitor("bientap.phuong-ta") as client:
        await client.post("/quan-tri/soan/luu", data=typed(title="Tin của phường Ta"))
        await client.post(f"/quan-tri/bai/{scene.all(Post)[0].id}/gui")
    with scene.store.write() as session:
        approving.approve(
            session, people.actor_of(scene.one(User, username="duyet.phuong-ta")), *_seen(session), scene.clock()
        )
        planning.plan(session, scene.clock(), timedelta(days=3))

    async def pages_that_name_the_ward(username: str) -> set[str]:
        async with visitor(username) as client:
            asked = [path for number in "123456" for path in paths(scene, "GET", number)]
            return {path for path in asked if "phường Ta" in (await client.get(path)).text}

    at_home = await pages_that_name_the_ward("quantri.phuong-ta")
    assert {"/quan-tri/bai", "/quan-tri/lich", "/quan-tri/luot-dang", "/quan-tri/kenh", "/quan-tri/nhat-ky"} <= at_home
    assert await pages_that_name_the_ward("quantri.phuong-ben") == set()


def _seen(session: Session) -> tuple[Post, str]:
    post = session.exec(select(Post)).one()
    return post, approving.digest_of(session, post)


async def test_a_city_account_chooses_its_ward(scene: Scene, visitor: Client, typed: Typed) -> None:
    async with visitor("bientap.phuong-ta") as client:
        await client.post("/quan-tri/soan/luu", data=typed())
        refused = await client.post("/quan-tri/chon-phuong", data={"ward": "phuong-ben"})
        assert refused.status_code == 404
    post_id = scene.all(Post)[0].id
    async with visitor("thanhpho") as city:
        statuses = {}
        for slug in ("phuong-ben", "phuong-ta"):
            assert (await city.post("/quan-tri/chon-phuong", data={"ward": slug})).status_code == 303
            statuses[slug] = (await city.get(f"/quan-tri/bai/{post_id}")).status_code
    assert statuses == {"phuong-ben": 404, "phuong-ta": 200}


@pytest.mark.parametrize("number", ["0", "999999", str(2**63), str(10**40)])
async def test_an_id_that_nobody_has_is_not_found(scene: Scene, visitor: Client, number: str) -> None:
    async with visitor("bientap.phuong-ta") as client:
        assert (await client.get(f"/quan-tri/bai/{number}")).status_code == 404


async def test_roles_open_only_their_own_doors(scene: Scene, visitor: Client, typed: Typed) -> None:
    async with visitor("bientap.phuong-ta") as editor:
        await editor.post("/quan-tri/soan/luu", data=typed())
        post_id = scene.all(Post)[0].id
        await editor.post(f"/quan-tri/bai/{post_id}/gui")
    for who in ("bientap2.phuong-ta", "xem.phuong-ta"):
        async with visitor(who) as client:
            for verb in ("duyet", "tra-lai", "rut"):
                data = {"reason": "x", "note": "x", "digest": "x"}
                assert (await client.post(f"/quan-tri/bai/{post_id}/{verb}", data=data)).status_code == 403, (who, verb)
    async with visitor("xem.phuong-ta") as reader:
        assert (await reader.get("/quan-tri/soan")).status_code == 403
        assert (await reader.post("/quan-tri/soan/luu", data=typed())).status_code == 403
        assert (await reader.get(f"/quan-tri/bai/{post_id}")).status_code == 200
    assert scene.all(Post)[0].state == "submitted"


async def test_a_picture_of_another_ward_is_not_found(scene: Scene, visitor: Client) -> None:
    from tests.web.test_console import photo

    async with visitor("bientap.phuong-ta") as client:
        answer = await client.post("/quan-tri/soan/anh", files={"photo": ("a.png", photo(), "image/png")})
        sha256 = re.search(r"/quan-tri/anh/([0-9a-f]{64})", answer.text)
        assert sha256 is not None
        shown = await client.get(f"/quan-tri/anh/{sha256[1]}")
        assert (shown.status_code, shown.headers["content-type"]) == (200, "image/jpeg")
        for wrong in ("..%2f..%2flantoa.db", "0" * 64, "x"):
            assert (await client.get(f"/quan-tri/anh/{wrong}")).status_code == 404
    async with visitor("bientap.phuong-ben") as neighbour:
        assert (await neighbour.get(f"/quan-tri/anh/{sha256[1]}")).status_code == 404


def test_a_program_without_a_cookie_may_say_nothing_of_its_origin() -> None:
    from starlette.datastructures import Headers

    from web.security import same_origin

    assert same_origin(Headers({"host": "may-chu"}))
    assert not same_origin(Headers({"host": "may-chu", "cookie": "lantoa=x"}))
    assert not same_origin(Headers({"origin": "", "cookie": "lantoa=x"}))
