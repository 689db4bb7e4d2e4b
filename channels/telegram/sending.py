"""The one visible call of a part: its words alone, with photos, with a video or with a sound.

https://core.telegram.org/bots/api#sendmessage #sendphoto #sendmediagroup #sendvideo #sendaudio #pinchatmessage (read
2026-11-23). A bot sends files of up to 50 MB; a video is an MP4, a sound an MP3 or M4A; both have a caption like a photo.
"""

from telegram import Bot, InputMediaPhoto, ReplyParameters
from telegram import Message as Sent
from telegram.constants import ParseMode

from channels.contract import Clip, ClipLimits, Outcome, Part, Picture, Reason, Refused
from channels.telegram.editing import link_shown
from content.text import cut, slug

CLIP = ClipLimits(max_bytes=50_000_000)
TITLE_LIMIT = 64


async def send(
    bot: Bot, chat: int | str, part: Part, files: list[bytes], reply: ReplyParameters | None, first: bool
) -> tuple[Sent, ...]:
    """Send the part with its files (the clip's bytes, else those of the photos); gives every message that was made."""
    if part.clip:
        return (await _send_clip(bot, chat, part, part.clip, files[0], reply),)
    if len(files) > 1:
        return await bot.send_media_group(chat, _album(part, files), reply_parameters=reply)
    if files:
        sent = await bot.send_photo(
            chat, files[0], caption=part.body, parse_mode=ParseMode.HTML, reply_parameters=reply,
            filename=_file_name(part.pictures[0]),
        )  # fmt: skip
        return (sent,)
    said = await bot.send_message(
        chat, part.body, parse_mode=ParseMode.HTML, reply_parameters=reply, link_preview_options=link_shown(part, first)
    )
    return (said,)


async def _send_clip(
    bot: Bot, chat: int | str, part: Part, clip: Clip, content: bytes, reply: ReplyParameters | None
) -> Sent:
    name = slug(clip.title, 60) or "tin"
    seconds = max(1, round(clip.seconds))
    if clip.kind == "video":
        return await bot.send_video(
            chat, content, duration=seconds, width=clip.width, height=clip.height, supports_streaming=True,
            caption=part.body, parse_mode=ParseMode.HTML, reply_parameters=reply, filename=f"{name}.mp4",
        )  # fmt: skip
    return await bot.send_audio(
        chat, content, duration=seconds, title=cut(clip.title, TITLE_LIMIT), caption=part.body, parse_mode=ParseMode.HTML,
        reply_parameters=reply, filename=f"{name}.mp3",
    )  # fmt: skip


def _album(part: Part, photos: list[bytes]) -> list[InputMediaPhoto]:
    """The photos in their order, the words with the first (https://core.telegram.org/bots/api#inputmediaphoto)."""
    names = [_file_name(picture) for picture in part.pictures]
    first = InputMediaPhoto(photos[0], caption=part.body, parse_mode=ParseMode.HTML, filename=names[0])
    return [first, *(InputMediaPhoto(photo, filename=name) for photo, name in zip(photos[1:], names[1:], strict=True))]


def _file_name(picture: Picture) -> str:
    return "anh.png" if picture.mime == "image/png" else "anh.jpg"


def of_pinning(result: Outcome) -> Outcome:
    """Why a message could not be pinned: in a channel it takes the right to edit messages."""
    if isinstance(result, Refused) and result.reason is Reason.FORBIDDEN:
        detail = (
            "Bot chưa được ghim tin trong kênh: hãy bật quyền «Chỉnh sửa tin nhắn» cho bot, và ghim tin này bằng tay."
        )
        return Refused(reason=Reason.FORBIDDEN, detail=detail)
    return result
