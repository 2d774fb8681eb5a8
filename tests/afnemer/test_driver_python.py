"""An Afnemer as a Python object."""

import sys

import pytest

from conformance.afnemer.driver import BadAnswer, CannotDo, Driver, DriverError, Refused, Unreachable, Verb
from conformance.afnemer.drivers.python import PythonCaller

MODULE = """
class Bare:
    def gezondheid(self):
        return {"status": "ok"}


class Connected(Bare):
    def __init__(self, connection):
        self.connection = connection

    def berichten(self, verzoek):
        return {"asked": verzoek, "connection": self.connection}


class Breaks:
    def __init__(self):
        raise RuntimeError("geen database voor 999990019")


NOTHING = 3
"""


@pytest.fixture
def module(tmp_path, monkeypatch):
    """A module in the current directory, with a name that no other test uses."""
    name = f"sender_{tmp_path.name.replace('-', '_')}"
    (tmp_path / f"{name}.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    yield name
    sys.modules.pop(name, None)


class Refusing:
    def berichten(self, verzoek):
        raise ValueError("geen onderwerp" if verzoek else "")

    def herlevering(self, verzoek):
        raise NotImplementedError

    def validatie(self, verzoek):
        return verzoek["999990019"]

    def bericht(self, bericht_id):
        return {"found": bericht_id}

    abonnement = None


class Full:
    closed = False
    says = True

    def settle(self):
        return self.says

    restart = settle

    def advance(self, seconds):
        self.moved = seconds
        return self.says

    def close(self):
        self.closed = True


def test_class_without_argument(module):
    """
    A class in the current directory is imported and made.
    """
    caller = PythonCaller(f"{module}:Bare", {"BERICHTENBOX_URL": "x"})

    Driver(caller).health()

    assert repr(caller) == "<PythonCaller Bare>"


def test_class_with_argument_gets_the_connection(module):
    """
    A constructor that takes an argument is told where the Berichtenbox is.
    """
    caller = PythonCaller(f"{module}:Connected", {"BERICHTENBOX_URL": "x"})

    answer = caller.call(Verb.BERICHTEN, {"berichten": []})

    assert answer == {"asked": {"berichten": []}, "connection": {"BERICHTENBOX_URL": "x"}}


def test_current_directory_is_added_once(module):
    """
    A second caller does not lengthen the import path.
    """
    PythonCaller(f"{module}:Bare")
    before = list(sys.path)

    PythonCaller(f"{module}:Bare")

    assert sys.path == before


@pytest.mark.parametrize(
    ("target", "text"),
    [
        ("no_colon", "is not package.module:Class"),
        (":Class", "is not package.module:Class"),
        ("module:", "is not package.module:Class"),
        ("no_such_module_here:Class", "cannot be imported: ModuleNotFoundError"),
        ("{module}:Missing", "cannot be imported: AttributeError"),
        ("{module}:NOTHING", "is not a class"),
        ("{module}:Breaks", r"cannot be made: RuntimeError: geen database voor 9999\*"),
    ],
)
def test_what_cannot_be_made_is_unreachable(module, target, text):
    """
    A class that cannot be imported or made was never asked anything.
    """
    with pytest.raises(Unreachable, match=text):
        PythonCaller(target.format(module=module))


@pytest.mark.parametrize(
    ("verb", "body", "error", "text"),
    [
        (Verb.BERICHTEN, {"x": 1}, Refused, "refused: geen onderwerp"),
        (Verb.BERICHTEN, {}, Refused, "ValueError, without an explanation"),
        (Verb.HERLEVERING, {}, CannotDo, r"Refusing\.herlevering is not implemented"),
        (Verb.ABONNEMENTEN, {}, CannotDo, "Refusing has no method abonnementen"),
        (Verb.ABONNEMENT, None, CannotDo, "Refusing has no method abonnement"),
        (Verb.VALIDATIE, {}, BadAnswer, r"got KeyError: '9999\*\*\*\*\*'"),
    ],
)
def test_exceptions_become_errors(verb, body, error, text):
    """
    Each kind of exception has its meaning.
    """
    with pytest.raises(error, match=text):
        PythonCaller.of(Refusing()).call(verb, body, "v-1")


def test_subject_is_the_argument():
    """
    A verb that looks something up gets its id.
    """
    assert PythonCaller.of(Refusing()).call(Verb.BERICHT, subject="b-1") == {"found": "b-1"}


def test_optional_methods_are_called():
    """
    An Afnemer that can settle, restart and close is asked to.
    """
    party = Full()
    caller = PythonCaller.of(party)

    caller.close()

    assert caller.settle() is True
    assert caller.restart() is True
    assert caller.advance(90.0) is True
    assert party.moved == 90.0
    assert party.closed


@pytest.mark.parametrize("says", [False, None, "yes", 1])
def test_only_true_settles(says):
    """
    Anything but true leaves it unknown.
    """
    party = Full()
    party.says = says

    assert PythonCaller.of(party).settle() is False


def test_optional_methods_may_be_missing():
    """
    Without these methods it is not known, and nothing happens.
    """
    caller = PythonCaller.of(Refusing())

    caller.close()

    assert caller.settle() is False
    assert caller.restart() is False
    assert caller.advance(90.0) is False


@pytest.mark.parametrize("name", ["settle", "restart", "close"])
def test_optional_method_that_breaks(name):
    """
    An exception of the Afnemer does not pass for one of the kit.
    """
    party = Full()
    setattr(party, name, lambda: 1 // 0)

    with pytest.raises(DriverError, match=rf"Full\.{name} raised ZeroDivisionError"):
        getattr(PythonCaller.of(party), name)()


def test_builtin_without_a_signature_is_made_without_argument():
    """
    A class of which the arguments are not known gets none.
    """
    caller = PythonCaller("builtins:dict", {"a": "b"})

    with pytest.raises(CannotDo, match="dict has no method gezondheid"):
        caller.call(Verb.GEZONDHEID)
