"""The announcer's programmes: whole or not at all, once per delivery, listed by the hour."""

import errno
import json
import os
import re
import shutil
import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import ValidationError

from channels.contract import (
    AIR_SECONDS,
    Deferred,
    Handle,
    Message,
    Published,
    Reason,
    Refused,
    Tools,
)
from channels.loudspeaker import days, studio
from channels.loudspeaker.adapter import Loudspeaker
from channels.loudspeaker.settings import LoudspeakerSettings
from channels.loudspeaker.transports.folder import Folder
from channels.pages import card as preview
from channels.rehearsing import MemoryShelf
from channels.twin import Place
from channels.wire import Wire
from content.audio import measure
from content.document import Document, Source, read
from content.speech import Manner
from tests.channels.air import tone

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 11, 25, 9, 59, 58, tzinfo=UTC)
DUE = datetime(2026, 11, 25, 10, 0, tzinfo=UTC)
BODY = (
    "Thực hiện Quyết định số 1380/QĐ-UBND ngày 09/4/2026, từ 17h00 hôm nay 100% thủ tục của hộ kinh doanh làm trực "
    "tuyến. Phường khuyến khích ĐMST.\n\n- Xem tại [Cổng dịch vụ công](https://dichvucong.gov.vn/x/y)\n"
    "- Gọi tổng đài 1022 #HaiPhong"
)


def speaker(folder: Path, **settings: Any) -> Loudspeaker:
    given = {"folder": folder, "ward": "phường Đông Hải", "voice": False, **settings}
    tools = Tools(wire=Wire(), shelf=None, now=lambda: NOW)
    return Loudspeaker(LoudspeakerSettings.model_validate(given), tools)


def document(title: str = "Nộp hồ sơ trực tuyến", body: str = BODY) -> Document:
    return Document(
        title=title,
        blocks=read(body)[1],
        link="https://lantoa.example/k3f9x2",
        source=Source("UBND phường"),
        hashtags=("#HaiPhong",),
    )


def message(channel: Loudspeaker, key: str = "k3f9x2abcd", due: datetime | None = DUE, **words: str) -> Message:
    return channel.render(document(**words), key).model_copy(update={"due_at": due})


async def aired(channel: Loudspeaker, said: Message) -> Published:
    handle = await channel.stage(said, 0)
    assert isinstance(handle, Handle)
    outcome = await channel.publish(said, 0, handle, ())
    assert isinstance(outcome, Published), outcome
    return outcome


def playlist(folder: Path, day: str = "2026-11-25") -> str:
    return (folder / day / days.PLAYLIST).read_text("utf-8")


def whole_programmes(folder: Path) -> list[Path]:
    return sorted(folder.glob("????-??-??/*/kich-ban.txt"))


@pytest.fixture
def closed_folder(tmp_path: Path) -> Iterator[Path]:
    file = tmp_path / "khong-phai-thu-muc"
    file.write_text("")
    yield file / "loa"


def test_the_script_is_read_aloud_framed_and_without_links(tmp_path: Path) -> None:
    said = message(speaker(tmp_path)).parts[0]
    assert said.format == "script"
    assert said.body.startswith("Đài truyền thanh phường Đông Hải xin gửi tới bà con bản tin sau đây.\nNộp hồ sơ")
    assert said.body.endswith("Đài truyền thanh phường Đông Hải xin cảm ơn bà con đã lắng nghe.")
    for words in (
        "một nghìn ba trăm tám mươi, Ủy ban nhân dân, ngày mùng chín tháng tư",
        "mười bảy giờ",
        "một trăm phần trăm",
        "đổi mới sáng tạo",
        "Nguồn tin: Ủy ban nhân dân phường.",
    ):
        assert words in said.body
    assert not re.search(r"\d|http|#|HaiPhong|lantoa", said.body)


def test_the_template_s_own_words_for_the_loudspeakers_are_used(tmp_path: Path) -> None:
    own = Document(title="", blocks=read("Kính thưa bà con! Mời bà con nghe. Xin trân trọng cảm ơn bà con.")[1])
    text = Document(title="Tin", blocks=read("Bài dài")[1], own_words={"loudspeaker": own})
    said = speaker(tmp_path).render(text, "k3f9x2abcd").parts[0].body
    assert "Bài dài" not in said
    assert "Kính thưa bà con!" in said
    assert said.endswith("Xin trân trọng cảm ơn bà con.")


