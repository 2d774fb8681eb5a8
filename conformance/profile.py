"""The profile of an Afnemer: who it is, how it is driven, and where it reaches the simulated Berichtenbox.

Read once from TOML. Everything that is wrong with a file is said at once, each with its line; what is read is valid from then on.
"""

import hashlib
import json
import re
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from enum import StrEnum
from pathlib import Path
from typing import Any, Final, Self

from conformance.berichtenbox import register_file
from conformance.berichtenbox.citizens import CitizenWriting
from conformance.berichtenbox.register import DEFAULT_OIN, DEFAULT_TYPES, ConnectionConfig
from conformance.catalogue import DecidedBy, catalogue
from conformance.masking import STARS, mask
from conformance.messages.identities import LOGIUS_TEST_OIN
from conformance.profile_keys import (
    CLASS,
    DEFAULT_PORT,
    DEFAULT_URL,
    FAILURE_KEYS,
    LOCATIONS,
    SECTIONS,
    SERVICES,
    Key,
    UnfitError,
    a_text,
    did_you_mean,
    requirement_id,
    shown,
    split_url,
)
from conformance.profile_wire import agreement, certificates, check_cpa_id, check_face, check_gateway, gateway_of, logius_oin_of
from conformance.toml_lines import Place, places_of
from conformance.transport.cpa import Cpa
from conformance.transport.pki import Pki
from conformance.verdicts import ExitCode

LARGEST_PROFILE: Final = 1_000_000  # bytes
_DECIDES: Final = {
    DecidedBy.RULE: "a rule decides",
    DecidedBy.CASE: "a case decides",
    DecidedBy.LOAD: "a load profile decides",
    DecidedBy.CALCULATOR: "a calculator decides",
    DecidedBy.REQUIREMENTS: "other requirements decide",
}


class DriverKind(StrEnum):
    """How the kit reaches the Afnemer; ``reference`` is the embedded one, which no profile can name."""

    HTTP = "http"
    COMMAND = "command"
    PYTHON = "python"
    MANUAL = "manual"
    NONE = "none"
    REFERENCE = "reference"


# -- values ----------------------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Afnemer:
    """Who is graded; ``services`` are those that it uses, ``intermediair_for`` the OINs of clients for whom it sends.

    ``gateway`` is the URL on which its own gateway receives, as the profile says it; empty when the profile does not.
    """

    name: str = "Gemeente Voorbeeld"
    oin: str = DEFAULT_OIN
    bericht_types: tuple[str, ...] = DEFAULT_TYPES
    services: tuple[str, ...] = SERVICES
    intermediair_for: tuple[str, ...] = ()
    gateway: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class DriverConfig:
    """The way to the Afnemer: a URL, a shell command or ``package.module:Class``, or a command a verb. These may hold secrets."""

    kind: DriverKind = DriverKind.HTTP
    location: str = field(default="", repr=False)
    commands: Mapping[str, str] = field(default_factory=dict, repr=False)
    restart: str = field(default="", repr=False)

    @property
    def masked_location(self) -> str:
        """What a report may show of the location."""
        if self.kind is DriverKind.HTTP:
            return _masked_url(self.location)
        if self.kind is DriverKind.COMMAND:
            return f"a command for {', '.join(self.commands)}" if self.commands else "a command"
        return mask(self.location)


@dataclass(frozen=True, slots=True)
class BerichtenboxConfig:
    """Where the simulated Berichtenbox listens, and under which CPA; an empty ``cpa_id`` is the default one of the OIN.

    ``tls`` is a directory of test certificates, with which every face has two-way TLS, ``cpa`` the file of the CPA, and ``register`` that of the
    citizens: as they can be opened from the working directory.
    """

    face: str = "adapter"
    host: str = "127.0.0.1"
    port: int = DEFAULT_PORT
    cpa_id: str = ""
    tls: Path | None = None
    cpa: Path | None = None
    register: Path | None = None


@dataclass(frozen=True, slots=True)
class Timing:
    """How long the kit waits for this Afnemer to act, in seconds."""

    reaction_s: float = 10.0


@dataclass(frozen=True, slots=True)
class KnownFailure:
    """A failure that its owner knows of, up to and including the day ``until``."""

    id: str
    reason: str
    owner: str
    until: date


