"""The Bot API's methods as the twin does them, with the real limits and the real error texts.

https://core.telegram.org/bots/api; texts read in https://github.com/tdlib/telegram-bot-api (Bot API 10.0).
Only HTML and plain text are understood; any other parse_mode is «unsupported».
"""

import io
import json
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from PIL import Image, UnidentifiedImageError

from channels.telegram import twin_clips, twin_text
from channels.telegram.twin_channel import ChannelRow, Flood, MessageRow, Shelves, seconds

TEXT, CAPTION, PHOTO_BYTES, PHOTO_SIDES, PHOTO_RATIO = 4096, 1024, 10 * 1024 * 1024, 10_000, 20
_SAME = (
    "message is not modified: specified new message content and reply markup are exactly the same as a current"
    " content and reply markup of the message"
)
_RIGHTS = (
    "can_manage_chat", "can_post_messages", "can_edit_messages", "can_delete_messages", "can_change_info",
    "can_invite_users", "can_pin_messages",
)  # fmt: skip
_NO_RIGHTS = (
    "can_be_edited", "is_anonymous", "can_manage_video_chats", "can_restrict_members", "can_promote_members",
    "can_post_stories", "can_edit_stories", "can_delete_stories",
)  # fmt: skip


class Refusal(Exception):
    """An error answer of the Bot API."""

    def __init__(self, code: int, description: str, **parameters: int) -> None:
        self.code, self.description, self.parameters = code, description, parameters
        super().__init__(description)


def bad(description: str) -> Refusal:
    """A 400 in the server's words."""
    return Refusal(400, f"Bad Request: {description}")


@dataclass
class Call:
    """One request to a method: its bot's channel, its parameters and the files uploaded with it."""

    shelves: Shelves
    flood: Flood
    now: datetime
    own: ChannelRow
    given: dict[str, str]
    files: dict[str, bytes] = field(default_factory=dict)

    def chat(self) -> ChannelRow:
        """The channel named by chat_id, in which the bot must be an administrator."""
        wanted = self.given.get("chat_id", "")
        if not wanted:
            raise bad("chat_id is empty")
        if (
            wanted in (str(self.own.number), f"@{self.own.username}")
            or wanted.casefold() == f"@{self.own.username}".casefold()
        ):
            return self.own
        if any(wanted in (str(channel.number), f"@{channel.username}") for channel in self.shelves.channels()):
            raise Refusal(403, "Forbidden: bot is not a member of the channel chat")
        raise bad("chat not found")

    def message(self, kind: str) -> MessageRow:
        """The message named by message_id; «message to edit not found» and the like."""
        id = self.given.get("message_id", "")
        found = self.shelves.message(self.chat(), int(id)) if id.isdigit() else None
        if found is None:
            raise bad(f"message to {kind} not found")
        return found

    def words(self, text: str, mode: str | None = None) -> tuple[str, list[dict[str, Any]]]:
        """A text parsed by parse_mode."""
        mode = (self.given.get("parse_mode", "") if mode is None else mode).lower()
        if mode not in ("", "html"):
            raise bad("unsupported parse_mode")
        try:
            return twin_text.html(text) if mode else twin_text.plain(text)
        except twin_text.ParseError as error:
            raise bad(f"can't parse entities: {error}") from error

    def text(self, too_long: str = "message is too long") -> tuple[str, list[dict[str, Any]]]:
        """The text of a message, not empty and not over 4,096 characters."""
        text, entities = self.words(self.given.get("text", ""))
        if not text:
            raise bad("message text is empty")
        if len(text) > TEXT:
            raise bad(too_long)
        return text, entities

    def caption(
        self, item: dict[str, Any] | None = None, too_long: str = "message caption is too long"
    ) -> tuple[str, list[dict[str, Any]]]:
        """A caption, not over 1,024 characters; an album's item has its own and its own parse_mode."""
        given = self.given if item is None else item
        text, entities = self.words(str(given.get("caption") or ""), str(given.get("parse_mode") or ""))
        if len(text) > CAPTION:
            raise bad(too_long)
        return text, entities

    def reply_to(self) -> int | None:
        """The message that is answered, where it still exists."""
        raw = json.loads(self.given.get("reply_parameters") or "{}")
        id = int(raw["message_id"]) if "message_id" in raw else None
        if id is None or self.shelves.message(self.chat(), id) is not None:
            return id
        if raw.get("allow_sending_without_reply"):
            return None
        raise bad("message to be replied not found")

    def slowly(self, messages: int = 1) -> None:
        """Count these messages against the speed limits."""
        wait = self.flood.wait(self.chat(), messages)
        if wait:
            raise Refusal(429, f"Too Many Requests: retry after {wait}", retry_after=wait)


def get_me(call: Call) -> Any:
    """https://core.telegram.org/bots/api#getme"""
    return {
        **_bot(call.own),
        "can_join_groups": True,
        "can_read_all_group_messages": False,
        "supports_inline_queries": False,
    }


