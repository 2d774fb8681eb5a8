"""Tests of the pytest plugin: what a test gets, what it can ask and assert, and that nothing reaches the next test."""

import re
import subprocess
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from conformance.afnemer.reference.afnemer import ReferenceAfnemer
from conformance.berichtenbox.faults import FaultError
from conformance.certification import connection_of
from conformance.messages.batch import Batch, Bericht
from conformance.messages.envelope import ROLE_AFNEMER, SERVICE, Action, Envelope, Part
from conformance.messages.identities import flat_party
from conformance.messages.moments import write_moment
from conformance.plugin import telling, wishes
from conformance.plugin.box import BerichtenboxInTest, opened
from conformance.plugin.received import Wanted
from conformance.plugin.wishes import Wishes
from conformance.rules.findings import Finding
from conformance.transport.adapter import write_message_request

pytest_plugins = ["pytester"]

ROOT = Path(__file__).parent.parent
PAGES = (ROOT / "README.md").read_text() + (ROOT / "docs/own-tests.md").read_text()
ANNA, BRAM, CHRIS = "999990019", "999990020", "999990032"


@pytest.fixture
def box() -> Iterator[BerichtenboxInTest]:
    """What the fixture of the plugin gives."""
    with opened(Wishes(seed=7)) as given:
        yield given


@pytest.fixture
def afnemer(box) -> Iterator[ReferenceAfnemer]:
    """A sender that knows of the Berichtenbox what an application knows: its variables."""
    party = ReferenceAfnemer(box.env)
    yield party
    party.close()


def send(box: BerichtenboxInTest, *bsns: str, cpa_id: str = "", **changes: Any) -> httpx.Response:
    """Offer a batch with a bericht to each of ``bsns`` over HTTP, as the simplest of senders."""
    batch_id = str(uuid.uuid4())
    fields = {"bericht_type": "BELAST", "onderwerp": "Uw aanslag", "bericht_tekst": "Tekst", **changes}
    berichten = tuple(Bericht(batch_id, str(uuid.uuid4()), gebruiker_id=bsn, **fields) for bsn in bsns)
    batch = Batch(batch_id, write_moment(datetime.now(UTC)), box.oin, berichten)
    envelope = Envelope(
        cpa_id=cpa_id or box.cpa_id,
        from_party=flat_party(box.oin),
        from_role=ROLE_AFNEMER,
        service=SERVICE,
        action=Action.BV_REQUEST,
        parts=(Part(batch.to_xml()),),
    )
    content = write_message_request(envelope)
    return httpx.post(f"{box.adapter}/ebms/messages", content=content, headers={"content-type": "application/json"})


def waiting(box: BerichtenboxInTest) -> list[str]:
    """Return the MessageIds that wait for the Afnemer, asked over HTTP."""
    answered: list[str] = httpx.get(f"{box.adapter}/ebms/messages/unprocessed").json()
    return answered


def until(is_so: Callable[[], bool]) -> bool:
    """Return whether something becomes so within five seconds."""
    resting = threading.Event()
    return any(is_so() or resting.wait(0.01) for _ in range(500))


def codes(box: BerichtenboxInTest) -> list[str | None]:
    return [item.code for item in box.received()]


# -- what came in and went out -------------------------------------------------------------------------------------------------------------------


def test_received_berichten_have_what_was_sent(box):
    """
    A bericht that was sent over HTTP is there with its fields, its batch, and what was decided on it.
    """
    answer = send(box, ANNA, onderwerp="Hallo")

    (item,) = box.received()
    assert (item.bericht_type, item.bsn, item.onderwerp, item.tekst, item.bijlagen) == ("BELAST", ANNA, "Hallo", "Tekst", ())
    assert item.bericht_id == item.batch.berichten[0].bericht_id
    assert item.code == "Verwerkt"
    assert item.message_id == answer.text
    assert abs((item.received - box.now).total_seconds()) < 60


def test_received_berichten_show_no_bsn(box):
    """
    What a test prints of a bericht hides the citizen.
    """
    send(box, ANNA, onderwerp=f"Over {ANNA}")

    (item,) = box.received()
    assert repr(item) == f"<ReceivedBericht {item.bericht_id}: BELAST to 9999*****, 'Over 9999*****', Verwerkt>"


