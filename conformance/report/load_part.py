"""The part of a report that only a load profile has: what was sent and measured, and how that went over time."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final


@dataclass(frozen=True, slots=True)
class Drawing:
    """A plot with its title, and in words for who cannot see it; ``svg`` is our own, safe and without style sheets."""

    title: str
    text: str
    svg: str


@dataclass(frozen=True, slots=True)
class LoadPart:
    """The key ``load`` of ``report.json``, and the plots that only the page for people has."""

    document: Mapping[str, Any]
    drawings: tuple[Drawing, ...] = ()


_WORDS: Final[Mapping[str, Mapping[str, str]]] = {
    "nl": {
        "title": "Belasting",
        "scale": "Schaal",
        "claims": "volledig: kan een norm halen",
        "claims_not": "haalt geen norm: te klein of te langzaam",
        "planned": "Gepland",
        "planned_text": "{messages} berichten in {window_s:g} s ({rate:.4g} per seconde), {users} gebruikers, {workers} proces(sen)",
        "sent": "Verstuurd",
        "target": "Naar",
        "late": "Te laat verstuurd",
        "late_text": "{busy} omdat elke gebruiker op antwoord wachtte, {waiting} door de belastinggenerator zelf",
        "requests": "Verzoek",
        "count": "Aantal",
        "failures": "Mislukt",
        "longest": "langste",
        "failed": "Wat mislukte",
    },
    "en": {
        "title": "Load",
        "scale": "Scale",
        "claims": "full: can claim a norm",
        "claims_not": "claims no norm: too small or too slow",
        "planned": "Planned",
        "planned_text": "{messages} messages in {window_s:g} s ({rate:.4g} a second), {users} users, {workers} process(es)",
        "sent": "Sent",
        "target": "To",
        "late": "Sent too late",
        "late_text": "{busy} because every user waited for an answer, {waiting} because of the load generator itself",
        "requests": "Request",
        "count": "Count",
        "failures": "Failed",
        "longest": "longest",
        "failed": "What failed",
    },
}


def words(lang: str) -> Mapping[str, str]:
    """Return the words of this part in ``nl`` or ``en``; raises ``KeyError`` for another language."""
    return _WORDS[lang]
