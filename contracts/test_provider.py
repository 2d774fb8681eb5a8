"""Holds both sides against the published pacts: the simulated Berichtenbox, and the reference Afnemer. A pact that is broken fails."""

import contextlib
import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from conformance.afnemer.http_face import test_control_app
from conformance.afnemer.reference.afnemer import ReferenceAfnemer
from conformance.berichtenbox.app import Urls, running
from conformance.berichtenbox.register import DEFAULT_OIN, DEFAULT_TYPES, default_cpa_id
from conformance.berichtenbox.sql import SqlLedger
from conformance.contracts.provider import simulated, verify_directory, verify_files
from conformance.contracts.published import AFNEMER, BERICHTENBOX, directory, read_pacts, result_messages
from conformance.contracts.states import BSNS, ContractBox
from conformance.messages.identities import LOGIUS_TEST_OIN
from conformance.messages.unpack import is_gzip, unpack

PACTS = {pact.path.stem: pact for pact in read_pacts(directory())}


class AfnemerParty:
    """The reference Afnemer, with a simulated Berichtenbox that it talks to, as new for each interaction."""

    def __init__(self) -> None:
        self._open = contextlib.ExitStack()
        self.renew()

    def renew(self) -> None:
        self.close()
        folder = Path(self._open.enter_context(tempfile.TemporaryDirectory(prefix="contract-")))
        ledger = self._open.enter_context(SqlLedger(f"sqlite:///{folder / 'ledger.db'}"))
        self.box = ContractBox(ledger)
        urls = self._open.enter_context(running(self.box, works_by_itself=False))
        self.afnemer = ReferenceAfnemer(told(urls, folder))
        self._open.callback(self.afnemer.close)
        self.app = test_control_app(self.afnemer)

    def close(self) -> None:
        self._open.close()

    def setup(self, name: str, parameters: Mapping[str, Any]) -> None:
        {
            "the Berichtenbox can be reached": lambda: None,
            "a bericht is under way": self.under_way,
            "an answer on abonnementen was received": self.answered,
        }[name](**parameters)

    def under_way(self, berichtId: str, batchId: str) -> None:  # noqa: N803
        self.afnemer.store.add_bericht(berichtId, batchId, {"bsn": BSNS[0], "berichtType": "BELAST"}, "aangeboden")

    def answered(self, verzoekId: str, voorkeuren: list[dict[str, Any]]) -> None:  # noqa: N803
        for item in voorkeuren:
            self.box.set_voorkeur(item["bsn"], wants=item["actief"])
        self.afnemer.abonnees.new_guid = lambda: verzoekId
        self.afnemer.abonnementen({"soort": "bsn-lijst", "bsn": [item["bsn"] for item in voorkeuren]})
        self.box.settle()
        self.afnemer.work()

    def message(self, description: str) -> tuple[bytes, str, Mapping[str, str]]:
        """Let the Afnemer act as the description says, and return what it sent."""
        since = self.box.mark()
        acts: dict[str, Callable[[], object]] = {
            "batch: one bericht": lambda: self.afnemer.berichten({"berichten": letters(1)}),
            "batch: two berichten": lambda: self.afnemer.berichten({"berichten": letters(2)}),
            "request: alles": lambda: self.afnemer.abonnementen({"soort": "alles"}),
            "request: bsn-lijst": lambda: self.afnemer.abonnementen({"soort": "bsn-lijst", "bsn": list(BSNS[:3])}),
            "request: mutaties": lambda: self.afnemer.abonnementen({"soort": "mutaties", "vanaf": "2026-11-24T08:00:00Z"}),
        }
        acts[description]()
        envelope = self.box.offers(since)[-1].envelope
        return envelope.parts[0].content, envelope.parts[0].content_type, envelope.named()


def letters(count: int) -> list[dict[str, str]]:
    about = {"onderwerp": "Bericht van uw gemeente", "tekst": "Een bericht."}
    return [{"bsn": bsn, "berichtType": kind, **about} for bsn, kind in zip(BSNS[:count], DEFAULT_TYPES[:count], strict=True)]


def told(urls: Urls, folder: Path) -> dict[str, str]:
    return {
        "BERICHTENBOX_ADAPTER": urls.adapter,
        "BERICHTENBOX_CPA_ID": default_cpa_id(DEFAULT_OIN),
        "BERICHTENBOX_OIN": DEFAULT_OIN,
        "BERICHTENBOX_LOGIUS_OIN": LOGIUS_TEST_OIN,
        "BERICHTENBOX_BERICHT_TYPES": ",".join(DEFAULT_TYPES),
        "BERICHTENBOX_WUS": urls.wus,
        "AFNEMER_MAP": str(folder),
    }


@pytest.fixture
def afnemer() -> Iterator[AfnemerParty]:
    """The reference Afnemer as a provider."""
    with contextlib.closing(AfnemerParty()) as party:
        yield party


def test_berichtenbox_keeps_its_pacts():
    """
    The simulated Berichtenbox answers and sends what the published pacts say, over HTTP and as messages.
    """
    outcome = verify_directory(directory(), BERICHTENBOX)

    assert outcome.failed == []
    assert len(outcome.interactions) == len(PACTS["afnemer-berichtenbox"].interactions)


@pytest.mark.parametrize("name", ["berichtenbox-afnemer", "conformance-kit-afnemer"])
def test_afnemer_keeps_its_pacts(afnemer, name):
    """
    The reference Afnemer sends what the Berichtenbox expects, and does what the kit asks of it.
    """
    outcome = verify_files(afnemer, AFNEMER, [PACTS[name].path])

    assert outcome.failed == []
    assert len(outcome.interactions) == len(PACTS[name].interactions)


def test_broken_pact_fails(tmp_path):
    """
    A pact that says something else than the Berichtenbox does fails, in each kind of interaction, and nothing else fails with it.
    """
    broken = {
        "adapter: nothing waits": lambda item: item["response"]["body"].update(content=["een@berichtenbox.example"]),
        "validatie: an unknown BerichtType": lambda item: item["response"].update(status=404),
        "verwerkingsbericht: Verwerkt": lambda item: item["contents"].update(content=item["contents"]["content"].replace(">NA<", ">NB<")),
    }
    pact = json.loads(PACTS["afnemer-berichtenbox"].path.read_text())
    pact["interactions"] = [item for item in pact["interactions"] if item["description"] in {*broken, "adapter: a batch"}]
    for item in pact["interactions"]:
        broken.get(item["description"], lambda _item: None)(item)
    (tmp_path / "pact.json").write_text(json.dumps(pact))

    outcome = verify_directory(tmp_path, BERICHTENBOX)

    assert {item.description for item in outcome.failed} == set(broken)
    assert len(outcome.interactions) == 4


@pytest.mark.parametrize(
    "message", [item for item in result_messages() if is_gzip(item.content) and not item.is_refused], ids=lambda item: item.description
)
def test_packed_messages_hold_what_the_pact_shows(message):
    """
    Pact does not look into a gzip file: what is in it is the same, but for the moments.
    """
    with simulated() as party:
        for state in message.states:
            party.setup(state.name, state.parameters)
        content, _, _ = party.message(message.description)

    assert timeless(unpack(content)) == timeless(unpack(message.content))


def timeless(document: bytes) -> bytes:
    for name in (b"DatumOntvangen", b"DatumVerwerkt"):
        before, _, rest = document.partition(b"<" + name + b">")
        document = before + rest.partition(b"</" + name + b">")[2]
    return document