@dataclass(frozen=True, slots=True)
class Profile:
    """All that the kit must know of an Afnemer; ``declared`` maps requirement ids to what it declares, ``digest`` is SHA-256 in hex.

    ``agreement`` and ``pki`` are what stood in the files ``cpa`` and ``tls`` when the profile was read.
    """

    afnemer: Afnemer
    driver: DriverConfig
    berichtenbox: BerichtenboxConfig
    timing: Timing = Timing()
    declared: Mapping[str, str] = field(default_factory=dict)
    known_failures: tuple[KnownFailure, ...] = ()
    digest: str = ""
    path: Path | None = None
    agreement: Cpa | None = None
    pki: Pki | None = None

    def __repr__(self) -> str:
        return f"<Profile of {self.afnemer.name} ({self.afnemer.oin}): driver {self.driver.kind}>"

    @classmethod
    def default(cls, face: str = "adapter") -> Self:
        """Return the profile of a run without one: the reference Afnemer, and a Berichtenbox on a free port.

        On the face ``ebms`` it names no gateway, CPA or certificates: the run makes them.
        """
        profile = cls(Afnemer(), DriverConfig(DriverKind.REFERENCE), BerichtenboxConfig(face, port=0))
        canonical = json.dumps(profile.to_json(), sort_keys=True).encode()
        return replace(profile, digest=hashlib.sha256(canonical).hexdigest())

    def cpa(self) -> Cpa | None:
        """Return the CPA of the profile, ``None`` when it gives none: then one is made for the run."""
        return self.agreement

    def logius_oin(self) -> str:
        """Return the OIN of Logius' side: that of the CPA, else that of the test certificates, else that of every test connection."""
        if self.agreement is not None:
            return logius_oin_of(self.agreement)
        return LOGIUS_TEST_OIN if self.pki is None else self.pki.logius_oin

    def gateway(self) -> str:
        """Return the URL on which the gateway of the Afnemer receives: that of the profile, else that of its CPA; empty when neither has one."""
        return self.afnemer.gateway or ("" if self.agreement is None else gateway_of(self.agreement))

    def connection_config(self) -> ConnectionConfig:
        """Return the connection as the Berichtenbox must know it."""
        own = self.afnemer
        return ConnectionConfig(own.oin, self.berichtenbox.cpa_id, own.bericht_types, own.intermediair_for, self.logius_oin())

    def population(self, told: Callable[[int], None] | None = None) -> Callable[[CitizenWriting], object] | None:
        """Return what fills the Berichtenbox with the citizens of the register, ``None`` without one; ``told`` hears how far it is.

        What it returns raises :class:`RegisterError`.
        """
        file = self.berichtenbox.register
        return None if file is None else lambda writing: register_file.load(file, writing, told)

    def to_json(self) -> dict[str, Any]:
        """Return what a report shows of this profile: no command, and of a URL no more than where it points."""
        own, box = self.afnemer, self.berichtenbox
        gateway = {"gateway": _masked_url(self.gateway()) if self.gateway() else ""} if box.face == "ebms" else {}
        return {
            "afnemer": {
                "name": own.name,
                "oin": own.oin,
                "bericht_types": list(own.bericht_types),
                "services": list(own.services),
                "intermediair_for": list(own.intermediair_for),
            },
            "driver": {"kind": str(self.driver.kind), "location": self.driver.masked_location, "restarts": bool(self.driver.restart)},
            "berichtenbox": {
                "face": box.face,
                "host": box.host,
                "port": box.port,
                "cpa_id": self.connection_config().connection().cpa_id,
                "tls": box.tls is not None,
                **gateway,
            },
            "timing": {"reaction_s": self.timing.reaction_s},
        }


def _masked_url(url: str) -> str:
    """Return scheme, host and port: user, path and query may hold a secret."""
    parts = split_url(url)
    if parts is None:
        return STARS
    rest = f"/{STARS}" if parts.path.strip("/") or parts.query or parts.fragment else ""
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{rest}"


# -- what can go wrong -----------------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """One thing that is wrong with a profile: where (line 0: the file as a whole), which key, what, and what to do next."""

    file: str
    line: int
    key: str
    what: str
    hint: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.what}\n  Hint: {self.hint}{'' if self.hint.endswith('?') else '.'}"


