"""Templates: what staff may write, what is refused and how, and that whatever is typed stays letters."""

import unicodedata
from datetime import date, time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from content.document import plain
from content.fields import MAX_DIGITS, MAX_LIST
from content.templates import (
    MAX_OUTPUT,
    MAX_SOURCE,
    FieldMistakes,
    Template,
    TemplateField,
    TemplateMistake,
    format_date,
    format_number,
    format_time,
    load,
    read_fields,
)
from content.text import squeeze

WARD = {
    "ten": "phường Lê Thanh Nghị", "trung_tam": "Trung tâm", "dien_thoai": "", "dia_chi": "", "website": "",
}  # fmt: skip
CAMPAIGN = {"ten": "Thành phố Đổi mới sáng tạo", "hashtag": "#HaiPhongDoiMoiSangTao"}
FIELDS = "fields:\n  ten: {label: Tên}\n  ke: {label: Chuyện kể, type: long_text, required: false}\n  muc: {label: Mục, type: list, required: false}\n"
VALUES = {"ten": "Hội thi", "muc": ["một", "hai"]}


def template(body: str = "# Tiêu đề\n\nThân bài.\n", head: str = FIELDS) -> Template:
    return Template(f"---\nname: Mẫu thử\n{head}---\n{body}")


def body_of(body: str, values: dict[str, object] | None = None) -> str:
    return plain(template(body).render(values or VALUES, WARD, CAMPAIGN).blocks)


def refusal(body: str, head: str = FIELDS) -> TemplateMistake:
    with pytest.raises(TemplateMistake) as mistake:
        template(body, head).render(VALUES, WARD, CAMPAIGN)
    return mistake.value


# What may be written


def test_a_template_becomes_a_document():
    made = Template(
        "---\nname: Lịch hỗ trợ\ntopic: Dịch vụ công\nsummary: 'Ngày {{ ngay|ngay }} tại {{ phuong.ten }}'\n"
        "fields:\n  ngay: {label: Ngày, type: date, example: 25/11/2026}\n  link: {label: Địa chỉ, type: url}\n"
        "link: '{{ link }}'\nsource: '{{ phuong.trung_tam }}'\nhashtags: ['#MotHai']\ncard: 'Ngày {{ ngay|ngay }}'\n"
        "---\n# Hỗ trợ ngày {{ ngay|ngay }}\n\nMời bà con.\n"
    )
    values = {"ngay": "25-11-2026", "link": "https://dichvucong.gov.vn"}
    document = made.render(values, WARD, CAMPAIGN)
    assert document.title == "Hỗ trợ ngày 25/11/2026"
    assert document.summary == "Ngày 25/11/2026 tại phường Lê Thanh Nghị"
    assert document.link == "https://dichvucong.gov.vn"
    assert document.source is not None and document.source.name == "Trung tâm"
    assert (document.hashtags, document.topics) == (("#MotHai",), ("Dịch vụ công",))
    assert made.card_words(values, WARD, CAMPAIGN) == "Ngày 25/11/2026"
    assert made.examples() == {"ngay": "25/11/2026"}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("{% if ten == 'Hội thi' and not ke %}có{% else %}không{% endif %}", "có"),
        ("{% for m in muc %}\n- {{ m|in_hoa }}\n{% endfor %}", "• MỘT\n• HAI"),
        ("{% for m in muc if m != 'một' %}{{ m }}{% endfor %}", "hai"),
        ("{{ muc|noi('; ') }}", "một; hai"),
        ("{{ 'mở đầu'|hoa_dau }}{# chú thích #}", "Mở đầu"),
        ("{{ phuong.ten }}, {{ chien_dich.hashtag }}", "phường Lê Thanh Nghị, #HaiPhongDoiMoiSangTao"),
        ("{{ 1250000|so }} và {{ 98.5|so }}", "1.250.000 và 98,5"),
    ],
)
def test_the_allowed_syntax_works(body: str, said: str):
    assert body_of(body) == said


