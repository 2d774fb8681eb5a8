"""Who and what the Berichtenbox knows: the connection, the citizens with their voorkeuren, and the BerichtTypes of the portal.

Citizens are the reserved test BSNs, all active and subscribed until told otherwise; they stand in the ledger, for there may be ten million.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from conformance.berichtenbox.citizens import EVERY_TYPE, CitizenLedger
from conformance.messages.batch import Bericht
from conformance.messages.identities import LOGIUS_TEST_OIN, flat_party, is_bsn_shaped, reserved_test_bsns
from conformance.rules.findings import Connection

DEFAULT_OIN: Final = "00000099000000001000"
DEFAULT_TYPES: Final = ("BELAST", "PASPOORT")


def default_cpa_id(oin: str) -> str:
    """Return the id of the test CPA of an OIN."""
    return f"MIJNOVERHEID-EBMS-BB-2-0_{oin}"


@dataclass(frozen=True, slots=True)
class ConnectionConfig:
    """One connection: whose it is, under which CPA, which BerichtTypes it has, for whom it is intermediair, and the OIN of Logius' side."""

    oin: str = DEFAULT_OIN
    cpa_id: str = ""
    bericht_types: tuple[str, ...] = DEFAULT_TYPES
    intermediair_for: tuple[str, ...] = ()
    logius_oin: str = LOGIUS_TEST_OIN

    def connection(self) -> Connection:
        """Return what the rules may know of this connection."""
        oins = frozenset({self.oin, *self.intermediair_for})
        return Connection(self.cpa_id or default_cpa_id(self.oin), flat_party(self.oin), flat_party(self.logius_oin), oins)


def default_accounts() -> Iterable[tuple[int, bool]]:
    """Return the citizens of a new ledger: each reserved test BSN, with an active Berichtenbox."""
    return [(int(bsn), True) for bsn in reserved_test_bsns()]


@dataclass(slots=True)
class Register:
    """Citizens and BerichtTypes, changeable while it runs; ``citizens`` is the ledger's."""

    bericht_types: dict[str, bool]
    citizens: CitizenLedger = field(repr=False)

    def wanting(self, oin: str, bericht_type: str, bsns: Iterable[str]) -> frozenset[str]:
        """Return who of ``bsns`` has an active Berichtenbox and takes these letters; someone unknown does not, nor does what is no BSN."""
        by_number = {int(bsn): bsn for bsn in bsns if is_bsn_shaped(bsn)}
        return frozenset(by_number[number] for number in self.citizens.wanting(oin, bericht_type, by_number))

    def wants(self, bsn: str, oin: str, bericht_type: str = EVERY_TYPE) -> bool:
        """Tell whether one citizen takes these letters."""
        return bsn in self.wanting(oin, bericht_type, [bsn])

    def takers(self, letters: Iterable[tuple[str, Bericht]]) -> frozenset[tuple[str, str, str]]:
        """Return (OIN, BerichtType, BSN) of those letters, given with the OIN of their sender, that their citizen takes."""
        asked: dict[tuple[str, str], set[str]] = {}
        for oin, bericht in letters:
            asked.setdefault((oin, bericht.bericht_type), set()).add(bericht.gebruiker_id)
        return frozenset((oin, kind, bsn) for (oin, kind), bsns in asked.items() for bsn in self.wanting(oin, kind, bsns))

    def set_bericht_type(self, name: str, *, is_active: bool) -> None:
        """Make, activate or deactivate a BerichtType, as a person does in the portal."""
        self.bericht_types[name] = is_active

    def to_json(self) -> dict[str, Any]:
        """Return what the ledger keeps of the BerichtTypes."""
        return {"berichtTypes": self.bericht_types}

    def load(self, stored: Mapping[str, Any]) -> None:
        """Take over what the ledger kept."""
        self.bericht_types = dict(stored["berichtTypes"])
