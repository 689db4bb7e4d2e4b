"""What is said on the wire between the channel and Sample; every answer is read through one of these models."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Address = Annotated[str, Field(pattern=r"^https?://[^\s]+$", max_length=2000)]


class PostOut(BaseModel):
    """The body of ``POST /v1/posts``."""

    title: str
    text: str


class _Heard(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore")


class Placed(_Heard):
    """A post that is out, under the key with which it was sent."""

    id: str = Field(min_length=1, max_length=100)
    key: str
    url: Address


class Views(_Heard):
    """How often a post was opened."""

    views: int = Field(ge=0)


class _Error(_Heard):
    code: str = Field(max_length=100)
    message: str = Field(default="", max_length=2000)


class Failure(_Heard):
    """How the platform says no; decisions are made on ``code``, never on ``message``."""

    error: _Error