def test_a_block_stands_in_on_its_channel_alone():
    document = template(
        "# Chung\n\nLời chung.\n{% block loudspeaker %}\n# Loa\n\nLời loa về {{ ten }}.\n{% endblock %}"
    ).render(VALUES, WARD, CAMPAIGN)
    assert plain(document.blocks) == plain(document.for_channel("zalo").blocks) == "Lời chung."
    assert document.for_channel("zalo").title == "Chung"
    assert document.for_channel("loudspeaker").title == "Loa"
    assert plain(document.for_channel("loudspeaker").blocks) == "Lời loa về Hội thi."


def test_a_block_without_heading_keeps_the_title():
    document = template("# Chung\n\nA\n{% block zalo %}B{% endblock %}").render(VALUES, WARD, CAMPAIGN)
    assert document.for_channel("zalo").title == "Chung"


def test_the_title_falls_back_to_the_name():
    assert template("Thân bài.").render(VALUES, WARD, CAMPAIGN).title == "Mẫu thử"


def test_a_long_text_keeps_its_markdown_and_a_text_does_not():
    markdown = "Đoạn **đậm**.\n\n- một\n- hai"
    document = template("{{ ke }}").render({"ten": "x", "ke": markdown}, WARD, CAMPAIGN)
    assert [block.kind for block in document.blocks] == ["paragraph", "item", "item"]
    assert (
        body_of("{{ ten }}", {"ten": "# không **đậm** [a](https://b.vn) &amp; 1\\."})
        == "# không **đậm** [a](https://b.vn) &amp; 1\\."
    )


@pytest.mark.parametrize("typed", ["1. một", "- một", "+ một", "# một", "* * *", "2026) năm", "_một_", "a_b_c", "&lt;"])
def test_what_looks_like_markdown_is_printed_as_typed(typed: str):
    document = template("{{ ten }}").render({"ten": typed}, WARD, CAMPAIGN)
    assert [(block.kind, block.text) for block in document.blocks] == [("paragraph", typed)]


def test_a_byte_order_mark_and_windows_line_ends_do_no_harm():
    text = "\ufeff---\r\nname: Mẫu\r\n---\r\n# Tiêu đề\r\n\r\nThân.\r\n"
    assert Template(text).render({}, WARD, CAMPAIGN).title == "Tiêu đề"


def test_the_same_text_is_read_once():
    text = "---\nname: Mẫu một lần\n---\nx\n"
    assert load(text) is load(text)


# What is refused


