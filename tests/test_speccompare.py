"""Comparing a schema package with the built-in schemas: what is seen as the same, what as a difference, and what is not even opened."""

import os
import shutil
import struct
import zipfile
from pathlib import Path

import pytest

from conformance import speccompare, specs
from conformance.speccompare import Difference, SchemaPackageError, State, compare

LOGIUS = Path(os.environ.get("BERICHTENBOX_LOGIUS", Path(__file__).parents[1].parent / "shared" / "logius"))
needs_official = pytest.mark.skipif(not (LOGIUS / "berichtverwerk").is_dir(), reason="the schema package of Logius is not here")

# The built-in schemas under the names of Logius: a package that says the same in other bytes.
OURS = {
    "GLOBEBatchRequest.xsd": "berichten.xsd",
    "GLOBEBatchRequestTypes_128ch.xsd": "bericht-types.xsd",
    "GLOBEBatchResponse.xsd": "verwerkingsbericht.xsd",
    "GLOBEBatchResponseTypes.xsd": "resultaat-types.xsd",
    "AbonnementAanvraag.xsd": "abonnement-aanvraag.xsd",
    "AbonnementAntwoord.xsd": "abonnement-antwoord.xsd",
    "xsd0.xsd": "validatie-dienst.xsd",
    "xsd2.xsd": "validatie-types.xsd",
    "xsd3.xsd": "validatie-gedeeld.xsd",
}
TYPES = "GLOBEBatchRequestTypes_128ch.xsd"


def ours() -> dict[str, bytes]:
    return {name: specs.path(f"xsd/{built_in}").read_bytes() for name, built_in in OURS.items()}


def theirs() -> dict[str, bytes]:
    """Return what the real package holds: its types file has another name than the import says."""
    return {
        f"pakket/{path.relative_to(LOGIUS)}": path.read_bytes()
        for path in sorted(LOGIUS.rglob("*"))
        if path.is_file() and path.name != "GLOBEBatchRequestTypes.xsd"
    }


