"""An event told by a template or typed beside a free text."""

from datetime import date, datetime, time

import pytest

from content import kit
from content.events import FREE, free
from content.fields import FieldMistakes
from content.templates import Template, TemplateMistake

WARD = {"ten": "phường Đông Hải", "trung_tam": "Trung tâm", "dien_thoai": "", "dia_chi": "", "website": ""}
CAMPAIGN = {"ten": "", "hashtag": ""}
SOURCE = """---
name: Mời họp
event: {name: "Họp {{ viec }}", day: ngay, start: gio, place: "{{ noi }}"}
fields:
  viec: {label: Việc, example: tổ dân phố}
  ngay: {label: Ngày, type: date, example: 12/12/2026}
  gio: {label: Giờ, type: time, example: 19h30}
  noi: {label: Nơi, example: nhà văn hóa}
---
# Mời họp

Mời bà con.
"""


def test_a_template_tells_its_event_in_the_words_of_its_fields() -> None:
    template = Template(SOURCE)
    told = template.render(template.examples(), WARD, CAMPAIGN).event
    assert told is not None
    assert (told.name, told.place, told.starts, told.ends) == (
        "Họp tổ dân phố", "nhà văn hóa", datetime(2026, 12, 12, 19, 30), None,
    )  # fmt: skip


@pytest.mark.parametrize("wrong", ["day: viec", "start: ngay", "day: khong_co"])
def test_an_event_whose_fields_are_no_day_or_hour_is_refused(wrong: str) -> None:
    key = wrong.partition(":")[0]
    bad = SOURCE.replace({"day": "day: ngay", "start": "start: gio"}[key], wrong)
    with pytest.raises(TemplateMistake, match="event"):
        Template(bad)


def test_every_shipped_invitation_tells_its_event() -> None:
    """Who has a day, an hour and a place to come to, has an event that a calendar can take."""
    hourly = {
        slug: one for slug, one in kit.parsed().items() if any(f.type == "time" for f in one.head.fields.values())
    }
    assert len(hourly) >= 8
    for slug, one in hourly.items():
        told = one.render(one.examples(), WARD, CAMPAIGN).event
        assert told is not None and told.name and told.place, slug
        assert told.ends is None or told.ends > told.starts, slug


def test_a_free_text_becomes_an_event_when_it_says_when_and_where() -> None:
    typed = {"su_kien_ngay": "12/12/2026", "su_kien_gio": "22h", "su_kien_den": "1h30", "su_kien_noi": "sân vận động"}
    told = free(typed, "Đêm nhạc")
    assert told is not None and (told.day, told.start) == (date(2026, 12, 12), time(22))
    assert told.ends == datetime(2026, 12, 13, 1, 30), "past midnight is the day after"
    assert free({}, "Tin thường") is None and free(dict.fromkeys(FREE, ""), "Tin thường") is None


def test_half_an_event_is_sent_back_naming_what_is_missing() -> None:
    with pytest.raises(FieldMistakes) as caught:
        free({"su_kien_ngay": "12/12/2026"}, "Mời họp")
    assert set(caught.value.errors) == {"su_kien_gio", "su_kien_noi"}
