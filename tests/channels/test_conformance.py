"""Zalo and Facebook keep what every channel must keep."""

import pytest

from channels.conformance import Conformance
from channels.facebook.adapter import Facebook
from channels.zalo.adapter import Zalo

pytestmark = pytest.mark.anyio


class TestZalo(Conformance):
    channel = Zalo
    visible_path = "/v2.0/article/update"
    stage_path = "/v2.0/article/create"


class TestFacebook(Conformance):
    channel = Facebook
    visible_path = "/feed"
    stage_path = "/photos"
