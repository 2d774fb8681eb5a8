"""What each fault does to the answer to a request for abonnementen: the right thing, and nothing else."""

import gzip
import zlib
from collections import deque
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from conformance.berichtenbox.antwoorden import PIECE, Antwoord, antwoorden_of, stranger
from conformance.berichtenbox.citizens import Asked, Bevraging
from conformance.berichtenbox.faults import EXTRA_BSN, KINDS, FaultPlan, Point
from conformance.messages.abonnement import read_antwoord
from conformance.messages.bsns import BsnList
from conformance.messages.guard import Refusal, XmlRefused
from conformance.messages.identities import reserved_test_bsns
from conformance.messages.unpack import PackedTooMuch
from conformance.messages.unpack_stream import unpack_stream

OIN, VERZOEK = "00000099000000001000", "abcdefab-0000-4000-8000-0000000000aa"
AT = datetime(2026, 11, 24, 23, tzinfo=UTC)
ONE, TWO, THREE = 999990007, 999990019, 999990020
ROWS = [(ONE, True), (THREE, True)]
LIST = Bevraging(Asked.BSN_LIJST, OIN, AT, AT, VERZOEK, bsns=BsnList([ONE, TWO, THREE]))
ALLES = replace(LIST, asked=Asked.ALLES, bsns=None)
MUTATIES = replace(ALLES, asked=Asked.MUTATIES)


def answer(rows=ROWS):
    """Return the right answer, with these citizens."""
    return Antwoord(OIN, VERZOEK, lambda: iter(rows))


PLAIN = answer()


def striking(*names, **parameters):
    """Return the faults that strike when these are set; the parameters are those of the first."""
    plan = FaultPlan()
    for name in names:
        plan.script(name, **parameters)
        parameters = {}
    return plan.striking(Point.ANSWER)


def offered(*names, asked=LIST, plain=PLAIN, **parameters):
    """Return what is offered when these faults strike."""
    return antwoorden_of(plain, asked, striking(*names, **parameters))


def lines(antwoord):
    """Return the citizens of an answer as a reader finds them, under the VerzoekId that it has."""
    stream = read_antwoord(antwoord.pieces())
    found = [(line.number, line.is_actief) for line in stream]
    assert (stream.oin, stream.verzoek_id) == (antwoord.oin, antwoord.verzoek_id)
    return found


def content(antwoord):
    return b"".join(antwoord.pieces())


def test_without_faults_one_answer_is_offered_at_once():
    """
    The usual: the one answer, packed, now and once.
    """
    (antwoord,) = antwoorden_of(PLAIN, LIST, ())

    assert antwoord is PLAIN
    assert (antwoord.delay, antwoord.again_same_id, antwoord.again_new_id, antwoord.content_type) == (timedelta(), 0, 0, "application/gzip")
    assert (content(antwoord)[:2], lines(antwoord)) == (b"\x1f\x8b", ROWS)


def test_a_fault_of_another_point_bends_nothing():
    """
    What bends a verwerkingsbericht leaves answers alone.
    """
    plan = FaultPlan()
    plan.script("split")

    assert antwoorden_of(PLAIN, LIST, plan.striking(Point.RESULT)) == [PLAIN]


def test_no_answer():
    """
    ``no-answer`` offers nothing, also not in front of nothing.
    """
    assert (offered("no-answer"), offered("no-answer", "answer-cut")) == ([], [])


def test_late_answer():
    """
    ``late-answer`` offers the same answer hours later; two of them add up.
    """
    (antwoord,) = offered("late-answer", "late-answer", hours=3.5)

    assert (antwoord.delay, lines(antwoord)) == (timedelta(hours=4, minutes=30), ROWS)


def test_crossed():
    """
    ``crossed`` makes the first of a row come last.
    """
    plan = FaultPlan()
    plan.script("crossed", times=2)

    delays = [antwoorden_of(PLAIN, LIST, plan.striking(Point.ANSWER))[0].delay for _ in range(3)]

    assert delays == [timedelta(minutes=2), timedelta(minutes=1), timedelta()]


@pytest.mark.parametrize(("name", "again"), [("answer-twice", (1, 0)), ("answer-again", (0, 1))])
def test_again(name, again):
    """
    ``answer-twice`` comes again under its MessageId, ``answer-again`` under a new one.
    """
    (antwoord,) = offered(name)

    assert ((antwoord.again_same_id, antwoord.again_new_id), lines(antwoord)) == (again, ROWS)


