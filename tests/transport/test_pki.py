"""The test hierarchy: good certificates shake hands, and each bad one is refused for its own reason, over a real loopback socket."""

import json
import os
import shutil
import socket
import ssl
import subprocess
import threading
import time
import warnings
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.x509.name import _ASN1Type
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from conformance.transport import pki, tls
from conformance.transport.pki import ENTRIES, PkiError, Plan
from conformance.transport.tls import TlsFiles, TlsFilesError

OIN = "00000099000000001000"
LOGIUS = "00000099000000002000"
NOW = datetime.now(UTC)
OPENSSL = shutil.which("openssl")
PATIENCE = 20  # seconds, for a machine that is busy


@pytest.fixture(scope="module")
def plan():
    """One set of certificates for the whole module."""
    return Plan(OIN, NOW, ("gateway.example", "127.0.0.1", "::1"), 30)


@pytest.fixture(scope="module")
def files(plan):
    """The files, made once."""
    return pki.make(plan)


@pytest.fixture(scope="module")
def box(files, tmp_path_factory):
    """The directory, written and loaded."""
    directory = tmp_path_factory.mktemp("certificates") / "pki"
    pki.write(directory, files)
    return pki.load(directory)


def certificate(files, name):
    return x509.load_pem_x509_certificate(files[name])


def outcome(act):
    """Return what an action ended with: its value, or the error of TLS or of the connection."""
    try:
        return act()
    except OSError as error:
        return error


def shake(server, client, host="localhost"):
    """Let a client greet a server over loopback; return what each side saw: the DER of the peer and the version, or an error."""
    seen = {}
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(PATIENCE)

        def serve():
            raw, _address = listener.accept()
            raw.settimeout(PATIENCE)
            with raw, server.wrap_socket(raw, server_side=True) as secured:
                greeting = secured.recv(5)
                secured.sendall(b"world")
                return greeting, secured.getpeercert(binary_form=True)

        thread = threading.Thread(target=lambda: seen.update(server=outcome(serve)))
        thread.start()

        def call():
            with socket.create_connection(listener.getsockname(), PATIENCE) as raw, client.wrap_socket(raw, server_hostname=host) as secured:
                secured.sendall(b"hello")
                return secured.recv(5), secured.version(), secured.getpeercert(binary_form=True)

        seen["client"] = outcome(call)
        thread.join(PATIENCE)
    return seen