@pytest.mark.parametrize(
    "body",
    [
        "{{ 'a'*10**9 }}", "{{ ten + ten }}", "{{ ten ~ ten }}", "{{ -1 }}", "{{ ten[0] }}", "{{ ten() }}", "{{ range(9) }}",
        "{{ [1, 2] }}", "{{ {'a': 1} }}", "{{ (1, 2) }}", "{{ 'a' if ten else 'b' }}", "{% if ten is defined %}a{% endif %}",
        "{% set a = 1 %}", "{% macro m() %}a{% endmacro %}", "{% include 'a' %}", "{% import 'a' as b %}", "{% extends 'a' %}",
        "{% from 'a' import b %}", "{% call ten() %}{% endcall %}", "{% filter in_hoa %}a{% endfilter %}",
        "{% with a = 1 %}a{% endwith %}", "{{ super() }}", "{{ lipsum(9) }}",
    ],
)  # fmt: skip
def test_syntax_outside_the_allow_list_is_refused_with_its_line(body: str):
    mistake = refusal(f"# Tiêu đề\n\n{body}\n")
    assert mistake.line == 10
    assert str(mistake).startswith("Dòng 10: Mẫu chỉ được dùng trường, bộ lọc")


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("{{ la }}", "Trường «la» chưa được khai báo"),
        ("{{ self }}", "Trường «self» chưa được khai báo"),
        ("{{ ten|upper }}", "Không có bộ lọc «upper»"),
        ("{{ ten|attr('x') }}", "Không có bộ lọc «attr»"),
        ("{{ ten.__class__ }}", "Dấu chấm chỉ dùng với"),
        ("{{ phuong.keys }}", "Dấu chấm chỉ dùng với"),
        ("{{ phuong.ten.upper }}", "Dấu chấm chỉ dùng với"),
        ("{{ phuong }}", "Hãy viết rõ phần cần dùng"),
        ("{% for c in ten %}{{ c }}{% endfor %}", "lặp qua một trường kiểu danh sách"),
        ("{% for m in phuong %}{{ m }}{% endfor %}", "lặp qua"),
        ("{% for phuong in muc %}{{ phuong.ten }}{% endfor %}", "lặp qua"),
        ("{% for a, b in muc %}{{ a }}{% endfor %}", "lặp qua"),
        ("{% for m in muc recursive %}{{ m }}{% endfor %}", "lặp qua"),
        ("{% for m in muc %}{% for n in muc %}{{ n }}{% endfor %}{% endfor %}", "không lồng nhau"),
        ("{% block zalo %}a{% endblock %}{% block zalo %}b{% endblock %}", "viết hai lần"),
        ("{% if ten %}{% block zalo %}a{% endblock %}{% endif %}", "phải đứng riêng"),
        ("{% block zalo required %}{% endblock %}", "phải đứng riêng"),
        ("{{ ten", "Cú pháp mẫu không đọc được"),
        ("{% if ten %}a", "Cú pháp mẫu không đọc được"),
    ],
)
def test_a_mistake_is_told_in_vietnamese_with_its_line(body: str, told: str):
    mistake = refusal(f"# Tiêu đề\n\n{body}")
    assert told in str(mistake)
    assert mistake.line == 10


@pytest.mark.parametrize(
    "body",
    [
        "{{ " + "(" * 3000 + "ten" + ")" * 3000 + " }}",
        "{% if ten %}" * 400 + "a" + "{% endif %}" * 400,
        "{% if " + "not " * 4000 + "ten %}a{% endif %}",
        "{{ ten" + "|in_hoa" * 2000 + " }}",
    ],
)
def test_a_text_nested_without_end_is_refused(body: str):
    assert "lồng nhau quá sâu" in str(refusal(body))


def test_a_switch_of_escaping_is_refused():
    assert "Mẫu chỉ được dùng trường" in str(refusal("{% autoescape true %}a{% endautoescape %}"))


def test_a_number_of_thousands_of_digits_is_refused():
    assert "con số quá dài" in str(refusal("{{ " + "9" * 5000 + " }}"))


@pytest.mark.parametrize(
    "body", ["{{ ten|ngay }}", "{{ muc|gio }}", "{{ ten|so }}", "{{ ten|noi(ten) }}", "{% if ten < 3 %}a{% endif %}"]
)
def test_a_filter_on_the_wrong_type_is_told(body: str):
    assert "bộ lọc không dùng được với kiểu" in str(refusal(body))


def test_a_loop_variable_outside_its_loop_is_told():
    assert "giá trị chưa có" in str(refusal("{% for m in muc %}{{ m }}{% endfor %}{{ m }}"))


def test_a_ward_that_lacks_a_value_is_told():
    with pytest.raises(TemplateMistake, match="giá trị chưa có"):
        template("{{ phuong.website }}").render(VALUES, {"ten": "phường"}, CAMPAIGN)


def test_joining_cannot_multiply_a_text():
    assert "bộ lọc" in str(refusal("{{ ten" + "|noi(ten)" * 20 + " }}"))


def test_the_output_is_bounded():
    made = template("{% for m in muc %}{{ ke }}{% endfor %}", FIELDS.replace("long_text,", "long_text, limit: 4000,"))
    with pytest.raises(TemplateMistake, match=r"dài quá 20\.000 ký tự"):
        made.render({"ten": "x", "ke": "a" * 4000, "muc": ["m"] * 6}, WARD, CAMPAIGN)
    assert (
        len(plain(made.render({"ten": "x", "ke": "a" * 4000, "muc": ["m"] * 5}, WARD, CAMPAIGN).blocks)) == MAX_OUTPUT
    )


