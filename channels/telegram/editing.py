"""Other words on a message that is out, and how its link is shown, the first time and again.

https://core.telegram.org/bots/api#editmessagetext https://core.telegram.org/bots/api#editmessagecaption (read 2026-11-23)
"""

from telegram import Bot, LinkPreviewOptions
from telegram.constants import ParseMode

from channels.contract import Part


async def edit(bot: Bot, chat: str, id: int, said: Part, first: bool) -> object:
    """The caption of a picture (of an album: of its first one), a video or a sound, else the text."""
    if said.pictures or said.clip:
        return await bot.edit_message_caption(chat, id, caption=said.body, parse_mode=ParseMode.HTML)
    shown = link_shown(said, first)
    return await bot.edit_message_text(said.body, chat, id, parse_mode=ParseMode.HTML, link_preview_options=shown)


def link_shown(part: Part, first: bool) -> LinkPreviewOptions:
    """The card of the post's own link below its first message, none below the others."""
    return LinkPreviewOptions(url=part.link) if part.link and first else LinkPreviewOptions(is_disabled=True)
