"""What an operator sees: metrics as Prometheus reads them, the dashboard, traces, logs, health and an orderly end."""

import concurrent.futures
import contextlib
import json
import pathlib
import queue
import re
import signal
import subprocess
import threading
import time
import urllib.error
import urllib.request

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from prometheus_client.openmetrics.parser import text_string_to_metric_families

import harness
import test_sae
import wire
from harness import BINARY
from stubs import REPOSITORY, v1
from test_snapshots import free_port

DASHBOARD = REPOSITORY / "src/deploy/grafana.json"


def scrape(port: int) -> dict[str, list]:
    """The samples of a scrape, by the name that queries have."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
        assert answer.headers["content-type"].startswith("application/openmetrics-text")
        text = answer.read().decode()
    samples: dict[str, list] = {}
    for family in text_string_to_metric_families(text):
        assert family.documentation
        for sample in family.samples:
            samples.setdefault(sample.name, []).append((sample.labels, sample.value))
    return samples


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    """A server with metrics on which a little of everything was done."""
    server = harness.Server(tmp_path_factory.mktemp("watched"))
    port = free_port()
    api = server.start("--metrics", f"127.0.0.1:{port}", "--slow-search", "0")
    api.create("c", dimension=16)
    api.upsert("c", test_sae.documents(test_sae.concept_vectors(200, seed=1)))
    api.search("c", wire.near(test_sae.concept_vectors(1, seed=2)[0]))
    api.scroll("c")
    with pytest.raises(grpc.RpcError):
        api.count("nowhere")
    call = api.channel.unary_unary("/latentdb.v1.Made/Up")
    with pytest.raises(grpc.RpcError):
        call(b"")
    yield server, api, port
    server.stop()


def test_metrics_count_what_was_done(watched):
    samples = scrape(watched[2])
    requests = {(own["method"], own["code"]): value for own, value in samples["latentdb_requests_total"]}
    assert requests["SearchService/Search", "OK"] == 1
    assert requests["SearchService/Count", "NotFound"] == 1
    assert requests["DocumentService/Scroll", "OK"] == 1
    assert requests["other", "Unimplemented"] == 1
    times = {own["method"]: value for own, value in samples["latentdb_request_seconds_count"]}
    assert times["SearchService/Search"] == 1
    assert samples["latentdb_documents_written_total"] == [({}, 200)]
    assert samples["latentdb_documents"] == [({"collection": "c"}, 200)]
    assert samples["latentdb_damaged"] == [({"collection": "c"}, 0)]
    stages = {own["stage"]: value for own, value in samples["latentdb_search_stage_seconds_count"]}
    assert stages == {"encode": 1, "execute": 1, "fetch": 1}
    memory = {own["part"]: value for own, value in samples["latentdb_memory_bytes"]}
    assert 0 < memory["anonymous"] <= memory["resident"] and memory["budget"] > 1 << 30
    assert samples["latentdb_requests_under_way"][0][1] == 0


def test_only_metrics_are_served_there(watched):
    for path, method, code in (("/", "GET", 404), ("/metrics", "POST", 405)):
        request = urllib.request.Request(f"http://127.0.0.1:{watched[2]}{path}", method=method)
        with pytest.raises(urllib.error.HTTPError) as error:
            urllib.request.urlopen(request, timeout=10)
        assert error.value.code == code


def test_every_query_of_the_dashboard_names_metrics_that_exist(watched):
    samples = scrape(watched[2])
    asked = set()
    for panel in json.loads(DASHBOARD.read_text())["panels"]:
        for target in panel["targets"]:
            names = re.findall(r"latentdb_\w+", target["expr"])
            assert names, target
            asked |= set(names)
    known = set(samples) | {"latentdb_requests_turned_away_total"}
    assert asked <= known, asked - known
    named = {re.sub(r"_(bucket|sum|count|created)$", "", name) for name in samples}
    assert {re.sub(r"_(bucket|sum|count)$", "", name) for name in asked} >= named - {
        "latentdb_requests", "latentdb_slow_searches", "latentdb_documents_written",
        "latentdb_documents_deleted", "latentdb_texts_encoded", "latentdb_encode_seconds",
    }


class Collector(trace_service_pb2_grpc.TraceServiceServicer):
    """Takes traces as an OTLP collector does."""

    def __init__(self):
        self.spans = queue.Queue()

    def Export(self, request, context):
        for resource in request.resource_spans:
            attributes = {own.key: own.value.string_value for own in resource.resource.attributes}
            assert attributes["service.name"] == "latentdb"
            for scope in resource.scope_spans:
                for span in scope.spans:
                    self.spans.put(span)
        return trace_service_pb2.ExportTraceServiceResponse()


def test_traces_reach_a_collector_and_belong_to_the_clients(tmp_path):
    collector = Collector()
    receiving = grpc.server(concurrent.futures.ThreadPoolExecutor(2))
    trace_service_pb2_grpc.add_TraceServiceServicer_to_server(collector, receiving)
    port = receiving.add_insecure_port("127.0.0.1:0")
    receiving.start()
    server = harness.Server(tmp_path)
    api = server.start("--otlp", f"http://127.0.0.1:{port}")
    api.create("c", dimension=16)
    api.upsert("c", test_sae.documents(test_sae.concept_vectors(20, seed=1)))
    trace, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
    request = v1.SearchRequest(
        collection="c", query=wire.near(test_sae.concept_vectors(1, seed=2)[0])
    )
    metadata = [("traceparent", f"00-{trace}-{parent}-01"), ("x-request-id", "ask-1")]
    answer, call = api.searches.Search.with_call(request, metadata=metadata)
    assert dict(call.initial_metadata())["x-request-id"] == "ask-1" and answer.hits
    server.stop()
    receiving.stop(None)
    own = []
    with contextlib.suppress(queue.Empty):
        while True:
            span = collector.spans.get(timeout=1)
            if span.trace_id.hex() == trace:
                own.append(span)
    (request_span,) = [span for span in own if span.name == "latentdb.v1.SearchService/Search"]
    assert request_span.parent_span_id.hex() == parent
    names = {span.name for span in own if span.parent_span_id == request_span.span_id}
    assert {"encode", "execute", "fetch"} <= names
    # No text of queries or documents.
    assert not any(re.search(r"number \d", str(span)) for span in own)


def test_lines_of_the_log_are_json_with_the_id_of_the_request(tmp_path):
    server = harness.Server(tmp_path)
    api = server.start("--log-format", "json", "--slow-search", "1")
    api.create("c", dimension=16)
    api.upsert("c", test_sae.documents(test_sae.concept_vectors(3000, seed=1)))
    query = wire.near(test_sae.concept_vectors(1, seed=2)[0])
    secret = v1.SearchRequest(collection="c", query=query, limit=1000)
    for attempt in range(50):
        api.searches.Search(secret, metadata=[("x-request-id", f"slow-{attempt}")])
        if "latentdb::slow" in server.log.read_text():
            break
    server.stop()
    lines = [json.loads(line) for line in server.log.read_text().splitlines() if line.startswith("{")]
    slow = [line for line in lines if line["target"] == "latentdb::slow"]
    assert slow and slow[0]["span"]["request_id"].startswith("slow-")
    assert slow[0]["fields"]["collection"] == "c" and "plan" in slow[0]["fields"]
    assert "number " not in server.log.read_text()


def test_an_orderly_end_answers_streams_and_says_that_it_does_not_serve(tmp_path):
    server = harness.Server(tmp_path)
    api = server.start()
    api.create("c", dimension=16)
    sent: queue.Queue = queue.Queue()
    documents = test_sae.documents(test_sae.concept_vectors(60, seed=1))
    for batch in range(3):
        own = documents[20 * batch : 20 * batch + 20]
        sent.put(v1.IngestRequest(collection="c", documents=own, batch=batch + 1, stream_id="s"))
    acknowledged, ends = [], []

    def ingest():
        try:
            for answer in api.documents.Ingest(iter(sent.get, None)):
                acknowledged.append(answer.batch)
        except grpc.RpcError as error:
            ends.append(error)

    health = health_pb2_grpc.HealthStub(api.channel).Watch(health_pb2.HealthCheckRequest())
    assert next(health).status == health_pb2.HealthCheckResponse.SERVING
    stream = threading.Thread(target=ingest)
    stream.start()
    until = time.monotonic() + 60
    while len(acknowledged) < 3 and time.monotonic() < until:
        time.sleep(0.01)
    began = time.monotonic()
    server.process.send_signal(signal.SIGTERM)
    statuses = []
    with contextlib.suppress(grpc.RpcError):
        statuses += [one.status for one in health]
    stream.join(timeout=30)
    code = server.process.wait(timeout=30)
    assert time.monotonic() - began < 9, "nobody waits for the ten seconds"
    assert code == 0 and acknowledged == [1, 2, 3]
    assert [error.code() for error in ends] == [grpc.StatusCode.UNAVAILABLE]
    assert "what was acknowledged is kept" in ends[0].details()
    assert set(statuses) <= {health_pb2.HealthCheckResponse.NOT_SERVING}
    sent.put(None)
    server.api = None
    api = server.start()
    assert api.count("c") == 60
    server.stop()


def test_settings_come_from_file_environment_and_flags(tmp_path, monkeypatch):
    file = tmp_path / "latentdb.toml"
    file.write_text('data = "d"\nmax-requests = 7\nslow-search = 9\nno-page = true\n')
    monkeypatch.setenv("LATENTDB_MAX_REQUESTS", "8")
    command = [BINARY, "config", "check", "--config", file]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "max-requests = 8  # environment" in done.stdout
    assert "slow-search = 9  # file" in done.stdout and 'data = "d"  # file' in done.stdout
    for text, said in (
        ("data = 'd'\nmax-request = 7\n", 'is it "max-requests"?'),
        ("data = 'd'\ntls-cert = 'c'\n", "--tls-key"),
        ("data = 'd'\nmax-connections = -1\n", "max-connections"),
        ("max-requests = 7\n", "--data"),
        ("data = [", "TOML"),
    ):
        file.write_text(text)
        done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
        assert done.returncode != 0 and said in done.stderr, (text, done.stderr)
    done = subprocess.run([BINARY, "config", "reference"], capture_output=True, text=True)
    reference = done.stdout
    assert "# max-connections = 1024\n" in reference
    pathlib.Path(file).write_text(re.sub(r"(?m)^# (data) = .*", r'\1 = "d"', reference))
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