@pytest.mark.parametrize(
    ("asked", "bsns"),
    [
        ({}, [ANNA, BRAM, CHRIS]),
        ({"bericht_type": "PASPOORT"}, [CHRIS]),
        ({"bsn": BRAM}, [BRAM]),
        ({"onderwerp": "Uw paspoort"}, [CHRIS]),
        ({"code": "NietActiefOfGeabonneerd"}, [BRAM]),
        ({"bsn": BRAM, "bericht_type": "PASPOORT"}, []),
    ],
)
def test_received_berichten_are_found_by_what_they_have(box, asked, bsns):
    """
    Each filter keeps what fits, and together they keep what fits all of them.
    """
    box.citizen(BRAM, wants=False)
    send(box, ANNA, BRAM)
    send(box, CHRIS, bericht_type="PASPOORT", onderwerp="Uw paspoort")

    found = box.received(**asked)

    assert [item.bsn for item in found] == bsns


def test_request_for_abonnementen_is_no_received_bericht(box, afnemer):
    """
    Only what the real Berichtenbox would have read as a letter counts as received.
    """
    afnemer.abonnementen({"soort": "alles"})

    assert box.received() == []
    assert box.findings() == []


def test_result_comes_without_a_call_of_the_test(box):
    """
    The Berichtenbox works in the background: a sender finds its result when nobody asks the Berichtenbox anything.
    """
    send(box, ANNA)

    assert until(lambda: len(waiting(box)) == 1)


def test_results_tell_code_and_whether_they_were_processed(box):
    """
    A result that the Afnemer has marked is processed, another is not.
    """
    send(box, ANNA)
    (before,) = box.results()

    httpx.patch(f"{box.adapter}/ebms/messages/{before.message_id}")

    (after,) = box.results()
    (item,) = box.received()
    assert (before.is_processed, after.is_processed) == (False, True)
    assert after.codes == {item.bericht_id: "Verwerkt"}
    assert (after.ref_to_message_id, after.offered) == (item.message_id, before.offered)
    assert repr(before) == f"<OfferedVerwerkingsbericht {before.message_id}: not processed, {before.verwerkingsbericht!r}>"


def test_result_that_a_fault_spoiled_holds_nothing(box):
    """
    A result that cannot be read has no codes, and stands among the others.
    """
    box.fault("unreadable-before")
    send(box, ANNA)

    spoiled, good = box.results()

    assert (spoiled.verwerkingsbericht, spoiled.codes) == (None, {})
    assert len(good.codes) == 1


def test_variables_are_those_of_certify(box):
    """
    An application that was certified finds here the same variables, but those of the face that is not there.
    """
    given = connection_of(box.box, box._urls, 7)

    assert box.env == {name: value for name, value in given.items() if name != "BERICHTENBOX_EBMS"}
    assert box.wus == given["BERICHTENBOX_WUS"]


def test_control_face_answers(box):
    """
    What a test sets in Python can be seen over HTTP too.
    """
    box.advance(days=2)

    answer = httpx.get(f"{box.control}/klok").json()

    assert answer["voorSeconden"] == pytest.approx(2 * 86_400)


def test_repr_counts(box):
    """
    A Berichtenbox tells where it is and what came in.
    """
    before = repr(box)
    send(box, ANNA)
    box.received()

    assert before == f"<BerichtenboxInTest {box.url}: nothing received>"
    assert repr(box) == f"<BerichtenboxInTest {box.url}: 1 Verwerkt, 1 processed>"


# -- clock, faults and citizens ------------------------------------------------------------------------------------------------------------------


def test_clock_moves_six_days_and_offers_again(box):
    """
    A result that nobody processes is offered again each day, for six days, in no time.
    """
    send(box, ANNA)
    begin = box.now

    end = box.advance(days=5, hours=23, minutes=59, seconds=60)

    assert 0 <= (end - begin).total_seconds() - 6 * 86_400 < 60
    results = box.results()  # once: it works in the background
    assert len(results) > 5
    assert len({item.message_id for item in results}) == len(results)


def test_clock_does_not_move_back(box):
    """
    A step back is refused.
    """
    with pytest.raises(ValueError, match=r"^the business clock only moves ahead, not by -1 day, 23:00:00$"):
        box.advance(hours=-1)