def package(folder: Path, files: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> Path:
    path = folder / "schemas.zip"
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return path


def report(comparison, name):
    return next(file for file in comparison.files if file.name == name)


def changed(files: dict[str, bytes], name: str, old: str, new: str) -> dict[str, bytes]:
    key = next(key for key in files if key.endswith(name))
    after = files[key].replace(old.encode(), new.encode())
    assert after != files[key]
    return {**files, key: after}


@needs_official
def test_the_package_of_logius_is_known(tmp_path):
    """
    Every file that we know is recognised by its hash, in any folder, although the import names a file that is not there.
    """
    comparison = compare(package(tmp_path, theirs()))

    states = {file.name: file.state for file in comparison.files}
    assert {name for name, state in states.items() if state is State.MISSING} == {"AbonnementAanvraag.xsd", "AbonnementAntwoord.xsd"}
    assert set(states.values()) == {State.KNOWN, State.MISSING}
    assert comparison.agrees


@needs_official
@pytest.mark.parametrize("name", [name for name in OURS if not name.startswith("Abonnement")])
def test_the_official_schemas_agree_with_ours_fact_by_fact(tmp_path, name):
    """
    Without the hash to go by, the structure of the official file gives no difference with ours.
    """
    files = {key: data + b"<!-- -->" for key, data in theirs().items()}

    found = report(compare(package(tmp_path, files)), name)

    assert (found.state, found.identical, found.differences) == (State.AGREES, False, ())


@needs_official
def test_a_known_file_with_a_changed_import_is_looked_at(tmp_path):
    """
    The batch's schema is the known one, but it imports the types that changed: then it does not agree.
    """
    files = changed(theirs(), TYPES, 'maxLength value="128"', 'maxLength value="256"')

    found = report(compare(package(tmp_path, files)), "GLOBEBatchRequest.xsd")

    path = "/Berichten/Bericht/Bijlagen/Bijlage/Omschrijving"
    assert found.identical
    assert (found.state, found.differences) == (State.DIFFERS, (Difference(path, "maxLength", "128", "256"),))


@needs_official
def test_a_changed_wsdl_is_reported_by_its_hash(tmp_path):
    """
    A file without a built-in schema differs as a whole.
    """
    files = changed(theirs(), "BerichtenboxValidatieService.wsdl", "rdw64825", "rdw64826")

    found = report(compare(package(tmp_path, files)), "BerichtenboxValidatieService.wsdl")

    assert found.state is State.DIFFERS
    assert found.decides
    assert [difference.subject for difference in found.differences] == ["sha256"]


def test_our_own_schemas_agree_in_other_bytes(tmp_path):
    """
    Other bytes that say the same are no difference, and the sketches are compared as well.
    """
    comparison = compare(package(tmp_path, ours()))

    compared = [file for file in comparison.files if file.name in OURS]
    assert [(file.state, file.differences) for file in compared] == [(State.AGREES, ())] * len(OURS)
    assert not comparison.agrees
    assert report(comparison, "xsd1.xsd").state is State.MISSING


def test_a_name_of_the_abonnementservices_that_is_not_in_the_package_is_told(tmp_path):
    """
    Whoever has the real schema reads which names of specs/abonnementen.toml have to be changed.
    """
    files = changed(ours(), "AbonnementAntwoord.xsd", 'name="Status"', 'name="Stand"')

    found = report(compare(package(tmp_path, files)), "AbonnementAntwoord.xsd")

    assert found.state is State.DIFFERS
    assert Difference("/abonnementen.toml", "name", "Status (aanname)", "absent") in found.differences


def test_the_package_agrees_when_all_that_decides_does(tmp_path, monkeypatch):
    """
    Examples and new files do not count; each schema does.
    """
    monkeypatch.setattr(speccompare, "_official", lambda: tuple(file for file in OFFICIAL if file.built_in or file.kind == "example"))

    comparison = compare(package(tmp_path, {**ours(), "leesmij.txt": b"Lees mij."}))

    assert comparison.agrees
    assert report(comparison, "GEB-BV.xml").state is State.MISSING
    assert report(comparison, "leesmij.txt") == speccompare.FileReport("leesmij.txt", State.NEW_FILE, "leesmij.txt")


OFFICIAL = speccompare._official()


def test_the_types_file_may_have_the_name_of_the_import(tmp_path):
    """
    Either name of the types file is understood (contradiction D2).
    """
    files = ours()
    files["GLOBEBatchRequestTypes.xsd"] = files.pop(TYPES)

    found = report(compare(package(tmp_path, files)), TYPES)

    assert (found.state, found.member) == (State.AGREES, "GLOBEBatchRequestTypes.xsd")


BERICHT_NS = "http://schemas.rdw.nl/GEB/BerichtenProsessor/Bericht/Types/2009/01"
RESULT_NS = "http://schemas.rdw.nl/GEB/BerichtVerwerkService/BerichtResultaat/Types/2009/01"
KOP, BIJLAGE = "/Bericht/BerichtInformatie", "/Bericht/Bijlagen/Bijlage"
ONTVANGER = '<xs:group ref="b:Ontvanger"/>'
PDF = '<xs:enumeration value="Pdf"/>'
CHOICE = "of BSNLijst|MutatieDatum"
CHANGES = [
    (TYPES, 'maxLength value="50"', 'maxLength value="60"', (f"{KOP}/Onderwerp", "maxLength", "50", "60")),
    (TYPES, 'maxOccurs="2"', 'maxOccurs="3"', (BIJLAGE, "occurs", "1..2", "1..3")),
    (TYPES, PDF, f'{PDF}<xs:enumeration value="Png"/>', (f"{BIJLAGE}/BijlageType", "enumeration", "Pdf", "Pdf | Png")),
    (TYPES, '"Volgorde" type="xs:int"', '"Volgorde" type="xs:short"', (f"{BIJLAGE}/Volgorde", "type", "xs:int", "xs:short")),
    (TYPES, ONTVANGER, f'{ONTVANGER}<xs:element name="Nieuw" type="xs:int"/>', (f"{KOP}/Nieuw", "element", "absent", "present (1..1)")),
    (TYPES, '<xs:group ref="b:Brief"/>', "", (f"{KOP}/Onderwerp", "element", "present (1..1)", "absent")),
    (TYPES, ONTVANGER, '<xs:group ref="b:Weg"/>', (KOP, "unresolved", "none", f"{{{BERICHT_NS}}}Weg")),
    ("GLOBEBatchResponseTypes.xsd", 'nillable="true"', 'nillable="0"', ("/Bericht/Stadium", "nillable", "true", "none")),
    ("GLOBEBatchResponseTypes.xsd", '="unqualified"', '="qualified"', ("/Bericht/BerichtID", "namespace", "none", RESULT_NS)),
    (
        "AbonnementAanvraag.xsd",
        '<xs:choice minOccurs="0">',
        "<xs:choice>",
        ("/AbonnementAanvraag/BSNLijst", "model", f"choice 0..1 {CHOICE}", f"choice 1..1 {CHOICE}"),
    ),
    (
        "AbonnementAntwoord.xsd",
        'complexType name="AbonnementAanname"',
        'complexType name="AbonnementAanname" mixed="true"',
        ("/AbonnementAntwoord/Abonnementen/Abonnement", "mixed", "none", "true"),
    ),
]


@pytest.mark.parametrize(("name", "old", "new", "expected"), CHANGES)
def test_a_change_in_a_schema_is_named_with_its_path(tmp_path, name, old, new, expected):
    """
    Each kind of change is reported where it is, with our value and theirs.
    """
    found = report(compare(package(tmp_path, changed(ours(), name, old, new))), name)

    assert found.state is State.DIFFERS
    assert Difference(*expected) in found.differences


def test_a_difference_reads_as_a_sentence():
    """
    The text of a difference says where, what, ours and theirs.
    """
    assert str(Difference("/Bericht/Onderwerp", "maxLength", "50", "60")) == "/Bericht/Onderwerp maxLength: ours 50, theirs 60"


def test_another_order_is_one_difference(tmp_path):
    """
    Two groups that change places change the order in their parent, and nothing else.
    """
    old, new = '<xs:group ref="v:Tellers"/>\n          <xs:group ref="v:Tijden"/>', '<xs:group ref="v:Tijden"/><xs:group ref="v:Tellers"/>'

    found = report(compare(package(tmp_path, changed(ours(), "GLOBEBatchResponse.xsd", old, new))), "GLOBEBatchResponse.xsd")

    assert [(difference.path, difference.subject) for difference in found.differences] == [("/BerichtVerwerkResponse/BatchInformatie", "order")]


def test_a_missing_file_is_missing_and_leaves_one_difference_behind(tmp_path):
    """
    Without the types the batch's schema differs at the element that it cannot find, and not at everything below.
    """
    files = ours()
    del files[TYPES]

    comparison = compare(package(tmp_path, files))

    assert report(comparison, TYPES).state is State.MISSING
    differences = report(comparison, "GLOBEBatchRequest.xsd").differences
    assert {difference.subject for difference in differences} == {"unresolved"}
    assert "/Berichten/Bericht" in {difference.path for difference in differences}


def test_a_new_file_that_replaces_a_known_one_is_compared(tmp_path):
    """
    Should Logius rename the types file once more, then the new file is held against our types.
    """
    files = changed(ours(), TYPES, 'maxLength value="128"', 'maxLength value="256"')
    files["GLOBEBatchRequestTypes_256ch.xsd"] = files.pop(TYPES)

    comparison = compare(package(tmp_path, files))

    found = report(comparison, "GLOBEBatchRequestTypes_256ch.xsd")
    assert (found.state, found.built_in) == (State.NEW_FILE, "xsd/bericht-types.xsd")
    assert [str(difference) for difference in found.differences] == ["/Bericht/Bijlagen/Bijlage/Omschrijving maxLength: ours 128, theirs 256"]
    assert report(comparison, "GLOBEBatchRequest.xsd").state is State.DIFFERS


@pytest.mark.parametrize("data", [b"<!DOCTYPE a><a/>", b"<geen-schema/>", b"kapot"])
def test_a_new_file_that_is_no_schema_is_only_named(tmp_path, data):
    """
    What we do not know and cannot read is reported as new, and stops nothing.
    """
    found = report(compare(package(tmp_path, {**ours(), "nieuw.xsd": data})), "nieuw.xsd")

    assert (found.state, found.built_in) == (State.NEW_FILE, None)


@pytest.mark.parametrize(
    ("data", "match"),
    [(b'<!DOCTYPE a [<!ENTITY x "y">]><a/>', "the schema cannot be read"), (b"<geen-schema/>", "the file is not a schema")],
)
def test_a_known_name_that_is_no_schema_is_refused(tmp_path, data, match):
    """
    A file that should be the schema but is not stops the comparison with a sentence that names it.
    """
    with pytest.raises(SchemaPackageError, match=match) as caught:
        compare(package(tmp_path, {**ours(), TYPES: data}))

    assert caught.value.where == TYPES


XS = 'xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:t="urn:t" targetNamespace="urn:t"'


def facts(body: str, **others: str) -> dict[str, dict[str, str]]:
    sources = {f"{name}.xsd": f"<xs:schema {XS}>{text}</xs:schema>".encode() for name, text in {"een": body, **others}.items()}
    return {path: node.facts for path, node in speccompare._Schemas(sources).facts("een.xsd").items()}


def complex_type(content: str) -> str:
    return f'<xs:element name="a"><xs:complexType>{content}</xs:complexType></xs:element>'


def simple(restriction: str) -> str:
    return f'<xs:element name="a"><xs:simpleType>{restriction}</xs:simpleType></xs:element>'


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ('<xs:element name="a"/>', {"type": "xs:anyType"}),
        ('<xs:element name="a" type="t:weg"/>', {"unresolved": "{urn:t}weg"}),
        ('<xs:element name="a" type="xs:int" default="1" abstract="true"/>', {"type": "xs:int", "default": "1", "abstract": "true"}),
        (simple('<xs:restriction base="xs:string"><xs:minLength value="0"/></xs:restriction>'), {"type": "xs:string"}),
        (simple('<xs:list itemType="xs:int"/>'), {"type": "list of [('type', 'xs:int')]"}),
        (
            simple('<xs:union memberTypes="xs:int"><xs:simpleType><xs:restriction base="xs:date"/></xs:simpleType></xs:union>'),
            {"type": "union of [('type', 'xs:int')] | [('type', 'xs:date')]"},
        ),
        (simple("<xs:restriction/>"), {"type": "xs:anySimpleType"}),
        (simple(""), {"type": "simpleType of "}),
        (
            '<xs:simpleType name="b"><xs:restriction base="xs:string"><xs:pattern value="x"/><xs:maxLength value="9"/></xs:restriction>'
            "</xs:simpleType>" + simple('<xs:restriction base="t:b"><xs:pattern value="y"/><xs:maxLength value="3"/></xs:restriction>'),
            {"type": "xs:string", "pattern": "x and y", "maxLength": "3"},
        ),
        (
            complex_type('<xs:simpleContent><xs:extension base="xs:int"><xs:attribute name="k" use="required"/></xs:extension></xs:simpleContent>'),
            {"type": "xs:int", "@k": "required type=xs:anyType"},
        ),
        (
            complex_type('<xs:attribute name="k"><xs:simpleType><xs:restriction base="xs:int"/></xs:simpleType></xs:attribute>'),
            {"type": "elements", "@k": "optional type=xs:int"},
        ),
        ('<xs:element name="a"><xs:complexType><xs:complexContent mixed="1"/></xs:complexType></xs:element>', {"type": "elements", "mixed": "true"}),
        (
            '<xs:element name="a"><xs:complexType/><xs:unique name="u"><xs:selector xpath="x"/><xs:field xpath="y"/></xs:unique></xs:element>',
            {"type": "elements", "unique u": "x y"},
        ),
    ],
)
def test_the_facts_of_an_element(body, expected):
    """
    Types, facets, attributes and constraints are written down for what they allow, however they are spelled.
    """
    assert facts(body)["/a"] == {"occurs": "1..1", "namespace": "urn:t", **expected}


