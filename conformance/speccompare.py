"""Tells whether the built-in schemas still say the same as the schema package that an Afnemer downloads from Logius.

A file that is byte for byte the one we know needs no further look. Any other is flattened to facts (elements, namespaces, occurrence, facets),
and those are compared with ours: formatting, names of types and the way a schema is cut into files do not matter.
"""

import hashlib
import io
import struct
import tomllib
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cache, cached_property
from pathlib import Path, PurePosixPath
from typing import Final

from conformance import specs
from conformance.messages.abonnement import listed_names
from conformance.messages.guard import Limits, XmlRefused, etree, local_name, parse

Element = etree._Element  # noqa: SLF001  # lxml has no public name for it

_MAX_BYTES: Final = 50_000_000
_MAX_MEMBERS: Final = 200
_MAX_RATIO: Final = 100
_MAX_PARTICLES: Final = 20_000
_MAX_DEPTH: Final = 40
_MAX_PATH: Final = 2_000
_LONGEST_LIST: Final = 300
_XML_LIMITS: Final = Limits(size=5_000_000, markup=50_000, depth=100, attributes=100_000)
_CENTRAL_ENTRY: Final = b"PK\x01\x02"
_ENCRYPTED: Final = 0x1
_UNSOUND: Final = (zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, struct.error, EOFError, NotImplementedError, OSError, ValueError)
_METHODS: Final = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})
_XS: Final = "{http://www.w3.org/2001/XMLSchema}"
_DERIVATIONS: Final = (f"{_XS}restriction", f"{_XS}extension")
_COMPOSITORS: Final = frozenset({"sequence", "choice", "all"})
_CONSTRAINTS: Final = frozenset({"unique", "key", "keyref"})
_VALUE_FACTS: Final = ("default", "fixed", "block", "substitutionGroup")
_DOWNLOAD: Final = "download the schema package from Logius again, and give the zip as it came"


class SchemaPackageError(ValueError):
    """A zip that is not read: ``what`` is wrong, ``where``, what was ``expected`` and what ``got``, and the ``hint`` what to do next."""

    def __init__(self, what: str, *, where: str, expected: str, got: str, hint: str = _DOWNLOAD) -> None:
        super().__init__(f"{where}: {what}: expected {expected}, got {got}.\n  Hint: {hint}.")
        self.what = what
        self.where = where
        self.expected = expected
        self.got = got
        self.hint = hint


class State(StrEnum):
    """How a file of the package relates to what is built in."""

    KNOWN = "known"  # the very file that our schema was compared with, and so are its imports
    AGREES = "agrees"  # another file that says the same
    DIFFERS = "differs"
    MISSING = "missing"
    NEW_FILE = "new file"


@dataclass(frozen=True, slots=True)
class Difference:
    """One fact on which the schemas disagree: the path of the element, the subject (``maxLength``), our value and theirs."""

    path: str
    subject: str
    ours: str
    theirs: str

    def __str__(self) -> str:
        return f"{self.path} {self.subject}: ours {self.ours}, theirs {self.theirs}"


@dataclass(frozen=True, slots=True)
class FileReport:
    """What became of one file: its ``name``, where it stood in the zip, our counterpart, and the differences.

    ``identical``: its sha256 is the listed one. ``decides``: it counts for the agreement, as examples and new files do not.
    """

    name: str
    state: State
    member: str | None = None
    built_in: str | None = None
    identical: bool = False
    decides: bool = False
    differences: tuple[Difference, ...] = ()


@dataclass(frozen=True, slots=True)
class Comparison:
    """What a schema package says against the built-in schemas, one report a file."""

    package: Path
    files: tuple[FileReport, ...]

    @property
    def agrees(self) -> bool:
        """Whether every schema that Logius publishes is there (a sketch of ours may do without) and says what ours says."""
        return all(file.state in {State.KNOWN, State.AGREES} for file in self.files if file.decides)


@dataclass(frozen=True, slots=True)
class _Official:
    """A file that the package is known to hold, from ``specs/xsd/official.toml``."""

    name: str
    sha256: str
    kind: str
    built_in: str | None = None
    sketch: bool = False
    also_named: tuple[str, ...] = ()

    def is_named(self, member: str) -> bool:
        return PurePosixPath(member).name in {self.name, *self.also_named}

    @property
    def decides(self) -> bool:
        return self.kind == "schema"