class ProfileError(ValueError):
    """A profile that cannot be used: every problem in it; ``file``, ``line`` and ``key`` are those of the first."""

    exit_code = ExitCode.USAGE

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        self.file, self.line, self.key = problems[0].file, problems[0].line, problems[0].key
        super().__init__("\n".join(str(problem) for problem in problems))


# -- reading ---------------------------------------------------------------------------------------------------------------------------------


def load(path: Path) -> Profile:
    """Return the profile in a file; raises :class:`ProfileError` with everything that is wrong with it."""
    data = _read(path)
    text = _decoded(path, data)
    reader = _Reader(str(path), _parsed(path, text), places_of(text))
    profile = reader.profile(hashlib.sha256(data).hexdigest(), path)
    if reader.problems:
        raise ProfileError(sorted(reader.problems))
    return profile


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(LARGEST_PROFILE + 1)
    except OSError as error:
        hint = "`berichtenbox init` writes a commented one" if isinstance(error, FileNotFoundError) else "give a TOML file that can be read"
        raise _file_error(path, f"the profile cannot be read: {error.strerror}.", hint) from None
    if len(data) > LARGEST_PROFILE:
        raise _file_error(path, f"larger than {LARGEST_PROFILE} bytes, which no profile is.", "give the TOML file that `berichtenbox init` wrote")
    return data


def _decoded(path: Path, data: bytes) -> str:
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise _file_error(path, f"not UTF-8: the byte 0x{data[error.start]:02x} does not belong there.", "save the file as UTF-8", line) from None


def _parsed(path: Path, text: str) -> dict[str, Any]:
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise _file_error(path, "not a profile: it is nested too deep.", "`berichtenbox init` writes a commented one") from None
    except ValueError as error:
        what, _, position = str(error).rstrip(")").partition(" (at ")
        found = re.match(r"line (\d+), column (\d+)", position)
        line = int(found[1]) if found else text.count("\n") + 1
        where = f" at column {found[2]}" if found else ""
        hint = "texts stand between quotes, an OIN too, and lists between square brackets"
        raise _file_error(path, f"not TOML: {what}{where}.", hint, line) from None


def _file_error(path: Path, what: str, hint: str, line: int = 0) -> ProfileError:
    return ProfileError([Problem(str(path), line, "", what, hint)])