def test_rendering_is_pure_and_composed(tmp_path: Path) -> None:
    channel = speaker(tmp_path / "chua-co")
    apart = unicodedata.normalize("NFD", "Lịch tiếp công dân phường Đông Hải")
    first = message(channel, title=apart)
    assert first == message(channel, title=apart)
    assert unicodedata.is_normalized("NFC", first.model_dump_json())
    assert not (tmp_path / "chua-co").exists()


def test_the_ward_s_own_words_and_the_southern_way(tmp_path: Path) -> None:
    text = document(body="Mời 1.205 bà con đến NVQ dự họp lúc 19h30 để bàn việc chung của khu phố mình.")
    south = replace(text, manner=Manner("south", (("NVQ", "nhà văn quán"),)))
    said = speaker(tmp_path).render(south, "k3f9x2abcd")
    assert "một ngàn hai trăm lẻ năm bà con đến nhà văn quán" in said.parts[0].body
    assert said.extra["doubts"] == [] and said.extra["region"] == "south"


def test_an_editor_s_own_reading_is_said_between_opening_and_closing(tmp_path: Path) -> None:
    channel = speaker(tmp_path)
    plain = message(channel, title="Họp dân", body="Họp lúc 19h30 ngày 25/11 tại NVQ, mời bà con đến đông đủ cho.")
    reading = plain.extra["reading"]
    assert "mười chín giờ ba mươi phút" in reading["spoken"] and not reading["own"]
    text = document(title="Họp dân", body="Họp lúc 19h30 ngày 25/11 tại NVQ, mời bà con đến đông đủ cho.")
    words = "Họp dân. Tối hai mươi lăm tháng mười một, lúc 20 giờ 30, mời bà con đến nhà văn quán dự họp."
    own = replace(text, spoken=words, spoken_of=reading["mark"])
    said = channel.render(own, "k3f9x2abcd")
    assert "hai mươi giờ ba mươi, mời bà con đến nhà văn quán" in said.parts[0].body
    assert said.parts[0].body.startswith("Đài truyền thanh") and said.parts[0].body.endswith("lắng nghe.")
    assert said.extra["doubts"] == []
    warned = [problem for problem in channel.validate(said) if "không còn nói" in problem.text]
    assert [problem.level for problem in warned] == ["warning"] and "19h30" in warned[0].text
    assert "25/11" not in warned[0].text


def test_an_own_reading_of_another_text_is_not_said_and_stops_the_post(tmp_path: Path) -> None:
    channel = speaker(tmp_path)
    old = message(
        channel, title="Họp dân", body="Họp lúc 19h30 tại nhà văn hóa tổ dân phố số năm, mời bà con dự đông đủ."
    )
    changed = document(title="Họp dân", body="Họp lúc 20h tại nhà văn hóa tổ dân phố số năm, mời bà con dự đông đủ.")
    stale = replace(changed, spoken="Họp dân lúc mười chín giờ rưỡi.", spoken_of=old.extra["reading"]["mark"])
    said = channel.render(stale, "k3f9x2abcd")
    assert "hai mươi giờ" in said.parts[0].body and "rưỡi" not in said.parts[0].body
    errors = [problem.text for problem in channel.validate(said) if problem.level == "error"]
    assert len(errors) == 1 and "Bài đã đổi sau khi sửa lời đọc" in errors[0]


def test_problems_are_said_in_vietnamese(tmp_path: Path) -> None:
    channel = speaker(tmp_path, max_minutes=1)
    empty = channel.validate(channel.render(Document(title="", blocks=()), "k3f9x2abcd"))
    assert [(problem.level, problem.text) for problem in empty] == [
        ("error", "Bản tin chưa có lời đọc; hãy viết nội dung cho loa truyền thanh.")
    ]
    long = channel.validate(message(channel, body="Bà con chú ý nghe. " * 100))
    assert long[0].level == "error" and "quá 1 phút" in long[0].text and "khoảng" in long[0].text
    brief = channel.validate(message(channel, body="Mất điện XQZT."))
    assert [problem.level for problem in brief] == ["warning", "warning"]
    assert "«XQZT»" in brief[1].text
    assert channel.validate(message(channel)) == []


