"""Latents that a language model chooses for a property, with the real encoder."""

import json

import grpc
import pytest

import harness
from chat_endpoint import Endpoint, message
from harness import refused
from models import NEEDS_MINILM
from stubs import v1
from test_cli import cli  # noqa: F401 (a fixture)
from test_concepts import ids, topics  # noqa: F401 (a fixture)

pytestmark = NEEDS_MINILM


@pytest.fixture(scope="module")
def endpoint():
    running = Endpoint()
    yield running
    running.close()


@pytest.fixture(scope="module")
def server(tmp_path_factory, endpoint):
    """A server that has the endpoint, in place of the one that most tests share."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LATENTDB_CHAT_URL", endpoint.url)
        patch.setenv("LATENTDB_CHAT_MODEL", "tiny")
        running = harness.Server(tmp_path_factory.mktemp("selector"))
        running.start()
        yield running
        running.close()


@pytest.fixture
def quiet(endpoint):
    """The endpoint with its usual answers and nothing asked yet."""
    endpoint.requests.clear()
    endpoint.behave = lambda number, body: None
    yield endpoint
    endpoint.behave = lambda number, body: None


def numbered(endpoint) -> list[str]:
    """The labels that the model was last shown."""
    user = endpoint.requests[-1][2]["messages"][1]["content"]
    lines = user.split("Concepts:\n")[1].split("\n\n")[0].splitlines()
    return [line.split(". ", 1)[1] for line in lines]


def test_the_model_drops_and_orders_the_candidates(cli, topics, quiet):  # noqa: F811
    quiet.behave = lambda number, body: (200, message("4, 2, 7"))
    flags = ("--property", "stars, planets and rockets", "--selector", "chat")
    answer = cli("search", topics, *flags, "--candidates", 9)
    shown = numbered(quiet)
    assert len(shown) == 9
    (chosen,) = answer["properties"]
    assert [entry["label"] for entry in chosen["latents"]] == [shown[3], shown[1], shown[6]]
    weights = [entry["weight"] for entry in chosen["latents"]]
    # exp(-(r / 3) / .3).
    expected = [0.329193, 0.108368, 0.035674]
    assert weights == pytest.approx(expected, abs=1e-6)
    assert (chosen["selector"], chosen["candidates"]) == ("chat:tiny", 9)
    weights = chosen["query"]["latents"]["weights"]
    sent = [("--latent", f"{e['latent']}={e['weight']}") for e in weights]
    again = cli("search", topics, *[part for pair in sent for part in pair], "--p90")
    assert ids(again) == ids(answer)
    kept = cli("search", topics, *flags, "--candidates", 9, "--kept", 2)
    (chosen,) = kept["properties"]
    assert [entry["label"] for entry in chosen["latents"]] == [shown[3], shown[1]]
    text = cli("search", topics, *flags, "--candidates", 9, plain=True)
    assert "by chat:tiny, 3 of 9:" in text


def test_labels_are_candidates_by_the_selection_asked_for(cli, topics, quiet):  # noqa: F811
    quiet.behave = lambda number, body: (200, message("1"))
    shown = {}
    for select in (None, "labels", "centroids"):
        flags = () if select is None else ("--select", select)
        cli(
            *("search", topics, "--property", "preparing food", "--selector", "chat"),
            *("--candidates", 5, *flags),
        )
        shown[select] = numbered(quiet)
    assert shown[None] == shown["labels"] != shown["centroids"]


def test_a_property_in_two_places_is_asked_for_once(server, topics, quiet):  # noqa: F811
    quiet.behave = lambda number, body: (200, message("1"))
    query = v1.Query(
        property=v1.PropertyQuery(
            text="preparing food", candidates=5, selector=v1.LatentSelector(model="big")
        )
    )
    children = [v1.FusionChild(query=query), v1.FusionChild(query=query)]
    found = server.api.search(topics, v1.Query(fusion=v1.FusionQuery(children=children)))
    assert len(quiet.requests) == 1
    assert quiet.requests[0][2]["model"] == "big"
    assert [chosen.selector for chosen in found.properties] == ["chat:big"] * 2


def test_an_answer_out_of_form_is_asked_for_again_and_then_an_error(
    cli,  # noqa: F811
    server,
    topics,  # noqa: F811
    quiet,
):
    says = ["Concepts 1 and 2.", "2"]
    quiet.behave = lambda number, body: (200, message(says[number]))
    query = v1.PropertyQuery(text="music", candidates=5, selector=v1.LatentSelector())
    found = server.api.search(topics, v1.Query(property=query))
    assert len(found.properties[0].latents) == 1 and len(quiet.requests) == 2
    quiet.behave = lambda number, body: (200, message("1, 1"))
    with refused(grpc.StatusCode.UNAVAILABLE, saying="chat:tiny"):
        server.api.search(topics, v1.Query(property=query))
    quiet.behave = lambda number, body: (200, message("none"))
    with refused(grpc.StatusCode.FAILED_PRECONDITION, saying="none of the 5"):
        server.api.search(topics, v1.Query(property=query))


def test_what_a_selector_cannot_do_is_refused(server, topics, quiet):  # noqa: F811
    selector = v1.LatentSelector()
    own = v1.PropertyQuery(own_latents_of="music", selector=selector)
    with refused(grpc.StatusCode.INVALID_ARGUMENT, field="query.property.selector"):
        server.api.search(topics, v1.Query(property=own))
    unknown = v1.PropertyQuery(text="music", selector=v1.LatentSelector(kind=7))
    with refused(grpc.StatusCode.INVALID_ARGUMENT, field="query.property.selector.kind"):
        server.api.search(topics, v1.Query(property=unknown))
    many = v1.PropertyQuery(text="music", candidates=5000, selector=selector)
    with refused(grpc.StatusCode.INVALID_ARGUMENT, field="query.property.candidates"):
        server.api.search(topics, v1.Query(property=many))
    server.api.create("bare", encoder="all-MiniLM-L6-v2", n_latents=4)
    query = v1.Query(property=v1.PropertyQuery(text="music", selector=selector))
    with refused(grpc.StatusCode.FAILED_PRECONDITION, saying="latents label"):
        server.api.search("bare", query)
    assert not quiet.requests


@pytest.fixture
def without_endpoint(monkeypatch):
    for variable in ("LATENTDB_CHAT_URL", "LATENTDB_CHAT_MODEL"):
        monkeypatch.delenv(variable, raising=False)


def test_without_an_endpoint_the_answer_says_how_to_get_one(without_endpoint, own_server):
    api = own_server.api
    api.create("c", encoder="all-MiniLM-L6-v2", n_latents=4)
    labels = [v1.LabelEntry(latent=0, text="music")]
    api.latents.SetLabels(v1.SetLabelsRequest(collection="c", labels=labels))
    query = v1.PropertyQuery(text="music", selection=1, selector=v1.LatentSelector())
    with refused(grpc.StatusCode.FAILED_PRECONDITION, saying="--chat-url"):
        api.search("c", v1.Query(property=query))


def test_selection_by_a_model_is_measured_with_the_others(
    cli,  # noqa: F811
    topics,  # noqa: F811
    quiet,
    tmp_path,
):
    file = tmp_path / "properties.json"
    described = {"text": "telescope and rocket", "relevant": 'source = "space"'}
    file.write_text(json.dumps({"topics": [described]}))
    measure = ("eval", "property", "--collection", topics, "--properties", file)
    found = cli(*measure, "--candidates", 9, "--selector", "chat")["methods"]
    assert found["property-selector"]["map"] > found["random"]["map"]
    assert "hybrid-selector" in found
    assert "property-selector" not in cli(*measure, "--candidates", 9)["methods"]
    assert "--selector" in cli(*measure, "--method", "property-selector", code=2)
