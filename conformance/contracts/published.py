"""Finds and reads pacts: those that are published with this kit, and those of an organisation.

In a checkout the published ones stand in ``contracts/pacts``, in an installed wheel inside the package.
"""

import base64
import binascii
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from conformance.verdicts import ExitCode

AFNEMER: Final = "afnemer"
BERICHTENBOX: Final = "berichtenbox"
HANDLER: Final = "handler"
"""The comment of a message that says what a handler does with it, when that is not to take it."""
REFUSES: Final = "refuses"
_INSTALLED: Final = Path(__file__).parent.parent / "_pacts"
_CHECKOUT: Final = Path(__file__).parent.parent.parent / "contracts" / "pacts"
_MESSAGE: Final = "Asynchronous/Messages"
_VERSIONS: Final = ("4", "4.0")


class PactFileError(ValueError):
    """A pact, or a directory of pacts, that cannot be used: the text says which, why, and what to do."""

    exit_code = ExitCode.USAGE


@dataclass(frozen=True, slots=True)
class State:
    """A provider state: what is so before an interaction."""

    name: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Message:
    """One message of a pact: its payload as bytes, its metadata as texts, and whether a handler refuses it."""

    description: str
    content: bytes = field(repr=False)
    content_type: str
    metadata: Mapping[str, str]
    states: tuple[State, ...] = ()
    is_refused: bool = False


@dataclass(frozen=True, slots=True)
class PactFile:
    """A pact as it stands in a file: who asks what of whom."""

    path: Path
    consumer: str
    provider: str
    interactions: Sequence[Mapping[str, Any]] = field(repr=False)

    def messages(self) -> Iterator[Message]:
        """Yield its messages; raises :class:`PactFileError` for one that cannot be read."""
        for interaction in self.interactions:
            if interaction["type"] == _MESSAGE:
                try:
                    yield _message(interaction)
                except (KeyError, TypeError, ValueError, AttributeError, binascii.Error):
                    what = f"the message {str(interaction.get('description'))[:80]!r} has no contents that can be read"
                    raise PactFileError(f"{self.path}: {what}.\n  Hint: write the pact again.") from None


def directory() -> Path:
    """Return where the published pacts are."""
    return _INSTALLED if _INSTALLED.is_dir() else _CHECKOUT


def read_pacts(folder: Path) -> list[PactFile]:
    """Return the pacts of a directory, by name; raises :class:`PactFileError` when there is none, or one cannot be read."""
    if not folder.is_dir():
        raise PactFileError(f"{folder}: there is no such directory.\n  Hint: give the directory that your consumer tests write pacts to.")
    found = sorted(folder.glob("*.json"))
    if not found:
        raise PactFileError(f"{folder}: holds no pact (*.json), and nothing proves nothing.\n  Hint: run your consumer tests first.")
    return [read_pact(path) for path in found]


def read_pact(path: Path) -> PactFile:
    """Return the pact in a file; raises :class:`PactFileError`."""
    try:
        document = json.loads(path.read_bytes())
        consumer, provider = document["consumer"]["name"], document["provider"]["name"]
        version = document["metadata"]["pactSpecification"]["version"]
        interactions = document["interactions"]
        kinds = [interaction["type"] for interaction in interactions]
    except OSError as error:
        raise PactFileError(f"{path}: cannot be read: {error.strerror}.") from None
    except (ValueError, KeyError, TypeError, RecursionError):
        hint = "the consumer tests write one with specification V4; write it again"
        raise PactFileError(f"{path}: is no pact of specification V4.\n  Hint: {hint}.") from None
    if version not in _VERSIONS:
        raise PactFileError(f"{path}: is of specification {str(version)[:20]}, expected V4.\n  Hint: write it with specification V4.")
    if not kinds:
        raise PactFileError(f"{path}: has no interactions, and nothing proves nothing.\n  Hint: run your consumer tests first.")
    return PactFile(path, str(consumer), str(provider), interactions)


def result_messages(folder: Path | None = None) -> list[Message]:
    """Return what a Berichtenbox sends to an Afnemer, in the order in which it is to be offered: by the order of the pact."""
    pacts = read_pacts(folder or directory())
    messages = [message for pact in pacts if pact.consumer == AFNEMER for message in pact.messages()]
    if not messages:
        raise PactFileError(f"{folder or directory()}: no pact holds a message to an Afnemer.\n  Hint: install the kit again.")
    return messages


def _message(interaction: Mapping[str, Any]) -> Message:
    contents, metadata = interaction["contents"], dict(interaction.get("metadata") or {})
    content_type = str(metadata.pop("contentType", None) or contents["contentType"])
    comments = interaction.get("comments") or {}
    return Message(
        description=interaction["description"],
        content=_content(contents),
        content_type=content_type,
        metadata={key: str(value) for key, value in metadata.items()},
        states=tuple(State(state["name"], state.get("params") or {}) for state in interaction.get("providerStates") or ()),
        is_refused=comments.get(HANDLER) == REFUSES,
    )


def _content(contents: Mapping[str, Any]) -> bytes:
    content, encoded = contents["content"], contents.get("encoded")
    if encoded == "base64":
        return base64.b64decode(content, validate=True)
    return str(content).encode() if isinstance(content, str) else json.dumps(content).encode()
