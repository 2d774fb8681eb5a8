"""A process that ends with the one that started it."""

import signal
import subprocess
import sys

import pytest

from conformance.parent import Terminated, terminable

WAITS = "import time; from conformance.parent import end_with_parent; end_with_parent(); print('on', flush=True); time.sleep(60)"


def test_process_ends_when_its_input_does():
    """
    The pipe of a parent that was killed ends, and the child gets SIGTERM.
    """
    with subprocess.Popen([sys.executable, "-c", WAITS], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout.readline() == b"on\n"
        child.stdin.close()

        assert child.wait(30) == -signal.SIGTERM


def test_process_ends_well_before_its_parent():
    """
    Who is done while the parent lives ends with its own exit code: the thread that waits for the parent is in nobody's way.
    """
    with subprocess.Popen([sys.executable, "-c", WAITS.replace("60", "0.1")], stdin=subprocess.PIPE) as child:
        assert child.wait(30) == 0


def test_sigterm_interrupts_what_is_terminable():
    """
    What was started is stopped on the way out, and a second signal does not disturb that; afterwards the signal is what it was.
    """
    before, stopped = signal.getsignal(signal.SIGTERM), []

    def work():
        try:
            signal.raise_signal(signal.SIGTERM)
        finally:
            signal.raise_signal(signal.SIGTERM)
            stopped.append("what was started")

    with pytest.raises(Terminated), terminable():
        work()

    assert stopped == ["what was started"]
    assert signal.getsignal(signal.SIGTERM) is before