def test_the_source_is_bounded():
    assert "dài quá 20.000 ký tự" in str(refusal("a" * MAX_SOURCE))


# The front matter


@pytest.mark.parametrize(
    ("text", "told", "line"),
    [
        ("# Không khai báo\n", "phải mở đầu bằng phần khai báo", 1),
        ("---\nname: 'A\n---\nx\n", "Phần khai báo không đọc được", None),
        ("---\nname: A\n  sai: [thụt\n---\nx\n", "Phần khai báo không đọc được", 3),
        ("---\nchỉ một dòng\n---\nx\n", "các dòng dạng «tên: giá trị»", None),
        ("---\ntopic: A\n---\nx\n", "thiếu mục «name»", None),
        ("---\nname:\n---\nx\n", "Mục «name» đang để trống", None),
        ("---\nname: A\nmau_sac: đỏ\n---\nx\n", "mục lạ «mau_sac»", None),
        ("---\nname: A\nname: B\n---\nx\n", "Mục «name» được viết hai lần", 3),
        ("---\nname: A\ntasks: một\n---\nx\n", "Mục «tasks» phải là một danh sách", None),
        ("---\nname: A\nfields: 3\n---\nx\n", "Mục «fields» phải gồm các dòng", None),
        ("---\nname: A\nfields: {Ten: {label: T}}\n---\nx\n", "tên trường «Ten» phải viết thường", None),
        ("---\nname: A\nfields: {phuong: {label: T}}\n---\nx\n", "tên trường «phuong»", None),
        ("---\nname: A\nfields: {a: {}}\n---\nx\n", "thiếu mục «fields.a.label»", None),
        (
            "---\nname: A\nfields: {a: {label: T, type: chu}}\n---\nx\n",
            "«fields.a.type» phải là một trong: text, long_text",
            None,
        ),
        ("---\nname: A\nfields: {a: {label: T, mau: x}}\n---\nx\n", "mục lạ «fields.a.mau»", None),
        ("---\nname: A\nfields: {a: {label: T, limit: 0}}\n---\nx\n", "«fields.a.limit» quá nhỏ", None),
        ("---\nname: A\nfields: {a: {label: T, limit: 9999}}\n---\nx\n", "«fields.a.limit» quá lớn", None),
        ("---\nname: A\nfields: {a: {label: T, limit: ít}}\n---\nx\n", "«fields.a.limit» phải là một số nguyên", None),
        ("---\nname: A\nfields: {a: {label: T, required: có}}\n---\nx\n", "phải là true hoặc false", None),
        ("---\nname: A\nfields: {a: {label: T, type: choice}}\n---\nx\n", "phải có mục choices", None),
        (
            "---\nname: A\nfields: {a: {label: Ngày, type: date, example: mai}}\n---\nx\n",
            "Ví dụ chưa hợp với kiểu của trường: Ngày:",
            None,
        ),
        ("---\nname: A\nsummary: '{{ la }}'\n---\nx\n", "Mục «summary»: Trường «la» chưa được khai báo", None),
        ("---\nname: A\ncard: '{{ 1 + 1 }}'\n---\nx\n", "Mục «card»: Mẫu chỉ được dùng", None),
        (
            "---\nname: A\nchannels: [zalo]\n---\n{% block zalu %}x{% endblock %}\n",
            "Khối «zalu» không có trong mục «channels»",
            None,
        ),
        ("---\nname: A\nfields: &f {}\ncard: *f\n---\nx\n", "phải đặt trong ngoặc kép", 4),
        ("---\nname: " + "[" * 9000 + "\n---\nx\n", "lồng nhau quá sâu", 2),
    ],
)
def test_bad_front_matter_is_told_by_name(text: str, told: str, line: int | None):
    with pytest.raises(TemplateMistake) as mistake:
        Template(text)
    assert told in str(mistake.value)
    if line is not None:
        assert mistake.value.line == line


