"""What a channel that fans out needs around its letters: records published elsewhere, and what comes back from recipients."""

from typing import Literal

from pydantic import BaseModel, ConfigDict


class _Value(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Record(_Value):
    """What a person must publish elsewhere (in the DNS) so that the outlet is trusted; ``why`` is Vietnamese."""

    kind: str
    name: str
    value: str
    why: str


class Return(_Value):
    """What came back from a recipient: the address is gone, the copy is late, a complaint, a wish to leave; else ``other``.

    ``key`` is the recipient's, as ``send`` was given it, ``remote_id`` what ``send`` gave back; ``id`` is the adapter's
    own, for ``put_away``.
    """

    id: str
    key: str = ""
    remote_id: str = ""
    kind: Literal["gone", "delayed", "complaint", "leave", "other"] = "other"
    detail: str = ""
