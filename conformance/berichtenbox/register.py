"""Who and what the Berichtenbox knows: the connection, the citizens with their abonnement, and the BerichtTypes of the portal.

Citizens are the reserved test BSNs, all active and subscribed until told otherwise.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from conformance.messages.identities import LOGIUS_TEST_OIN, flat_party, reserved_test_bsns
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


@dataclass(slots=True)
class Register:
    """Citizens and BerichtTypes, changeable while it runs."""

    bericht_types: dict[str, bool]
    burgers: dict[str, bool] = field(default_factory=dict)
    _known: frozenset[str] = field(default_factory=lambda: frozenset(reserved_test_bsns()))

    def wants(self, bsn: str, _oin: str) -> bool:
        """Tell whether a citizen has an active Berichtenbox and takes letters of this Afnemer; someone unknown does not."""
        return self.burgers.get(bsn, bsn in self._known)

    def set_burger(self, bsn: str, *, wants: bool) -> None:
        """Change whether a citizen takes letters."""
        self.burgers[bsn] = wants

    def set_bericht_type(self, name: str, *, is_active: bool) -> None:
        """Make, activate or deactivate a BerichtType, as a person does in the portal."""
        self.bericht_types[name] = is_active

    def to_json(self) -> dict[str, Any]:
        """Return what the ledger keeps of this register."""
        return {"berichtTypes": self.bericht_types, "burgers": self.burgers}

    def load(self, stored: Mapping[str, Any]) -> None:
        """Take over what the ledger kept."""
        self.bericht_types = dict(stored["berichtTypes"])
        self.burgers = dict(stored["burgers"])