def test_fault_strikes(box):
    """
    A named fault does what its name says, as often as it was asked to.
    """
    box.fault("unavailable", on="post")

    statuses = [send(box, ANNA).status_code for _ in range(2)]

    assert statuses == [503, 200]


def test_next_batches_are_rejected(box):
    """
    Each bericht of as many batches gets the code, and what comes after is decided as always.
    """
    box.reject_next("BijlageTeGroot", times=2)
    for bsns in ([ANNA, BRAM], [CHRIS], [ANNA]):
        send(box, *bsns)
        box.received()

    assert codes(box) == ["BijlageTeGroot", "BijlageTeGroot", "BijlageTeGroot", "Verwerkt"]


def test_next_letters_to_a_citizen_are_rejected(box):
    """
    A rejection of one citizen leaves the others of the batch alone.
    """
    box.reject_next("TechnischProbleem", bsn=BRAM)
    send(box, ANNA, BRAM)
    send(box, BRAM)

    assert codes(box) == ["Verwerkt", "TechnischProbleem", "Verwerkt"]


@pytest.mark.parametrize(
    ("code", "times", "told"),
    [
        ("BijlageTeGrot", 1, r"^'BijlageTeGrot' is no VerwerkingsCode that refuses a bericht\.\n  Hint: did you mean BijlageTeGroot\?$"),
        ("Verwerkt", 1, r"^'Verwerkt' is no VerwerkingsCode that refuses a bericht\.\n  Hint: "),
        ("XYZ", 1, r"Hint: one of TechnischProbleem, NietActiefOfGeabonneerd, "),
        ("BijlageTeGroot", 0, r"^times = 0: expected a whole number of at least 1$"),
    ],
)
def test_rejection_that_cannot_be_is_refused(box, code, times, told):
    """
    A code that does not exist or refuses nothing is told at once, with the codes that do.
    """
    with pytest.raises(FaultError, match=told):
        box.reject_next(code, times)


def test_citizen_can_refuse_one_bericht_type(box):
    """
    A voorkeur counts for its BerichtType, and can be taken back.
    """
    box.citizen(ANNA, wants=False, bericht_type="BELAST")
    send(box, ANNA)
    send(box, ANNA, bericht_type="PASPOORT")
    box.received()
    box.citizen(ANNA, wants=True, bericht_type="BELAST")
    send(box, ANNA)

    assert codes(box) == ["NietActiefOfGeabonneerd", "Verwerkt", "Verwerkt"]


def test_citizen_without_a_bsn_is_refused(box):
    """
    A number that is no BSN is refused without showing it.
    """
    with pytest.raises(ValueError, match=r"^that is no BSN: nine digits that pass the elfproef, such as the test BSN 999990019$"):
        box.citizen("123456789", wants=False)


# -- findings ------------------------------------------------------------------------------------------------------------------------------------


def test_findings_name_rule_place_and_both_sides(box):
    """
    What a rule objects to has its id, its place, what it expected and what it saw.
    """
    send(box, ANNA, bericht_type="ONBEKEND")

    (finding,) = box.refused()
    assert re.fullmatch(r"[A-Z]{3,4}-\d{3}", finding.requirement)
    assert finding.where == "Berichten/Bericht[1]/BerichtInformatie/BerichtType"
    assert "exist" in finding.seen
    assert finding.expected


def test_what_the_adapter_refused_is_a_finding(box):
    """
    A message under an unknown CPA never reaches a rule, and is told all the same.
    """
    answer = send(box, ANNA, cpa_id="CPA-999990019")

    assert answer.status_code == 500
    assert box.received() == []
    assert box.refused() == box.findings()
    assert str(box.refused()[0]) == (
        "adapter at MessageRequest: expected properties that the CPA of this connection allows, seen No CPA found for message.cpaId=CPA-9999*****"
    )


def test_what_is_no_message_request_is_a_finding(box):
    """
    A body that the adapter cannot read is told; where a fault answers 500 nobody can tell.
    """
    httpx.post(f"{box.adapter}/ebms/messages", content=b"{}")
    before = box.findings()
    box.fault("error-500", on="post")
    send(box, ANNA)

    assert [finding.where for finding in before] == ["POST /ebms/messages"]
    assert box.findings() == []


# -- assertions ----------------------------------------------------------------------------------------------------------------------------------