def test_values_in_the_front_matter_stay_as_they_are_typed():
    made = Template(
        "---\nname: A\nfields:\n  gio: {label: Giờ, type: time, example: 17:00}\n  ngay: {label: Ngày, type: date, example: 2026-11-25}\n---\nx\n"
    )
    assert made.examples() == {"gio": "17:00", "ngay": "2026-11-25"}


# The fields


@pytest.mark.parametrize(
    ("kind", "typed", "value"),
    [
        ("text", "  một \n hai ", "một hai"), ("long_text", "một\n\nhai", "một\n\nhai"), ("text", 5, "5"),
        ("number", "1.250.000", 1_250_000), ("number", "98,5", 98.5), ("number", "-3", -3), ("number", "12 000", 12_000),
        ("money", "25000", 25_000), ("date", "25/11/2026", date(2026, 11, 25)), ("date", "2026-11-25", date(2026, 11, 25)),
        ("date", "9.4.2026", date(2026, 4, 9)), ("date", date(2026, 4, 9), date(2026, 4, 9)), ("time", "17h00", time(17)),
        ("time", "7h", time(7)), ("time", "17g30", time(17, 30)), ("time", "08:05", time(8, 5)), ("time", "7h30'", time(7, 30)),
        ("time", time(6, 30), time(6, 30)), ("url", "https://dichvucong.gov.vn/x?a=1", "https://dichvucong.gov.vn/x?a=1"),
        ("phone", "0225 3842 123", "0225 3842 123"), ("list", "- một\n\n hai ", ["một", "hai"]), ("list", ["một", " "], ["một"]),
    ],
)  # fmt: skip
def test_a_field_reads_what_people_type(kind: str, typed: object, value: object):
    field = TemplateField(label="Ô", type=kind)  # type: ignore[arg-type]
    assert read_fields({"o": field}, {"o": typed}) == {"o": value}


@pytest.mark.parametrize(
    ("kind", "typed", "told"),
    [
        ("text", "", "chưa nhập"), ("text", " \n ", "chưa nhập"), ("text", "\x00\x07", "chưa nhập"), ("text", "a" * 301, "dài 301 ký tự"),
        ("text", ["a"], "không phải một danh sách"), ("list", {"a": 1}, "không phải một danh sách"), ("list", "\n", "mỗi dòng là một mục"),
        ("list", ["a"] * (MAX_LIST + 1), f"tối đa {MAX_LIST} mục"), ("list", ["a" * 301], "mục dài quá 300"),
        ("number", "ba", "phải là số"), ("number", "1.5", "phải là số"), ("number", "1e9", "phải là số"), ("number", "nan", "phải là số"),
        ("number", "9" * (MAX_DIGITS + 1), f"tối đa {MAX_DIGITS} chữ số"), ("money", "12 đồng", "phải là số"),
        ("date", "31/11/2026", "dạng 25/11/2026"), ("date", "mai", "dạng 25/11/2026"), ("date", "25/11", "dạng 25/11/2026"),
        ("time", "25h00", "dạng 17h00"), ("time", "chiều", "dạng 17h00"), ("time", "17", "dạng 17h00"),
        ("url", "dichvucong.gov.vn", "bắt đầu bằng https://"), ("url", "javascript:alert(1)", "bắt đầu bằng https://"),
        ("url", "https://a b", "không có dấu cách"), ("phone", "gọi tôi", "chỉ gồm chữ số"),
    ],
)  # fmt: skip
def test_a_field_refuses_the_rest_in_vietnamese_and_names_itself(kind: str, typed: object, told: str):
    field = TemplateField(label="Ô cần điền", type=kind)  # type: ignore[arg-type]
    with pytest.raises(FieldMistakes) as mistakes:
        read_fields({"o": field}, {"o": typed})
    assert mistakes.value.errors["o"].startswith("Ô cần điền: ")
    assert told in mistakes.value.errors["o"]