def test_an_extension_has_what_its_base_has_and_a_wildcard_is_a_fact():
    """
    The particles of a base come first; an any, and an element that comes twice, have places of their own.
    """
    base = '<xs:complexType name="b"><xs:sequence><xs:element name="x" type="xs:int"/></xs:sequence></xs:complexType>'
    own = '<xs:sequence><xs:any minOccurs="0"/><xs:element name="x" type="xs:int" form="qualified"/></xs:sequence>'
    extension = f'<xs:complexContent><xs:extension base="t:b">{own}</xs:extension></xs:complexContent>'

    found = facts(f'{base}<xs:element name="a"><xs:complexType>{extension}</xs:complexType></xs:element>')

    assert list(found) == ["/a", "/a/x", "/a/*", "/a/x[2]"]
    assert found["/a/*"] == {"occurs": "0..1", "namespace": "##any", "processContents": "strict"}
    assert (found["/a/x"]["namespace"], found["/a/x[2]"]["namespace"]) == ("none", "urn:t")


def test_an_included_file_and_a_recursive_type_are_followed():
    """
    An include is part of the schema, a redefinition is a fact, and a type that holds itself ends.
    """
    included = '<xs:complexType name="b"><xs:sequence><xs:element name="x" type="t:b" minOccurs="0"/></xs:sequence></xs:complexType>'

    found = facts('<xs:include schemaLocation="twee.xsd"/><xs:redefine schemaLocation="weg.xsd"/><xs:element name="a" type="t:b"/>', twee=included)

    assert found["/a/x"]["recursive"] == "true"
    assert found["/redefine"] == {"schemaLocation": "weg.xsd"}


