"""Events of the public site: the page, the article's box, schema.org, and calendars that phones can read."""

import json
import re
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest
from icalendar import Calendar

from tests.web.test_public import BASE, app, citizen, files, put, signed  # noqa: F401 - fixtures

pytestmark = pytest.mark.anyio

EVENT = {
    "name": "Ngày hội đổi mới sáng tạo; trải nghiệm, trò chuyện và thử sản phẩm của các nhóm trẻ trong phường",
    "starts_at": "2026-12-12T08:30:00+07:00",
    "ends_at": "2026-12-12T11:00:00+07:00",
    "place": "hội trường Ủy ban nhân dân phường",
}
SLUG = "2026/moi-du-ngay-hoi-1a2b3c4d"


async def invited(
    citizen: httpx.AsyncClient,  # noqa: F811
    key: str = "k1",
    slug: str = SLUG,
    at: str = "2026-11-23T01:00:00Z",
    **changes: Any,
) -> None:  # noqa: F811
    answer = await put(citizen, key, slug=slug, title="Mời dự ngày hội", published_at=at, event=EVENT | changes)
    assert answer.status_code == 201, answer.text


async def test_an_invitation_shows_when_and_where_and_tells_machines(citizen: httpx.AsyncClient) -> None:  # noqa: F811
    await invited(citizen)
    page = (await citizen.get(f"/le-thanh-nghi/{SLUG}")).text
    assert "8h30 – 11h00, Thứ Bảy, 12/12/2026" in page and "Hội trường Ủy ban nhân dân phường" in page
    found = re.search(r'<script type="application/ld\+json">(.*?)</script>', page)
    assert found
    told = json.loads(found[1])[1]
    assert told["@type"] == "Event" and told["startDate"] == "2026-12-12T08:30:00+07:00"
    assert told["location"]["name"] == EVENT["place"] and told["url"] == f"{BASE}/le-thanh-nghi/{SLUG}"
    assert f'href="/le-thanh-nghi/{SLUG}/su-kien.ics"' in page


async def test_calendars_keep_to_their_standard(citizen: httpx.AsyncClient) -> None:  # noqa: F811
    """RFC 5545: CRLF, no line over 75 octets, nothing cut inside a letter, UID, DTSTAMP, moments in UTC."""
    await invited(citizen)
    for address in ("/le-thanh-nghi/su-kien.ics", f"/le-thanh-nghi/{SLUG}/su-kien.ics"):
        answer = await citizen.get(address)
        assert answer.status_code == 200 and answer.headers["content-type"] == "text/calendar; charset=utf-8"
        raw = answer.content
        assert raw.endswith(b"END:VCALENDAR\r\n") and b"\n" not in raw.replace(b"\r\n", b"")
        lines = raw.split(b"\r\n")
        assert max(map(len, lines)) <= 75 and any(line.startswith(b" ") for line in lines)
        assert all(line.decode("utf-8") is not None for line in lines)
        calendar = Calendar.from_ical(raw)
        (event,) = calendar.walk("VEVENT")
        assert calendar["VERSION"] == "2.0" and calendar["PRODID"] and calendar["METHOD"] == "PUBLISH"
        assert event["UID"] == "k1@phuong.example" and event["SUMMARY"] == EVENT["name"]
        assert event["DTSTART"].dt == datetime(2026, 12, 12, 1, 30, tzinfo=UTC)
        assert event["DTEND"].dt == datetime(2026, 12, 12, 4, 0, tzinfo=UTC)
        assert event["DTSTAMP"].dt == datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
        assert event["LOCATION"] == EVENT["place"] and event["URL"] == f"{BASE}/le-thanh-nghi/{SLUG}"
        assert b"DTSTART:20261212T013000Z" in raw
    assert "attachment" in (await citizen.get(f"/le-thanh-nghi/{SLUG}/su-kien.ics")).headers["content-disposition"]


async def test_a_reminder_is_no_second_event_and_a_taken_down_one_is_gone(citizen: httpx.AsyncClient) -> None:  # noqa: F811
    await invited(citizen)
    await invited(citizen, "k2", "2026/nhac-ngay-hoi-5e6f7a8b", "2026-11-24T01:00:00Z", name=EVENT["name"].upper())
    (event,) = Calendar.from_ical((await citizen.get("/le-thanh-nghi/su-kien.ics")).content).walk("VEVENT")
    assert event["UID"] == "k1@phuong.example", "who subscribed has one entry, which stays the same"
    page = (await citizen.get("/le-thanh-nghi/su-kien")).text
    assert page.count("Thêm vào lịch<") == 1
    for slug in (SLUG, "2026/nhac-ngay-hoi-5e6f7a8b"):
        assert (await citizen.get(f"/le-thanh-nghi/{slug}/su-kien.ics")).status_code == 200
    for key in ("k1", "k2"):
        await citizen.delete(f"/_publish/le-thanh-nghi/{key}", headers=signed())
    assert not Calendar.from_ical((await citizen.get("/le-thanh-nghi/su-kien.ics")).content).walk("VEVENT")
    assert (await citizen.get(f"/le-thanh-nghi/{SLUG}/su-kien.ics")).status_code == 404


async def test_what_is_over_stands_apart_and_other_articles_have_no_calendar(
    citizen: httpx.AsyncClient,  # noqa: F811
    clock: Any,
) -> None:
    await invited(citizen)
    await put(citizen, "k3", slug="2026/tin-thuong-9c8d7e6f")
    assert (await citizen.get("/le-thanh-nghi/2026/tin-thuong-9c8d7e6f/su-kien.ics")).status_code == 404
    assert "Đã diễn ra" not in (await citizen.get("/le-thanh-nghi/su-kien")).text
    clock.forward(days=30)
    page = (await citizen.get("/le-thanh-nghi/su-kien")).text
    assert "Hiện chưa có sự kiện nào sắp tới" in page and "Đã diễn ra" in page
    assert "Sự kiện này đã diễn ra" in (await citizen.get(f"/le-thanh-nghi/{SLUG}")).text
    assert (await citizen.get("/dong-hai/su-kien")).status_code == 200


@pytest.mark.parametrize(
    "wrong", [{"ends_at": "2026-12-12T08:30:00+07:00"}, {"starts_at": "2026-12-12T08:30:00"}, {"name": " "}]
)
async def test_an_event_that_cannot_be_is_refused(citizen: httpx.AsyncClient, wrong: dict[str, str]) -> None:  # noqa: F811
    answer = await put(citizen, "k1", event=EVENT | wrong)
    assert answer.status_code == 422 and "event" in answer.text