def test_a_choice_is_one_of_its_choices():
    field = TemplateField(label="Cấp", type="choice", choices=("phường", "thành phố"))
    assert read_fields({"cap": field}, {"cap": "phường"}) == {"cap": "phường"}
    with pytest.raises(FieldMistakes, match="phải là một trong: phường, thành phố"):
        read_fields({"cap": field}, {"cap": "tỉnh"})


def test_every_bad_field_is_named_at_once():
    fields = {
        "a": TemplateField(label="Giờ", type="time"),
        "b": TemplateField(label="Ngày", type="date"),
        "c": TemplateField(label="Tên"),
    }
    with pytest.raises(FieldMistakes) as mistakes:
        read_fields(fields, {"a": "x", "b": "y", "c": "được"})
    assert set(mistakes.value.errors) == {"a", "b"}


def test_an_optional_field_may_stay_empty():
    fields = {
        "a": TemplateField(label="A", type="date", required=False),
        "b": TemplateField(label="B", type="list", required=False),
    }
    assert read_fields(fields, {}) == {"a": "", "b": []}


@pytest.mark.parametrize(
    ("made", "said"),
    [
        (format_date(date(2026, 4, 9)), "09/4/2026"), (format_date(date(2026, 1, 13)), "13/01/2026"),
        (format_date(date(2026, 11, 25)), "25/11/2026"), (format_time(time(17)), "17h00"), (format_time(time(7, 5)), "7h05"),
        (format_number(1_250_000), "1.250.000"), (format_number(98.5), "98,5"), (format_number(1234.5), "1.234,5"),
    ],
)  # fmt: skip
def test_dates_times_and_numbers_are_written_as_offices_write_them(made: str, said: str):
    assert made == said


# Whatever is typed stays letters


@settings(max_examples=200, deadline=None)
@given(typed=st.text(max_size=80))
def test_any_typed_text_is_printed_letter_by_letter_in_nfc(typed: str):
    made = template(
        "# Tiêu đề\n\nMở {{ ten }} đóng\n\n- {{ ten }}\n\n{{ ten }}\n{% block zalo %}{{ ten }}{% endblock %}"
    )
    try:
        value = made.values({"ten": typed})["ten"]
    except FieldMistakes:
        return
    document = made.render({"ten": typed}, WARD, CAMPAIGN)
    nfc_value = unicodedata.normalize("NFC", value)
    assert [(block.kind, block.text) for block in document.blocks] == [
        ("paragraph", f"Mở {nfc_value} đóng"), ("item", nfc_value), ("paragraph", nfc_value),
    ]  # fmt: skip
    assert plain(document.for_channel("zalo").blocks) == nfc_value
    assert document.title == "Tiêu đề"


@settings(max_examples=100, deadline=None)
@given(
    typed=st.sampled_from(
        ["{{ 7*7 }}", "{% for m in muc %}", "{# #}", "{{ phuong.ten }}", "{{", "%}", "{% endblock %}"]
    ),
    more=st.text(max_size=20),
)
def test_template_syntax_typed_into_a_field_is_never_run(typed: str, more: str):
    said = body_of("# Tiêu đề\n\n{{ ten }}", {"ten": typed + more})
    assert said.startswith(typed)
    made = template("x", FIELDS + "summary: '{{ ten }}'\n")
    assert made.render({"ten": typed + more}, WARD, CAMPAIGN).summary.startswith(squeeze(typed))


@settings(max_examples=100, deadline=None)
@given(ke=st.text(max_size=120), muc=st.lists(st.text(max_size=40), max_size=5))
def test_long_texts_and_lists_of_anything_render_in_nfc(ke: str, muc: list[str]):
    made = template("# {{ ten }}\n\n{{ ke }}\n\n{% for m in muc %}\n- {{ m }}\n{% endfor %}")
    document = made.render({"ten": "Tên", "ke": ke, "muc": muc}, WARD, CAMPAIGN)
    text = plain(document.blocks)
    assert text == unicodedata.normalize("NFC", text)
    assert document.title == "Tên"
