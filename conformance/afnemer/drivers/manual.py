"""Reaches an Afnemer through a person at the terminal: asks in Dutch what to do, waits, and reads what they saw.

The BSNs on the screen are those of test citizens, and the person needs them; nothing that is typed is kept elsewhere. A list that is too long for
the screen is written to a temporary file, which goes away at the end, and an answer can be in a file of the person.
"""

import base64
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, TextIO

from conformance.afnemer.driver import LOOKS_UP, AfnemerStatus, CannotDo, Delivered, Unreachable, Verb

_SKIP: Final = "o"
_SHOWN_BSNS: Final = 20
_FILE: Final = "@"
_HOW_TO_LIST: Final = "met spaties ertussen, of @bestand"
_ENTER_OR_SKIP: Final = "[enter = gedaan, o = overslaan]"
_SOORTEN: Final = {
    "alles": "alle abonnementen",
    "bsn-lijst": "de abonnementen van deze BSN's",
    "mutaties": "de mutaties van abonnementen",
}


class ManualCaller:
    """Asks a person; there is no time limit.

    ``seen`` returns the berichten that arrived at the simulated Berichtenbox so far, oldest first: with it the person need not type any id. An ``o``
    skips what is asked (:class:`CannotDo`), the end of the input is :class:`Unreachable`.
    """

    def __init__(self, reader: TextIO | None = None, writer: TextIO | None = None, seen: Callable[[], Sequence[Delivered]] | None = None) -> None:
        self._reader, self._writer, self._seen = reader or sys.stdin, writer or sys.stdout, seen
        self._batches: dict[str, str] = {}
        self._requests = 0
        self._lists: Path | None = None

    def __repr__(self) -> str:
        return "<ManualCaller>"

    def call(self, verb: Verb, body: Mapping[str, Any] | None = None, subject: str | None = None) -> Any:
        """Return what the person answers as a value of test-control, ``None`` for an unknown bericht; raises :class:`DriverError`."""
        self._say(f"\n== {verb} ==")
        if verb is Verb.GEZONDHEID:
            return self._health()
        if verb in LOOKS_UP:
            return {Verb.BERICHT: self._status, Verb.ABONNEMENT: self._preferences}[verb](subject or "")
        asks = {Verb.BERICHTEN: self._deliver, Verb.HERLEVERING: self._redeliver, Verb.ABONNEMENTEN: self._request, Verb.VALIDATIE: self._validate}
        return asks[verb](body or {})

    def settle(self) -> bool:
        """Answer that it is not known: asking after every bericht would tire the person."""
        return False

    def restart(self) -> bool:
        """Ask the person to restart the Afnemer, and tell whether they did."""
        self._say("\n== herstart ==")
        try:
            self._ask(f"Herstart uw systeem. {_ENTER_OR_SKIP}")
        except CannotDo:
            return False
        return True

    def advance(self, _seconds: float) -> bool:
        """Answer that the clock was not moved: a person cannot do that."""
        return False

    def close(self) -> None:
        """Remove the lists that were written; leave the terminal as it is: it is the user's."""
        if self._lists is not None:
            shutil.rmtree(self._lists, ignore_errors=True)

    # -- the verbs -------------------------------------------------------------------------------------------------------------------------

    def _health(self) -> dict[str, Any]:
        self._ask("Draait uw systeem, en kunt u er berichten mee versturen? [enter = ja, o = overslaan]")
        return {"status": "ok"}

    def _deliver(self, body: Mapping[str, Any]) -> dict[str, Any]:
        letters = body["berichten"]
        per_batch = f", {body['perBatch']} per batch" if "perBatch" in body else ""
        self._say(f"Lever nu aan, in deze volgorde{per_batch}:")
        for number, letter in enumerate(letters, start=1):
            self._show_letter(number, letter)
        before = len(self._seen()) if self._seen else 0
        self._ask(_ENTER_OR_SKIP)
        delivered = self._new(before, len(letters)) or [self._ids(number) for number in range(1, len(letters) + 1)]
        self._batches.update({item.bericht_id: item.batch_id for item in delivered})
        return {"berichten": [{"berichtId": item.bericht_id, "batchId": item.batch_id} for item in delivered]}

    def _show_letter(self, number: int, letter: Mapping[str, Any]) -> None:
        self._say(f"  {number}. BSN {letter['bsn']}, BerichtType {letter['berichtType']}")
        for key in ("onderwerp", "tekst", "publicatieDatum"):
            if key in letter:
                self._say(f"     {key}: {letter[key]}")
        for bijlage in letter.get("bijlagen", ()):
            self._say(f"     bijlage: {bijlage['omschrijving']} (PDF van {len(base64.b64decode(bijlage['bytes']))} bytes)")

    def _new(self, before: int, expected: int) -> list[Delivered]:
        """Return what arrived since ``before``; nothing when it is not known, or is another number than asked."""
        if self._seen is None:
            return []
        new = list(self._seen()[before:])
        if len(new) == expected:
            return new
        self._say(f"De Berichtenbox zag {len(new)} nieuwe berichten, gevraagd waren er {expected}. Noem ze daarom zelf.")
        return []

    def _ids(self, number: int) -> Delivered:
        return Delivered(self._ask_text(f"BerichtID van bericht {number}"), self._ask_text(f"BatchID van bericht {number}"))

    def _status(self, bericht_id: str) -> dict[str, Any] | None:
        self._say(f"Zoek bericht {bericht_id} op in uw systeem. Welke status heeft het?")
        status = self._choose(["onbekend", *AfnemerStatus])
        if status == "onbekend":
            return None
        code = self._ask("Verwerkingscode [enter = geen]")
        applied = self._ask_count("Hoe vaak is een verwerkingsbericht voor dit bericht verwerkt? (0, 1, ...)")
        batch_id = self._batches.get(bericht_id) or self._ask_text("BatchID")
        return {"berichtId": bericht_id, "batchId": batch_id, "status": status, "verwerkingsCode": code or None, "verwerkt": applied}

    def _redeliver(self, body: Mapping[str, Any]) -> dict[str, Any]:
        self._say(f"Herlevering: lever opnieuw aan wat u aanbood van {body['vanaf']} tot {body['tot']}.")
        return {"aantal": self._ask_count("Hoeveel berichten waren dat?")}

    def _request(self, body: Mapping[str, Any]) -> dict[str, Any]:
        since = f" vanaf {body['vanaf']}" if "vanaf" in body else ""
        self._say(f"Vraag {_SOORTEN.get(body['soort'], body['soort'])} op{since}. {self._listed(body.get('bsn', ()))}".rstrip())
        self._ask(_ENTER_OR_SKIP)
        self._requests += 1
        return {"verzoekId": f"verzoek-{self._requests}"}

    def _preferences(self, verzoek_id: str) -> dict[str, Any]:
        self._say(f"Kijk naar {verzoek_id}, in de volgorde waarin u ze opvroeg. Is het antwoord van de Berichtenbox er?")
        status = self._choose(["open", "ontvangen"])
        if status == "open":
            return {"status": status, "voorkeuren": []}
        active = self._ask_list(f"BSN's die bij u als actief zijn vastgelegd [{_HOW_TO_LIST}, enter = geen]")
        inactive = self._ask_list(f"BSN's die bij u als niet actief zijn vastgelegd [{_HOW_TO_LIST}, enter = geen]")
        return {"status": status, "voorkeuren": [*_preferences(active, actief=True), *_preferences(inactive, actief=False)]}

    def _validate(self, body: Mapping[str, Any]) -> dict[str, Any]:
        self._say(f"Vraag of u berichten van type {body['berichtType']} mag sturen naar: {self._listed(body['bsn'])}")
        yes = set(self._ask_list(f"Naar welke van deze BSN's stuurt u nu digitaal? [{_HOW_TO_LIST}, alle, enter = geen]"))
        unknown = set(self._ask_list(f"Van welke kwam u het niet te weten? [{_HOW_TO_LIST}, enter = geen]"))
        return {"uitkomsten": [{"bsn": bsn, "berichtSturen": bool({bsn, "alle"} & yes)} for bsn in body["bsn"] if bsn not in unknown]}

    # -- the terminal ----------------------------------------------------------------------------------------------------------------------

    def _say(self, text: str) -> None:
        self._writer.write(text + "\n")
        self._writer.flush()

    def _ask(self, question: str) -> str:
        self._writer.write(f"{question}: ")
        self._writer.flush()
        line = self._reader.readline()
        if not line:
            raise Unreachable("nobody is at the terminal: the input has ended", hint='kind = "manual" needs a terminal')
        answer = line.strip()
        if answer.lower() == _SKIP:
            raise CannotDo("skipped by the person at the terminal")
        return answer

    def _ask_text(self, question: str) -> str:
        while not (answer := self._ask(question)):
            self._say("Typ een waarde, of o om dit over te slaan.")
        return answer

    def _ask_count(self, question: str) -> int:
        while not (answer := self._ask(question)).isdecimal():
            self._say("Typ een geheel getal, of o om dit over te slaan.")
        return int(answer)

    def _ask_list(self, question: str) -> list[str]:
        """Return what is typed, or what stands in the file that is typed after an @."""
        while True:
            answer = self._ask(question)
            try:
                text = Path(answer.removeprefix(_FILE)).expanduser().read_text("utf-8") if answer.startswith(_FILE) else answer
            except (OSError, ValueError) as error:
                self._say(f"Dat bestand kan niet worden gelezen ({type(error).__name__}). Typ @ en de naam, of o om dit over te slaan.")
            else:
                return text.replace(",", " ").split()

    def _listed(self, bsns: Sequence[str]) -> str:
        """Return BSNs as they fit on a screen: each of a few, or the name of a file with one a line."""
        if len(bsns) <= _SHOWN_BSNS:
            return " ".join(bsns)
        self._lists = self._lists or Path(tempfile.mkdtemp(prefix="berichtenbox-"))
        file = self._lists / f"lijst-{1 + sum(1 for _ in self._lists.iterdir())}.txt"
        file.write_text("\n".join(bsns) + "\n", "utf-8")
        return f"Het zijn er {len(bsns)}; ze staan in {file}, een per regel."

    def _choose(self, choices: Sequence[str]) -> str:
        for number, choice in enumerate(choices, start=1):
            self._say(f"  {number}. {choice}")
        numbers = {str(number): choice for number, choice in enumerate(choices, start=1)}
        while (answer := self._ask("Nummer")) not in numbers:
            self._say(f"Typ een nummer van 1 tot en met {len(choices)}, of o om dit over te slaan.")
        return numbers[answer]


def _preferences(bsns: Sequence[str], *, actief: bool) -> list[dict[str, Any]]:
    return [{"bsn": bsn, "actief": actief} for bsn in bsns]
