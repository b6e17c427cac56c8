"""Targeted clustering against scikit-learn and NumPy."""

import csv
import xml.etree.ElementTree as ET

import grpc
import numpy as np
import pytest
from sklearn.cluster import SpectralClustering
from sklearn.metrics import adjusted_rand_score, pairwise_distances

import wire
from harness import refused
from models import MODEL, NEEDS_MINILM, TOPICS
from stubs import v1
from test_cli import cli  # noqa: F401 (a fixture)

GROUPS = 4
WIDTH = 40
N_LATENTS = 64
ROWS = 600
AXIS = list(range(WIDTH))


def planted(rows: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """A binary matrix with planted groups in its first columns, and the groups."""
    random = np.random.default_rng(seed)
    groups = random.integers(GROUPS, size=rows)
    own = groups[:, None] == np.arange(N_LATENTS)[None] // (WIDTH // GROUPS)
    chance = np.where(own, 0.45, 0.02)
    # The other columns divide the documents in another way.
    half = np.arange(rows)[:, None] % 2 == np.arange(WIDTH, N_LATENTS)[None] // 12 % 2
    chance[:, WIDTH:] = np.where(half, 0.45, 0.02)
    return random.random((rows, N_LATENTS)) < chance, groups


def upsert(api, name, matrix):
    api.create(name, n_latents=matrix.shape[1])
    random = np.random.default_rng(0)
    api.upsert(
        name,
        [
            wire.document(
                f"d{number:05}",
                text=f"text of {number}",
                latents={int(at): float(random.uniform(0.1, 2)) for at in np.flatnonzero(row)},
                number=number,
            )
            for number, row in enumerate(matrix)
        ],
    )


class Answer:
    """The parts of an answer, put together."""

    def __init__(self, messages):
        self.summary, self.members, self.progress = None, [], []
        for message in messages:
            match message.WhichOneof("part"):
                case "progress":
                    self.progress.append(message.progress)
                case "summary":
                    assert self.summary is None and not self.members
                    self.summary = message.summary
                case "members":
                    self.members.extend(message.members.members)
        self.by_id = {member.id: member for member in self.members}
        assert len(self.by_id) == len(self.members) == self.summary.documents

    def labels(self, count: int) -> np.ndarray:
        """The cluster of each row; -1 for those in none."""
        found = np.full(count, -1)
        for member in self.members:
            if member.HasField("cluster"):
                found[int(member.id[1:])] = member.cluster
        return found


def cluster(api, name, latents=AXIS, texts=(), **fields) -> Answer:
    request = v1.ClusterRequest(
        collection=name, axis=v1.Axis(latents=latents, texts=texts), **fields
    )
    return Answer(api.analyses.Cluster(request))


def jaccard(matrix: np.ndarray) -> np.ndarray:
    return 1 - pairwise_distances(matrix, metric="jaccard")


@pytest.fixture(scope="module")
def made(api):
    matrix, groups = planted(ROWS, seed=5)
    upsert(api, "planted", matrix)
    return "planted", matrix, groups


def test_planted_groups_are_found_as_by_scikit_learn(api, made):
    name, matrix, groups = made
    answer = cluster(api, name, clusters=GROUPS)
    found = answer.labels(ROWS)
    covered = matrix[:, :WIDTH].any(axis=1)
    assert (found[~covered] == -1).all() and (found[covered] >= 0).all()
    assert answer.summary.uncovered == (~covered).sum()
    affinity = jaccard(matrix[covered][:, :WIDTH])
    peer = SpectralClustering(GROUPS, affinity="precomputed", random_state=0).fit(affinity).labels_
    ours = adjusted_rand_score(groups[covered], found[covered])
    theirs = adjusted_rand_score(groups[covered], peer)
    print(f"adjusted Rand index {ours:.3f}, scikit-learn {theirs:.3f}")
    assert ours > 0.9 and ours >= theirs - 0.05
    assert adjusted_rand_score(peer, found[covered]) > 0.9


def test_affinities_and_eigenvalues_are_exact(api, made):
    name, matrix, _ = made
    answer = cluster(api, name, clusters=GROUPS)
    covered = np.flatnonzero(matrix[:, :WIDTH].any(axis=1))
    found = answer.labels(ROWS)[covered]
    affinity = jaccard(matrix[covered][:, :WIDTH])
    for place, row in enumerate(covered):
        others = (found == found[place]) & (np.arange(len(covered)) != place)
        expected = affinity[place, others].mean()
        assert answer.by_id[f"d{row:05}"].affinity == pytest.approx(expected, rel=1e-6)
    # A tenth of the mean degree is spread over all pairs.
    degree = affinity.sum(axis=1).mean()
    spread = affinity + 0.1 * degree / len(covered)
    root = np.sqrt(spread.sum(axis=1))
    expected = np.linalg.eigvalsh(spread / root[:, None] / root[None])[::-1]
    values = np.array(answer.summary.eigenvalues)
    np.testing.assert_allclose(values, expected[: len(values)], rtol=1e-9, atol=1e-12)


def test_what_sets_clusters_apart_is_counted(api, made):
    name, matrix, _ = made
    answer = cluster(api, name, clusters=GROUPS, distinctive=1000, documents=4)
    found = answer.labels(ROWS)
    sizes = [entry.size for entry in answer.summary.clusters]
    assert sizes == sorted(sizes, reverse=True) == [(found == c).sum() for c in range(GROUPS)]
    for number, entry in enumerate(answer.summary.clusters):
        inside, outside = matrix[found == number], matrix[(found >= 0) & (found != number)]
        shares = {at: (inside[:, at].mean(), outside[:, at].mean()) for at in AXIS}
        listed = {latent.latent: latent for latent in [*entry.over, *entry.under]}
        for at, (own, others) in shares.items():
            if own == others:
                assert at not in listed
                continue
            assert listed[at].count == inside[:, at].sum()
            assert listed[at].inside == pytest.approx(own)
            assert listed[at].outside == pytest.approx(others)
        differences = [latent.inside - latent.outside for latent in entry.over]
        assert differences == sorted(differences, reverse=True) and min(differences) > 0
        typical = [document.id for document in entry.documents]
        assert len(typical) == 4 and all(found[int(key[1:])] == number for key in typical)
        assert entry.documents[0].text.startswith("text of ")


def test_the_axis_decides_what_groups_mean(api, made):
    name, matrix, groups = made
    parity = np.arange(ROWS) % 2
    others = range(WIDTH, N_LATENTS)
    for latents, truth, other in [(AXIS, groups, parity), (others, parity, groups)]:
        count = len(set(truth))
        found = cluster(api, name, latents=latents, clusters=count).labels(ROWS)
        kept = found >= 0
        assert adjusted_rand_score(truth[kept], found[kept]) > 0.9
        assert adjusted_rand_score(other[kept], found[kept]) < 0.1


def test_the_seed_decides_and_a_filter_bounds(api, made):
    name, matrix, _ = made
    described = wire.expr("number < 200")
    first = cluster(api, name, filter=described, seed=3)
    assert first.summary.documents == 200
    assert all(int(member.id[1:]) < 200 for member in first.members)
    again = cluster(api, name, filter=described, seed=3)
    assert first.members == again.members and first.summary == again.summary
    assert len(first.summary.clusters) == GROUPS, "the eigengap finds the planted number"


def test_many_documents_are_placed_by_landmarks(api, name):
    matrix, groups = planted(7000, seed=6)
    upsert(api, name, matrix)
    answer = cluster(api, name, clusters=GROUPS, landmarks=500)
    found = answer.labels(7000)
    kept = found >= 0
    assert answer.summary.landmarks == 500
    assert adjusted_rand_score(groups[kept], found[kept]) > 0.9
    assert kept.sum() + answer.summary.uncovered + answer.summary.unreached == 7000


def test_edges(api, name):
    api.create(name, n_latents=8)
    assert cluster(api, name, latents=[1]).summary.documents == 0
    api.upsert(name, [wire.document("d00000", latents={1: 1.0})])
    answer = cluster(api, name, latents=[1, 2], clusters=5)
    assert [entry.size for entry in answer.summary.clusters] == [1]
    api.upsert(name, [wire.document(f"d{at:05}", latents={1: 1.0}) for at in range(6)])
    answer = cluster(api, name, latents=[1, 2], clusters=5)
    assert [entry.size for entry in answer.summary.clusters] == [6]
    assert answer.summary.clusters[0].affinity == 1
    assert cluster(api, name, latents=[2]).summary.uncovered == 6


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"latents": []}, "axis"),
        ({"latents": [N_LATENTS]}, "axis.latents[0]"),
        ({"clusters": 101}, "clusters"),
        ({"landmarks": 1}, "landmarks"),
        ({"landmarks": 8001}, "landmarks"),
        ({"distinctive": 1001}, "distinctive"),
        ({"documents": 101}, "documents"),
        ({"texts": ["a", " "]}, "axis.texts[1]"),
        ({"filter": v1.Filter(expression="latent(")}, "filter.expression"),
    ],
)
def test_bad_requests_name_the_field(api, made, fields, field):
    with refused(grpc.StatusCode.INVALID_ARGUMENT, field=field):
        cluster(api, made[0], **fields)


