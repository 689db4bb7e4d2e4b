"""What a ward's editor sees of official feeds: every article once, in clean Vietnamese, or a plain refusal."""

import time
import unicodedata
from datetime import UTC, datetime

import pytest

from content.feed_times import read_moment
from content.feeds import Feed, FeedMistake, fingerprint, parse

CITY = "https://haiphong.gov.vn/rss/tin-tuc.rss"
APRIL_NINTH = datetime(2026, 4, 9, 7, 30, tzinfo=UTC)


def rss(items: str, head: str = '<?xml version="1.0" encoding="utf-8"?>', title: str = "Cổng thông tin điện tử") -> str:
    return f'{head}<rss version="2.0"><channel><title>{title}</title><link>https://haiphong.gov.vn</link>{items}</channel></rss>'


def item(title: str = "Tin", link: str = "https://haiphong.gov.vn/tin-1", **more: str) -> str:
    extra = "".join(f"<{key}>{value}</{key}>" for key, value in more.items())
    return f"<item><title>{title}</title><link>{link}</link>{extra}</item>"


def read(items: str) -> Feed:
    return parse(rss(items).encode(), CITY)


def refusal(data: bytes) -> str:
    with pytest.raises(FeedMistake) as caught:
        parse(data, CITY)
    return str(caught.value)


def test_the_city_portal_gives_every_article_with_clean_words() -> None:
    feed = read(
        """
      <item><title><![CDATA[Phê duyệt Đề án &quot;Hải Phòng - Thành phố Đổi mới sáng tạo&quot;]]></title>
        <link>/tin-tuc/phe-duyet-de-an-123</link><guid isPermaLink="false">123</guid>
        <description><![CDATA[<img src="a.jpg"/><p>Ngày <b>09/4/2026</b>,&nbsp;UBND thành phố</p><p>ban hành Quyết định
        1380/QĐ-UBND.</p><script>alert(1)</script>]]></description>
        <pubDate>Thu, 09 Apr 2026 14:30:00 +0700</pubDate></item>
      <item><title>Khai mạc Techfest</title><link>https://haiphong.gov.vn/techfest</link><pubDate>10/04/2026 08:05</pubDate></item>"""
    )
    first, second = feed.items
    assert feed.title == "Cổng thông tin điện tử"
    assert first.title == 'Phê duyệt Đề án "Hải Phòng - Thành phố Đổi mới sáng tạo"'
    assert first.summary == "Ngày 09/4/2026, UBND thành phố ban hành Quyết định 1380/QĐ-UBND."
    assert (first.guid, first.url) == ("123", "https://haiphong.gov.vn/tin-tuc/phe-duyet-de-an-123")
    assert first.published == APRIL_NINTH
    assert second.published == datetime(2026, 4, 10, 1, 5, tzinfo=UTC)
    assert second.guid == "https://haiphong.gov.vn/techfest"


def test_an_atom_feed_is_read_alike() -> None:
    atom = """<?xml version="1.0" encoding="utf-8"?><feed xmlns="http://www.w3.org/2005/Atom"><title>Sở KH&amp;CN</title>
      <entry><id>tag:sokhcn,2026:7</id><title type="html">Hội thảo &amp;lt;b&gt;</title><link href="https://sokhcn.vn/7"/>
      <updated>2026-04-09T14:30:00+07:00</updated><content type="html">&lt;p&gt;Một&lt;/p&gt;&lt;p&gt;Hai&lt;/p&gt;</content></entry>
      <entry><id>tag:sokhcn,2026:8</id><title>Chỉ có tên</title></entry></feed>"""
    first, second = parse(atom.encode(), "https://sokhcn.vn/atom", "application/atom+xml").items
    assert (first.summary, first.published, first.url) == ("Một Hai", APRIL_NINTH, "https://sokhcn.vn/7")
    assert (second.title, second.url, second.published) == ("Chỉ có tên", "", None)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_vietnamese_survives_every_unicode_encoding(encoding: str) -> None:
    declared = encoding.removesuffix("-sig")
    data = rss(item("Ủy ban nhân dân phường Lê Thanh Nghị"), f'<?xml version="1.0" encoding="{declared}"?>').encode(
        encoding
    )
    assert parse(data, CITY).items[0].title == "Ủy ban nhân dân phường Lê Thanh Nghị"