class _Reader:
    """Checks a document key by key, and collects what is wrong with it."""

    def __init__(self, file: str, document: Mapping[str, Any], places: Mapping[Place, int]) -> None:
        self.problems: list[Problem] = []
        self._file, self._document, self._places = file, document, places

    def profile(self, digest: str, path: Path) -> Profile:
        """Return the profile; what has a problem is left at its default."""
        known = [*SECTIONS, "declared", "known_failures"]
        for name in self._document.keys() - set(known):
            self._add((name,), f"[{name}]: an unknown section.", did_you_mean(name, known) or f"the sections are {', '.join(known)}")
        read = {name: self._section(name) for name in SECTIONS}
        pki, cpa = self._beside(read["afnemer"], read["berichtenbox"], path.parent)
        register = self._fit("berichtenbox", "register", read["berichtenbox"], lambda name: _register(path.parent / name))
        self._check_wire(read["afnemer"], read["berichtenbox"], cpa)
        return Profile(
            Afnemer(**read["afnemer"]),
            self._driver(read["driver"]),
            replace(_box(read["berichtenbox"], pki, cpa, path.parent), register=register),
            Timing(**read["timing"]),
            dict(self._declared()),
            tuple(self._known_failures()),
            digest,
            path,
            cpa,
            pki,
        )

    def _section(self, name: str) -> dict[str, Any]:
        table = self._document.get(name, {})
        if not isinstance(table, dict):
            self._add((name,), f"{name} = {shown(table)}: expected the section [{name}].", f"write [{name}] on a line of its own")
            return {}
        return self._keys((name,), f"[{name}]", table, SECTIONS[name])

    def _keys(self, place: Place, label: str, table: Mapping[str, Any], known: Mapping[str, Key]) -> dict[str, Any]:
        read = {}
        for name, value in table.items():
            if name not in known:
                hint = did_you_mean(name, list(known)) or f"{label} holds {', '.join(known)}"
                self._add((*place, name), f"{label} {name}: an unknown key.", hint)
                continue
            checked = self._checked((*place, name), label, known[name], value)
            if checked is not None:
                read[name] = checked
        return read

    def _checked(self, place: Place, label: str, key: Key, value: Any) -> Any:
        """Return a value as its key wants it, ``None`` when it is unfit."""
        try:
            return key.check(value)
        except UnfitError as unfit:
            seen = STARS if key.is_secret else shown(value)
            self._add(place, f"{label} {place[-1]} = {seen}: {unfit.what}", unfit.hint or f"for example {key.example}")
            return None

    # -- the wire --------------------------------------------------------------------------------------------------------------------------

    def _beside(self, own: Mapping[str, Any], box: Mapping[str, Any], directory: Path) -> tuple[Pki | None, Cpa | None]:
        """Return the certificates and the CPA, read from the files that the profile names; ``None`` for what is not given, or unfit."""
        oin = own.get("oin", "" if self._has("afnemer", "oin") else DEFAULT_OIN)  # an OIN that is unfit is compared with nothing
        oins = (oin, *own.get("intermediair_for", ())) if oin else ()
        pki = self._fit("berichtenbox", "tls", box, lambda name: certificates(directory / name, oins))
        cpa = self._fit("berichtenbox", "cpa", box, lambda name: agreement(directory / name, oin, datetime.now(UTC)))
        return pki, cpa

    def _check_wire(self, own: Mapping[str, Any], box: Mapping[str, Any], cpa: Cpa | None) -> None:
        """Compare face, gateway, CPA and certificates; what is given and unfit counts as given, for it was reported."""
        has_tls, has_gateway = self._has("berichtenbox", "tls"), self._has("afnemer", "gateway")
        is_told = has_gateway or self._has("berichtenbox", "cpa")
        self._fit("berichtenbox", "face", box, lambda face: check_face(face, has_gateway=is_told, has_tls=has_tls))
        self._fit("afnemer", "gateway", own, lambda url: check_gateway(url, has_tls=has_tls, cpa=cpa))
        if cpa is not None:
            self._fit("berichtenbox", "cpa_id", box, lambda cpa_id: check_cpa_id(cpa_id, cpa))
        if cpa is not None and box.get("face") == "ebms" and not has_gateway:
            self._fit("berichtenbox", "cpa", box, lambda _name: check_gateway(gateway_of(cpa), has_tls=has_tls))

    def _fit(self, section: str, name: str, read: Mapping[str, Any], check: Callable[[Any], Any]) -> Any:
        """Return what ``check`` makes of a value that is given and fit so far, ``None`` when it is not, or no longer."""
        return self._checked((section, name), f"[{section}]", replace(SECTIONS[section][name], check=check), read[name]) if name in read else None

    def _has(self, section: str, name: str) -> bool:
        table = self._document.get(section, {})
        return isinstance(table, dict) and name in table

    # -- the driver ------------------------------------------------------------------------------------------------------------------------

    def _driver(self, read: Mapping[str, Any]) -> DriverConfig:
        table = self._document.get("driver", {})
        given = [name for name in ("url", "command", "commands", "python") if isinstance(table, dict) and name in table]
        if isinstance(table, dict) and "kind" in table and "kind" not in read:
            return DriverConfig()  # which keys belong to it cannot be told
        kind = DriverKind(read.get("kind", DriverKind.HTTP))
        usable = self._usable(kind, given)
        if usable and usable not in read:
            return DriverConfig(kind)  # already reported
        location = read.get(usable, "") if usable else self._without_location(kind)
        restart = read.get("restart", "")
        if not isinstance(location, str):
            return DriverConfig(kind, commands=location, restart=restart)
        self._check_location(kind, usable, location)
        return DriverConfig(kind, location, restart=restart)

    def _usable(self, kind: DriverKind, given: Sequence[str]) -> str:
        """Return the key that says where the Afnemer is, of those that are given; empty when none does."""
        own = LOCATIONS[kind]
        for name in given:
            if name not in own:
                self._add(("driver", name), f'[driver] {name}: does not belong to kind = "{kind}".', _takes(kind))
        fitting = [name for name in own if name in given]
        for name in fitting[1:]:
            self._add(("driver", name), f"[driver] {name}: {fitting[0]} says the same already.", f"leave {name} out")
        return fitting[0] if fitting else ""

    def _without_location(self, kind: DriverKind) -> str:
        if kind in {DriverKind.COMMAND, DriverKind.PYTHON}:
            example = SECTIONS["driver"][kind].example
            self._add(("driver", "kind"), f'[driver] kind = "{kind}": the key {kind} is missing.', f"for example {example}")
        return DEFAULT_URL if kind is DriverKind.HTTP else ""

    def _check_location(self, kind: DriverKind, name: str, location: str) -> None:
        if kind is DriverKind.HTTP and split_url(location) is None:
            self._add(("driver", name), f"[driver] {name} = {STARS}: not an http:// or https:// URL.", f'for example url = "{DEFAULT_URL}"')
        if kind is DriverKind.PYTHON and location and not CLASS.fullmatch(location):
            what = f"[driver] {name} = {STARS}: expected a module, a colon and a class."
            self._add(("driver", name), what, f'for example {name} = "package.module:Class"')

    # -- what is declared, and what is known to fail ---------------------------------------------------------------------------------------

    def _declared(self) -> Iterator[tuple[str, str]]:
        table = self._document.get("declared", {})
        if not isinstance(table, dict):
            self._add(("declared",), "declared: expected the section [declared].", 'for example VERW-036 = "text" below [declared]')
            return
        for id_, value in table.items():
            statement = self._checked(("declared", id_), "[declared]", Key(a_text, f'{id_} = "what you declare"'), value)
            if self._is_declarable(id_) and statement is not None:
                yield id_, statement

    def _is_declarable(self, id_: str) -> bool:
        try:
            requirement_id(id_)
        except UnfitError as unfit:
            self._add(("declared", id_), f"[declared] {id_}: {unfit.what}", unfit.hint)
            return False
        decided_by = catalogue()[id_].decided_by
        if decided_by is not DecidedBy.DECLARED:
            self._add(("declared", id_), f"[declared] {id_}: {_DECIDES[decided_by]} this requirement, a declaration cannot.", "leave it out")
        return decided_by is DecidedBy.DECLARED

    def _known_failures(self) -> Iterator[KnownFailure]:
        tables = self._document.get("known_failures", [])
        if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables):
            what = "known_failures: expected a section [[known_failures]] for each."
            self._add(("known_failures",), what, "write [[known_failures]] on a line of its own, with id, reason, owner and until below it")
            return
        seen: set[str] = set()
        for number, table in enumerate(tables):
            place: Place = ("known_failures", number)
            read = self._keys(place, "[[known_failures]]", table, FAILURE_KEYS)
            for name in FAILURE_KEYS.keys() - table.keys():
                self._add(place, f"[[known_failures]]: the key {name} is missing.", f"for example {FAILURE_KEYS[name].example}")
            if read.get("id") in seen:
                self._add((*place, "id"), f"[[known_failures]] id = {shown(read['id'])}: stands there twice.", "leave one of the two out")
            elif read.keys() == FAILURE_KEYS.keys():
                yield KnownFailure(**read)
            seen.add(read.get("id", ""))

    def _add(self, place: Place, what: str, hint: str) -> None:
        self.problems.append(Problem(self._file, self._line(place), str(place[-1]), mask(what), mask(hint)))

    def _line(self, place: Place) -> int:
        """Return the line of a key, or of the nearest thing around it that has a line of its own."""
        while place and place not in self._places:
            place = place[:-1]
        return self._places.get(place, 0)


def _box(read: Mapping[str, Any], pki: Pki | None, cpa: Cpa | None, directory: Path) -> BerichtenboxConfig:
    """Return [berichtenbox] with its files as they can be opened, and the id of the CPA."""
    given = {**read, "tls": pki and pki.directory, "cpa": directory / read["cpa"] if cpa is not None else None}
    return BerichtenboxConfig(**(given if cpa is None else given | {"cpa_id": cpa.cpa_id}))


def _register(file: Path) -> Path:
    """Return the file of a register; no more than its first line is read now."""
    try:
        register_file.check(file)
    except register_file.RegisterError as error:
        raise UnfitError(f"{error.what}.", f"its first line is {register_file.HEADER}; commas or semicolons") from None
    return file


def _takes(kind: DriverKind) -> str:
    own = LOCATIONS[kind]
    return f'kind = "{kind}" takes {" or ".join(own)}' if own else f'kind = "{kind}" takes neither url, command nor python'
