"""Writes pacts, and gives the consumer tests an Afnemer to hold against them."""

import os
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from conformance.afnemer.reference.afnemer import ReferenceAfnemer
from conformance.berichtenbox.register import DEFAULT_OIN, DEFAULT_TYPES, default_cpa_id
from conformance.messages.envelope import ROLE_AFNEMER, ROLE_LOGIUS, SERVICE, Envelope, Part
from conformance.messages.identities import LOGIUS_TEST_OIN, flat_party

os.environ["PACT_DO_NOT_TRACK"] = "true"  # before the import: it would tell a stranger that it is used
from pact import Pact

CPA_ID = default_cpa_id(DEFAULT_OIN)


@pytest.fixture(scope="session")
def written(tmp_path_factory) -> Path:
    """The directory that pacts are written to: one that is asked for, or one that nobody needs afterwards."""
    wanted = os.environ.get("CONTRACTS_PACTS")
    return Path(wanted) if wanted else tmp_path_factory.mktemp("pacts")


@pytest.fixture
def contract(written) -> Iterator[Callable[[str, str], Pact]]:
    """Begin a pact between a consumer and a provider; it is written when the test ends."""
    begun = []

    def begin(consumer: str, provider: str) -> Pact:
        begun.append(Pact(consumer, provider).with_specification("V4"))
        return begun[-1]

    yield begin
    for pact in begun:
        pact.write_file(written)


@dataclass
class OneMessage:
    """A gateway with one message for the Afnemer, which remembers whether it was marked and what was sent."""

    envelope: Envelope | None = None
    marked: list[str] = field(default_factory=list)
    sent: list[Envelope] = field(default_factory=list)

    def offer(self, action: str, content: bytes, content_type: str, message_id: str) -> None:
        """Let a message of Logius wait."""
        self.envelope = replace(
            Envelope(CPA_ID, flat_party(LOGIUS_TEST_OIN), ROLE_LOGIUS, SERVICE, action, flat_party(DEFAULT_OIN), ROLE_AFNEMER),
            message_id=message_id,
            parts=(Part(content, content_type),),
        )

    def send(self, envelope: Envelope) -> str:
        self.sent.append(envelope)
        return f"message-{len(self.sent)}@afnemer.example"

    def waiting(self, _cpa_id: str, action: str) -> list[str]:
        return [self.envelope.message_id] if self.envelope is not None and self.envelope.action == action else []

    def fetch(self, _message_id: str) -> Envelope:
        return self.envelope

    def mark(self, message_id: str) -> None:
        self.marked.append(message_id)
        self.envelope = None

    def pump(self) -> bool:
        return False

    def failures(self) -> tuple[()]:
        return ()

    def close(self) -> None:
        pass


@pytest.fixture
def gateway() -> OneMessage:
    """The gateway of an Afnemer that talks to nobody."""
    return OneMessage()


def connection(adapter: str, directory: Path, wus: str = "", cpa_id: str = CPA_ID) -> dict[str, str]:
    """Return what the reference Afnemer is told of its connection."""
    return {
        "BERICHTENBOX_ADAPTER": adapter,
        "BERICHTENBOX_CPA_ID": cpa_id,
        "BERICHTENBOX_OIN": DEFAULT_OIN,
        "BERICHTENBOX_LOGIUS_OIN": LOGIUS_TEST_OIN,
        "BERICHTENBOX_BERICHT_TYPES": ",".join(DEFAULT_TYPES),
        "BERICHTENBOX_WUS": wus,
        "AFNEMER_MAP": str(directory),
    }


@pytest.fixture
def afnemer_at(tmp_path) -> Iterator[Callable[..., ReferenceAfnemer]]:
    """Make a reference Afnemer that talks to an adapter and a validatieservice at these URLs."""
    made = []

    def make(adapter: str = "http://127.0.0.1:9", wus: str = "", cpa_id: str = CPA_ID) -> ReferenceAfnemer:
        made.append(ReferenceAfnemer(connection(adapter, tmp_path, wus, cpa_id)))
        return made[-1]

    yield make
    for afnemer in made:
        afnemer.close()


@pytest.fixture
def offline(gateway, tmp_path) -> Iterator[ReferenceAfnemer]:
    """A reference Afnemer behind that gateway."""

    class Offline(ReferenceAfnemer):
        def _new_gateway(self) -> OneMessage:
            return gateway

    afnemer = Offline(connection("http://127.0.0.1:9", tmp_path))
    yield afnemer
    afnemer.close()


@pytest.fixture
def gzip_file() -> Callable[[bytes], bytes]:
    """Return the gzip file of a short content, stored: those of other libraries are as right, but never the same bytes."""

    def pack(content: bytes) -> bytes:
        size = len(content).to_bytes(2, "little")
        stored = b"\x01" + size + bytes(255 - byte for byte in size) + content
        tail = zlib.crc32(content).to_bytes(4, "little") + len(content).to_bytes(4, "little")
        return b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff" + stored + tail

    return pack
