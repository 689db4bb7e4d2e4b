"""The contract of a bot that tells a ward's own staff: it writes to one person's chat, and hears what is typed to it.

Like a channel it never retries, sleeps, logs content or touches the database, and says what happened as an outcome.
"""

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field

from channels.message import Value
from channels.outcomes import Outcome, Reason


class BotSettings(BaseModel):
    """Base of a bot's settings; ``secret_fields`` names those that are sealed and never shown."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    secret_fields: ClassVar[tuple[str, ...]] = ("token",)


class Said(Value):
    """One message that somebody typed to the bot; ``private`` where nobody else reads that chat."""

    chat: str = Field(repr=False)
    text: str = Field(repr=False)
    private: bool


class News(Value):
    """What was typed to the bot since ``place``; the next listening begins at the new ``place``."""

    said: tuple[Said, ...] = ()
    place: str = ""


class Bot:
    """One bot. Built with its settings and the channel's tools; every verb is tried once."""

    name: ClassVar[str]
    limit: ClassVar[int]
    Settings: ClassVar[type[BotSettings]] = BotSettings
    how: ClassVar[tuple[str, ...]] = ()
    """How a person gets such a bot, step by step, in Vietnamese."""

    def __init__(self, settings: Any, tools: Any) -> None:
        self.settings = settings
        self.tools = tools

    @classmethod
    def rehearsal(cls, twins_url: str, account: str) -> dict[str, Any]:
        """The settings (secrets included) with which the bot speaks to its twin."""
        raise NotImplementedError

    def page(self, name: str, code: str) -> str:
        """Where a person opens the chat with the bot called ``name``, best with the code already typed; empty: search for it. Pure."""
        return ""

    async def me(self) -> str | Reason:
        """The bot's name on the platform, or why it cannot be used."""
        raise NotImplementedError

    async def tell(self, chat: str, text: str) -> Outcome:
        """Write plain text, at most ``limit`` characters, to a chat.

        Refused(FORBIDDEN or NOT_FOUND): this person does not want it or is gone; Refused(UNAUTHORIZED): the bot itself is at fault.
        """
        raise NotImplementedError

    async def listen(self, place: str, seconds: int) -> News | Reason:
        """What was typed to the bot, waiting up to ``seconds`` for the first; a Reason where it cannot be heard."""
        raise NotImplementedError