def test_answer_order():
    """
    ``answer-order`` turns the citizens around, with their status.
    """
    rows = [(ONE, False), (TWO, True), (THREE, False)]

    (antwoord,) = offered("answer-order", asked=MUTATIES, plain=answer(rows))

    assert lines(antwoord) == rows[::-1]


def test_answer_bsn_twice():
    """
    ``answer-bsn-twice`` says everything twice.
    """
    assert lines(offered("answer-bsn-twice")[0]) == [ROWS[0], ROWS[0], ROWS[1], ROWS[1]]


@pytest.mark.parametrize(
    ("asked", "bsn", "extra"),
    [(LIST, EXTRA_BSN, int(EXTRA_BSN)), (ALLES, EXTRA_BSN, int(EXTRA_BSN)), (LIST, "999990032", 999990032), (LIST, str(TWO), 999990032)],
)
def test_answer_extra_bsn(asked, bsn, extra):
    """
    ``answer-extra-bsn`` adds a citizen who is not on the list, even when the fault names one who is.
    """
    assert lines(offered("answer-extra-bsn", asked=asked, bsn=bsn)[0]) == [(extra, True), *ROWS]


def test_a_stranger_is_made_up_for_nobody():
    """
    When every test BSN was asked about, the named one is taken all the same.
    """
    assert (stranger(EXTRA_BSN, lambda _: True), stranger(EXTRA_BSN, lambda bsn: bsn == EXTRA_BSN)) == (EXTRA_BSN, reserved_test_bsns()[0])


@pytest.mark.parametrize(
    ("asked", "truth", "told"),
    [
        (LIST, ROWS, [(TWO, True)]),
        (LIST, [], [(ONE, True), (TWO, True), (THREE, True)]),
        (ALLES, ROWS, [(TWO, True)]),
        (MUTATIES, [(ONE, True), (TWO, False)], [(ONE, False), (TWO, True)]),
    ],
)
def test_answer_unknown_verzoek(asked, truth, told):
    """
    ``answer-unknown-verzoek`` puts the reverse of the truth in front, under a VerzoekId that nobody used.
    """
    strange, own = offered("answer-unknown-verzoek", asked=asked, plain=answer(truth))

    assert (strange.verzoek_id[:8], own.verzoek_id) == ("deadbeef", VERZOEK)
    assert (lines(strange), lines(own)) == (told, truth)


@pytest.mark.parametrize(("rows", "seen"), [(ROWS, b"999990020</BSN>"), ([], b"<Abonnementen></Abonnementen>")])
def test_answer_unreadable(rows, seen):
    """
    ``answer-unreadable`` puts a good gzip file in front with XML that breaks off in its last line, for the same VerzoekId.
    """
    broken, own = offered("answer-unreadable", plain=answer(rows))

    assert lines(own) == rows
    assert gzip.decompress(content(own)).startswith(gzip.decompress(content(broken)))
    assert gzip.decompress(content(broken)).endswith(seen)
    with pytest.raises(XmlRefused, match="Premature end"):
        list(read_antwoord(broken.pieces()))


@pytest.mark.parametrize(("url", "shown"), [("", b"http://127.0.0.1:9/niets"), ("http://127.0.0.1:1/x", b"http://127.0.0.1:1/x")])
def test_answer_doctype(url, shown):
    """
    ``answer-doctype`` puts an answer in front that wants its reader to fetch something.
    """
    trap, own = offered("answer-doctype", url=url)
    text = gzip.decompress(content(trap))

    assert own is PLAIN
    assert b'<!ENTITY ext SYSTEM "' + shown + b'">' in text
    assert b"<OIN>&ext;" + OIN.encode() in text
    with pytest.raises(XmlRefused, match="DOCTYPE") as refused:
        read_antwoord(trap.pieces())
    assert refused.value.reason is Refusal.DOCTYPE