def compare(zip_path: Path) -> Comparison:
    """Compare the schema package in ``zip_path`` with the built-in schemas; raises :class:`SchemaPackageError` when it is unsafe or unreadable.

    Folders inside the zip do not matter. Both names of the types file are understood (contradiction D2).
    """
    package = _Schemas(_read_package(zip_path))
    reports = [report for listed in _official() for report in _report(listed, package)]
    taken = {report.member for report in reports}
    new = [_report_new(member, package) for member in sorted(package.sources) if member not in taken]
    return Comparison(zip_path, (*reports, *new))


@cache
def _official() -> tuple[_Official, ...]:
    with specs.path("xsd/official.toml").open("rb") as file:
        entries = tomllib.load(file)["file"]
    return tuple(_Official(**{**entry, "also_named": tuple(entry.get("also_named", ()))}) for entry in entries)


@cache
def _built_in() -> "_Schemas":
    folders = sorted({PurePosixPath(listed.built_in).parent for listed in _official() if listed.built_in})
    return _Schemas({str(folder / path.name): path.read_bytes() for folder in folders for path in sorted(specs.path(str(folder)).glob("*.xsd"))})


def _report(listed: _Official, package: "_Schemas") -> list[FileReport]:
    members = [member for member in sorted(package.sources) if listed.is_named(member)]
    if not members:
        # Where ours is a sketch there is nothing to disagree with until the official file is there.
        return [FileReport(listed.name, State.MISSING, None, listed.built_in, decides=listed.decides and not listed.sketch)]
    return [_judge(listed, member, package) for member in members]


def _judge(listed: _Official, member: str, package: "_Schemas") -> FileReport:
    sha256 = package.sha256(member)
    identical = sha256 == listed.sha256
    if identical and (listed.built_in is None or (not listed.sketch and _imports_are_known(member, package))):
        return FileReport(listed.name, State.KNOWN, member, listed.built_in, identical=True, decides=listed.decides)
    if listed.built_in is None:
        differences: tuple[Difference, ...] = (Difference(f"/{listed.name}", "sha256", listed.sha256, sha256),)
    else:
        differences = _differences(_built_in().facts(listed.built_in), package.facts(member))
        if listed.sketch:
            differences += _absent_names(listed.built_in, member, package)
    state = State.DIFFERS if differences else State.AGREES
    return FileReport(listed.name, state, member, listed.built_in, identical, listed.decides, differences)


def _absent_names(built_in: str, member: str, package: "_Schemas") -> tuple[Difference, ...]:
    """Return the names of ``specs/abonnementen.toml`` that our sketch has and their schema has not: there they have to be changed."""
    ours, theirs = _built_in().texts(built_in), package.texts(member)
    absent = [name for name in listed_names().values() if name.text in ours - theirs]
    return tuple(Difference("/abonnementen.toml", "name", f"{name.text} ({name.certainty})", "absent") for name in absent)


def _imports_are_known(member: str, package: "_Schemas") -> bool:
    known = {listed.sha256 for listed in _official()}
    reached = package.reached(member)
    return None not in reached and all(package.sha256(name) in known for name in reached if name)


def _report_new(member: str, package: "_Schemas") -> FileReport:
    """Report a file that is not listed; a schema that declares an element of ours is compared, as it may replace a listed one."""
    name = PurePosixPath(member).name
    declared = package.declares(member)
    ours = _built_in()
    for listed in _official():
        if listed.built_in and declared & ours.declares(listed.built_in):
            differences = _differences(ours.facts(listed.built_in), package.facts(member))
            return FileReport(name, State.NEW_FILE, member, listed.built_in, differences=differences)
    return FileReport(name, State.NEW_FILE, member)


# --- the zip ---------------------------------------------------------------------------------------------------------------------------------------


def _read_package(path: Path) -> dict[str, bytes]:
    """Return the files of the zip by their names; every limit is checked before anything is unpacked."""
    where = path.name
    try:
        size = path.stat().st_size
        if size > _MAX_BYTES:
            raise SchemaPackageError("the zip is too large", where=where, expected=f"at most {_MAX_BYTES} bytes", got=f"{size} bytes")
        data = path.read_bytes()
    except OSError as error:
        raise SchemaPackageError("the zip cannot be opened", where=where, expected="a file that can be read", got=f"{error.strerror}") from None
    _check_count(data.count(_CENTRAL_ENTRY), where)
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            infos = [info for info in archive.infolist() if not info.is_dir()]
            _check_members(infos, where)
            return {info.filename: archive.read(info) for info in infos}
    except SchemaPackageError:
        raise
    except _UNSOUND as error:
        raise SchemaPackageError(
            "this is not a sound zip", where=where, expected="the zip of Logius", got=f"{type(error).__name__}: {error}"
        ) from None


