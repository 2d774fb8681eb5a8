"""What is offered as the answer to a request for abonnementen: usually one, packed, and bent by the faults that strike.

An answer is made anew each time that it is read, piece by piece; only the faults that turn it around or compare it hold citizens in memory.
"""

import zlib
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from itertools import chain, islice
from typing import Final

from conformance.berichtenbox.citizens import Asked, Bevraging
from conformance.berichtenbox.faults import Fault
from conformance.messages.abonnement import names, packed_antwoord, plain_antwoord
from conformance.messages.bsns import BsnList
from conformance.messages.identities import reserved_test_bsns
from conformance.messages.unpack_stream import unpack_stream

PIECE: Final = 999_999
"""Bytes of a piece, the last one excepted: as many as base64 writes without a rest."""
_UNKNOWN_VERZOEK: Final = "deadbeef-0000-4000-8000-000000000004"
_NOWHERE: Final = "http://127.0.0.1:9/niets"
_FEW: Final = 1_000  # citizens in a document that stands in front of the right one
_BLANKS: Final = b" " * 1_000_000
_BOMB_BLANKS: Final = 64

Row = tuple[int, bool]
Rows = Callable[[], Iterator[Row]]
"""Gives the citizens of an answer anew each time: BSN, and whether the Afnemer may write."""


@dataclass(frozen=True, slots=True)
class Antwoord:
    """An answer on its way out: what it says, or the ``payload`` that stands for it, and how it is offered."""

    oin: str
    verzoek_id: str
    rows: Rows
    payload: Callable[["Antwoord"], Iterator[bytes]] | None = None
    content_type: str = "application/gzip"
    name: str = "abonnement-antwoord.xml.gz"
    delay: timedelta = timedelta()
    again_same_id: int = 0
    again_new_id: int = 0

    def pieces(self) -> Iterator[bytes]:
        """Yield the payload: small ones as one piece."""
        if self.payload is not None:
            return self.payload(self)
        return packed_antwoord(self.oin, self.verzoek_id, self.rows(), piece=PIECE)


def antwoorden_of(plain: Antwoord, asked: Bevraging, faults: Sequence[Fault]) -> list[Antwoord]:
    """Return what is offered for an answer under ``faults``, in that order: usually the one answer, as it is; the right answer comes last."""
    antwoorden = [plain]
    for fault in faults:
        bend = _BENDS.get(fault.name)
        if bend is not None:
            antwoorden = bend(antwoorden, asked, fault)
    return antwoorden


def stranger(bsn: str, is_asked: Callable[[str], bool]) -> str:
    """Return ``bsn``, or a reserved test BSN in its place when it was asked about; only who asks about all of them gets it nevertheless."""
    return next((other for other in (bsn, *reserved_test_bsns()) if not is_asked(other)), bsn)


# -- bends -------------------------------------------------------------------------------------------------------------------------------------

_Bend = Callable[[list[Antwoord], Bevraging, Fault], list[Antwoord]]


def _each(change: Callable[[Antwoord, Bevraging, Fault], Antwoord]) -> _Bend:
    return lambda antwoorden, asked, fault: [change(antwoord, asked, fault) for antwoord in antwoorden]


def _each_rows(change: Callable[[Rows, Bevraging, Fault], Rows]) -> _Bend:
    return _each(lambda antwoord, asked, fault: replace(antwoord, rows=change(antwoord.rows, asked, fault)))


def _in_front(make: Callable[[Antwoord, Bevraging, Fault], Antwoord]) -> _Bend:
    """Put something in front that is made of the right answer, and comes as late."""

    def bend(antwoorden: list[Antwoord], asked: Bevraging, fault: Fault) -> list[Antwoord]:
        if not antwoorden:
            return []
        last = antwoorden[-1]
        return [make(Antwoord(last.oin, last.verzoek_id, last.rows, delay=last.delay), asked, fault), *antwoorden]

    return bend


def _crossed(antwoord: Antwoord, _asked: Bevraging, fault: Fault) -> Antwoord:
    return replace(antwoord, delay=antwoord.delay + timedelta(minutes=(fault.times or fault.fired) - fault.fired + 1))


def _late(antwoord: Antwoord, _asked: Bevraging, fault: Fault) -> Antwoord:
    return replace(antwoord, delay=antwoord.delay + timedelta(hours=float(fault.parameters["hours"])))


# -- citizens ----------------------------------------------------------------------------------------------------------------------------------


def _turned_around(rows: Rows, _asked: Bevraging, _fault: Fault) -> Rows:
    def turned() -> Iterator[Row]:
        packed = array("I", (bsn << 1 | is_actief for bsn, is_actief in rows()))
        return ((both >> 1, bool(both & 1)) for both in reversed(packed))

    return turned


def _with_stranger(rows: Rows, asked: Bevraging, fault: Fault) -> Rows:
    extra = stranger(str(fault.parameters["bsn"]), (asked.bsns or BsnList()).has)
    return lambda: chain(((int(extra), True),), rows())


def _doubled(rows: Rows, _asked: Bevraging, _fault: Fault) -> Rows:
    return lambda: (row for row in rows() for _ in range(2))


