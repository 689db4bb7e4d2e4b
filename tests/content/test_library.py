"""The shipped kit: every template serves a task, renders for both wards, fits every channel and reads well aloud."""

import re
import unicodedata
from collections.abc import Iterator
from itertools import combinations

import pytest

from content import kit
from content.document import Document, plain
from content.kit import LIBRARY, for_plan, parsed, shipped
from content.plans import Plan, PlanMistake, load_plans, read_plan
from content.speech import say
from content.templates import FieldMistakes, Template, TemplateField, TemplateMistake
from content.text import words

KIT = parsed()
PLANS = {plan.code: plan for plan in load_plans()}
CAMPAIGN = {"ten": "Hải Phòng - Thành phố Đổi mới sáng tạo", "hashtag": "#HaiPhongDoiMoiSangTao"}
CHANNELS = ("website", "zalo", "facebook", "telegram", "loudspeaker")
SLIPS = ("Kiến toàn", "kiến toàn", "phân đầu", "Công TTĐT", "Công thông tin điện tử", "CDS", "KHVCN")
ABBREVIATIONS = ("ĐMST", "KNST", "UBND", "HĐND", "KHCN", "KH&CN", "CĐS", "TTĐT", "DVC", "TTHC", "CBCC", "MTTQ")
LONG = {"hoi-dap-de-an", "ke-hoach-le-thanh-nghi"}
SLOGANS = {slug for slug in KIT if slug.startswith("khau-hieu-")}

each_template = pytest.mark.parametrize("slug", KIT)


def wards_of(template: Template) -> list[Plan]:
    """The plans whose wards are offered this template."""
    return [plan for code, plan in PLANS.items() if any(task.startswith(f"{code}-") for task in template.head.tasks)]


def rendered(slug: str, plan: Plan) -> Document:
    return KIT[slug].render(KIT[slug].examples(), plan.ward.words(), CAMPAIGN)


def documents(slug: str) -> Iterator[Document]:
    return (rendered(slug, plan) for plan in PLANS.values())


def said(document: Document) -> Iterator[str]:
    """Everything that a reader or listener of any channel meets."""
    yield from (document.title, document.summary, document.source.name if document.source else "")
    for kind in CHANNELS:
        own = document.for_channel(kind)
        yield from (own.title, plain(own.blocks))


def sentences(text: str) -> list[str]:
    return [part for part in re.split(r"(?<=[.!?…])[»”]?\s+|\n+", text) if part.strip()]


def fullest(field: TemplateField) -> object:
    """The longest value that the field takes."""
    if field.type in ("text", "long_text"):
        return "m" * field.limit
    return (
        ["m" * field.limit] * 3 if field.type == "list" else max(field.choices, key=len, default=None) or field.example
    )


