"""TLS: plain gRPC clients, openssl and the command line against a server with certificates made here."""

import os
import shutil
import ssl
import subprocess
import time

import grpc
import pytest

import latentdb
from latentdb import errors

pytestmark = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")


def openssl(*arguments, folder):
    subprocess.run(["openssl", *arguments], cwd=folder, check=True, capture_output=True)


def authority(folder, name):
    openssl(
        *("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
        *("-keyout", f"{name}.key", "-out", f"{name}.pem", "-days", "2", "-subj", f"/CN={name}"),
        folder=folder,
    )
    return folder / f"{name}.pem"


def certificate(folder, name, by):
    """A certificate of 127.0.0.1 and localhost, by an authority."""
    openssl(
        *("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"),
        *("-keyout", f"{name}.key", "-out", f"{name}.csr", "-subj", f"/CN={name}"),
        folder=folder,
    )
    (folder / f"{name}.ext").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")
    openssl(
        *("x509", "-req", "-in", f"{name}.csr", "-CA", f"{by}.pem", "-CAkey", f"{by}.key"),
        *("-CAcreateserial", "-out", f"{name}.pem", "-days", "2", "-extfile", f"{name}.ext"),
        folder=folder,
    )
    return folder / f"{name}.pem", folder / f"{name}.key"


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("certificates")
    for name in ("own", "foreign"):
        authority(folder, name)
    certificate(folder, "server", "own")
    certificate(folder, "client", "own")
    certificate(folder, "stranger", "foreign")
    return folder


def serve(tmp_path, made, *more):
    arguments = ("--tls-cert", str(made / "server.pem"), "--tls-key", str(made / "server.key"))
    return latentdb.LocalServer(tmp_path / "data", arguments=(*arguments, *more))


def command(*arguments):
    done = [os.environ["LATENTDB_BINARY"], *arguments]
    return subprocess.run(done, capture_output=True, text=True, timeout=60)


def test_clients_of_the_authority_are_served(tmp_path, made):
    server = serve(tmp_path, made)
    db = latentdb.connect(server.address, tls=made / "own.pem")
    db.create_collection("c", dimension=2).upsert({"id": at, "vector": [1, at]} for at in range(500))
    assert db["c"].count() == 500 and len(list(db["c"].scroll())) == 500
    for wrong in (False, made / "foreign.pem"):
        with pytest.raises(errors.Unavailable):
            latentdb.connect(server.address, tls=wrong, timeout=5).collections()
    with pytest.raises(errors.InvalidArgument, match="PEM"):
        latentdb.connect(server.address, tls=made / "nowhere.pem")
    counted = command("count", "c", "--server", server.address, "--tls-ca", str(made / "own.pem"))
    assert counted.stdout.strip() == "500", counted.stderr
    refused = command("count", "c", "--server", server.address, "--tls-ca", str(made / "foreign.pem"))
    assert refused.returncode == 1 and "certificate" in refused.stderr.lower(), refused.stderr
    shown = subprocess.run(
        ["openssl", "s_client", "-connect", server.address, "-CAfile", str(made / "own.pem"),
         "-alpn", "h2", "-verify_return_error"],
        input="", capture_output=True, text=True, timeout=60,
    )
    assert "ALPN protocol: h2" in shown.stdout and "Verify return code: 0" in shown.stdout
    server.stop()


def test_mutual_tls_turns_strangers_away(tmp_path, made):
    server = serve(tmp_path, made, "--tls-client-ca", str(made / "own.pem"))
    own = (made / "own.pem").read_bytes()

    def with_identity(name):
        key, chain = ((made / f"{name}.{end}").read_bytes() for end in ("key", "pem"))
        return grpc.ssl_channel_credentials(own, key, chain)

    assert latentdb.connect(server.address, tls=with_identity("client")).collections() == []
    for refused in (made / "own.pem", with_identity("stranger")):
        with pytest.raises(errors.Unavailable):
            latentdb.connect(server.address, tls=refused, timeout=5).collections()
    identity = made / "identity.pem"
    identity.write_bytes((made / "client.pem").read_bytes() + (made / "client.key").read_bytes())
    listed = command(
        *("collection", "list", "--server", server.address, "--json"),
        *("--tls-ca", str(made / "own.pem"), "--tls-identity", str(identity)),
    )
    assert listed.returncode == 0, listed.stderr
    server.stop()


def test_certificates_are_read_again_and_bad_ones_are_not_taken(tmp_path, made):
    for name in ("server.pem", "server.key"):
        shutil.copy(made / name, tmp_path / name)
    server = serve(tmp_path, tmp_path)
    host, port = server.address.split(":")

    def shown():
        return ssl.get_server_certificate((host, int(port)))

    first = shown()
    (tmp_path / "server.pem").write_text("no certificate")
    time.sleep(1.1)
    assert shown() == first
    shutil.copy(made / "stranger.pem", tmp_path / "server.pem")
    shutil.copy(made / "stranger.key", tmp_path / "server.key")
    time.sleep(1.1)
    assert shown() != first
    assert latentdb.connect(server.address, tls=made / "foreign.pem").collections() == []
    server.stop()
    for key in ("server.pem", "nowhere"):
        with pytest.raises(errors.Unavailable, match="tls-key"):
            latentdb.LocalServer(
                tmp_path / "data",
                arguments=("--tls-cert", str(made / "server.pem"), "--tls-key", str(made / key)),
            )


def test_a_network_is_served_with_keys_and_tls_only(tmp_path, made):
    made_key = command("key", "create", "a", "--role", "admin", "--data", str(tmp_path / "data"))
    secret = made_key.stdout.splitlines()[0]
    with pytest.raises(errors.Unavailable, match="--tls-cert"):
        latentdb.LocalServer(tmp_path / "data", listen="0.0.0.0:0")
    arguments = ("--tls-cert", str(made / "server.pem"), "--tls-key", str(made / "server.key"))
    server = latentdb.LocalServer(tmp_path / "data", listen="0.0.0.0:0", arguments=arguments)
    address = f"127.0.0.1:{server.address.rpartition(':')[2]}"
    db = latentdb.connect(address, tls=made / "own.pem", api_key=secret)
    assert db.collections() == []
    server.stop()