def permissive(files):
    """Return the context of a client that takes part with anything, as a broken one might."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_ciphers("DEFAULT:@SECLEVEL=0")
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.load_cert_chain(files.certificate, files.key)
    return context


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "gateway.example", "::1"])
def test_good_pair_shakes_hands(box, version, host):
    """
    The good certificates are accepted by both sides, on TLS 1.2 and 1.3, for every host that was asked, and show their OIN.
    """
    client = tls.client_context(box.files_of("client"))
    client.maximum_version = version

    seen = shake(tls.server_context(box.files_of("server")), client, host)

    assert seen["client"][:2] == (b"world", version.name.replace("_", ".")), seen
    assert seen["server"][0] == b"hello"
    assert tls.read_certificate(seen["server"][1]).oin == OIN
    assert tls.read_certificate(seen["client"][2]).oin == LOGIUS


def test_each_side_can_play_the_other(box):
    """
    The Berichtenbox is the client when it pushes a result to the gateway of the Afnemer.
    """
    seen = shake(tls.server_context(box.files_of("client")), tls.client_context(box.files_of("server")))

    assert tls.read_certificate(seen["server"][1]).oin == LOGIUS


def test_old_tls_is_refused(box):
    """
    A client that has nothing newer than TLS 1.1 is refused for its version.
    """
    client = permissive(box.files_of("client"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        client.minimum_version, client.maximum_version = ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1

    seen = shake(tls.server_context(box.files_of("server")), client)

    assert seen["server"].reason == "UNSUPPORTED_PROTOCOL"
    assert isinstance(seen["client"], ssl.SSLError)


@pytest.mark.parametrize(
    ("suite", "agreed"), [("ECDHE-RSA-AES256-GCM-SHA384", True), ("ECDHE-RSA-AES256-SHA384", False), ("AES256-GCM-SHA384", False)]
)
def test_only_good_suites_are_agreed(box, suite, agreed):
    """
    TLS 1.2 goes with ECDHE and GCM; CBC and plain RSA are refused.
    """
    client = permissive(box.files_of("client"))
    client.set_ciphers(suite)
    client.maximum_version = ssl.TLSVersion.TLSv1_2

    seen = shake(tls.server_context(box.files_of("server")), client)

    assert isinstance(seen["client"], tuple) == agreed
    assert agreed or seen["server"].reason == "NO_SHARED_CIPHER"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("client-expired", "certificate has expired"),
        ("client-not-yet-valid", "certificate is not yet valid"),
        ("client-unknown-root", "unable to get local issuer certificate"),
        ("client-no-intermediate", "unable to get local issuer certificate"),
        ("client-revoked", "certificate revoked"),
        ("client-weak-key", "EE certificate key too weak"),
        ("client-weak-signature", "CA signature digest algorithm too weak"),
        ("server-expired", "certificate has expired"),
        ("server-not-yet-valid", "certificate is not yet valid"),
        ("server-unknown-root", "unable to get local issuer certificate"),
        ("server-no-intermediate", "unable to get local issuer certificate"),
        ("server-revoked", "certificate revoked"),
        ("server-weak-key", "EE certificate key too weak"),
    ],
)
def test_bad_client_is_refused_for_its_reason(box, name, reason, version):
    """
    A server refuses each bad client certificate, and says why.
    """
    client = permissive(box.files_of(name))
    client.maximum_version = version

    seen = shake(tls.server_context(box.files_of("server")), client)

    assert isinstance(seen["server"], ssl.SSLCertVerificationError), seen
    assert reason in str(seen["server"])
    assert isinstance(seen["client"], OSError)


def test_client_without_a_certificate_is_refused(box):
    """
    A server demands a certificate.
    """
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.load_verify_locations(box.directory / "root.pem")

    seen = shake(tls.server_context(box.files_of("server")), client)

    assert seen["server"].reason == "PEER_DID_NOT_RETURN_A_CERTIFICATE"


@pytest.mark.parametrize(
    ("name", "host", "reason"),
    [
        ("server-expired", "localhost", "certificate has expired"),
        ("server-wrong-host", "localhost", "Hostname mismatch"),
        ("client-wrong-host", "localhost", "Hostname mismatch"),
        ("server", "elsewhere.example", "Hostname mismatch"),
    ],
)
def test_bad_server_is_refused_for_its_reason(box, name, host, reason):
    """
    A client refuses each bad server certificate, and says why.
    """
    server = tls.server_context(box.files_of("server"))
    own = box.files_of(name)
    server.load_cert_chain(own.certificate, own.key)

    seen = shake(server, tls.client_context(box.files_of("client")), host)

    assert isinstance(seen["client"], ssl.SSLCertVerificationError), seen
    assert reason in str(seen["client"])


def test_revoked_is_fine_without_a_crl(box):
    """
    The revoked certificate has no other defect: who does not check the CRL lets it in.
    """
    files = box.files_of("server")
    careless = tls.server_context(TlsFiles(files.certificate, files.key, files.roots))

    seen = shake(careless, tls.client_context(box.files_of("client-revoked")))

    assert seen["server"][0] == b"hello"


def test_wrong_oin_passes_tls_and_not_the_oin_check(box):
    """
    The certificate of another organisation is in order, and does not belong to this connection.
    """
    seen = shake(tls.server_context(box.files_of("server")), tls.client_context(box.files_of("client-wrong-oin")))
    peer = tls.read_certificate(seen["server"][1])

    assert tls.objections(peer, {OIN}, NOW) == ("its OIN 00000099000000009000 does not belong to this connection",)
    assert tls.objections(peer, {OIN, pki.WRONG_OIN}, NOW) == ()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("client", ()),
        ("bad/client-weak-key", ("its RSA key of 1024 bits, or its signature, is weak",)),
        ("bad/client-weak-signature", ("its RSA key of 2048 bits, or its signature, is weak",)),
        ("bad/client-no-oin", ("its subject has no serialNumber of 20 digits, so no OIN",)),
        ("bad/client-expired", (f"it expired on {NOW - timedelta(days=1):%Y-%m-%d}",)),
        ("bad/client-not-yet-valid", (f"it is not valid before {NOW + timedelta(days=30):%Y-%m-%d}",)),
    ],
)
def test_objections_name_each_defect(files, name, expected):
    """
    What a milder terminator lets through is seen in the certificate itself.
    """
    peer = tls.read_certificate(tls.first_certificate(files[f"{name}.pem"]))

    assert tls.objections(peer, {OIN}, NOW) == expected


def own_signed(*attributes, key=None):
    """Make the DER of a certificate with the subject attributes of a stranger."""
    own = key or ed25519.Ed25519PrivateKey.generate()
    name = x509.Name(attributes)
    builder = x509.CertificateBuilder(name, name, own.public_key(), 7, NOW, NOW + timedelta(days=1))
    return builder.sign(own, None if key is None else hashes.SHA256()).public_bytes(ssl_der())


def ssl_der():
    from cryptography.hazmat.primitives.serialization import Encoding  # noqa: PLC0415  # used here only

    return Encoding.DER


@pytest.mark.parametrize("serials", [(), ("1234",), (OIN, LOGIUS)], ids=["none", "short", "two"])
def test_certificate_without_one_oin_has_none(serials):
    """
    No serialNumber, one that is no OIN, or two of them: nobody can tell whose certificate it is; and a key of another kind is weak.
    """
    peer = tls.read_certificate(own_signed(*(x509.NameAttribute(NameOID.SERIAL_NUMBER, serial) for serial in serials)))

    assert peer.oin == ""
    assert tls.objections(peer, {OIN, ""}, NOW + timedelta(hours=1)) == (
        "its subject has no serialNumber of 20 digits, so no OIN",
        "its other key of 0 bits, or its signature, is weak",
    )


def test_what_is_no_certificate_is_said():
    """
    A text without a certificate is refused.
    """
    with pytest.raises(ValueError, match="no certificate in PEM"):
        tls.first_certificate(b"-----BEGIN NOTHING-----")


@pytest.mark.parametrize("missing", ["certificate", "key", "roots", "crl"])
def test_unusable_file_is_a_mistake_of_the_user(box, tmp_path, missing):
    """
    A file that is absent or is no PEM is named, with exit code 2.
    """
    good = box.files_of("server")
    files = {name: getattr(good, name) for name in ("certificate", "key", "roots", "crl")} | {missing: tmp_path / "nowhere.pem"}

    with pytest.raises(TlsFilesError, match=r"nowhere\.pem.*cannot be used for TLS.*\n  Hint: ") as refused:
        tls.server_context(TlsFiles(**files))

    assert refused.value.exit_code == 2


def test_subject_is_shaped_like_that_of_pkioverheid(files):
    """
    The client has C, O, serialNumber (the OIN, a PrintableString) and CN, and may be client and server.
    """
    client = certificate(files, "client.pem")
    (serial,) = client.subject.get_attributes_for_oid(NameOID.SERIAL_NUMBER)

    assert (serial.value, serial._type) == (OIN, _ASN1Type.PrintableString)
    assert [attribute.oid for attribute in client.subject] == [
        NameOID.COUNTRY_NAME,
        NameOID.ORGANIZATION_NAME,
        NameOID.SERIAL_NUMBER,
        NameOID.COMMON_NAME,
    ]
    assert client.public_key().key_size == 2048


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: entry.name)
def test_every_end_party_may_be_client_and_server(files, entry):
    """
    Digikoppeling uses one certificate on both sides, and a bad one is bad for one reason only.
    """
    usage = certificate(files, entry.certificate).extensions.get_extension_for_class(x509.ExtendedKeyUsage).value

    assert set(usage) == {ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH}


def test_authorities_may_issue_and_end_parties_may_not(files):
    """
    The root may have authorities below it, the intermediate none, and an end party issues nothing.
    """
    limits = [
        certificate(files, name).extensions.get_extension_for_class(x509.BasicConstraints).value
        for name in ("root.pem", "intermediate.pem", "client.pem")
    ]

    assert [(limit.ca, limit.path_length) for limit in limits] == [(True, None), (True, 0), (False, None)]


@pytest.mark.slow
def test_making_is_quick(plan):
    """
    A whole hierarchy takes less than three seconds of a processor, the best of three: finding primes is luck.
    """
    took = []
    for _ in range(3):
        before = time.thread_time()
        pki.make(plan)
        took.append(time.thread_time() - before)

    assert min(took) < 3


def test_keys_are_private_and_the_index_is_complete(box):
    """
    Only the owner reads a key; every file is in the index, and every certificate is explained.
    """
    index = json.loads((box.directory / "index.json").read_bytes())
    written = {str(path.relative_to(box.directory)) for path in box.directory.rglob("*") if path.is_file()}
    readme = (box.directory / "README.txt").read_text()

    assert {path.stat().st_mode & 0o777 for path in box.directory.rglob("*.key")} == {0o600}
    assert set(index["sha256"]) == written - {"index.json"}
    assert [one["name"] for one in index["certificates"]] == [entry.name for entry in ENTRIES]
    assert all(one["certificate"] in readme for one in index["certificates"])
    assert max(map(len, readme.splitlines())) <= 80
    assert {one["reason"] for one in index["certificates"] if one["must"] == "be refused"} == {
        "expired",
        "not-yet-valid",
        "wrong-oin",
        "unknown-root",
        "no-intermediate",
        "weak-key",
        "revoked",
        "wrong-host",
        "no-oin",
        "weak-signature",
    }


def test_loaded_directory_knows_its_oins(box):
    """
    What is loaded says whose certificates it holds.
    """
    assert (box.oin, box.logius_oin) == (OIN, LOGIUS)


def test_half_written_directory_is_seen(tmp_path, files, monkeypatch):
    """
    When writing breaks off, the directory has no index, not even that of before, and is not used.
    """
    pki.write(tmp_path / "pki", files)
    real = pki._write_file

    def breaks(path, data, mode):
        if path.name == "client.key":
            raise OSError(28, "No space left on device")
        real(path, data, mode)

    monkeypatch.setattr(pki, "_write_file", breaks)

    with pytest.raises(PkiError, match=r"cannot be written: No space left on device\.\n  Hint: "):
        pki.write(tmp_path / "pki", files)
    with pytest.raises(PkiError, match=r"has no index\.json, so it is half written"):
        pki.load(tmp_path / "pki")


@pytest.mark.parametrize("spoil", [os.unlink, lambda path: path.write_bytes(b"other")], ids=["gone", "changed"])
def test_changed_directory_is_seen(tmp_path, files, spoil):
    """
    A file that is gone or was changed is named.
    """
    pki.write(tmp_path / "pki", files)
    spoil(tmp_path / "pki/client.key")

    with pytest.raises(PkiError, match=r"is not as it was written: client\.key\.\n  Hint: .*--force"):
        pki.load(tmp_path / "pki")


def older(directory, change):
    """Change the index of a directory."""
    index = json.loads((directory / "index.json").read_bytes())
    change(index)
    (directory / "index.json").write_text(json.dumps(index))


def test_directory_of_an_older_version_is_read(tmp_path, files):
    """
    Without the bad certificates that were added later it can be used for all the others.
    """
    pki.write(tmp_path / "pki", files)
    for path in (tmp_path / "pki/bad").glob("server-revoked.*"):
        path.unlink()
    older(tmp_path / "pki", lambda index: index.update(certificates=[one for one in index["certificates"] if one["name"] != "server-revoked"]))

    loaded = pki.load(tmp_path / "pki")

    assert loaded.files_of("server-expired").certificate.is_file()
    with pytest.raises(PkiError, match=r"an older version wrote it, without server-revoked\.\n  Hint: .*--force"):
        loaded.files_of("server-revoked")
    with pytest.raises(KeyError, match="server-of-somebody"):
        loaded.files_of("server-of-somebody")


def test_directory_of_a_newer_version_is_not_read(tmp_path, files):
    """
    What a later kit writes may mean something else.
    """
    pki.write(tmp_path / "pki", files)
    older(tmp_path / "pki", lambda index: index.update(version=2))

    with pytest.raises(PkiError, match=r"index\.json: has version 2, this kit reads 1\.\n  Hint: write it again"):
        pki.load(tmp_path / "pki")


def test_file_is_no_directory_of_certificates(tmp_path):
    """
    A file in the place of the directory is told like a directory with other things.
    """
    (tmp_path / "pki").write_text("mine")

    with pytest.raises(PkiError, match=r"has no index\.json"):
        pki.load(tmp_path / "pki")


@pytest.mark.parametrize("text", ["{", "[]", "{}", '{"sha256": 3}', '{"sha256": {}}', '{"sha256": ["ab"]}'])
def test_index_of_somebody_else_is_refused(tmp_path, text):
    """
    An index that the kit did not write is told from one that is absent.
    """
    (tmp_path / "index.json").write_text(text)

    with pytest.raises(PkiError, match="is not the index that the kit wrote"):
        pki.load(tmp_path)


def test_writing_again_follows_no_link(tmp_path, files):
    """
    A link in the directory is replaced, and what it pointed to stays as it was.
    """
    other = tmp_path / "other"
    other.write_text("mine")
    (tmp_path / "pki").mkdir()
    (tmp_path / "pki/client.key").symlink_to(other)

    pki.write(tmp_path / "pki", files)

    assert other.read_text() == "mine"
    assert (tmp_path / "pki/client.key").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("host", ["https://host", "host:443", "", "-host", "a b", "*.example", "x" * 64, "host.", "ho\nst"])
def test_host_that_no_certificate_names_is_refused(host):
    """
    A URL, a port, a wildcard or a blank is no host.
    """
    with pytest.raises(PkiError, match="expected the name or the address of a host"):
        pki.check_host(host)


@pytest.mark.parametrize(("host", "expected"), [("Gateway.Example", "gateway.example"), ("::0001", "::1"), ("10.0.0.1", "10.0.0.1")])
def test_host_is_written_in_one_way(host, expected):
    """
    Names are lower case, and addresses are written as short as they can be.
    """
    assert pki.check_host(host) == expected


def verify(box, *options, name):
    arguments = [OPENSSL, "verify", "-CAfile", box.directory / "root.pem", "-untrusted", box.directory / "intermediate.pem", *options]
    return subprocess.run([*arguments, box.files_of(name).certificate], capture_output=True, text=True, check=False)


@pytest.mark.skipif(OPENSSL is None, reason="openssl is not installed")
@pytest.mark.parametrize(
    ("name", "options", "error"),
    [
        ("client-expired", (), "certificate has expired"),
        ("client-not-yet-valid", (), "certificate is not yet valid"),
        ("client-unknown-root", (), "unable to get local issuer certificate"),
        ("client-weak-key", ("-auth_level", "2"), "EE certificate key too weak"),
        ("client-revoked", ("-crl_check",), "certificate revoked"),
        ("server-expired", (), "certificate has expired"),
        ("server-wrong-host", ("-verify_hostname", "localhost"), "hostname mismatch"),
    ],
)
def test_openssl_agrees(box, name, options, error):
    """
    OpenSSL's own client accepts the good certificates in the same way in which it refuses a bad one.
    """
    options = [*options, *(["-CRLfile", box.directory / "crl.pem"] if "-crl_check" in options else [])]

    bad, good = (verify(box, *options, name=one) for one in (name, name.partition("-")[0]))

    assert (bad.returncode, error in (bad.stdout + bad.stderr).replace("Hostname", "hostname")) == (2, True), bad
    assert good.returncode == 0, good
