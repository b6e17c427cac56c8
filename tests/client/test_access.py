"""Who may call what: every rpc by reflection with no key, a wrong, a revoked one, and one of each
role and of another collection."""

import json
import os
import pathlib
import subprocess
import types

import grpc
import pytest

import latentdb
from latentdb import errors, v1
from latentdb.transport import options

# What each method takes; a new one has to be entered here.
READ = """
AdminService/GetServerInfo AnalysisService/Cluster AnalysisService/Correlate AnalysisService/Diff
AnalysisService/Explain AnalysisService/Hypothesise AnalysisService/ListMaps AnalysisService/MatchLatents
AnalysisService/NearDuplicates AnalysisService/PoorlyExplained AnalysisService/ReadMap AnalysisService/Trends
CollectionService/ExportRecords CollectionService/GetCollection CollectionService/ListCollections
CollectionService/ListSets DocumentService/Get DocumentService/Scroll LatentService/GetLatent
LatentService/ListFamilies LatentService/ListLabels LatentService/ListLatents
LatentService/SearchLabels LatentService/SplitLatents ModelService/DecodeLatents
ModelService/DownloadSae
ModelService/EncodeTexts ModelService/EncodeVectors ModelService/EvaluateSae ModelService/GetSae
SearchService/Count SearchService/Facet SearchService/ListPresets SearchService/Search
SearchService/SearchBatch SearchService/Steer SearchService/SteerSweep
""".split()
WRITE = """
AnalysisService/DropMap AnalysisService/MakeMap AnalysisService/MoveLatents
CollectionService/DropSet CollectionService/SaveSet DocumentService/Delete DocumentService/Ingest
DocumentService/Update DocumentService/Upsert LatentService/FindFamilies
LatentService/LabelLatents LatentService/ScoreLabels LatentService/SetLabels
LatentService/UseLabel SearchService/DropPreset SearchService/SavePreset
""".split()
ADMIN = """
AdminService/Optimize CollectionService/AttachSae CollectionService/CreateCollection
CollectionService/DetachSae CollectionService/DropAlias CollectionService/DropCollection
CollectionService/RestoreCollection CollectionService/SetAlias
CollectionService/RestoreRecords ModelService/TrainSae ModelService/UploadSae
SnapshotService/CreateSnapshot SnapshotService/DeleteSnapshot SnapshotService/ListSnapshots
SnapshotService/RestoreSnapshot
""".split()
# They name no collection.
FREE = {
    "AdminService/GetServerInfo",
    "CollectionService/ListCollections",
    "ModelService/DownloadSae",
    "ModelService/UploadSae",
}
RANKS = {"read": 0, "write": 1, "admin": 2}
REFUSED = {grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED}


def methods():
    """Every method of the API, by its name."""
    found = {}
    for module in vars(v1).values():
        if not isinstance(module, types.ModuleType) or not hasattr(module, "DESCRIPTOR"):
            continue
        for service in module.DESCRIPTOR.services_by_name.values():
            found |= {f"{service.name}/{own.name}": own for own in service.methods}
    return found


