"""Health, reflection, and what the server says of itself."""

import grpc
import numpy as np
import pytest
from google.protobuf import descriptor_pool, message_factory
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)

import harness
import wire
from harness import PATIENCE, Server, refused
from stubs import v1

SERVICES = {
    f"latentdb.v1.{name}Service"
    for name in ("Collection", "Document", "Search", "Latent", "Model", "Admin")
}


@pytest.mark.parametrize("service", ["", *sorted(SERVICES)])
def test_every_service_is_healthy(api, service):
    health = health_pb2_grpc.HealthStub(api.channel)
    answer = health.Check(health_pb2.HealthCheckRequest(service=service))
    assert answer.status == health_pb2.HealthCheckResponse.SERVING


def test_the_health_of_an_unknown_service_is_not_found(api):
    health = health_pb2_grpc.HealthStub(api.channel)
    with refused(grpc.StatusCode.NOT_FOUND):
        health.Check(health_pb2.HealthCheckRequest(service="latentdb.v1.NoService"))


def test_server_info_states_the_limits(api):
    info = api.admin.GetServerInfo(v1.GetServerInfoRequest())
    assert info.version
    assert info.limits.max_batch_documents == 10_000
    assert info.limits.max_message_bytes == 64 << 20
    assert info.limits.max_text_bytes == 1 << 20
    assert info.limits.max_id_bytes == 512
    assert info.limits.max_page == 1000
    assert info.limits.max_hits == 10_000


@pytest.mark.parametrize("version", ["v1", "v1alpha"])
def test_reflection_lists_all_services(api, version):
    # The messages of the two versions are the same on the wire; Python has those of v1alpha.
    call = api.channel.stream_stream(
        f"/grpc.reflection.{version}.ServerReflection/ServerReflectionInfo",
        request_serializer=reflection_pb2.ServerReflectionRequest.SerializeToString,
        response_deserializer=reflection_pb2.ServerReflectionResponse.FromString,
    )
    request = reflection_pb2.ServerReflectionRequest(list_services="")
    (answer,) = call(iter([request]), timeout=PATIENCE)
    listed = {service.name for service in answer.list_services_response.service}
    assert SERVICES <= listed
    assert "grpc.health.v1.Health" in listed
    assert f"grpc.reflection.{version}.ServerReflection" in listed


def test_a_client_made_from_reflection_alone_can_write_and_search(api, name):
    pool = descriptor_pool.DescriptorPool(ProtoReflectionDescriptorDatabase(api.channel))

    def call(service: str, method: str, **fields):
        rpc = pool.FindServiceByName(f"latentdb.v1.{service}").FindMethodByName(method)
        request = message_factory.GetMessageClass(rpc.input_type)(**fields)
        answer = message_factory.GetMessageClass(rpc.output_type)
        invoke = api.channel.unary_unary(
            f"/latentdb.v1.{service}/{method}",
            request_serializer=type(request).SerializeToString,
            response_deserializer=answer.FromString,
        )
        return invoke(request)

    made = call("CollectionService", "CreateCollection", name=name, dimension=2, n_latents=4)
    assert (made.name, made.dimension) == (name, 2)
    documents = [
        {"id": "east", "vector": {"values": [1.0, 0.0]}, "attributes": {"n": {"integer": 1}}},
        {"id": "north", "vector": {"values": [0.0, 1.0]}, "attributes": {"n": {"integer": 2}}},
    ]
    written = call("DocumentService", "Upsert", collection=name, documents=documents)
    assert written.upserted == 2
    query = {
        "nearest": {"vector": {"values": [0.2, 1.0]}},
        "filter": {"expression": "n >= 1"},
    }
    found = call("SearchService", "Search", collection=name, query=query)
    assert [hit.document.id for hit in found.hits] == ["north", "east"]


def test_a_second_server_on_the_same_data_is_refused(own_server, tmp_path):
    second = Server(tmp_path / "second")
    second.folder.mkdir()
    second.data = own_server.data
    with pytest.raises(RuntimeError, match="in use by another process"):
        second.start()
    # The first one is not disturbed.
    assert own_server.api.admin.GetServerInfo(v1.GetServerInfoRequest()).collections == 0


def test_ctrl_c_ends_the_server_cleanly(own_server):
    assert own_server.stop() in (0, 130)
    assert not own_server.ready_file.exists()


def test_slow_searches_are_listed_without_texts(tmp_path):
    server = harness.Server(tmp_path)
    try:
        api = server.start("--slow-search", "1")
        api.create("c", dimension=256)
        random = np.random.default_rng(1)
        for start in range(0, 30_000, 3000):
            rows = random.normal(size=(3000, 256)).astype(np.float32)
            batch = [wire.document(f"d{start + at}", vec=row) for at, row in enumerate(rows)]
            api.upsert("c", batch)
        # Every vector is compared: more than a millisecond.
        for _ in range(3):
            api.search("c", wire.near(rows[0], exact=True, name="secret-free"))
        listed = api.admin.GetServerInfo(v1.GetServerInfoRequest()).slow_searches
        assert len(listed) >= 1
        last = listed[-1]
        assert last.collection == "c" and last.ended.seconds > 0
        assert last.explanation.total_us >= 1000 and last.explanation.plan.access
        assert "a search took long" in server.log.read_text()
        server.stop()
        api = server.start("--slow-search", "0")
        api.search("c", wire.near(rows[0], exact=True))
        assert not api.admin.GetServerInfo(v1.GetServerInfoRequest()).slow_searches
    finally:
        server.close()