def test_a_choice_of_very_many_is_shortened():
    """
    The list of members stays short; each member is a fact of its own.
    """
    members = "".join(f'<xs:element name="lang{number}" type="xs:int"/>' for number in range(100))

    found = facts(f'<xs:element name="a"><xs:complexType><xs:choice>{members}</xs:choice></xs:complexType></xs:element>')

    assert found["/a/lang99"]["model"].endswith("…")
    assert len(found["/a/lang99"]["model"]) < 350


def group(name: str, refers: str, times: int) -> str:
    return f'<xs:group name="{name}"><xs:sequence>{f"""<xs:group ref="t:{refers}"/>""" * times}</xs:sequence></xs:group>'


@pytest.mark.attack
@pytest.mark.parametrize(
    "body",
    [
        group("g", "g", 1) + '<xs:element name="a"><xs:complexType><xs:group ref="t:g"/></xs:complexType></xs:element>',
        "".join(group(f"g{n}", f"g{n + 1}", 10) for n in range(9))
        + '<xs:element name="a"><xs:complexType><xs:group ref="t:g0"/></xs:complexType></xs:element>',
        '<xs:simpleType name="s"><xs:restriction base="t:s"/></xs:simpleType><xs:element name="a" type="t:s"/>',
        "".join(
            f'<xs:complexType name="c{n}"><xs:sequence><xs:element name="x" type="t:c{n + 1}"/></xs:sequence></xs:complexType>' for n in range(100)
        )
        + '<xs:element name="a" type="t:c0"/>',
        f'<xs:element name="{"a" * 3000}"/>',
    ],
    ids=["group in itself", "ten to the ninth", "type of itself", "a hundred deep", "a long name"],
)
def test_a_schema_that_unfolds_without_end_is_refused(body):
    """
    A small schema that describes something enormous costs a bounded amount of work.
    """
    with pytest.raises(SchemaPackageError, match="unfolds without end"):
        facts(body)