def test_assertion_returns_what_it_found(box, afnemer):
    """
    An assertion that holds gives the berichten, to look at further.
    """
    afnemer.berichten({"berichten": [{"bsn": ANNA, "berichtType": "BELAST", "onderwerp": "Hallo", "tekst": "Tekst"}]})

    (item,) = box.assert_received(bericht_type="BELAST", bsn=ANNA, onderwerp="Hallo", code="Verwerkt")

    assert item.onderwerp == "Hallo"
    assert box.assert_received(0, bsn=BRAM) == []
    box.assert_no_findings()


def test_assertion_waits_for_a_sender_in_the_background(box):
    """
    With a time to wait, a bericht that comes later counts.
    """
    sender = threading.Timer(0.05, lambda: send(box, ANNA))
    sender.start()

    found = box.assert_received(bsn=ANNA, within_s=10)

    sender.join()
    assert len(found) == 1


def test_assertion_does_not_wait_longer_than_asked(box):
    """
    What does not come is told after the time to wait.
    """
    with pytest.raises(AssertionError, match=r"got:      nothing\n  Hint: does your sender talk to berichtenbox\.adapter"):
        box.assert_received(within_s=0.02)


def test_failed_assertion_tells_everything(box):
    """
    The text says what, where, expected, got, what the rules say, and what to do next, without a BSN.
    """
    send(box, BRAM, bericht_type="ONBEKEND")
    (item,), (finding,) = box.received(), box.refused()

    with pytest.raises(AssertionError) as caught:
        box.assert_received(2, bericht_type="BELAST", bsn=ANNA, onderwerp=f"Over {ANNA}", code="Verwerkt")

    assert str(caught.value).splitlines() == [
        "the Berichtenbox received other berichten than expected",
        f"  where:    {box.url}",
        "  expected: 2 berichten of BerichtType BELAST to 9999***** with onderwerp 'Over 9999*****' answered with Verwerkt",
        "  got:      0 of the 1 bericht that came in",
        f"            <ReceivedBericht {item.bericht_id}: ONBEKEND to 9999*****, 'Uw aanslag', BerichtTypeNietOndersteund>",
        f"  refused:  {finding}",
        "  Hint: berichtenbox.received() gives everything that came in; when your sender works in the background, give within_s=5",
    ]


def test_failed_assertion_names_the_adapter(box):
    """
    When the adapter refused it, the next step is about the variables.
    """
    send(box, ANNA, cpa_id="OTHER")

    with pytest.raises(AssertionError, match=r"Hint: the adapter refused what was sent: give your sender the values of berichtenbox\.env$"):
        box.assert_received()


def test_failed_assertion_on_too_many_asks_for_repeats(box):
    """
    More than was expected is a sender that offered again, more often than not; a long list is cut short.
    """
    send(box, *[ANNA] * 12)

    with pytest.raises(AssertionError, match=r"(?s)got:      12 of the 12 berichten.*\n {12}and 3 more\n  Hint: more came in than expected"):
        box.assert_received(1)


def test_assertion_on_findings_tells_them(box):
    """
    Findings fail with their text, the warnings counted, and the command that says more.
    """
    send(box, ANNA, bericht_type="ONBEKEND")
    (finding,) = box.refused()

    with pytest.raises(AssertionError, match=rf"got:      {re.escape(str(finding))}\n.*Hint: `berichtenbox specs show {finding.requirement}` says"):
        box.assert_no_findings()


def test_assertion_on_findings_counts_warnings_apart():
    """
    A warning fails nothing, and stands beside what does.
    """
    finding = Finding("AANL-014", "Berichten", "this", "that")

    told = telling.with_findings("http://x", [finding], 2)

    assert "  also:     2 warnings: berichtenbox.findings() has them\n" in told


def test_assertion_on_findings_names_the_adapter(box):
    """
    What no rule saw sends nobody to the catalogue.
    """
    send(box, ANNA, cpa_id="OTHER")

    with pytest.raises(AssertionError, match=r"Hint: the adapter refused it: give your sender the values of berichtenbox\.env$"):
        box.assert_no_findings()


@pytest.mark.parametrize("name", ["assert_no_findings", "assert_results_processed"])
def test_assertion_without_any_message_is_never_green(box, name):
    """
    When nothing was offered, nothing is proven.
    """
    with pytest.raises(
        AssertionError, match=r"^nothing was offered\n  where:    http://127\.0\.0\.1:\d+\n  expected: .*\n  got:      nothing\n  Hint: "
    ):
        getattr(box, name)()