def _check_count(number: int, where: str) -> None:
    # Each file has one such mark, so that the mark counts them before zipfile builds its list in memory.
    if number > _MAX_MEMBERS:
        raise SchemaPackageError("the zip holds too many files", where=where, expected=f"at most {_MAX_MEMBERS}", got=f"{number}")


def _check_members(infos: list[zipfile.ZipInfo], where: str) -> None:
    for info in infos:
        _check_member(info, f"{where}: {info.filename!r}")
    total = sum(info.file_size for info in infos)
    if total > _MAX_BYTES:
        raise SchemaPackageError("the files are too large together", where=where, expected=f"at most {_MAX_BYTES} bytes", got=f"{total} bytes")
    names = [info.filename for info in infos]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise SchemaPackageError("a file stands in the zip twice", where=where, expected="each name once", got=f"{twice[0]!r} again")


def _check_member(info: zipfile.ZipInfo, where: str) -> None:
    name = PurePosixPath(info.filename.replace("\\", "/"))
    if name.is_absolute() or ".." in name.parts or ":" in info.filename:
        raise SchemaPackageError("a name leads out of the zip", where=where, expected="a plain relative name", got=repr(info.filename))
    if info.flag_bits & _ENCRYPTED:
        hint = "unpack it with the password, and zip the files again without one"
        raise SchemaPackageError("the file is encrypted", where=where, expected="a zip without a password", got="an encrypted file", hint=hint)
    if info.compress_type not in _METHODS:
        got = f"method {info.compress_type}"
        raise SchemaPackageError("the compression is not read", where=where, expected="stored or deflated", got=got, hint="zip the files again")
    if info.file_size > _MAX_RATIO * max(info.compress_size, 1):
        got = f"{info.file_size} bytes from {info.compress_size}"
        raise SchemaPackageError("the file unpacks to suspiciously much", where=where, expected=f"at most {_MAX_RATIO} times its size", got=got)


# --- the schemas -----------------------------------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Node:
    """What a schema says about the element at one path."""

    facts: dict[str, str] = field(default_factory=dict)
    children: list[str] = field(default_factory=list)


_Facts = dict[str, _Node]


class _Schemas:
    """A set of schema files that refer to each other, by name."""

    def __init__(self, sources: Mapping[str, bytes]) -> None:
        self.sources = sources

    def sha256(self, name: str) -> str:
        return hashlib.sha256(self.sources[name]).hexdigest()

    @cached_property
    def _parsed(self) -> dict[str, Element | XmlRefused]:
        parsed: dict[str, Element | XmlRefused] = {}
        for name, data in self.sources.items():
            if name.lower().endswith(".xsd"):
                try:
                    parsed[name] = parse(data, _XML_LIMITS)
                except XmlRefused as refused:
                    parsed[name] = refused
        return parsed

    def root(self, name: str) -> Element:
        """Return the ``xs:schema`` of a file; raises :class:`SchemaPackageError` when it is none."""
        root = self._parsed[name]
        if isinstance(root, XmlRefused):
            raise SchemaPackageError("the schema cannot be read", where=name, expected="an XML Schema without DOCTYPE", got=str(root))
        if root.tag != f"{_XS}schema":
            raise SchemaPackageError("the file is not a schema", where=name, expected="xs:schema as its root", got=str(root.tag))
        return root

    def _is_schema(self, name: str) -> bool:
        root = self._parsed.get(name)
        return root is not None and not isinstance(root, XmlRefused) and root.tag == f"{_XS}schema"

    def declares(self, name: str) -> frozenset[str]:
        """Return the global elements of a file, as ``{namespace}name``; nothing for a file that is not a schema."""
        if not self._is_schema(name):
            return frozenset()
        root = self.root(name)
        return frozenset(f"{{{root.get('targetNamespace', '')}}}{child.get('name')}" for child in root.iterchildren(f"{_XS}element"))

    def texts(self, name: str) -> frozenset[str]:
        """Return every name, value and namespace that a file and all that it refers to declare."""
        roots = [self.root(reached) for reached in self.reached(name) if reached is not None]
        elements = [element for root in roots for element in root.iter("*")]
        return frozenset(element.get(key, "") for element in elements for key in ("name", "value", "targetNamespace"))

    def reached(self, name: str) -> list[str | None]:
        """Return the file and all that it includes or imports; ``None`` stands for one that is not there."""
        found: list[str | None] = [name]
        for current in found:
            if current is not None:
                found.extend(target for target in self._targets(current) if target not in found)
        return found

    def _targets(self, name: str) -> Iterator[str | None]:
        root = self.root(name)
        for child in root.iterchildren(f"{_XS}include", f"{_XS}redefine", f"{_XS}override"):
            yield self._resolve(name, child.get("schemaLocation", ""), None)
        for child in root.iterchildren(f"{_XS}import"):
            yield self._resolve(name, child.get("schemaLocation", ""), child.get("namespace", ""))

    def _resolve(self, name: str, location: str, namespace: str | None) -> str | None:
        """Find a file by the name in its location, else an import by its namespace: the real package has the types under another name (D2)."""
        wanted = PurePosixPath(location).name
        others = [other for other in sorted(self._parsed) if other != name and self._is_schema(other)]
        by_name = [other for other in others if PurePosixPath(other).name == wanted]
        by_namespace = [other for other in others if self.root(other).get("targetNamespace", "") == namespace]
        return next(iter((*by_name, *by_namespace)), None)

    def facts(self, name: str) -> _Facts:
        """Return all that the global elements of a file and their descendants must satisfy, by path."""
        files = [self.root(reached) for reached in self.reached(name) if reached is not None]
        flattener = _Flattener(name, files)
        for child in self.root(name).iterchildren(f"{_XS}element"):
            flattener.add(child, "", "1..1", ())
        for child in self.root(name).iterchildren(f"{_XS}redefine", f"{_XS}override"):
            flattener.facts[f"/{local_name(child)}"] = _Node({"schemaLocation": child.get("schemaLocation", "")})
        return flattener.facts