@pytest.mark.attack
@pytest.mark.parametrize("name", ["../weg.xsd", "/etc/x.xsd", "a/../../x.xsd", "C:\\x.xsd", "..\\x.xsd"])
def test_a_name_that_leads_out_of_the_zip_is_refused(tmp_path, name):
    """
    Nothing is written to disk, but a zip with such names is not the one of Logius.
    """
    with pytest.raises(SchemaPackageError, match="leads out of the zip"):
        compare(package(tmp_path, {name: b"x"}))


@pytest.mark.attack
def test_a_bomb_is_refused_before_it_is_unpacked(tmp_path):
    """
    A file that unpacks to more than a hundred times its size is not read.
    """
    with pytest.raises(SchemaPackageError, match="suspiciously much"):
        compare(package(tmp_path, {"bom.xsd": b"0" * 1_000_000}))


@pytest.mark.attack
def test_files_that_are_too_large_together_are_refused(tmp_path, monkeypatch):
    """
    The sum of what the files unpack to is bounded, whatever their ratio.
    """
    monkeypatch.setattr(speccompare, "_MAX_BYTES", 2_000)

    data = bytes(range(250)) * 6

    with pytest.raises(SchemaPackageError, match="too large together: expected at most 2000 bytes, got 3000 bytes"):
        compare(package(tmp_path, {"a.txt": data, "b.txt": data}))