def get_chat(call: Call) -> Any:
    """https://core.telegram.org/bots/api#getchat"""
    gifts = dict.fromkeys(
        ("unlimited_gifts", "limited_gifts", "unique_gifts", "premium_subscription", "gifts_from_channels"), False
    )
    return {**_chat(call.chat()), "accent_color_id": 0, "max_reaction_count": 11, "accepted_gift_types": gifts}


def get_chat_member(call: Call) -> Any:
    """https://core.telegram.org/bots/api#getchatmember"""
    channel = call.chat()
    if call.given.get("user_id") != str(channel.bot_id):
        raise bad("PARTICIPANT_ID_INVALID")
    rights = {**dict.fromkeys(_RIGHTS, True), **dict.fromkeys(_NO_RIGHTS, False)}
    return {"status": "administrator", "user": _bot(channel), **rights}


def get_chat_member_count(call: Call) -> Any:
    """https://core.telegram.org/bots/api#getchatmembercount"""
    return call.chat().members


def send_message(call: Call) -> Any:
    """https://core.telegram.org/bots/api#sendmessage"""
    channel = call.chat()
    text, entities = call.text()
    reply = call.reply_to()
    call.slowly()
    return _keep(call, channel, MessageRow(id=0, at=call.now, text=text, entities=entities, reply_to=reply))


def send_photo(call: Call) -> Any:
    """https://core.telegram.org/bots/api#sendphoto"""
    channel = call.chat()
    text, entities = call.caption()
    if "photo" not in call.files:
        raise bad("there is no photo in the request")
    picture = _picture(call.files["photo"])
    reply = call.reply_to()
    call.slowly()
    row = MessageRow(id=0, at=call.now, text=text, entities=entities, reply_to=reply, **_sizes(picture))
    return _keep(call, channel, row, picture)


def _send_clip(call: Call, kind: str) -> Any:
    """https://core.telegram.org/bots/api#sendvideo and #sendaudio (files uploaded with the request)"""
    channel = call.chat()
    text, entities = call.caption()
    if kind not in call.files:
        raise bad(f"there is no {kind} in the request")
    content = call.files[kind]
    if len(content) > twin_clips.MOST_BYTES:
        raise Refusal(413, "Request Entity Too Large")
    if not twin_clips.is_clip(kind, content):
        raise bad("wrong file identifier/HTTP URL specified")
    reply = call.reply_to()
    call.slowly()
    sizes = {name: int(call.given.get(name) or 0) for name in ("width", "height")}
    row = MessageRow(id=0, at=call.now, text=text, entities=entities, reply_to=reply, size=len(content), **sizes)
    name = f"{channel.username}-{twin_clips.file_name(kind, content)}"
    call.shelves.keep_photo(name, content)
    return _keep(call, channel, row.model_copy(update={"clip": name, "seconds": int(call.given.get("duration") or 0)}))


def send_media_group(call: Call) -> Any:
    """https://core.telegram.org/bots/api#sendmediagroup (photos uploaded with attach://)"""
    channel = call.chat()
    media = json.loads(call.given.get("media") or "[]")
    if not 2 <= len(media) <= 10:
        raise bad("wrong number of items in the album; it must have 2-10 items")
    reply = call.reply_to()
    rows = [_album_row(call, item, reply) for item in media]
    call.slowly(len(rows))
    album = f"{channel.number}{call.shelves.next_id(channel)}"
    return [_keep(call, channel, row.model_copy(update={"album": album}), picture) for row, picture in rows]


def edit_message_text(call: Call) -> Any:
    """https://core.telegram.org/bots/api#editmessagetext"""
    row = call.message("edit")
    if row.photo or row.clip:
        raise bad("there is no text in the message to edit")
    return _edit(call, row, *call.text(too_long="MESSAGE_TOO_LONG"))


def edit_message_caption(call: Call) -> Any:
    """https://core.telegram.org/bots/api#editmessagecaption"""
    row = call.message("edit")
    if not row.photo and not row.clip:
        raise bad("there is no caption in the message to edit")
    return _edit(call, row, *call.caption(too_long="MEDIA_CAPTION_TOO_LONG"))


def delete_message(call: Call) -> Any:
    """https://core.telegram.org/bots/api#deletemessage"""
    call.shelves.forget(call.chat(), call.message("delete").id)
    return True


def delete_messages(call: Call) -> Any:
    """https://core.telegram.org/bots/api#deletemessages (1 to 100; those that are not there are passed over)"""
    ids = json.loads(call.given.get("message_ids") or "[]")
    if not 1 <= len(ids) <= 100:
        raise bad("message identifiers are not specified" if not ids else "too many message identifiers specified")
    for id in ids:
        call.shelves.forget(call.chat(), int(id))
    return True


