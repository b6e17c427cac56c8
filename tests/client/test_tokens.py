"""Signed tokens of an issuer: who is let in, and to what."""

import base64
import json
import os
import subprocess
import time

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

import latentdb
from latentdb import errors

ISSUER, AUDIENCE = "https://id.example", "latentdb"
ALGORITHMS = {"rsa": "RS256", "ec": "ES256", "ed": "EdDSA"}


def private_keys():
    return {
        "rsa": rsa.generate_private_key(public_exponent=65537, key_size=2048),
        "ec": ec.generate_private_key(ec.SECP256R1()),
        "ed": ed25519.Ed25519PrivateKey.generate(),
    }


def public(kind, key):
    """A key of the issuer, as a JWKS has it."""
    algorithm = jwt.get_algorithm_by_name(ALGORITHMS[kind])
    return json.loads(algorithm.to_jwk(key.public_key())) | {"kid": kind, "use": "sig"}


def jwks(path, keys):
    path.write_text(json.dumps({"keys": [public(kind, key) for kind, key in keys.items()]}))


class Issuer:
    """A server that takes the tokens of an issuer, and the issuer."""

    def __init__(self, folder):
        self.keys = private_keys()
        self.file = folder / "jwks.json"
        jwks(self.file, self.keys)
        self.data = folder / "data"
        arguments = ("--auth", "jwt", "--jwt-issuer", ISSUER, "--jwt-audience", AUDIENCE)
        self.server = latentdb.LocalServer(
            self.data, arguments=(*arguments, "--jwt-keys", str(self.file))
        )

    def token(self, kind="rsa", key=None, kid=None, **changed):
        claims = {
            "iss": ISSUER, "aud": AUDIENCE, "sub": "ada", "exp": int(time.time()) + 600,
            "scope": "openid latentdb.admin",
        } | changed
        claims = {name: value for name, value in claims.items() if value is not None}
        key = key or self.keys[kind]
        headers = {"kid": kid or kind}
        return jwt.encode(claims, key, algorithm=ALGORITHMS[kind], headers=headers)

    def connect(self, **fields):
        return self.with_secret(self.token(**fields))

    def with_secret(self, secret):
        return latentdb.connect(self.server.address, api_key=secret)


@pytest.fixture(scope="module")
def issuer(tmp_path_factory):
    own = Issuer(tmp_path_factory.mktemp("issuer"))
    with own.connect() as admin:
        collection = admin.create_collection("c", dimension=2)
        collection.upsert([{"id": "a", "vector": [1, 0]}])
        admin.create_collection("other", dimension=2)
    yield own
    own.server.stop()


@pytest.mark.parametrize("kind", ALGORITHMS)
def test_a_token_of_the_issuer_lets_in(issuer, kind):
    with issuer.connect(kind=kind) as client:
        assert client["c"].count() == 1
    with issuer.connect(kind=kind, aud=["else", AUDIENCE]) as client:
        assert client["c"].count() == 1


def test_the_scope_is_the_role(issuer):
    document = {"id": "b", "vector": [0, 1]}
    with issuer.connect(scope="latentdb.read") as reader:
        assert reader["c"].count() == 1
        with pytest.raises(errors.Unauthorized, match="the token of .ada. has the role read"):
            reader["c"].upsert([document])
    with issuer.connect(scope="profile latentdb.write latentdb.read") as writer:
        writer["c"].upsert([document])
        writer["c"].delete(ids=["b"])
        with pytest.raises(errors.Unauthorized, match="takes admin"):
            writer.drop_collection("c")


def test_a_token_may_be_for_some_collections(issuer):
    with issuer.connect(latentdb_collections=["other"]) as client:
        assert client.collections() == ["other"]
        with pytest.raises(errors.Unauthorized, match="not for the collection"):
            client["c"].count()
    with issuer.connect(latentdb_collections=[]) as client:
        with pytest.raises(errors.Unauthorized, match="no collection"):
            client.collections()


def unsigned(claims):
    def part(value):
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    return f"{part({'alg': 'none', 'typ': 'JWT'})}.{part(claims)}."


def test_what_is_no_token_of_the_issuer_is_turned_away(issuer):
    stranger = private_keys()
    now = int(time.time())
    public_text = json.dumps(public("rsa", issuer.keys["rsa"]))
    cases = {
        "expired": issuer.token(exp=now - 100),
        "hold yet": issuer.token(nbf=now + 300),
        "audience": issuer.token(aud="else"),
        "another issuer": issuer.token(iss="https://evil.example"),
        "lacks": issuer.token(exp=None),
        "scope": issuer.token(scope="openid"),
        "signed by no key": issuer.token(key=stranger["rsa"]),
        "signed by no key ": issuer.token(kid="unknown"),
        "signed by no key  ": issuer.token(kind="ec", kid="rsa"),
        # The public key as a shared secret.
        "no key of the issuer": jwt.encode(
            {"iss": ISSUER, "aud": AUDIENCE, "exp": now + 60, "scope": "latentdb.admin"},
            public_text.encode() * 2, algorithm="HS256", headers={"kid": "rsa"},
        ),
        "no key and no token": unsigned({"iss": ISSUER, "aud": AUDIENCE, "exp": now + 60}),
        "no token": "guess",
        "key is not known": "ldb_" + "0" * 64,
    }
    for said, secret in cases.items():
        with issuer.with_secret(secret) as client:
            with pytest.raises(errors.Unauthorized, match=said.strip()) as caught:
                client.collections()
            assert "ada" not in str(caught.value) and secret not in str(caught.value)
    with latentdb.connect(issuer.server.address, api_key="") as client:
        with pytest.raises(errors.Unauthorized, match="a key or a token"):
            client.collections()


def test_keys_are_taken_beside_tokens(issuer):
    command = [
        os.environ["LATENTDB_BINARY"], "key", "create", "reports", "--role", "read",
        "--data", str(issuer.data), "--json",
    ]
    made = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)
    with issuer.with_secret(made["secret"]) as client:
        assert client["c"].count() == 1
    with issuer.connect() as client:
        assert client["c"].count() == 1


def test_the_keys_of_the_issuer_change_under_a_running_server(tmp_path):
    issuer = Issuer(tmp_path)
    try:
        with issuer.connect() as client:
            assert client.collections() == []
        former, issuer.keys = issuer.keys, private_keys()
        jwks(issuer.file, issuer.keys)
        with issuer.connect() as client:
            assert client.collections() == []
        with issuer.connect(key=former["rsa"]) as client:
            with pytest.raises(errors.Unauthorized):
                client.collections()
        # A file that cannot be read leaves the keys that were.
        issuer.file.write_text("{")
        with issuer.connect() as client:
            assert client.collections() == []
    finally:
        issuer.server.stop()


def test_settings_that_cannot_serve_tokens_are_refused(tmp_path):
    file = tmp_path / "jwks.json"
    file.write_text('{"keys": [{"kty": "oct", "k": "c2VjcmV0", "alg": "HS256"}]}')
    jwt_flags = ["--auth", "jwt", "--jwt-issuer", ISSUER, "--jwt-audience", AUDIENCE]
    for flags, said in (
        (jwt_flags, "--jwt-keys"),
        ([*jwt_flags, "--jwt-keys", str(tmp_path / "none")], "none"),
        ([*jwt_flags, "--jwt-keys", str(file)], "no public key"),
        (["--jwt-issuer", ISSUER], "--auth jwt"),
    ):
        command = [os.environ["LATENTDB_BINARY"], "serve", "--data", str(tmp_path / "data"), *flags]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert done.returncode != 0 and said in done.stderr, done.stderr
