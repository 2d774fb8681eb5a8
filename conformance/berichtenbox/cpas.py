"""The CPAs that the adapter face keeps: read with care, shown again, deleted. One for the test connection is there from the start.

They are judged here and not by `conformance.transport.cpa`, for what is refused, and in which words, is as ebms-core does it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from conformance.messages.envelope import ROLE_AFNEMER, ROLE_LOGIUS
from conformance.messages.guard import XmlRefused, etree, parse
from conformance.messages.identities import PARTY_PREFIX
from conformance.messages.moments import read_moment
from conformance.rules.findings import Connection
from conformance.transport.cpa import LIMITS, NS_CPA, Terms, new_cpa

_CPA: Final = f"{{{NS_CPA}}}"
_ENDPOINTS: Final[Mapping[str, str]] = {ROLE_AFNEMER: "https://afnemer.example/ebms", ROLE_LOGIUS: "https://berichtenbox.example/ebms"}
_RETRIES: Final = 3
_INTERVAL: Final = timedelta(hours=3)


class CpaRefused(ValueError):  # noqa: N818  # the sentence reads "CPA refused"
    """A CPA that is not taken; ``is_bad_request`` tells a 400 from a 500, as the adapter does."""

    def __init__(self, text: str, *, is_bad_request: bool) -> None:
        super().__init__(text)
        self.is_bad_request = is_bad_request


@dataclass(frozen=True, slots=True)
class Cpa:
    """A CPA as far as the adapter face needs it: its id, and its text as it is shown."""

    cpa_id: str
    text: str


def read_cpa(text: str, now: datetime) -> Cpa:
    """Return the CPA of an XML text; raises :class:`CpaRefused` with what an ebms-core adapter would say."""
    try:
        root = parse(text.encode(), LIMITS)
    except XmlRefused as refusal:
        raise CpaRefused(f"org.xml.sax.SAXParseException; lineNumber: {refusal.line}; {refusal}", is_bad_request=True) from None
    cpa_id = root.get(f"{_CPA}cpaid") or ""
    if root.tag != f"{_CPA}CollaborationProtocolAgreement" or not cpa_id:
        raise CpaRefused("org.xml.sax.SAXParseException; a CollaborationProtocolAgreement with a cpaid was expected", is_bad_request=True)
    _check_term(root, now)
    return Cpa(cpa_id, etree.tostring(root, encoding="unicode"))


def _check_term(root: etree._Element, now: datetime) -> None:
    status = root.find(f"{_CPA}Status")
    if status is not None and status.get(f"{_CPA}value") == "proposed":
        raise CpaRefused("CPA Status is proposed!", is_bad_request=False)
    start, end = (read_moment((root.findtext(f"{_CPA}{name}") or "").strip()) for name in ("Start", "End"))
    if start and end and start.at >= end.at:
        raise CpaRefused("CPA Start date not before End date!", is_bad_request=False)
    if end and end.at < now:
        raise CpaRefused(f"CPA expired on {end.at:%Y-%m-%dT%H:%M:%SZ}", is_bad_request=False)


def new_test_cpa(connection: Connection, start: datetime, end: datetime) -> str:
    """Return the CPA of a test connection; where both sides listen is not known to the adapter face, so its endpoints are examples."""
    parties = {ROLE_AFNEMER: connection.afnemer_party, ROLE_LOGIUS: connection.logius_party}
    terms = Terms(
        cpa_id=connection.cpa_id,
        oins={role: party.removeprefix(PARTY_PREFIX) for role, party in parties.items()},
        endpoints=_ENDPOINTS,
        start=start,
        end=end,
        retries=_RETRIES,
        retry_interval=_INTERVAL,
        persist=(1 + _RETRIES) * _INTERVAL,
    )
    return new_cpa(terms).decode()