def pin_chat_message(call: Call) -> Any:
    """https://core.telegram.org/bots/api#pinchatmessage (a channel may take the right away)"""
    if not call.own.may_pin:
        raise bad("not enough rights to manage pinned messages in the chat")
    call.shelves.keep(call.chat(), call.message("pin").model_copy(update={"pinned": True}))
    return True


METHODS: dict[str, Callable[[Call], Any]] = {
    "getme": get_me,
    "getchat": get_chat,
    "getchatmember": get_chat_member,
    "getchatmembercount": get_chat_member_count,
    "sendmessage": send_message,
    "sendphoto": send_photo,
    "sendmediagroup": send_media_group,
    "sendvideo": lambda call: _send_clip(call, "video"),
    "sendaudio": lambda call: _send_clip(call, "audio"),
    "editmessagetext": edit_message_text,
    "editmessagecaption": edit_message_caption,
    "deletemessage": delete_message,
    "deletemessages": delete_messages,
    "pinchatmessage": pin_chat_message,
}


@dataclass(frozen=True)
class _Picture:
    content: bytes
    mime: str
    width: int
    height: int


def _picture(content: bytes) -> _Picture:
    if len(content) > PHOTO_BYTES:
        raise bad(f"file of size {len(content)} bytes is too big for a photo; the maximum size is {PHOTO_BYTES} bytes")
    try:
        with Image.open(io.BytesIO(content)) as image:
            width, height = image.size
            if width + height > PHOTO_SIDES or max(width, height) > PHOTO_RATIO * min(width, height):
                raise bad("PHOTO_INVALID_DIMENSIONS")
            image.load()
            return _Picture(content, Image.MIME.get(image.format or "", "image/jpeg"), width, height)
    except (UnidentifiedImageError, OSError, ValueError, Image.DecompressionBombError) as error:
        raise bad("IMAGE_PROCESS_FAILED") from error


def _sizes(picture: _Picture) -> dict[str, int]:
    return {"width": picture.width, "height": picture.height, "size": len(picture.content)}


def _album_row(call: Call, item: dict[str, Any], reply: int | None) -> tuple[MessageRow, _Picture]:
    name = str(item.get("media", "")).removeprefix("attach://")
    if item.get("type") != "photo" or name not in call.files:
        raise bad("there is no photo in the request")
    picture = _picture(call.files[name])
    text, entities = call.caption(item)
    return MessageRow(id=0, at=call.now, text=text, entities=entities, reply_to=reply, **_sizes(picture)), picture


def _keep(call: Call, channel: ChannelRow, row: MessageRow, picture: _Picture | None = None) -> dict[str, Any]:
    id = call.shelves.next_id(channel)
    photo = None
    if picture is not None:
        photo = f"{channel.username}-{id}.{'png' if picture.mime == 'image/png' else 'jpg'}"
        call.shelves.keep_photo(photo, picture.content)
    row = row.model_copy(update={"id": id, "photo": photo})
    call.shelves.keep(channel, row)
    return as_message(call, channel, row)


def _edit(call: Call, row: MessageRow, text: str, entities: list[dict[str, Any]]) -> dict[str, Any]:
    if (text, entities) == (row.text, row.entities):
        raise bad(_SAME)
    row = row.model_copy(update={"text": text, "entities": entities, "edited": call.now})
    call.shelves.keep(call.chat(), row)
    return as_message(call, call.chat(), row)


def _bot(channel: ChannelRow) -> dict[str, Any]:
    return {
        "id": channel.bot_id,
        "is_bot": True,
        "first_name": f"Bot {channel.title}",
        "username": f"{channel.username[:28]}_bot",
    }


def _chat(channel: ChannelRow) -> dict[str, Any]:
    return {"id": channel.number, "type": "channel", "title": channel.title, "username": channel.username}


def as_message(call: Call, channel: ChannelRow, row: MessageRow) -> dict[str, Any]:
    """A message as the Bot API returns it (https://core.telegram.org/bots/api#message)."""
    chat = _chat(channel)
    answer: dict[str, Any] = {"message_id": row.id, "sender_chat": chat, "chat": chat, "date": seconds(row.at)}
    words, entities = ("caption", "caption_entities") if row.photo or row.clip else ("text", "entities")
    answer.update({words: row.text, entities: row.entities} if row.text else {})
    if row.photo:
        size = {"width": row.width, "height": row.height, "file_size": row.size}
        answer["photo"] = [{"file_id": f"photo-{row.photo}", "file_unique_id": row.photo, **size}]
    answer.update(twin_clips.as_field(row))
    if row.reply_to is not None and (replied := call.shelves.message(channel, row.reply_to)):
        answer["reply_to_message"] = as_message(call, channel, replied.model_copy(update={"reply_to": None}))
    answer.update({"edit_date": seconds(row.edited)} if row.edited else {})
    answer.update({"media_group_id": row.album} if row.album else {})
    return answer