class _Flattener:
    """Walks the declarations of one schema and writes down the facts by path, within bounds on steps and depth."""

    def __init__(self, name: str, files: list[Element]) -> None:
        self.facts: _Facts = {}
        self._name = name
        self._steps = 0
        self._depth = 0
        self._open: list[Element] = []
        self._used: Counter[str] = Counter()
        self._components = {
            (local_name(child), f"{{{root.get('targetNamespace', '')}}}{child.get('name')}"): child
            for root in reversed(files)
            for child in root.iterchildren("*")
            if child.get("name")
        }

    def add(self, particle: Element, parent: str, occurs: str, model: tuple[str, ...]) -> None:
        """Write down the element of ``particle`` under the path ``parent``, then what it contains."""
        reference = particle.get("ref")
        declaration = self._find("element", particle, reference) if reference else particle
        name = _plain(reference or particle.get("name") or "?")
        path = self._fresh(f"{parent}/{name}")
        node = self.facts[path] = _Node({"occurs": occurs})
        if model:
            node.facts["model"] = " > ".join(model)
        if parent:
            self.facts[parent].children.append(path.rpartition("/")[2])
        if declaration is None:
            node.facts["unresolved"] = _qualified(particle, reference or "")
            return
        node.facts["namespace"] = _namespace(declaration) or "none"
        node.facts |= _declared(declaration)
        self._enter(declaration, path)

    def _enter(self, declaration: Element, path: str) -> None:
        self._spend(path)
        inline = next(declaration.iterchildren(f"{_XS}complexType", f"{_XS}simpleType"), None)
        if inline is not None:
            self._type(inline, path)
        else:
            self._named_type(declaration, declaration.get("type"), path)

    def _named_type(self, at: Element, name: str | None, path: str) -> None:
        complex_type = self._find("complexType", at, name)
        if complex_type is not None:
            self._type(complex_type, path)
        else:
            self.facts[path].facts |= self._simple(at, name)

    def _type(self, declared: Element, path: str) -> None:
        if declared.tag == f"{_XS}simpleType":
            self.facts[path].facts |= self._simple_type(declared)
        elif declared in self._open:
            self.facts[path].facts["recursive"] = "true"
        else:
            self._open.append(declared)
            self._complex(declared, path)
            self._open.pop()

    def _complex(self, declared: Element, path: str) -> None:
        """Write down mixed content, attributes and particles; an extension starts with what its base has."""
        facts = self.facts[path].facts
        content = next(declared.iterchildren(f"{_XS}complexContent", f"{_XS}simpleContent"), None)
        if any(_is_true(node.get("mixed")) for node in (declared, content) if node is not None):
            facts["mixed"] = "true"
        derivation = declared if content is None else next(content.iterchildren(*_DERIVATIONS), content)
        if content is not None and (local_name(content) == "simpleContent" or local_name(derivation) == "extension"):
            self._named_type(derivation, derivation.get("base"), path)
            facts |= _facets(derivation)
        facts.setdefault("type", "elements")
        facts |= self._attributes(derivation)
        for child in derivation.iterchildren("*"):
            self._particle(child, path, ())

    def _particle(self, particle: Element, path: str, model: tuple[str, ...], outer: str | None = None) -> None:
        self._spend()
        kind, occurs = local_name(particle), outer or _occurs(particle)
        if kind == "element":
            self.add(particle, path, occurs, model)
        elif kind == "any":
            wildcard = {"namespace": particle.get("namespace", "##any"), "processContents": particle.get("processContents", "strict")}
            self.facts[self._fresh(f"{path}/*")] = _Node({"occurs": occurs, **wildcard})
        elif kind == "group":
            self._group(particle, path, model, occurs)
        elif kind in _COMPOSITORS:
            # A plain sequence in a sequence says nothing; any other is a fact about each of its members.
            inner = model if (kind, occurs) == ("sequence", "1..1") else (*model, f"{kind} {occurs} of {_members(particle)}")
            for child in particle.iterchildren("*"):
                self._deeper(child, path, inner)

    def _group(self, particle: Element, path: str, model: tuple[str, ...], occurs: str) -> None:
        group = self._find("group", particle, particle.get("ref", ""))
        if group is None:
            self.facts[path].facts["unresolved"] = _qualified(particle, particle.get("ref", ""))
            return
        for child in group.iterchildren(*(f"{_XS}{kind}" for kind in _COMPOSITORS)):
            self._deeper(child, path, model, occurs)

    def _deeper(self, child: Element, path: str, model: tuple[str, ...], occurs: str | None = None) -> None:
        self._depth += 1
        self._spend()
        self._particle(child, path, model, occurs)
        self._depth -= 1

    def _attributes(self, derivation: Element) -> dict[str, str]:
        facts = {}
        for child in derivation.iterchildren(f"{_XS}attribute", f"{_XS}attributeGroup", f"{_XS}anyAttribute"):
            name = _plain(child.get("name") or child.get("ref") or local_name(child))
            inline = child.find(f"{_XS}simpleType")
            declared = self._simple(child, child.get("type")) if inline is None else self._simple_type(inline)
            facts[f"@{name}"] = " ".join((child.get("use", "optional"), *(f"{key}={value}" for key, value in sorted(declared.items()))))
        return facts

    def _simple(self, at: Element, name: str | None) -> dict[str, str]:
        if name is None:
            return {"type": "xs:anyType"}
        declared = self._find("simpleType", at, name)
        if declared is not None:
            return self._simple_type(declared)
        qualified = _qualified(at, name)
        return {"type": f"xs:{_plain(name)}"} if qualified.startswith(_XS) else {"unresolved": qualified}

    def _simple_type(self, declared: Element) -> dict[str, str]:
        """Return the built-in type at the root of a simple type, and every facet on the way down to it."""
        self._depth += 1
        self._spend()
        derivation = next(declared.iterchildren(f"{_XS}restriction", f"{_XS}list", f"{_XS}union"), declared)
        inline = [self._simple_type(child) for child in derivation.iterchildren(f"{_XS}simpleType")]
        named = " ".join(derivation.get(key, "") for key in ("base", "itemType", "memberTypes")).split()
        parts = [*(self._simple(derivation, name) for name in named), *inline]
        self._depth -= 1
        kind = local_name(derivation)
        if kind != "restriction":
            return {"type": f"{kind} of {' | '.join(str(sorted(part.items())) for part in parts)}"}
        base = parts[0] if parts else {"type": "xs:anySimpleType"}
        return _restricted(base, _facets(derivation))

    def _find(self, kind: str, at: Element, name: str | None) -> Element | None:
        return self._components.get((kind, _qualified(at, name))) if name else None

    def _fresh(self, path: str) -> str:
        """Return ``path``, numbered when a content model has the same element more than once."""
        self._used[path] += 1
        return path if self._used[path] == 1 else f"{path}[{self._used[path]}]"

    def _spend(self, path: str = "") -> None:
        self._steps += 1
        if self._steps > _MAX_PARTICLES or self._depth + len(self._open) > _MAX_DEPTH or len(path) > _MAX_PATH:
            expected = f"at most {_MAX_PARTICLES} particles, {_MAX_DEPTH} deep"
            raise SchemaPackageError("the schema unfolds without end", where=self._name, expected=expected, got="more")