@pytest.mark.slow
def test_answer_bomb():
    """
    ``answer-bomb`` puts a small file in front that unpacks to 64 MB; who reads all of it has no document either.
    """
    bomb, own = offered("answer-bomb")
    packed = content(bomb)
    text = gzip.decompress(packed)

    assert own is PLAIN
    assert len(packed) < 200_000
    assert len(text) >= 64_000_000
    assert VERZOEK.encode() in text[:1_000]
    with pytest.raises(PackedTooMuch, match="unpacks to more than 500 times"):
        deque(unpack_stream(bomb.pieces()), maxlen=0)
    with pytest.raises(XmlRefused, match="longer than 10 MB"):
        list(read_antwoord(bomb.pieces()))
    with pytest.raises(XmlRefused, match="Premature end"):
        list(read_antwoord([text.rstrip()]))


def test_answer_cut():
    """
    ``answer-cut`` puts the first half of the right file in front.
    """
    cut, own = offered("answer-cut")
    whole = content(own)

    assert content(cut) == whole[: len(whole) // 2]
    with pytest.raises(PackedTooMuch, match="ends too early"):
        list(read_antwoord(cut.pieces()))


@pytest.mark.slow
def test_a_large_answer_is_cut_in_its_last_piece():
    """
    ``answer-cut`` passes on what it has of a file in many pieces, and holds one of them.
    """
    rows = [(number * 7919 % 999_999_937, True) for number in range(350_000)]
    cut, own = offered("answer-cut", plain=answer(rows))

    pieces, cut_pieces = list(own.pieces()), list(cut.pieces())

    assert len(pieces) > 1
    assert cut_pieces == [*pieces[:-1], pieces[-1][: len(pieces[-1]) // 2]]


def test_answer_plain():
    """
    ``answer-plain`` is the same document, not packed; large ones come in pieces that base64 can write one by one.
    """
    rows = [(number, True) for number in range(999_000_000, 999_030_000)]

    (small,), (large,) = offered("answer-plain"), offered("answer-plain", plain=answer(rows))

    assert (small.content_type, small.name) == ("text/xml", "abonnement-antwoord.xml")
    assert (content(small), lines(small)) == (gzip.decompress(content(PLAIN)), ROWS)
    assert [len(piece) for piece in large.pieces()][:-1] == [PIECE] * (len(content(large)) // PIECE)
    assert lines(large) == rows


def test_answer_octet_stream():
    """
    ``answer-octet-stream`` calls the gzip file something else.
    """
    (antwoord,) = offered("answer-octet-stream")

    assert (antwoord.content_type, content(antwoord)) == ("application/octet-stream", content(PLAIN))


def test_what_stands_in_front_is_as_late_and_comes_once():
    """
    Each document in front is made of the right answer and packed, whatever else strikes.
    """
    found = offered("late-answer", "answer-twice", "answer-plain", "answer-cut", "answer-unreadable", "answer-unknown-verzoek", hours=2)

    assert {antwoord.delay for antwoord in found} == {timedelta(hours=2)}
    assert [antwoord.again_same_id for antwoord in found] == [0, 0, 0, 1]
    assert [content(antwoord)[:2] for antwoord in found] == [b"\x1f\x8b"] * 3 + [b"<?"]
    assert lines(found[-1]) == ROWS
    with pytest.raises(zlib.error, match="incomplete"):
        zlib.decompress(content(found[2]), wbits=31)


def test_a_fault_after_those_in_front_bends_all_of_them_and_never_what_was_spoilt():
    """
    ``late-answer`` and ``answer-plain`` after ``answer-unreadable``: both are late, only the right one is unpacked.
    """
    broken, own = offered("answer-unreadable", "answer-plain", "late-answer")

    assert (broken.delay, own.delay) == (timedelta(hours=1), timedelta(hours=1))
    assert (broken.content_type, own.content_type) == ("application/gzip", "text/xml")


def test_every_fault_on_answers_has_a_test_here():
    """
    The catalogue of faults and the tests of this file name the same faults.
    """
    names = " ".join(test.__doc__ for name, test in globals().items() if name.startswith("test_"))

    assert [kind.name for kind in KINDS.values() if Point.ANSWER in kind.points and f"``{kind.name}``" not in names] == []


@pytest.mark.parametrize("name", [kind.name for kind in KINDS.values() if Point.ANSWER in kind.points])
def test_every_fault_on_answers_changes_something(name):
    """
    No fault is a name only.
    """
    (own, *more) = offered(name) or [None]

    assert more or own is None or own != PLAIN
