"""What a run over ebMS2 has, in the words of the cases."""

from dataclasses import replace
from datetime import timedelta

import pytest

from conformance.profile import Profile
from conformance.stage.line import Line
from conformance.wiring import wire


@pytest.fixture
def make_line(tmp_path):
    """Make a line over plain http."""

    def make(sync_reply="none", certificates=None):
        profile = Profile.default("ebms")
        profile = replace(profile, afnemer=replace(profile.afnemer, gateway="http://127.0.0.1:9/ebms"))
        wiring = wire(profile, tmp_path, is_movable=True, sync_reply=sync_reply)
        return Line(wiring.cpa, wiring.gateway, certificates, None, is_movable=True, retries=3, interval=timedelta(seconds=60))

    return make


@pytest.mark.parametrize(
    ("sync_reply", "certificates", "has"),
    [("none", None, {"ebms", "async"}), ("mshSignalsOnly", None, {"ebms", "sync"}), ("none", "some", {"ebms", "async", "tls"})],
)
def test_line_says_what_it_has(make_line, sync_reply, certificates, has):
    """
    Signals are in the answer or apart, never both; TLS is there with certificates.
    """
    assert make_line(sync_reply, certificates).has == has