def _reversed(rows: Rows, asked: Bevraging) -> Iterator[Row]:
    """Yield the reverse of the truth: of mutaties the other status, else who of those that were asked (or of two test BSNs) takes no letters."""
    if asked.asked is Asked.MUTATIES:
        yield from ((bsn, not is_actief) for bsn, is_actief in rows())
        return
    taking = BsnList(bsn for bsn, _ in rows()).unique()
    named = BsnList.of(reserved_test_bsns()[:2]) if asked.bsns is None else asked.bsns
    yield from ((int(bsn), True) for bsn in named if not taking.has(bsn))


def _of_unknown_verzoek(right: Antwoord, asked: Bevraging, _fault: Fault) -> Antwoord:
    return replace(right, verzoek_id=_UNKNOWN_VERZOEK, rows=lambda: _reversed(right.rows, asked))


# -- documents ---------------------------------------------------------------------------------------------------------------------------------


def _as_payload(payload: Callable[[Antwoord], Iterator[bytes]]) -> Callable[[Antwoord, Bevraging, Fault], Antwoord]:
    return lambda right, _asked, _fault: replace(right, payload=payload)


def _packed(document: Iterable[bytes]) -> Iterator[bytes]:
    engine = zlib.compressobj(wbits=31)
    return _in_pieces(chain(map(engine.compress, document), map(engine.flush, (zlib.Z_FINISH,))))


def _in_pieces(chunks: Iterable[bytes]) -> Iterator[bytes]:
    waiting = bytearray()
    for chunk in chunks:
        waiting += chunk
        while len(waiting) >= PIECE:
            yield bytes(waiting[:PIECE])
            del waiting[:PIECE]
    if waiting:
        yield bytes(waiting)


def _beginning(right: Antwoord) -> bytes:
    """Return a document that breaks off in its last line: who reads on regardless loses a citizen."""
    document = plain_antwoord(right.oin, right.verzoek_id, islice(right.rows(), _FEW))
    place = document.rfind(f"<{names().status}>".encode())
    return document[: place if place > 0 else document.rfind(b"</")]


def _unreadable(right: Antwoord) -> Iterator[bytes]:
    return _packed((_beginning(right),))


def _bomb(right: Antwoord) -> Iterator[bytes]:
    """Return a document that never ends well, so that nobody can take it for an answer; who unpacks it whole holds 64 MB."""
    return _packed(chain((_beginning(right),), (_BLANKS for _ in range(_BOMB_BLANKS))))


def _cut(right: Antwoord) -> Iterator[bytes]:
    """Yield the packed answer without its end: half of it is missing, or of a large one half of the last piece."""
    last = b""
    for piece in packed_antwoord(right.oin, right.verzoek_id, right.rows(), piece=PIECE):
        if last:
            yield last
        last = piece
    yield last[: len(last) // 2]


def _plain(right: Antwoord) -> Iterator[bytes]:
    return _in_pieces(unpack_stream(packed_antwoord(right.oin, right.verzoek_id, right.rows())))


def _as_plain(antwoord: Antwoord, _asked: Bevraging, _fault: Fault) -> Antwoord:
    if antwoord.payload is not None:
        return antwoord
    return replace(antwoord, payload=_plain, content_type="text/xml", name="abonnement-antwoord.xml")


def _with_doctype(right: Antwoord, _asked: Bevraging, fault: Fault) -> Antwoord:
    """Return an answer that tries to make its reader fetch something: its OIN holds the entity."""
    url = str(fault.parameters["url"]) or _NOWHERE

    def payload(antwoord: Antwoord) -> Iterator[bytes]:
        text = plain_antwoord(antwoord.oin, antwoord.verzoek_id, islice(antwoord.rows(), _FEW)).decode()
        head, _, body = text.partition("?>")
        entity = f'<!DOCTYPE x [<!ENTITY ext SYSTEM "{url}">]>'
        return _packed((f"{head}?>{entity}{body.replace(antwoord.oin, f'&ext;{antwoord.oin}', 1)}".encode(),))

    return replace(right, payload=payload)


_BENDS: Final[dict[str, _Bend]] = {
    "no-answer": lambda _antwoorden, _asked, _fault: [],
    "late-answer": _each(_late),
    "crossed": _each(_crossed),
    "answer-twice": _each(lambda antwoord, _asked, _fault: replace(antwoord, again_same_id=1)),
    "answer-again": _each(lambda antwoord, _asked, _fault: replace(antwoord, again_new_id=1)),
    "answer-order": _each_rows(_turned_around),
    "answer-extra-bsn": _each_rows(_with_stranger),
    "answer-bsn-twice": _each_rows(_doubled),
    "answer-unknown-verzoek": _in_front(_of_unknown_verzoek),
    "answer-unreadable": _in_front(_as_payload(_unreadable)),
    "answer-doctype": _in_front(_with_doctype),
    "answer-bomb": _in_front(_as_payload(_bomb)),
    "answer-cut": _in_front(_as_payload(_cut)),
    "answer-plain": _each(_as_plain),
    "answer-octet-stream": _each(lambda antwoord, _asked, _fault: replace(antwoord, content_type="application/octet-stream")),
}
