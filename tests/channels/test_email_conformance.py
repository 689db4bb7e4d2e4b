"""Mail keeps what every channel must keep, against a server that speaks SMTP and misbehaves on demand."""

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest

from channels.conformance import Conformance
from channels.contract import Channel
from channels.email.adapter import Email
from channels.rehearsing import Scene, stage

pytestmark = pytest.mark.anyio


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with stage(tmp_path, {"email": Email}) as made:
        yield made


class TestEmail(Conformance):
    channel: ClassVar[type[Channel]] = Email
    visible_path = "smtp"