def test_what_is_missing_is_said(api, made, name):
    with refused(grpc.StatusCode.NOT_FOUND):
        cluster(api, "no-such-collection")
    with refused(grpc.StatusCode.FAILED_PRECONDITION, saying="no encoder"):
        cluster(api, made[0], texts=["tone"])
    api.create(name, dimension=4)
    with refused(grpc.StatusCode.FAILED_PRECONDITION, saying="sae train"):
        cluster(api, name)
    with refused(grpc.StatusCode.INVALID_ARGUMENT, field="axis"):
        Answer(api.analyses.Cluster(v1.ClusterRequest(collection=made[0])))


def test_a_call_that_is_dropped_leaves_the_server_well(api, made):
    request = v1.ClusterRequest(collection=made[0], axis=v1.Axis(latents=AXIS))
    for _ in range(5):
        call = api.analyses.Cluster(request)
        call.cancel()
    assert cluster(api, made[0]).summary.documents == ROWS


def test_the_command_prints_and_draws(cli, made, tmp_path):  # noqa: F811
    name, _, groups = made
    axis = [part for latent in AXIS for part in ("--latent", latent)]
    plot = tmp_path / "plot.svg"
    answer = cli("cluster", name, *axis, "--k", GROUPS, "--plot", plot)
    assert [len(answer["clusters"]), answer["documents"]] == [GROUPS, ROWS]
    found = [entry.get("cluster") for entry in sorted(answer["members"], key=lambda m: m["id"])]
    kept = [at for at, number in enumerate(found) if number is not None]
    assert adjusted_rand_score(groups[kept], [found[at] for at in kept]) > 0.9
    svg = ET.parse(plot).getroot()
    assert svg.tag == "{http://www.w3.org/2000/svg}svg"
    colours = {circle.get("fill") for circle in svg.iter("{http://www.w3.org/2000/svg}circle")}
    assert len(colours) == GROUPS
    table = tmp_path / "members.csv"
    text = cli("cluster", name, *axis, "--k", GROUPS, "--csv", table, plain=True)
    rows = list(csv.DictReader(table.open()))
    assert {row["id"]: row["cluster"] for row in rows} == {
        entry["id"]: str(entry.get("cluster", ""))
        for entry in answer["members"]
    }
    assert f"{GROUPS} clusters of" in text and "{" not in text