def _qualified(at: Element, name: str) -> str:
    prefix, _, local = name.rpartition(":")
    return f"{{{at.nsmap.get(prefix or None, '')}}}{local}"


def _plain(name: str) -> str:
    return name.rpartition(":")[2]


def _is_true(text: str | None) -> bool:
    return text in {"true", "1"}


def _namespace(declaration: Element) -> str:
    """Return the namespace that an element has in a document: its form, else the default of its file; a global one is always qualified."""
    root, parent = declaration.getroottree().getroot(), declaration.getparent()
    form = declaration.get("form", root.get("elementFormDefault", "unqualified"))
    return root.get("targetNamespace", "") if parent is root or form == "qualified" else ""


def _declared(declaration: Element) -> dict[str, str]:
    """Return the facts in attributes and identity constraints of an element; what says nothing is left out."""
    facts = {key: declaration.get(key, "") for key in _VALUE_FACTS if key in declaration.attrib}
    facts |= {key: "true" for key in ("nillable", "abstract") if _is_true(declaration.get(key))}
    for child in declaration.iterchildren(*(f"{_XS}{kind}" for kind in _CONSTRAINTS)):
        facts[f"{local_name(child)} {child.get('name')}"] = " ".join(part.get("xpath", "") for part in child.iterchildren("*"))
    return facts