def test_assertion_on_processing_sees_who_marks(box, afnemer):
    """
    An Afnemer that fetches and marks its results passes.
    """
    afnemer.berichten({"berichten": [{"bsn": ANNA, "berichtType": "BELAST", "onderwerp": "Hallo", "tekst": "Tekst"}]})
    afnemer.start(0.01)

    box.assert_results_processed(within_s=10)

    assert [item.is_processed for item in box.results()] == [True]


def test_assertion_on_processing_sees_who_does_not(box):
    """
    A result that waits is named.
    """
    send(box, ANNA)

    with pytest.raises(AssertionError, match=r"got:      1 of 1 verwerkingsbericht still wait\n +<OfferedVerwerkingsbericht .*: not processed"):
        box.assert_results_processed()


def test_nothing_asked_is_any_bericht():
    """
    A question without a filter says nothing after the number.
    """
    assert str(Wanted()) == ""


# -- options and marks ---------------------------------------------------------------------------------------------------------------------------

NESTED = ("-p", "conformance.plugin", "--disable-plugin-autoload", "--strict-markers")


@pytest.fixture(autouse=True)
def no_worker(monkeypatch):
    """Whoever tests the plugin may be the second worker of pytest-xdist; the run inside it is not."""
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)


def run(pytester: pytest.Pytester, text: str, *options: str) -> pytest.RunResult:
    pytester.makepyfile(text)
    return pytester.runpytest_inprocess(*NESTED, *options)


def test_each_test_has_a_clean_berichtenbox(pytester):
    """
    Ledger, clock, faults, citizens and BerichtTypes of one test are gone in the next, and its port is closed.
    """
    result = run(
        pytester,
        """
        import socket

        import pytest

        ports = []

        @pytest.mark.parametrize("turn", [1, 2])
        def test_turn(berichtenbox, turn):
            port = int(berichtenbox.url.rpartition(":")[2])
            for old in ports:
                with pytest.raises(ConnectionRefusedError):
                    socket.create_connection(("127.0.0.1", old))
            ports.append(port)
            box = berichtenbox.box
            assert box.clock.ahead.total_seconds() == 0
            assert box.faults.all() == ()
            assert box.register.wants("999990019", berichtenbox.oin)
            assert "NIEUW" not in box.register.bericht_types
            assert box.ledger.lasts() == (0, 0, 0, 0)
            berichtenbox.advance(days=9)
            berichtenbox.fault("late")
            berichtenbox.citizen("999990019", wants=False)
            box.set_bericht_type("NIEUW", is_active=True)
            box.ledger.write([lambda writing: writing.add_call(box.call_of("x", "", 200))])
        """,
    )

    result.assert_outcomes(passed=2)


def test_mark_wins_over_option_and_nearest_mark_over_others(pytester):
    """
    What stands nearest to a test decides, name by name.
    """
    result = run(
        pytester,
        """
        import pytest

        pytestmark = pytest.mark.berichtenbox(oin="00000099000000003000", seed=1)

        @pytest.mark.berichtenbox(oin="00000099000000004000")
        def test_nearest(berichtenbox):
            assert berichtenbox.oin == "00000099000000004000"
            assert berichtenbox.cpa_id == "MIJNOVERHEID-EBMS-BB-2-0_00000099000000004000"
            assert berichtenbox.env["BERICHTENBOX_SEED"] == "1"
            assert berichtenbox.env["BERICHTENBOX_BERICHT_TYPES"] == "A,B C"

        @pytest.mark.berichtenbox(bericht_types=("X",))
        def test_module(berichtenbox):
            assert berichtenbox.oin == "00000099000000003000"
            assert berichtenbox.env["BERICHTENBOX_BERICHT_TYPES"] == "X"
        """,
        "--berichtenbox-oin=00000099000000005000",
        "--berichtenbox-bericht-types=A, B C",
    )

    result.assert_outcomes(passed=2)


def test_ids_differ_by_test_and_not_by_run(pytester):
    """
    Without a seed each test has one of its own, the same in each run: a MessageId that came back would be taken for a duplicate.
    """
    text = """
        import pytest

        @pytest.mark.parametrize("turn", "ab")
        def test_turn(berichtenbox, turn):
            print("id", berichtenbox.box.new_message_id())
    """

    first, second = (re.findall(r"id (\S+)", run(pytester, text, "-s").stdout.str()) for _ in range(2))

    assert len(set(first)) == 2
    assert first == second


