"""What can go wrong while a report is made, each with the exit code that belongs to it."""

from conformance.verdicts import ExitCode


class ReportError(Exception):
    """A report could not be made; the message says what to do about it."""

    exit_code = ExitCode.USAGE


class LockedRunError(ReportError):
    """A locked run was given something that a certification leaves no room for."""


class EvidenceNameError(ReportError):
    """An evidence file has a name that is not safe on every file system."""

    exit_code = ExitCode.KIT_ERROR


class OutputError(ReportError):
    """The output directory cannot be written."""