def key(*arguments):
    command = [os.environ["LATENTDB_BINARY"], "key", *arguments, "--json"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    """A server with keys, made while it runs, and their secrets by name."""
    data = tmp_path_factory.mktemp("guarded") / "data"
    with latentdb.open(data) as open_to_all:
        collection = open_to_all.create_collection("c", dimension=2)
        collection.upsert([{"id": "a", "vector": [1, 0]}])
        open_to_all.create_collection("other", dimension=2)
        secrets = {
            role: key("create", role, "--role", role, "--data", str(data))["secret"]
            for role in RANKS
        }
        scoped = key(
            *("create", "scoped", "--role", "admin", "--collection", "other", "--data", str(data))
        )
        secrets["scoped"] = scoped["secret"]
        secrets["revoked"] = key("create", "gone", "--role", "admin", "--data", str(data))["secret"]
        key("revoke", "gone", "--data", str(data))
        secrets["wrong"] = secrets["admin"][:-1] + ("0" if secrets["admin"][-1] != "0" else "1")
        secrets["none"] = None
        kept = pathlib.Path(data, "keys.json").read_text()
        assert not any(secret and secret in kept for secret in secrets.values())
        yield types.SimpleNamespace(address=open_to_all.address, secrets=secrets, data=data)


def answer(channel, secret, method):
    """The code that a method is answered with; a message names the collection "c" where it can."""
    fields = method.input_type.fields_by_name
    request = method.input_type._concrete_class()
    for name in ("collection", "name"):
        if name in fields and not fields[name].containing_oneof:
            setattr(request, name, "c")
    if method.name in ("EncodeTexts", "GetSae"):
        request.collection = "c"
    if method.name == "SearchBatch":
        request.searches.add(collection="c")
    asked, told = (
        "stream" if streams else "unary"
        for streams in (method.client_streaming, method.server_streaming)
    )
    call = getattr(channel, f"{asked}_{told}")(
        f"/latentdb.v1.{method.containing_service.name}/{method.name}",
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=lambda data: data,
    )
    metadata = [("authorization", f"Bearer {secret}")] if secret else []
    try:
        found = call(
            iter([request]) if asked == "stream" else request, metadata=metadata, timeout=60
        )
        if told == "stream":
            list(found)
    except grpc.RpcError as error:
        return error.code()
    return grpc.StatusCode.OK


def test_every_method_has_its_role():
    assert sorted(methods()) == sorted(READ + WRITE + ADMIN)


@pytest.mark.parametrize(
    "holder", ["none", "wrong", "revoked", "read", "write", "admin", "scoped"]
)
def test_the_authorisation_matrix(guarded, holder):
    # DropCollection goes last: the others need what it drops.
    order = sorted(methods().items(), key=lambda own: own[0].endswith("DropCollection"))
    with grpc.insecure_channel(guarded.address, options=options()) as channel:
        for name, method in order:
            if holder == "admin" and name.endswith("DropCollection"):
                continue
            found = answer(channel, guarded.secrets[holder], method)
            takes = 0 if name in READ else 1 if name in WRITE else 2
            if holder in ("none", "wrong", "revoked"):
                assert found == grpc.StatusCode.UNAUTHENTICATED, name
            elif holder == "scoped":
                if name in FREE:
                    assert found not in REFUSED, name
                else:
                    # What is wrong in the message may be said first.
                    refused = {grpc.StatusCode.PERMISSION_DENIED, grpc.StatusCode.INVALID_ARGUMENT}
                    assert found in refused, (name, found)
            elif RANKS[holder] < takes:
                assert found == grpc.StatusCode.PERMISSION_DENIED, name
            else:
                assert found not in REFUSED, (name, found)


def test_clients_say_what_is_wrong(guarded):
    secrets = guarded.secrets
    with pytest.raises(errors.Unauthorized, match="LATENTDB_API_KEY"):
        latentdb.connect(guarded.address, api_key="").collections()
    reader = latentdb.connect(guarded.address, api_key=secrets["read"])
    assert reader["c"].count() == 1
    with pytest.raises(errors.Unauthorized, match="role read; .* takes write"):
        reader["c"].upsert([{"id": "b"}])
    with pytest.raises(errors.Unauthorized, match="takes admin"):
        reader.encode(["x"], model="/etc")
    with pytest.raises(errors.Unauthorized, match="takes admin"):
        reader.saes.get("/etc")
    scoped = latentdb.connect(guarded.address, api_key=secrets["scoped"])
    assert scoped.collections() == ["other"]
    scoped["other"].upsert([{"id": "a", "vector": [1, 0]}])
    for name in ("c", "nowhere"):
        with pytest.raises(errors.Unauthorized, match="not for the collection"):
            scoped[name].count()
    with pytest.raises(errors.Unauthorized, match="not for the collection"):
        scoped.create_collection("mine", dimension=2)
    command = [os.environ["LATENTDB_BINARY"], "count", "c", "--server", guarded.address]
    plain = {own: value for own, value in os.environ.items() if own != "LATENTDB_API_KEY"}
    refused = subprocess.run(command, capture_output=True, text=True, env=plain)
    assert refused.returncode != 0 and "--api-key" in refused.stderr
    counted = subprocess.run(
        command, capture_output=True, text=True, env=plain | {"LATENTDB_API_KEY": secrets["read"]}
    )
    assert counted.stdout.strip() == "1", counted.stderr


def test_a_key_that_is_revoked_opens_nothing_more(guarded):
    data = str(guarded.data)
    secret = key("create", "brief", "--role", "read", "--data", data)["secret"]
    client = latentdb.connect(guarded.address, api_key=secret)
    assert client["c"].count() == 1
    assert [own["name"] for own in key("list", "--data", data)["keys"]][-1] == "brief"
    key("revoke", "brief", "--data", data)
    with pytest.raises(errors.Unauthorized, match="revoked"):
        client["c"].count()


def test_a_network_is_served_with_keys_only(tmp_path):
    with pytest.raises(errors.Unavailable, match="latentdb key create"):
        latentdb.LocalServer(tmp_path / "data", listen="0.0.0.0:0")
    server = latentdb.LocalServer(
        tmp_path / "data", listen="0.0.0.0:0", arguments=("--insecure",)
    )
    server.stop()


def test_what_an_attacker_tried(guarded, tmp_path):
    secrets, data = guarded.secrets, str(guarded.data)
    admin = latentdb.connect(guarded.address, api_key=secrets["admin"])
    scoped = latentdb.connect(guarded.address, api_key=secrets["scoped"])
    # Another collection through the token of a page.
    admin["c"].upsert([{"id": str(at), "vector": [1, at]} for at in range(9)])
    page = admin["c"].query(latentdb.matching("id")).limit(2).run()
    request = v1.SearchRequest(page_token=page.next_page)
    with pytest.raises(errors.Unauthorized, match="not for the collection"):
        scoped.rpc.unary("SearchService/Search", request, v1.SearchResponse)
    # Files of the server through a collection of one's own.
    with pytest.raises(errors.Unauthorized, match="one for all"):
        scoped["other"].attach_sae("/etc")
    # A model that costs more, by a key that reads.
    reader = latentdb.connect(guarded.address, api_key=secrets["read"])
    selector = v1.LatentSelector(kind=v1.SELECTOR_KIND_CHAT, model="dear")
    query = v1.Query(property=v1.PropertyQuery(text="x", selector=selector))
    with pytest.raises(errors.Unauthorized, match="chat model"):
        reader["c"].query(query).run()
    assert scoped.info().collections == 1
    # A stream that outlives its key writes nothing more.
    secret = key("create", "streams", "--role", "write", "--data", data)["secret"]
    writer = latentdb.connect(guarded.address, api_key=secret)
    before = admin["c"].count()

    def rows():
        for at in range(300):
            if at == 200:
                key("revoke", "streams", "--data", data)
            yield {"id": f"late-{at}", "vector": [1, at]}

    with pytest.raises(errors.LatentDBError, match="revoked"):
        writer["c"].upsert(rows(), batch=50)
    assert before <= admin["c"].count() <= before + 200
    admin["c"].delete(latentdb.ID.like("late-%"))


def test_keys_that_are_made_at_once_are_all_there(tmp_path):
    data = str(tmp_path / "data")
    command = [os.environ["LATENTDB_BINARY"], "key", "create"]
    running = [
        subprocess.Popen([*command, f"k{at}", "--role", "read", "--data", data],
                         stdout=subprocess.DEVNULL)
        for at in range(12)
    ]
    assert [own.wait() for own in running] == [0] * 12
    assert len(key("list", "--data", data)["keys"]) == 12
