"""A valid message of each kind, from which a test of messages, rules or transport departs by one change."""

import io
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import httpx
import pikepdf
import pytest
from hypothesis import settings

from conformance import wiring
from conformance.messages.batch import Batch, Bericht, Bijlage
from conformance.messages.envelope import SERVICE, Action, Envelope, Part
from conformance.messages.verwerkingsbericht import Resultaat, Verwerkingsbericht, VerwerkingsCode
from conformance.profile import Profile
from conformance.rules.findings import Connection, Knowledge
from conformance.transport import pki

BATCH_ID = "6ba7b810-9dad-11d1-80b4-00c04fd430c8"
BERICHT_ID = "1b671a64-40d5-491e-99b0-da01ff1f3341"
OIN, LOGIUS = "00000099000000001000", "00000004003214345001"
XMP = (
    '<?xpacket begin="" id="W5M0MpCehiHzreSzNTczkc9d"?><x:xmpmeta xmlns:x="adobe:ns:meta/">'
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" xmlns:pdfaid="http://www.aiim.org/pdfa/ns/id/">'
    "<pdfaid:part>{}</pdfaid:part><pdfaid:conformance>{}</pdfaid:conformance>"
    '</rdf:Description></rdf:RDF></x:xmpmeta><?xpacket end="w"?>'
)


MANY_EXAMPLES = 100
settings.register_profile("few", max_examples=20, deadline=None)  # no test asserts a speed
settings.register_profile("many", max_examples=MANY_EXAMPLES, deadline=None)
_LONGEST_ID = 100


def pytest_configure(config: pytest.Config) -> None:
    """Let Hypothesis draw few examples, and many where that was asked for: the gate of slow tests runs ``-m "slow or hypothesis"``."""
    settings.load_profile("many" if "hypothesis" in config.option.markexpr else "few")


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Return a short name for a long value: some are megabytes, and each report of a test carries its name."""
    return f"{argname}_of_{len(val)}" if isinstance(val, str | bytes) and len(val) > _LONGEST_ID else None


def _make_pdf(claim: str = "2A", *, without: str = "", padding: int = 0) -> bytes:
    pdf = pikepdf.Pdf.new()
    pdf.add_blank_page()
    hints = {"/MarkInfo": pikepdf.Dictionary(Marked=True), "/StructTreeRoot": pikepdf.Dictionary(Type=pikepdf.Name.StructTreeRoot), "/Lang": "nl-NL"}
    for name, value in hints.items():
        if name != without:
            pdf.Root[name] = value
    if claim:
        pdf.Root.Metadata = pikepdf.Stream(pdf, XMP.format(*claim).encode(), Type=pikepdf.Name.Metadata, Subtype=pikepdf.Name.XML)
    written = io.BytesIO()
    pdf.save(written, deterministic_id=True)
    return written.getvalue() + b"\n" * (padding - len(written.getvalue()))


@pytest.fixture(scope="session")
def make_pdf() -> Callable[..., bytes]:
    """Make a PDF of one page: with a PDF/A claim such as ``2A``, without one of the hints, padded to a size."""
    return _make_pdf


@pytest.fixture(scope="session")
def pdf() -> bytes:
    """A PDF that claims PDF/A-2a and has every hint."""
    return _make_pdf()


@pytest.fixture
def batch(pdf: bytes) -> Batch:
    """A batch of one bericht with every optional element and one bijlage, against which no rule objects."""
    bericht = Bericht(
        batch_id=BATCH_ID,
        bericht_id=BERICHT_ID,
        bericht_type="BT1",
        onderwerp="Onderwerp",
        gebruiker_id="999990019",
        bericht_tekst="Tekst",
        publicatie_datum="2026-11-25T12:00:00Z",
        eind_datum_handelings_termijn="2026-12-01T12:00:00Z",
        referentie="R1",
        bijlagen=(Bijlage.from_octets(pdf, "Besluit", 1),),
    )
    return Batch(BATCH_ID, "2026-11-24T12:00:00Z", OIN, (bericht,))


@pytest.fixture
def document(batch: Batch) -> str:
    """The text of that batch, without its declaration: a test replaces a piece."""
    return batch.to_xml().decode().partition("?>")[2].strip()


@pytest.fixture
def result() -> Verwerkingsbericht:
    """The result of that batch, against which no rule objects."""
    moment = datetime(2026, 11, 24, 12, 1, tzinfo=UTC)
    return Verwerkingsbericht.about(OIN, BATCH_ID, moment, moment, [Resultaat(BERICHT_ID, "BT1", VerwerkingsCode.VERWERKT)])


@pytest.fixture
def envelope(batch: Batch) -> Envelope:
    """The envelope in which that batch travels."""
    return Envelope(
        cpa_id="MIJNOVERHEID-EBMS-BB-2-0_TEST",
        from_party=f"urn:osb:oin:{OIN}",
        from_role="SR",
        service=SERVICE,
        action=Action.BV_REQUEST,
        to_party=f"urn:osb:oin:{LOGIUS}",
        to_role="SP",
        conversation_id="c-1",
        message_id="m-1@afnemer.example",
        parts=(Part(batch.to_xml(), name="batch.xml", content_id="<batch@afnemer.example>"),),
    )


@pytest.fixture
def known() -> Knowledge:
    """All that can be known: on what connection, at what moment, and that nothing was offered before."""
    connection = Connection("MIJNOVERHEID-EBMS-BB-2-0_TEST", f"urn:osb:oin:{OIN}", f"urn:osb:oin:{LOGIUS}", frozenset({OIN}))
    return Knowledge(
        received=datetime(2026, 11, 24, 12, 0, 1, tzinfo=UTC),
        connection=connection,
        bericht_types={"BT1": True, "BT2": False},
        batches={},
        earlier={},
        message_ids=frozenset(),
        request=(BATCH_ID, frozenset({BERICHT_ID})),
    )


@pytest.fixture(scope="session")
def pki_directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Test certificates for the Afnemer and Logius of a test connection, as `berichtenbox pki new` writes them; do not change them."""
    directory = tmp_path_factory.mktemp("certificates") / "pki"
    pki.write(directory, pki.make(pki.Plan(OIN, datetime.now(UTC))))
    return directory


@pytest.fixture(scope="session", autouse=True)
def quick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., pki.Pki]]:
    """Do once what takes longer than most tests, and is the same each time: certificates for a run, and reading which authorities are trusted.

    Gives what makes certificates for a run.
    """
    made = wiring._new_certificates
    kept: dict[tuple[object, ...], pki.Pki] = {}

    def certificates(profile: Profile, _directory: Path) -> pki.Pki:
        key = (profile.afnemer.oin, profile.logius_oin(), profile.berichtenbox.host)
        if key not in kept:
            kept[key] = made(profile, tmp_path_factory.mktemp("run") / "pki")
        return kept[key]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(wiring, "_new_certificates", certificates)
        patch.setattr(httpx._transports.default, "create_ssl_context", cache(httpx.create_ssl_context))
        yield made
