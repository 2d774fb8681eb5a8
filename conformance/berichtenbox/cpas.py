"""The CPAs that the adapter face keeps: read with care, shown again, deleted. One for the test connection is there from the start."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from conformance.messages.envelope import ROLE_AFNEMER, ROLE_LOGIUS, SERVICE, Action
from conformance.messages.guard import Limits, XmlRefused, etree, parse
from conformance.messages.identities import PARTY_PREFIX
from conformance.messages.moments import read_moment
from conformance.rules.findings import Connection

NS_CPA: Final = "http://www.oasis-open.org/committees/ebxml-cppa/schema/cpp-cpa-2_0.xsd"
_CPA = f"{{{NS_CPA}}}"
_LIMITS: Final = Limits(size=2_000_000, markup=20_000, depth=40, attributes=10_000)
_PARTY_TYPE: Final = PARTY_PREFIX.rstrip(":")


class CpaRefused(ValueError):  # noqa: N818  # the sentence reads "CPA refused"
    """A CPA that is not taken; ``is_bad_request`` tells a 400 from a 500, as the adapter does."""

    def __init__(self, text: str, *, is_bad_request: bool) -> None:
        super().__init__(text)
        self.is_bad_request = is_bad_request


@dataclass(frozen=True, slots=True)
class Cpa:
    """A CPA as far as the adapter face needs it: its id, its flat parties, and its text as it is shown."""

    cpa_id: str
    parties: frozenset[str]
    text: str


def read_cpa(text: str, now: datetime) -> Cpa:
    """Return the CPA of an XML text; raises :class:`CpaRefused` with what an ebms-core adapter would say."""
    try:
        root = parse(text.encode(), _LIMITS)
    except XmlRefused as refusal:
        raise CpaRefused(f"org.xml.sax.SAXParseException; lineNumber: {refusal.line}; {refusal}", is_bad_request=True) from None
    cpa_id = root.get(f"{_CPA}cpaid") or ""
    if root.tag != f"{_CPA}CollaborationProtocolAgreement" or not cpa_id:
        raise CpaRefused("org.xml.sax.SAXParseException; a CollaborationProtocolAgreement with a cpaid was expected", is_bad_request=True)
    _check_term(root, now)
    return Cpa(cpa_id, _parties(root), etree.tostring(root, encoding="unicode"))


def _check_term(root: etree._Element, now: datetime) -> None:
    status = root.find(f"{_CPA}Status")
    if status is not None and status.get(f"{_CPA}value") == "proposed":
        raise CpaRefused("CPA Status is proposed!", is_bad_request=False)
    start, end = (read_moment((root.findtext(f"{_CPA}{name}") or "").strip()) for name in ("Start", "End"))
    if start and end and start.at >= end.at:
        raise CpaRefused("CPA Start date not before End date!", is_bad_request=False)
    if end and end.at < now:
        raise CpaRefused(f"CPA expired on {end.at:%Y-%m-%dT%H:%M:%SZ}", is_bad_request=False)


def _parties(root: etree._Element) -> frozenset[str]:
    parties = set()
    for element in root.iter(f"{_CPA}PartyId"):
        kind, value = element.get(f"{_CPA}type") or "", (element.text or "").strip()
        parties.add(f"{kind}:{value}" if kind else value)
    return frozenset(parties)


def new_test_cpa(connection: Connection, term: tuple[str, str]) -> str:
    """Return the CPA of a test connection: parties, roles, service and actions; ``term`` is its Start and End."""
    root = etree.Element(f"{_CPA}CollaborationProtocolAgreement", nsmap={"tns": NS_CPA})
    root.set(f"{_CPA}cpaid", connection.cpa_id)
    root.set(f"{_CPA}version", "2_0b")
    etree.SubElement(root, f"{_CPA}Status").set(f"{_CPA}value", "agreed")
    for name, moment in zip(("Start", "End"), term, strict=True):
        etree.SubElement(root, f"{_CPA}{name}").text = moment
    _add_party(root, connection.afnemer_party, ROLE_AFNEMER, sends=Action.BV_REQUEST, receives=Action.BV_RESULT)
    _add_party(root, connection.logius_party, ROLE_LOGIUS, sends=Action.BV_RESULT, receives=Action.BV_REQUEST)
    return etree.tostring(root, encoding="unicode")


def _add_party(root: etree._Element, party: str, role: str, *, sends: str, receives: str) -> None:
    info = etree.SubElement(root, f"{_CPA}PartyInfo")
    info.set(f"{_CPA}partyName", party)
    party_id = etree.SubElement(info, f"{_CPA}PartyId")
    party_id.set(f"{_CPA}type", _PARTY_TYPE)
    party_id.text = party.removeprefix(PARTY_PREFIX)
    collaboration = etree.SubElement(info, f"{_CPA}CollaborationRole")
    etree.SubElement(collaboration, f"{_CPA}Role").set(f"{_CPA}name", role)
    binding = etree.SubElement(collaboration, f"{_CPA}ServiceBinding")
    service = etree.SubElement(binding, f"{_CPA}Service")
    service.text = SERVICE
    for kind, action in (("CanSend", sends), ("CanReceive", receives)):
        part = etree.SubElement(binding, f"{_CPA}{kind}")
        etree.SubElement(part, f"{_CPA}ThisPartyActionBinding").set(f"{_CPA}action", action)