def test_fifteen_minutes_is_the_limit_by_default(tmp_path: Path) -> None:
    channel = speaker(tmp_path)
    syllables = int((15 * 60 - 25) * 3.3)
    assert channel.validate(message(channel, body="bà " * syllables)) == []
    assert channel.validate(message(channel, body="bà " * (syllables + 120)))[0].level == "error"


@pytest.mark.parametrize(
    "wrong", [{"max_minutes": 0}, {"time_zone": "Asia/Khong_Co"}, {"khong_co_muc_nay": 1}, {"ward": ""}]
)
def test_wrong_settings_are_refused(tmp_path: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        speaker(tmp_path, **wrong)


async def test_a_programme_is_whole_and_measured(tmp_path: Path) -> None:
    channel = speaker(tmp_path, voice=True, clusters=["Cụm loa tổ 1", "Cụm loa tổ 2"])
    said = message(channel)
    outcome = await aired(channel, said)
    assert outcome.remote_id == "2026-11-25/17h00-nop-ho-so-truc-tuyen-k3f9x2abcd"
    place = tmp_path / outcome.remote_id
    assert sorted(file.name for file in place.iterdir()) == ["ban-tin.mp3", "kich-ban.txt", "thong-tin.json"]
    assert (place / "kich-ban.txt").read_text("utf-8") == said.parts[0].body + "\n"
    heard = measure(place / "ban-tin.mp3")
    card = json.loads((place / "thong-tin.json").read_text("utf-8"))
    assert heard.integrated == pytest.approx(-16, abs=1) and heard.true_peak <= -1
    assert card["thoi_luong_giay"] == pytest.approx(heard.seconds, abs=1)
    assert card["khoa"] == "k3f9x2abcd" and card["ban_nghe_thu"] and card["gio_phat"] == "2026-11-25T17:00:00+07:00"
    assert (
        f"#EXTINF:{card['thoi_luong_giay']},17:00 – Nộp hồ sơ trực tuyến (bản nghe thử, giọng tổng hợp)\n"
        in playlist(tmp_path)
    )
    assert "17h00-nop-ho-so-truc-tuyen-k3f9x2abcd/ban-tin.mp3\n" in playlist(tmp_path)
    assert list((tmp_path / days.ASIDE).glob("*.mp3")) == []
    figures = {figure.name: figure for figure in (await channel.measure(outcome.remote_id)).figures}
    assert figures[AIR_SECONDS].value == card["thoi_luong_giay"] and figures[AIR_SECONDS].label == "estimated"
    assert figures["Cụm loa"].value == 2 and figures["Cụm loa"].label == "declared"
    assert all(figure.formula for figure in figures.values())


async def test_the_same_key_twice_is_one_programme(tmp_path: Path) -> None:
    channel = speaker(tmp_path)
    first = await aired(channel, message(channel))
    assert await aired(channel, message(channel)) == first
    assert len(whole_programmes(tmp_path)) == 1
    assert playlist(tmp_path).count("k3f9x2abcd/") == 1


async def test_without_an_hour_the_same_key_is_still_one_programme(tmp_path: Path) -> None:
    channel = speaker(tmp_path)
    first = await aired(channel, message(channel, due=None))
    later = Loudspeaker(channel.settings, Tools(wire=Wire(), shelf=None, now=lambda: NOW + timedelta(days=1)))
    assert await aired(later, message(later, due=None)) == first


async def test_two_bulletins_of_one_hour_and_title_are_two(tmp_path: Path) -> None:
    channel = speaker(tmp_path)
    await aired(channel, message(channel))
    await aired(channel, message(channel, key="zzzz222222"))
    assert len(whole_programmes(tmp_path)) == 2


async def test_the_play_list_goes_by_the_hour(tmp_path: Path) -> None:
    channel = speaker(tmp_path)
    for key, hours in (("toitoitoi1", 3), ("sangsang11", 1), ("chieuchieu", 0)):
        await aired(channel, message(channel, key=key, due=DUE + timedelta(hours=hours)))
    lines = [line for line in playlist(tmp_path).splitlines() if "đọc trực tiếp" in line]
    assert [re.findall(r"\d\d:\d\d", line)[0] for line in lines] == ["17:00", "18:00", "20:00"]
    assert playlist(tmp_path).startswith("#EXTM3U\n")


async def test_what_comes_late_is_listed_at_an_hour_that_can_still_be_played(tmp_path: Path) -> None:
    channel = speaker(tmp_path, voice=False)
    said = message(channel, due=NOW - timedelta(hours=22))
    first = await aired(channel, said)
    assert first.remote_id.startswith("2026-11-25/16h59-")
    later = Loudspeaker(channel.settings, Tools(wire=Wire(), shelf=None, now=lambda: NOW + timedelta(hours=3)))
    assert await aired(later, said) == first, "asked again, it is the programme that is there already"
    assert (await later.find(said, 0, Handle(), NOW)).verdict == "out" and len(whole_programmes(tmp_path)) == 1
    await later.withdraw(first.remote_id)
    refused = await later.publish(said, 0, Handle(), ())
    assert isinstance(refused, Refused) and whole_programmes(tmp_path) == []


async def test_the_day_is_the_ward_s_day(tmp_path: Path) -> None:
    channel = speaker(tmp_path)
    outcome = await aired(channel, message(channel, due=datetime(2026, 11, 25, 23, 30, tzinfo=UTC)))
    assert outcome.remote_id.startswith("2026-11-26/06h30-")


async def test_staging_again_finds_the_sound_already_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    channel = speaker(tmp_path, voice=True)
    first = await channel.stage(message(channel), 0)
    monkeypatch.setattr(studio, "speak", lambda *words: pytest.fail("spoken twice"))
    assert await channel.stage(message(channel), 0) == first


async def test_a_lost_sound_is_made_again_not_left_out(tmp_path: Path) -> None:
    channel = speaker(tmp_path, voice=True)
    handle = await channel.stage(message(channel), 0)
    assert isinstance(handle, Handle)
    (tmp_path / days.ASIDE / handle.data["file"]).write_bytes(b"hong")
    outcome = await channel.publish(message(channel), 0, handle, ())
    assert isinstance(outcome, Deferred) and outcome.reason is Reason.BUSY
    assert whole_programmes(tmp_path) == []
    await aired(channel, message(channel))
    assert len(whole_programmes(tmp_path)) == 1


@pytest.mark.parametrize("moment", ["before the move", "before the play-list"])
async def test_a_crash_in_the_middle_leaves_nothing_half_and_the_next_try_mends_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment: str
) -> None:
    channel = speaker(tmp_path)

    class Killed(BaseException):
        """The process is gone: no handler runs."""

    def die(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as crash:
        crash.setattr(days, "_move_in" if moment == "before the move" else "list_day", die)
        with pytest.raises(Killed):
            days_put(channel, message(channel))
    assert (await channel.find(message(channel), 0, Handle(), NOW)).verdict == "absent"
    outcome = await aired(channel, message(channel))
    assert len(whole_programmes(tmp_path)) == 1
    assert (await channel.find(message(channel), 0, Handle(), NOW)).remote_id == outcome.remote_id
    assert not list((tmp_path / days.ASIDE).glob("*.moi"))


def days_put(channel: Loudspeaker, said: Message) -> None:
    assert isinstance(channel.transport, Folder)
    channel.transport._publish(said, 0, Handle())


@pytest.mark.parametrize(
    ("code", "kind", "reason"),
    [
        (errno.ENOSPC, Deferred, Reason.QUOTA),
        (errno.EACCES, Refused, Reason.MISCONFIGURED),
        (errno.EIO, Deferred, Reason.BUSY),
    ],
)
@pytest.mark.parametrize("step", ["_write", "_flush", "list_day"])
async def test_what_the_disk_refuses_is_no_half_programme(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, kind: type, reason: Reason, step: str
) -> None:
    channel = speaker(tmp_path)

    def refuse(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as disk:
        disk.setattr(days, step, refuse)
        outcome = await channel.publish(message(channel), 0, Handle(), ())
    assert isinstance(outcome, kind) and outcome.reason is reason  # type: ignore[attr-defined]
    assert "thư mục chương trình" in outcome.detail.lower()  # type: ignore[attr-defined]
    assert (await channel.find(message(channel), 0, Handle(), NOW)).verdict == "absent"
    await aired(channel, message(channel))
    assert len(whole_programmes(tmp_path)) == 1


async def test_a_full_disk_does_not_take_back_what_was_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    channel = speaker(tmp_path)
    outcome = await aired(channel, message(channel))

    def refuse(*_: object) -> None:
        raise OSError(errno.ENOSPC, "full")

    with monkeypatch.context() as disk:
        disk.setattr(days, "_write", refuse)
        await channel.publish(message(channel, key="zzzz222222"), 0, Handle(), ())
        await channel.publish(message(channel), 0, Handle(), ())
    assert (await channel.find(message(channel), 0, Handle(), NOW)).remote_id == outcome.remote_id
    assert (tmp_path / outcome.remote_id / "kich-ban.txt").exists()


async def test_a_folder_that_cannot_be_used_is_refused_with_what_to_do(closed_folder: Path) -> None:
    channel = speaker(closed_folder, voice=True)
    staged = await channel.stage(message(channel), 0)
    assert isinstance(staged, Refused) and "thiết lập kênh" in staged.detail
    outcome = await channel.publish(message(channel), 0, Handle(), ())
    assert isinstance(outcome, Refused) and outcome.reason is Reason.MISCONFIGURED
    assert (await channel.find(message(channel), 0, Handle(), NOW)).verdict == "unclear"
    assert await channel.health() is Reason.MISCONFIGURED


async def test_health_of_a_good_and_of_a_full_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    channel = speaker(tmp_path / "moi")
    assert await channel.health() is None
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1000))
    assert await channel.health() is Reason.QUOTA