def test_port_can_be_chosen(pytester, unused_port):
    """
    Each test finds its Berichtenbox on the port of the option, one after another.
    """
    text = f"""
        import pytest

        @pytest.mark.parametrize("turn", range(3))
        def test_turn(berichtenbox, turn):
            assert berichtenbox.url == "http://127.0.0.1:{unused_port}"
    """

    result = run(pytester, text, f"--berichtenbox-port={unused_port}")

    result.assert_outcomes(passed=3)


@pytest.fixture
def unused_port() -> int:
    """A port that was free a moment ago."""
    with opened(Wishes()) as other:
        return int(other.url.rpartition(":")[2])


def test_taken_port_is_told(pytester, box):
    """
    A port on which somebody listens is an error of one test, without a traceback.
    """
    port = box.url.rpartition(":")[2]

    result = run(pytester, "def test_it(berichtenbox): pass", f"--berichtenbox-port={port}")

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(
        [f"cannot listen on 127.0.0.1:{port}: Address already in use*", "  Hint: give another --berichtenbox-port, or none for a free one"]
    )
    result.stdout.no_fnmatch_line("*Traceback*")


@pytest.mark.parametrize(("port", "worker", "expected"), [(8800, "gw3", 8803), (8800, "", 8800), (8800, "master", 8800), (0, "gw3", 0)])
def test_each_worker_has_its_own_port(port, worker, expected):
    """
    Workers of pytest-xdist do not fight over one port.
    """
    assert wishes.port_of_worker(port, worker) == expected


@pytest.mark.parametrize(
    ("mark", "told"),
    [
        ("oni='1'", ["@pytest.mark.berichtenbox: knows no 'oni', only oin, bericht_types, seed.", "  Hint: did you mean oin?"]),
        ("oin='12'", ['@pytest.mark.berichtenbox: oin = "12": an OIN has 20 digits, this has 2.', "  Hint: copy it from the Subject.serialNumber *"]),
        (
            "bericht_types=[]",
            ["@pytest.mark.berichtenbox: bericht_types = [[]]: expected at least one.", "  Hint: @pytest.mark.berichtenbox(bericht_*"],
        ),
        ("seed='x'", ['@pytest.mark.berichtenbox: seed = "x": expected a whole number.', "  Hint: @pytest.mark.berichtenbox(seed=7)"]),
        ("'x'", ["@pytest.mark.berichtenbox: takes no values without a name.", "  Hint: @pytest.mark.berichtenbox(oin=*"]),
    ],
)
def test_unfit_mark_is_told(pytester, mark, told):
    """
    A mark that cannot be is an error with the mistake and what to write instead, and no traceback.
    """
    result = run(pytester, f"import pytest\n@pytest.mark.berichtenbox({mark})\ndef test_it(berichtenbox): pass")

    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(told)
    result.stdout.no_fnmatch_line("*Traceback*")


@pytest.mark.parametrize(
    ("option", "told"),
    [
        ("--berichtenbox-oin=12", '*argument --berichtenbox-oin: "12": an OIN has 20 digits, this has 2. Hint: copy it from *'),
        ("--berichtenbox-port=99999", "*argument --berichtenbox-port: 99999: expected a whole number from 0 (a free port) to 65535.*"),
        ("--berichtenbox-port=x", '*argument --berichtenbox-port: "x": expected a whole number from 0*'),
        ("--berichtenbox-bericht-types=", '*argument --berichtenbox-bericht-types: [[]""]: expected a text of 1 to *'),
    ],
)
def test_unfit_option_is_wrong_usage(pytester, option, told):
    """
    An option that cannot be ends the run before a test, as any wrong option does.
    """
    result = run(pytester, "def test_it(): pass", option)

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([told])