@pytest.fixture(scope="module")
def topics(api):
    """Texts of two topics, a latent for each topic and tone, with labels."""
    name = "axes-in-words"
    api.create(name, encoder=MODEL, n_latents=6)
    random = np.random.default_rng(1)
    documents = []
    for topic, latents in [("cooking", (0, 1)), ("space", (2, 3))]:
        for at, text in enumerate(TOPICS[topic]):
            row = {latents[0]: 1.0, latents[1]: 0.5, 4 + at % 2: 1.0}
            documents.append(wire.document(f"{topic}-{at}", text=text, latents=row))
    random.shuffle(documents)
    api.upsert(name, documents)
    texts = ["cooking food", "recipes", "outer space", "astronomy", "angry tone", "happy tone"]
    labels = [v1.LabelEntry(latent=at, text=text) for at, text in enumerate(texts)]
    api.latents.SetLabels(v1.SetLabelsRequest(collection=name, labels=labels))
    return name


class TestAxesInWords:
    pytestmark = NEEDS_MINILM

    @pytest.mark.parametrize("source", [v1.AXIS_SOURCE_LABELS, v1.AXIS_SOURCE_CENTROIDS])
    def test_texts_name_latents(self, api, topics, source):
        axis = v1.Axis(
            texts=["meals and recipes", "stars and planets"], latents_per_text=2, source=source
        )
        request = v1.ClusterRequest(collection=topics, axis=axis, clusters=2)
        answer = Answer(api.analyses.Cluster(request))
        assert [entry.latent for entry in answer.summary.axis] == [0, 1, 2, 3]
        assert [entry.text for entry in answer.summary.axis] == [0, 0, 1, 1]
        assert answer.summary.source == source
        found = {}
        for member in answer.members:
            found.setdefault(member.id.split("-")[0], set()).add(member.cluster)
        assert sorted(map(len, found.values())) == [1, 1]
        assert found["cooking"] != found["space"]
        label = answer.summary.clusters[found["cooking"].pop()].label
        assert set(label.split(" · ")) == {"cooking food", "recipes"}

    def test_labels_of_people_are_the_better_source(self, api, topics):
        axis = v1.Axis(texts=["mood"], latents_per_text=2)
        answer = Answer(api.analyses.Cluster(v1.ClusterRequest(collection=topics, axis=axis)))
        assert answer.summary.source == v1.AXIS_SOURCE_LABELS
        assert [entry.latent for entry in answer.summary.axis] == [4, 5]

    def test_changed_labels_are_compared_anew(self, api, topics):
        axis = v1.Axis(texts=["volcanoes"], latents_per_text=1)
        request = v1.ClusterRequest(collection=topics, axis=axis)
        label = v1.LabelEntry(latent=5, text="a volcano erupts")
        api.latents.SetLabels(v1.SetLabelsRequest(collection=topics, labels=[label]))
        assert [e.latent for e in Answer(api.analyses.Cluster(request)).summary.axis] == [5]
        label = v1.LabelEntry(latent=5, text="happy tone")
        api.latents.SetLabels(v1.SetLabelsRequest(collection=topics, labels=[label]))