def test_a_wrong_encoding_in_the_answer_does_not_spoil_the_words() -> None:
    feed = parse(rss(item("Đổi mới sáng tạo")).encode(), CITY, "text/xml; charset=iso-8859-1")
    assert feed.items[0].title == "Đổi mới sáng tạo"


def test_broken_bytes_cost_a_letter_not_the_feed() -> None:
    data = (
        rss(item("Đổi mới") + item("Sáng tạo", "https://haiphong.gov.vn/2"))
        .encode()
        .replace("Đổi".encode(), b"\xff\xfei", 1)
    )
    assert parse(data, CITY).items[-1].title == "Sáng tạo"


def test_decomposed_titles_become_nfc() -> None:
    title = read(item(unicodedata.normalize("NFD", "Ngày hội Đổi mới sáng tạo"))).items[0].title
    assert title == "Ngày hội Đổi mới sáng tạo"
    assert unicodedata.is_normalized("NFC", title)


def test_a_cut_off_feed_still_gives_what_can_be_read() -> None:
    whole = rss(item("Một", guid="1") + item("Hai", "https://haiphong.gov.vn/2", guid="2"))
    assert [entry.title for entry in parse(whole[:-40].encode(), CITY).items] == ["Một", "Hai"]


def test_articles_that_share_a_guid_are_all_kept_and_repeats_are_not() -> None:
    again = item("Một", "https://haiphong.gov.vn/1", guid="x")
    items = read(again + item("Hai", "https://haiphong.gov.vn/2", guid="x") + again).items
    assert [entry.title for entry in items] == ["Một", "Hai"]
    assert len({entry.guid for entry in items}) == 2


def test_an_item_without_guid_or_own_address_is_known_by_title_and_day() -> None:
    one, two = (
        read(item(title, "https://haiphong.gov.vn/", pubDate="09/04/2026")).items[0] for title in ("Tin A", "TIN a")
    )
    assert one.guid == one.fingerprint == two.fingerprint
    assert read(item("Tin B", "https://haiphong.gov.vn/", pubDate="09/04/2026")).items[0].guid != one.guid


def test_an_item_with_neither_title_nor_words_is_left_out() -> None:
    assert read("<item><link>https://haiphong.gov.vn/1</link></item>" + item("Có tên")).items[0].title == "Có tên"


def test_only_web_addresses_come_through() -> None:
    for bad in ("javascript:alert(1)", "data:text/html,x", "file:///etc/passwd", "ftp://x.vn/a"):
        assert read(item("Tin", bad, guid=bad)).items[0].url == ""


def test_an_empty_but_real_feed_is_no_mistake() -> None:
    assert read("").items == ()


def test_at_most_five_hundred_items() -> None:
    assert len(read("".join(item(f"Tin {n}", f"https://haiphong.gov.vn/{n}") for n in range(700))).items) == 500


@pytest.mark.parametrize(
    "dressed",
    [
        "http://haiphong.gov.vn/tin/1",
        "https://www.haiphong.gov.vn/tin/1/",
        "https://HAIPHONG.gov.vn:443/tin/1?utm_source=rss&fbclid=abc",
        "https://m.haiphong.gov.vn//tin/1#binh-luan",
    ],
)
def test_the_same_article_is_recognised_in_any_dress(dressed: str) -> None:
    assert fingerprint(dressed, "Khác tên", None) == fingerprint("https://haiphong.gov.vn/tin/1", "Tên", APRIL_NINTH)


def test_different_articles_have_different_fingerprints() -> None:
    marks = [fingerprint(f"https://haiphong.gov.vn/tin?id={n}&utm_source=x", "Tên", None) for n in (1, 2)]
    assert marks[0] != marks[1]
    assert fingerprint("", "Họp tổ dân phố", APRIL_NINTH) != fingerprint(
        "", "Họp tổ dân phố", datetime(2026, 5, 9, tzinfo=UTC)
    )