@pytest.mark.attack
def test_a_zip_that_is_too_large_is_not_read(tmp_path):
    """
    The size of the zip is looked at first.
    """
    path = tmp_path / "groot.zip"
    with path.open("wb") as file:
        file.truncate(50_000_001)

    with pytest.raises(SchemaPackageError, match="the zip is too large"):
        compare(path)


@pytest.mark.attack
def test_too_many_files_are_refused(tmp_path):
    """
    Two hundred files are read, one more is not.
    """
    with pytest.raises(SchemaPackageError, match=r"too many files: expected at most 200, got 201"):
        compare(package(tmp_path, {f"{number}.txt": b"" for number in range(201)}))


def patched(path: Path, local: int, central: int, value: int) -> Path:
    """Overwrite a field of the first file: in its own header and in the central directory."""
    data = bytearray(path.read_bytes())
    for mark, offset in ((b"PK\x03\x04", local), (b"PK\x01\x02", central)):
        struct.pack_into("<H", data, data.index(mark) + offset, value)
    path.write_bytes(data)
    return path


@pytest.mark.attack
def test_an_encrypted_file_is_refused_with_advice(tmp_path):
    """
    We ask for no password: the message says what to do.
    """
    path = patched(package(tmp_path, {"a.xsd": b"abc"}), 6, 8, 1)

    with pytest.raises(SchemaPackageError, match=r"schemas.zip: 'a.xsd': the file is encrypted.*\n  Hint: unpack it"):
        compare(path)


@pytest.mark.attack
def test_an_unusual_compression_is_refused(tmp_path):
    """
    Only stored and deflated files are read.
    """
    with pytest.raises(SchemaPackageError, match="expected stored or deflated, got method 14"):
        compare(package(tmp_path, {"a.xsd": b"abc"}, zipfile.ZIP_LZMA))


@pytest.mark.attack
def test_a_name_that_stands_there_twice_is_refused(tmp_path):
    """
    Of two files with one name nobody knows which is meant.
    """
    path = package(tmp_path, {"a.xsd": b"abc", "b.xsd": b"def"})
    path.write_bytes(path.read_bytes().replace(b"b.xsd", b"a.xsd"))

    with pytest.raises(SchemaPackageError, match=r"'a\.xsd' again"):
        compare(path)


@pytest.mark.attack
def test_a_damaged_file_is_refused(tmp_path):
    """
    A file whose checksum is wrong is not compared.
    """
    path = package(tmp_path, {"a.txt": b"Lees mij eerst."}, zipfile.ZIP_STORED)
    path.write_bytes(path.read_bytes().replace(b"Lees mij", b"Lees nu "))

    with pytest.raises(SchemaPackageError, match=r"not a sound zip.*BadZipFile"):
        compare(path)


@pytest.mark.parametrize("content", [b"", b"geen zip", b"PK\x05\x06"])
def test_a_file_that_is_no_zip_is_refused(tmp_path, content):
    """
    Any other file than a zip gives a sentence, no traceback.
    """
    path = tmp_path / "schemas.zip"
    path.write_bytes(content)

    with pytest.raises(SchemaPackageError, match="not a sound zip"):
        compare(path)


def test_a_zip_that_is_not_there_is_refused(tmp_path):
    """
    A wrong path is a mistake of the user, with a sentence for it.
    """
    with pytest.raises(SchemaPackageError, match="cannot be opened: expected a file that can be read, got No such file"):
        compare(tmp_path / "weg.zip")


def test_a_folder_in_the_zip_is_no_file(tmp_path):
    """
    Folders are skipped, and the files in them found.
    """
    (tmp_path / "in" / "diep").mkdir(parents=True)
    for name, data in ours().items():
        (tmp_path / "in" / "diep" / name).write_bytes(data)
    path = shutil.make_archive(str(tmp_path / "map"), "zip", tmp_path / "in")

    comparison = compare(Path(path))

    assert report(comparison, TYPES).member == f"diep/{TYPES}"
    assert [file for file in comparison.files if file.state is State.NEW_FILE] == []
