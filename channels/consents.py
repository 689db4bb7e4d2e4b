"""What a channel tells of its platform's consent page, where a person grants access in the browser."""

from pydantic import BaseModel, ConfigDict, SecretStr


class Consent(BaseModel):
    """Where a person grants this program access at the platform, and what must be registered there beforehand.

    ``verifier`` proves later that it was we who asked; ``stateless``: the platform may forget the state on its way back.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str
    verifier: SecretStr
    callback: str
    challenge: str
    stateless: bool = False
