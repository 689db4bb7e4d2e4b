"""The readings against the set that was written before the rules, and every fact of a text found again in its reading."""

from datetime import date, time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from content.speech import Doubt, Manner, Region, Why, lexicon_of, mark, pieces, say
from content.speech_facts import added, missing
from tests.content.spoken import Line, is_right, lines

SETS = {name: list(lines(name)) for name in ("ward", "held_out")}
REGIONS: tuple[Region, Region] = ("north", "south")


def wrong(name: str, region: Region) -> list[str]:
    said = [(line, say(line.written, region=region).text) for line in SETS[name]]
    return [f"{line.written}\n  {reading}" for line, reading in said if not is_right(line, reading, region)]


@pytest.mark.parametrize("region", REGIONS)
def test_at_least_97_of_100_lines_of_the_set_are_read_right(region: Region) -> None:
    assert len(SETS["ward"]) >= 300
    found = wrong("ward", region)
    assert len(found) <= 0.03 * len(SETS["ward"]), "\n".join(found)


@pytest.mark.parametrize("region", REGIONS)
def test_at_least_90_of_100_lines_never_built_by_are_read_right(region: Region) -> None:
    assert len(SETS["held_out"]) >= 80
    found = wrong("held_out", region)
    assert len(found) <= 0.10 * len(SETS["held_out"]), f"{len(found)} are wrong"


def test_the_set_has_every_kind_of_thing_and_no_line_twice() -> None:
    kinds = {line.about for line in SETS["ward"]}
    assert {"số văn bản", "ngày", "giờ", "khoảng thời gian", "tiền", "phần trăm", "đơn vị", "khoảng số", "điện thoại",
            "địa chỉ", "trang web và thư", "chữ số La Mã", "chữ tắt có dấu chấm", "chữ viết tắt", "từ nước ngoài",
            "không đọc lặp tên loại", "thông báo của phường"} <= kinds  # fmt: skip
    written = [line.written for line in (*SETS["ward"], *SETS["held_out"])]
    assert len(written) == len(set(written))


def test_the_readings_of_the_set_say_every_fact_and_no_other() -> None:
    for line in (*SETS["ward"], *SETS["held_out"]):
        for region in REGIONS:
            for reading in line.right(region):
                assert (missing(line.written, reading), added(line.written, reading)) == ((), ()), reading


@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("name", SETS)
def test_no_fact_is_dropped_turned_round_or_made_up(name: str, region: Region) -> None:
    broken = [line.written for line in SETS[name] if _broken(line, region)]
    assert broken == []


def _broken(line: Line, region: Region) -> bool:
    reading = say(line.written, region=region).text
    return bool(missing(line.written, reading) or added(line.written, reading))


@pytest.mark.parametrize(
    ("written", "spoken", "lost"),
    [
        ("họp lúc 17h30", "họp lúc mười bảy giờ", ("17h30",)),
        ("họp lúc 17h30", "họp lúc mười tám giờ ba mươi phút", ("17h30",)),
        ("ngày 05/4/2026", "ngày mùng bốn tháng năm năm hai nghìn không trăm hai mươi sáu", ("05/4/2026",)),
        ("ngày 05/4/2026", "ngày mùng năm tháng tư năm hai nghìn không trăm hai mươi lăm", ("05/4/2026",)),
        ("tăng 5%", "tăng năm", ("5%",)),
        ("1.250.000 đồng", "một triệu hai trăm mươi nghìn đồng", ("1.250.000",)),
        ("từ 10 đến 15 hộ", "từ mười lăm đến mười hộ", ("15",)),
        ("số 5 năm 2026", "số năm hai nghìn không trăm hai mươi sáu", ("5",)),
        ("gọi 0912 345 678", "gọi không chín một hai, ba bốn năm, sáu tám bảy", ("678",)),
        ("thấp nhất -2°C", "thấp nhất hai độ xê", ("-2",)),
        ("98,5%", "chín mươi tám năm phần trăm", ("98,5%",)),
        ("1,5 tỷ đồng", "một phẩy năm triệu đồng", ("1,5 tỷ",)),
        ("Đại hội XIV", "Đại hội mười lăm", ("XIV",)),
    ],
)  # fmt: skip
def test_a_reading_that_drops_or_turns_a_fact_is_caught(written: str, spoken: str, lost: tuple[str, ...]) -> None:
    assert missing(written, spoken) == lost


def test_a_number_that_the_text_has_not_is_caught() -> None:
    assert added("họp lúc 17h", "họp lúc mười bảy giờ, tổ dân phố bốn") == ("bốn",)
    assert added("hai đợt, họp lúc 17h", "hai đợt, họp lúc mười bảy giờ") == ()


@given(
    st.dates(date(1930, 1, 1), date(2099, 12, 31)), st.times(), st.integers(0, 10**12 - 1), st.integers(0, 99_999),
    st.sampled_from(REGIONS),
)  # fmt: skip
@settings(max_examples=150, deadline=None)
def test_whatever_the_numbers_are_they_are_all_said(
    day: date, clock: time, money: int, share: int, region: Region
) -> None:
    written = (
        f"Từ {clock:%H}h{clock:%M} ngày {day:%d/%m/%Y}, chi {f'{money:,}'.replace(',', '.')} đồng cho {share} hộ, "
        f"đạt {share // 100},{share % 100:02}%, hạn {day.day}/{day.month}/{day.year}, gọi 0912 {share:06}."
    )
    reading = say(written, region=region).text
    assert missing(written, reading) == (), reading
    assert added(written, reading) == (), reading


@pytest.mark.parametrize("region", REGIONS)
def test_a_reading_read_again_stays_what_it_is(region: Region) -> None:
    for line in SETS["ward"]:
        once = say(line.written, region=region).text
        assert say(once, region=region).text == once


def test_every_doubt_has_its_place_and_its_reason() -> None:
    written = "Nhóm XQZT gặp TT lúc 30/02/2026, xem Gymkhana và XQZT"
    doubts = say(written).doubts
    assert [(doubt.written, doubt.why) for doubt in doubts] == [
        ("XQZT", Why.SHORT), ("TT", Why.MANY), ("30/02/2026", Why.NO_DATE), ("Gymkhana", Why.STRANGE),
    ]  # fmt: skip
    cut = pieces(written, doubts)
    assert "".join(piece for piece, _ in cut) == written
    assert [piece for piece, doubt in cut if doubt] == ["XQZT", "TT", "30/02/2026", "Gymkhana", "XQZT"]
    assert pieces("TTA", [Doubt("TT", Why.MANY)]) == [("TTA", None)]


def test_a_wards_reading_that_nobody_confirmed_is_used_and_flagged() -> None:
    words = (("NVQ", "nhà văn quán"), ("m3", "khối"), ("Gymkhana", "gim-kha-na"))
    ward = lexicon_of(Manner(words=words, unsure=frozenset({"NVQ"})))
    reading = say("NVQ dùng 5 m3 nước, xem gymkhana", ward)
    assert reading.text == "Nhà văn quán dùng năm khối nước, xem gim-kha-na"
    assert reading.doubts == (Doubt("NVQ", Why.PROPOSED, "nhà văn quán"),)


def test_a_reading_is_known_again_whatever_the_line_ends() -> None:
    assert mark("Một.\r\nHai. \n") == mark("Một.\nHai.") != mark("Một. Hai.")