def test_options_and_mark_are_documented(pytester):
    """
    ``--help`` has the options in a group of their own, ``--markers`` the mark, ``--fixtures`` the fixture.
    """
    shown = {option: run(pytester, "", option).stdout.str() for option in ("--help", "--markers", "--fixtures")}

    assert re.search(
        r"the simulated Berichtenbox of the fixture 'berichtenbox':\n"
        r"  --berichtenbox-oin=OIN\s[\s\S]*--berichtenbox-bericht-types=TYPES\s[\s\S]*--berichtenbox-port=PORT\s",
        shown["--help"],
    )
    assert "@pytest.mark.berichtenbox(oin=..., bericht_types=[...], seed=...): the Afnemer " in shown["--markers"]
    assert re.search(r"berichtenbox -- .*\n    Give this test a simulated Berichtenbox of its own", shown["--fixtures"])


# -- what it costs -------------------------------------------------------------------------------------------------------------------------------


def test_runs_without_the_fixture_load_nothing():
    """
    A pytest run that asks for no Berichtenbox pays for none: the plugin imports nothing of the kit.
    """
    code = "import sys, conformance.plugin; print(sorted(name for name in sys.modules if name.startswith('conformance')))"

    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert ended.stdout.strip() == "['conformance', 'conformance.plugin']"


@pytest.mark.slow
def test_strict_run_in_a_process_of_its_own_is_clean(tmp_path):
    """
    With warnings as errors, strict marks and its own process, nothing is left behind that pytest objects to.
    """
    (tmp_path / "test_it.py").write_text(
        "def test_it(berichtenbox):\n"
        "    assert berichtenbox.env['BERICHTENBOX_ADAPTER'] == berichtenbox.adapter\n"
        "    assert berichtenbox.received() == []\n"
    )
    strict = ["-W", "error", "--strict-config", "-c", "/dev/null", f"--rootdir={tmp_path}", "-p", "no:cacheprovider"]

    ended = subprocess.run(
        [sys.executable, "-m", "pytest", *NESTED, *strict, "test_it.py"], cwd=tmp_path, capture_output=True, text=True, check=False
    )

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "1 passed" in ended.stdout
    assert "warning" not in ended.stdout


# -- the README ----------------------------------------------------------------------------------------------------------------------------------


def block(language: str, part: str) -> str:
    """Return the one code block of the README and the page about tests that holds ``part``."""
    (found,) = [text for text in re.findall(rf"^```{language}\n(.*?)^```$", PAGES, re.MULTILINE | re.DOTALL) if part in text]
    return str(found)


EXAMPLES = ("test_letter_arrives", "test_refusal_is_noticed")
SENDER = """
import contextlib

from conformance.afnemer.reference.afnemer import ReferenceAfnemer


def send(env, bsn, onderwerp):
    with contextlib.closing(ReferenceAfnemer(env)) as afnemer:
        afnemer.berichten({"berichten": [{"bsn": bsn, "berichtType": "BELAST", "onderwerp": onderwerp, "tekst": "Tekst"}]})
        while not afnemer.receiver.receive():
            pass
"""


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_work(pytester, name):
    """
    The tests that the documentation shows pass with a good sender.
    """
    pytester.makepyfile(my_application=SENDER)

    result = run(pytester, block("python", name), "-p", "no:cacheprovider")

    result.assert_outcomes(passed=1)


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_can_fail(pytester, name):
    """
    The same tests fail with a sender that does nothing.
    """
    pytester.makepyfile(my_application="def send(env, bsn, onderwerp): pass")

    result = run(pytester, block("python", name).replace("within_s=5", "within_s=0.01"), "-p", "no:cacheprovider")

    result.assert_outcomes(failed=1)


@pytest.mark.parametrize("beginning", ["runs-on:", "artifacts:"])
def test_pipeline_of_the_readme_works(pytester, beginning):
    """
    The commands of both snippets run, and write the report that the snippet hands to the pipeline.
    """
    pytester.makepyfile(my_application=SENDER)
    pipeline = yaml.safe_load(block("yaml", beginning))
    (job,) = (pipeline.get("jobs") or pipeline).values()
    commands = [step["run"] for step in job["steps"] if "run" in step] if "steps" in job else job["script"]

    (command,) = [line.split() for text in commands for line in text.splitlines() if line.startswith("pytest")]
    result = run(pytester, block("python", EXAMPLES[0]), "-p", "no:cacheprovider", *command[1:])

    result.assert_outcomes(passed=1)
    assert "berichtenbox.xml" in str(job)
    assert (pytester.path / "berichtenbox.xml").is_file()
    assert any("pip install" in text for text in commands)