@pytest.mark.parametrize(
    "written",
    [
        "09/04/2026 14:30:00", "9/4/2026 2:30:00 CH", "4/9/2026 2:30:00 PM", "Thứ Năm, 09/4/2026, 14h30 (GMT+7)",
        "14:30 09-04-2026", "09 tháng 4 năm 2026 14g30", "2026-04-09 14:30", "2026-04-09T07:30:00Z", "2026-04-09T14:30:00.5+07:00",
        "Thu, 09 Apr 2026 14:30:00 GMT+7", "09/04/2026 07:30 GMT", "2026-04-09T02:30:00-05:00",
    ],
)  # fmt: skip
def test_moments_as_vietnamese_portals_write_them(written: str) -> None:
    moment = read_moment(written)
    assert moment is not None
    assert moment.replace(microsecond=0) == APRIL_NINTH


@pytest.mark.parametrize(
    "written", ["", "hôm nay", "31/02/2026", "99/99/2026 25:61", "Thu, 09 Apr 2026 14:30:00 +0700"]
)
def test_what_is_no_such_moment_is_left_alone(written: str) -> None:
    assert read_moment(written) is None


def test_an_unreadable_date_leaves_the_item_undated() -> None:
    assert read(item(pubDate="31/02/2026")).items[0].published is None


BOMB = '<!DOCTYPE a [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]>'


@pytest.mark.parametrize(
    "head",
    [
        BOMB,
        f"<!-- <a> -->{BOMB}",
        f"<!-- <![CDATA[ -->{BOMB}<!-- ]]> -->",
        '<!DOCTYPE rss SYSTEM "file:///etc/passwd">',
        BOMB.replace("DOCTYPE", "doctype"),
    ],
)
def test_declarations_are_refused_however_hidden(head: str) -> None:
    for encoding in ("utf-8", "utf-16"):
        text = rss(item("&b;"), f'<?xml version="1.0" encoding="{encoding}"?>{head}')
        assert "DOCTYPE" in refusal(text.encode(encoding))


def test_the_word_doctype_inside_an_article_is_harmless() -> None:
    assert read(item(description="<![CDATA[Thẻ <!DOCTYPE html> mở đầu trang]]>")).items[0].title == "Tin"


@pytest.mark.parametrize("encoding", ["utf-7", "cp037", "base64"])
def test_strange_encodings_are_refused(encoding: str) -> None:
    assert "bảng mã" in refusal(rss(item(), f'<?xml version="1.0" encoding="{encoding}"?>').encode())


def test_a_web_page_is_named_as_such() -> None:
    for page in (
        "<!DOCTYPE html><html><body>404</body></html>",
        "\n<html><head><title>Trang chủ</title></head></html>",
    ):
        assert "là một trang web" in refusal(page.encode())


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"  \n",
        b"{}",
        b"%PDF-1.7",
        b"\x89PNG\r\n",
        b"<note>abc</note>",
        rss("", title="RSS").encode("cp037"),
    ],
)
def test_what_is_no_feed_is_refused_in_vietnamese(data: bytes) -> None:
    assert "nguồn tin" in refusal(data).lower()


HEAVY = {
    "padding": b"<rss>" + b" " * 5_000_000,
    "nesting": rss("<a>" * 100_000).encode(),
    "open tags": b"<rss>" + b"<a" * 2_400_000,
    "open tags closed once": b"<rss>" + b"<a" * 2_400_000 + b">",
    "open comments": b"<rss>" + b"<!--" * 1_200_000,
    "open sections": b"<rss>" + b"<![CDATA[" * 500_000 + b">",
    "empty tags": b"<rss>" + b"<x/>" * 1_200_000,
    "angles": b"<rss>" + b"<" * 4_900_000 + b">",
    "attributes": b"<rss><a " + b"".join(b'a%d="1" ' % number for number in range(300_000)) + b">",
}


@pytest.mark.parametrize("kind", HEAVY)
def test_heavy_and_deep_feeds_are_refused_quickly(kind: str) -> None:
    start = time.process_time()
    refusal(HEAVY[kind])
    assert time.process_time() - start < 2


def test_a_crowd_of_loose_ampersands_takes_seconds_at_most() -> None:
    start = time.process_time()
    parse(rss(item(description="&a" * 150_000)).encode(), CITY)
    assert time.process_time() - start < 8
    assert "phức tạp" in refusal(rss(item(description="&a" * 600_000)).encode())