async def test_a_voice_that_fails_is_told_and_nothing_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from content import voice

    channel = speaker(tmp_path, voice=True)
    with monkeypatch.context() as broken:
        broken.setattr(voice, "_command", lambda *_: ("/khong/co/espeak-ng",))
        staged = await channel.stage(message(channel), 0)
    assert isinstance(staged, Refused) and "giọng đọc thử" in staged.detail
    with monkeypatch.context() as slow:
        slow.setattr(voice, "SECONDS_TO_SPEAK", 0.001)
        staged = await channel.stage(message(channel), 0)
    assert isinstance(staged, Deferred)
    assert whole_programmes(tmp_path) == []


async def test_a_withdrawn_programme_leaves_the_play_list_and_stays_away(tmp_path: Path) -> None:
    channel = speaker(tmp_path)
    kept = await aired(channel, message(channel, key="zzzz222222"))
    gone = await aired(channel, message(channel))
    assert isinstance(await channel.withdraw(gone.remote_id), Published)
    assert isinstance(await channel.withdraw(gone.remote_id), Published)
    assert "k3f9x2abcd" not in playlist(tmp_path) and "zzzz222222" in playlist(tmp_path)
    assert (tmp_path / "2026-11-25" / days.TAKEN_DOWN / Path(gone.remote_id).name / "kich-ban.txt").exists()
    assert (tmp_path / kept.remote_id).exists()
    found = await channel.find(message(channel), 0, Handle(), NOW)
    assert found.verdict == "out" and "gỡ" in found.detail
    again = await channel.publish(message(channel), 0, Handle(), ())
    assert isinstance(again, Refused) and again.reason is Reason.REJECTED
    assert (await channel.measure(gone.remote_id)).figures