def _occurs(particle: Element) -> str:
    return f"{particle.get('minOccurs', '1')}..{particle.get('maxOccurs', '1')}"


def _members(particle: Element) -> str:
    """Return the names in a choice, shortened when there are very many: each member is a fact of its own anyway."""
    children = (child for child in particle.iterchildren("*") if local_name(child) != "annotation")
    names = "|".join(_plain(child.get("name") or child.get("ref") or local_name(child)) for child in children)
    return names if len(names) <= _LONGEST_LIST else f"{names[:_LONGEST_LIST]}…"


def _facets(derivation: Element) -> dict[str, str]:
    """Return the facets that stand directly in a restriction; the values of one kind together, sorted."""
    found: dict[str, list[str]] = {}
    for child in derivation.iterchildren("*"):
        if "value" in child.attrib:
            found.setdefault(local_name(child), []).append(child.get("value", ""))
    return {kind: " | ".join(sorted(values)) for kind, values in found.items() if (kind, values) != ("minLength", ["0"])}


def _restricted(base: dict[str, str], facets: dict[str, str]) -> dict[str, str]:
    """Add the facets of one step; the patterns of every step must match, of the others the last one counts."""
    if "pattern" in base and "pattern" in facets:
        facets = {**facets, "pattern": f"{base['pattern']} and {facets['pattern']}"}
    return {**base, **facets}


# --- the comparison --------------------------------------------------------------------------------------------------------------------------------


def _differences(ours: _Facts, theirs: _Facts) -> tuple[Difference, ...]:
    return tuple(difference for path in dict.fromkeys((*ours, *theirs)) for difference in _at(path, ours, theirs))


def _at(path: str, ours: _Facts, theirs: _Facts) -> Iterator[Difference]:
    mine, other = ours.get(path), theirs.get(path)
    parent = path.rpartition("/")[0]
    if mine is None or other is None:
        if not parent or (_is_known(parent, ours) and _is_known(parent, theirs)):
            yield Difference(path, "element", _presence(mine), _presence(other))
        return
    subjects = mine.facts.keys() | other.facts.keys()
    for subject in sorted({"unresolved"} if "unresolved" in subjects else subjects):
        one, two = mine.facts.get(subject, "none"), other.facts.get(subject, "none")
        if one != two:
            yield Difference(path, subject, one, two)
    common = set(mine.children) & set(other.children)
    one, two = (" ".join(child for child in node.children if child in common) for node in (mine, other))
    if one != two:
        yield Difference(path, "order", one, two)


def _is_known(path: str, facts: _Facts) -> bool:
    """Tell whether a schema says what is in the element at ``path``: else one difference there tells all."""
    return path in facts and "unresolved" not in facts[path].facts


def _presence(node: _Node | None) -> str:
    return "absent" if node is None else f"present ({node.facts['occurs']})" if "occurs" in node.facts else "present"