def test_the_kit_is_large_and_its_files_are_named_for_addresses():
    assert len(KIT) >= 36
    assert all(re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", slug) for slug in shipped())


def test_no_two_templates_share_a_name_a_title_or_a_text():
    plan = PLANS["ltn"]
    texts = {slug: plain(rendered(slug, plan).blocks) for slug in KIT}
    for a, b in combinations(KIT, 2):
        assert KIT[a].head.name != KIT[b].head.name
        assert texts[a] != texts[b]
        shared = set(sentences(texts[a])) & set(sentences(texts[b]))
        assert sum(map(words, shared)) < 30, f"{a} và {b} lặp lại nhau: {shared}"


@each_template
def test_a_template_says_what_it_is_for(slug: str):
    head = KIT[slug].head
    assert head.name and head.audience and head.topic and head.source and head.summary
    assert set(head.channels) == set(CHANNELS)
    assert "loudspeaker" in KIT[slug].channels_with_own_words
    assert head.hashtags and all(re.fullmatch(r"#[A-Za-z0-9]+", tag) for tag in head.hashtags)
    assert all(field.label for field in head.fields.values())
    assert all(field.example is not None or not field.required for field in head.fields.values())


@each_template
def test_every_task_named_stands_in_a_plan(slug: str):
    known = {task.code for plan in PLANS.values() for task in plan.tasks}
    assert KIT[slug].head.tasks
    assert set(KIT[slug].head.tasks) <= known


@pytest.mark.parametrize("task", [task for plan in PLANS.values() for task in plan.tasks], ids=lambda task: task.code)
def test_every_task_has_a_template_or_the_other_means_that_serve_it(task):
    served = any(task.code in template.head.tasks for template in KIT.values())
    assert served != bool(task.other_means), "một nhiệm vụ có mẫu, hoặc ghi rõ được phục vụ bằng cách khác"


@each_template
def test_a_text_that_names_a_ward_serves_that_ward_alone(slug: str):
    named = {code for code, plan in PLANS.items() if plan.ward.short_name in KIT[slug].source.partition("---\n")[2]}
    if named:
        assert {plan.code for plan in wards_of(KIT[slug])} == named


@each_template
def test_it_renders_for_both_wards_in_clean_nfc(slug: str):
    for document in documents(slug):
        for text in said(document):
            assert text == unicodedata.normalize("NFC", text)
            assert not re.search(r"{{|}}|{%|%}|\*\*|  |\s[.,;:!?]|\.\.|None|Undefined", text), text
            assert not any(slip in text for slip in SLIPS)


@each_template
def test_abbreviations_are_written_out(slug: str):
    for document in documents(slug):
        for text in said(document):
            text = re.sub(r"\d+/(\d+/)?[A-ZĐ\d-]+|\d+-ĐA/TU", "", text)
            assert not any(short in text for short in ABBREVIATIONS), text
            if "OCOP" in text and text == plain(document.blocks) and len(text) > 300:
                assert "mỗi xã một sản phẩm" in text


@each_template
def test_title_and_summary_fit_every_platform_even_with_the_fullest_fields(slug: str):
    template = KIT[slug]
    values = {key: fullest(field) for key, field in template.head.fields.items()}
    for plan in PLANS.values():
        document = template.render(values, plan.ward.words(), CAMPAIGN)
        assert 0 < len(document.title) <= 150
        assert 0 < len(document.summary) <= 300
        assert all(len(document.for_channel(kind).title) <= 150 for kind in CHANNELS)


@each_template
def test_the_card_has_few_words(slug: str):
    for plan in PLANS.values():
        assert 0 < len(KIT[slug].card_words(KIT[slug].examples(), plan.ward.words(), CAMPAIGN)) <= 60


@each_template
def test_the_body_is_neither_thin_nor_endless(slug: str):
    for document in documents(slug):
        length = words(plain(document.blocks))
        if slug in SLOGANS:
            assert 20 <= length <= 80
        elif slug not in LONG:
            assert 80 <= length <= 260


def test_two_long_texts_make_telegram_divide_them():
    lengths = {slug: len(plain(rendered(slug, PLANS["ltn"]).for_channel("telegram").blocks)) for slug in LONG}
    assert lengths["ke-hoach-le-thanh-nghi"] > 1_024
    assert lengths["hoi-dap-de-an"] > 4_096


@each_template
def test_sentences_are_short(slug: str):
    for document in documents(slug):
        for kind in CHANNELS:
            lengths = {part: words(part) for part in sentences(plain(document.for_channel(kind).blocks))}
            assert max(lengths.values()) <= 35, max(lengths, key=lambda part: lengths[part])
            assert sum(lengths.values()) / len(lengths) <= 20


@each_template
def test_the_loudspeaker_text_is_written_for_the_ear(slug: str):
    for document in documents(slug):
        spoken = plain(document.for_channel("loudspeaker").blocks)
        assert not re.search(
            r"https?:|www\.|[#()\[\]•/]",
            re.sub(r"\d+(/\d+)+(/QH\d+)?|\d+(/\d+)?/[A-ZĐ]+[\d-]*[A-Z]*|-ĐA/TU", "", spoken),
        ), spoken
        if slug in SLOGANS:
            assert 15 <= words(spoken) <= 40
        else:
            assert 60 <= words(spoken) <= 150, words(spoken)
            assert re.match(r"(Kính thưa|Thân mến gửi)", spoken)
            assert re.search(r"[Xx]in (nhắc|cảm ơn|khen|chúc|tiếp tục|gửi)|Cảm ơn|Xin chúc", spoken)


@each_template
def test_nothing_in_the_loudspeaker_text_is_left_unread(slug: str):
    for document in documents(slug):
        reading = say(plain(document.for_channel("loudspeaker").blocks))
        assert not reading.doubts
        assert not re.search(r"[\d/#%&]", reading.text), reading.text


@each_template
def test_required_fields_left_empty_are_named_one_by_one(slug: str):
    template = KIT[slug]
    required = {key for key, field in template.head.fields.items() if field.required}
    if not required:
        return
    with pytest.raises(FieldMistakes) as mistakes:
        template.render({}, PLANS["dh"].ward.words(), CAMPAIGN)
    assert set(mistakes.value.errors) == required


@each_template
def test_it_also_reads_well_with_optional_fields_empty(slug: str):
    template = KIT[slug]
    values = {key: field.example for key, field in template.head.fields.items() if field.required}
    for plan in PLANS.values():
        for text in said(template.render(values, plan.ward.words(), CAMPAIGN)):
            assert not re.search(r"\s[.,;:!?]|: ?\.|«»|\*", text), text


def test_examples_name_no_telephone_and_only_official_addresses():
    for slug, template in KIT.items():
        for field in template.head.fields.values():
            assert not re.search(r"\d[\d .]{7,}\d", str(field.example)), slug
            assert all(url == "https://dichvucong.gov.vn" for url in re.findall(r"https?://\S+", str(field.example)))


def test_each_ward_is_offered_enough_to_fill_a_week():
    assert len(for_plan(PLANS["dh"])) >= 30
    assert len(for_plan(PLANS["ltn"])) >= 30
    assert "cai-cach-hanh-chinh-dong-hai" not in for_plan(PLANS["ltn"])
    assert "ke-hoach-le-thanh-nghi" not in for_plan(PLANS["dh"])


def test_a_broken_file_of_the_kit_is_named(tmp_path, monkeypatch):
    (tmp_path / "mau-hong.md").write_text("---\nname: Hỏng\n---\n{{ la }}\n", "utf-8")
    monkeypatch.setattr(kit, "LIBRARY", tmp_path)
    kit._parsed.cache_clear()
    with pytest.raises(TemplateMistake, match=r"«mau-hong\.md».*Dòng 4"):
        parsed()


# The plans


def test_the_plans_cover_every_clause_of_both_documents():
    clauses = [task.clause for task in PLANS["ltn"].tasks] + [out.clause for out in PLANS["ltn"].left_out]
    points = {
        "2.1": "abcdđeghi",
        "2.2": "abcdđe",
        "2.3": "abcdegh",
        "2.4": "abcdeghk",
        "2.5": "abcdđegh",
        "2.6": "abcdđe",
    }
    for point, letters in points.items():
        assert all(any(c.startswith(f"Mục II, điểm {point}.{letter}") for c in clauses) for letter in letters)
    for point, dashes in {"3.1": 6, "3.2": 2, "3.3": 2}.items():
        assert sum(c.startswith(f"Mục III, điểm {point}, gạch") for c in clauses) == dashes
    assert len(clauses) == len(set(clauses))
    letter = [task.clause for task in PLANS["dh"].tasks]
    assert [sum(c.startswith(f"Điểm {n}") for c in letter) for n in range(1, 7)] == [2, 1, 2, 2, 2, 2]


def test_goals_are_those_of_the_documents():
    goals = {task.code: task.goal for plan in PLANS.values() for task in plan.tasks if task.goal}
    assert goals == {"ltn-2.1-g": 100, "dh-3-1": 100}


def test_the_plans_hold_none_of_the_documents_slips():
    for path in (LIBRARY / "plans").glob("*.toml"):
        text = path.read_text("utf-8")
        assert not any(slip in text for slip in SLIPS)
        assert text == unicodedata.normalize("NFC", text)


def test_the_wards_are_who_the_documents_say():
    assert PLANS["ltn"].ward.signatory == "Dương Thị Hằng Nga"
    assert PLANS["dh"].ward.signatory == "Nguyễn Khánh Chi"
    assert {plan.ward.office for plan in PLANS.values()} == {"Phòng Văn hóa - Xã hội"}
    assert all(plan.ward.phone == "" for plan in PLANS.values())


GOOD = (LIBRARY / "plans" / "dong-hai.toml").read_text("utf-8")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (GOOD.replace('code = "dh"\n', 'code = "dh\n'), "không đọc được"),
        (GOOD.replace('slug = "dong-hai"\n', ""), "«ward.slug» còn thiếu"),
        (GOOD.replace('code = "dh-6-2"', 'code = "dh-6-1"'), "bị trùng: dh-6-1"),
        (GOOD.replace('code = "dh-6-2"', 'code = "ltn-6-2"'), "phải mở đầu bằng «dh-»: ltn-6-2"),
        (GOOD.replace("goal = 100\n", ""), "goal và goal_unit"),
        (GOOD.replace("basis =", "co_so ="), "«co_so» là mục lạ"),
    ],
)
def test_a_broken_plan_is_refused_by_name(text: str, told: str):
    assert text != GOOD
    with pytest.raises(PlanMistake, match="sai.toml") as mistake:
        read_plan(text, "sai.toml")
    assert told in str(mistake.value)


def test_two_plans_with_one_code_are_refused(tmp_path):
    for name in ("a.toml", "b.toml"):
        (tmp_path / name).write_text(GOOD, "utf-8")
    with pytest.raises(PlanMistake, match="chung một mã"):
        load_plans(tmp_path)