@pytest.mark.parametrize("id", ["../../etc/passwd", "2026-11-25/../../x", "2026-11-25/17h00-khong-co-abcd", ""])
async def test_strange_ids_are_not_found(tmp_path: Path, id: str) -> None:
    channel = speaker(tmp_path)
    outcome = await channel.withdraw(id)
    assert isinstance(outcome, Refused) and outcome.reason is Reason.NOT_FOUND
    assert (await channel.measure(id)).reason is Reason.NOT_FOUND


async def test_a_damaged_card_is_told_and_does_not_stop_the_others(tmp_path: Path) -> None:
    channel = speaker(tmp_path)
    damaged = await aired(channel, message(channel, key="zzzz222222"))
    (tmp_path / damaged.remote_id / days.CARD).write_text("{")
    await aired(channel, message(channel))
    assert "# Không đọc được" in playlist(tmp_path) and "k3f9x2abcd/" in playlist(tmp_path)


async def test_a_rehearsal_reads_back_what_stands_in_the_play_lists(tmp_path: Path) -> None:
    place = Place(account="dong-hai", twins_url="", site_url="", site_token="", folder=tmp_path)
    rehearsal = Loudspeaker.rehearsal()
    settings = LoudspeakerSettings.model_validate({**rehearsal.settings(place), "voice": False})
    assert settings.ward == "phường Đông Hải" and tmp_path in settings.folder.parents
    channel = Loudspeaker(settings, Tools(wire=Wire(), shelf=None, now=lambda: NOW))
    assert await rehearsal.traces(place, Wire()) == []
    first = await aired(channel, message(channel))
    await channel.withdraw((await aired(channel, message(channel, key="zzzz222222"))).remote_id)
    traces = await rehearsal.traces(place, Wire())
    assert [trace.remote_id for trace in traces] == [first.remote_id]
    assert traces[0].at == NOW and traces[0].account == "dong-hai"
    assert "Đài truyền thanh phường Đông Hải" in traces[0].text
    assert "Giờ phát 17h00 ngày 25/11/2026" in traces[0].html and "đọc trực tiếp" in traces[0].html


def test_the_preview_shows_script_and_length_and_the_doubts_come_with_their_reasons(tmp_path: Path) -> None:
    channel = speaker(tmp_path)
    said = message(channel, title="Họp <XQZT>")
    shown = preview(Path(days.__file__).parent, said, None)
    assert "một nghìn ba trăm tám mươi" in shown
    assert "khoảng" in shown and "giây" in shown
    assert "Họp" in shown and "<XQZT>" not in shown
    assert [(one["written"], one["said"]) for one in said.extra["doubts"]] == [("XQZT", "ích quy dét tê")]


async def test_a_stick_that_is_pulled_out_is_waited_for_and_nothing_is_written_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stick = tmp_path / "usb"
    channel = speaker(stick / "loa", removable=True)
    there = {"now": False}
    monkeypatch.setattr(Path, "is_mount", lambda path: there["now"] and path == stick)
    staged = await channel.stage(message(channel), 0)
    outcome = await channel.publish(message(channel), 0, Handle(), ())
    for waiting in (staged, outcome):
        assert isinstance(waiting, Deferred) and waiting.reason is Reason.UNREACHABLE and "cắm USB" in waiting.detail
    assert not stick.exists(), "without the stick the path is this machine's own disk"
    assert await channel.health() is Reason.UNREACHABLE and "Cắm USB" in channel.advice(Reason.UNREACHABLE)
    assert (await channel.find(message(channel), 0, Handle(), NOW)).verdict == "unclear"
    there["now"] = True

    def pulled(*_: object) -> None:
        there["now"] = False
        raise OSError(errno.EIO, "gone")

    with monkeypatch.context() as hand:
        hand.setattr(days, "_move_in", pulled)
        outcome = await channel.publish(message(channel), 0, Handle(), ())
    assert isinstance(outcome, Deferred) and outcome.reason is Reason.UNREACHABLE
    there["now"] = True
    done = await aired(channel, message(channel))
    assert len(whole_programmes(stick / "loa")) == 1 and await channel.health() is None
    there["now"] = False
    gone = await channel.withdraw(done.remote_id)
    assert isinstance(gone, Deferred) and playlist(stick / "loa").count("k3f9x2abcd/") == 1


async def test_a_recording_is_listed_as_what_it_is(tmp_path: Path) -> None:
    channel = speaker(tmp_path)
    shelf = MemoryShelf("http://127.0.0.1")
    channel = Loudspeaker(channel.settings, channel.tools.model_copy(update={"shelf": shelf}))
    said = message(channel)
    said = said.model_copy(update={"extra": {**said.extra, "recording": shelf.add(tone(2.0), "audio/wav")}})
    outcome = await aired(channel, said)
    card = json.loads((tmp_path / outcome.remote_id / "thong-tin.json").read_text("utf-8"))
    assert (card["am_thanh"], card["ban_nghe_thu"]) == ("bản thu", False)
    assert "bản nghe thử" not in playlist(tmp_path)
    assert measure(tmp_path / outcome.remote_id / "ban-tin.mp3").integrated == pytest.approx(-16, abs=1)
