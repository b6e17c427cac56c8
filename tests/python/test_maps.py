"""Maps of documents: who is near whom, values and marks of points, and what is refused."""

import grpc
import numpy as np
import pytest
from sklearn.decomposition import PCA
from sklearn.manifold import trustworthiness

import wire
from harness import refused
from stubs import v1
from test_cli import cli  # noqa: F401 (a fixture)

ROWS, WIDTH, GROUPS = 600, 24, 4


def vectors(seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Rows around a centre for each group, and the groups."""
    random = np.random.default_rng(seed)
    groups = random.integers(GROUPS, size=ROWS)
    centres = random.normal(size=(GROUPS, WIDTH))
    rows = centres[groups] + 0.45 * random.normal(size=(ROWS, WIDTH))
    return rows / np.linalg.norm(rows, axis=1, keepdims=True), groups


@pytest.fixture
def grouped(api, name):
    rows, groups = vectors()
    api.create(name, dimension=WIDTH, n_latents=GROUPS + 1)
    documents = [
        wire.document(
            f"d{at:04}",
            text=f"document {at}",
            vec=row,
            latents={int(group): 0.5 + at / ROWS},
            group=f"g{group}",
            at=at,
        )
        for at, (row, group) in enumerate(zip(rows, groups, strict=True))
    ]
    api.upsert(name, documents)
    return name


def make(api, collection, **fields):
    messages = list(api.analyses.MakeMap(v1.MakeMapRequest(collection=collection, **fields)))
    assert messages[-1].WhichOneof("part") == "map"
    return messages[-1].map


class Points:
    """A map as read, put together."""

    def __init__(self, api, name, map_name, **fields):
        request = v1.ReadMapRequest(collection=name, name=map_name, **fields)
        self.head, self.xy, self.values, self.marked, self.ids = None, [], [], [], []
        for message in api.analyses.ReadMap(request):
            match message.WhichOneof("part"):
                case "head":
                    self.head = message.head
                case "points":
                    part = message.points
                    self.xy += list(zip(part.x, part.y, strict=True))
                    self.values += part.values
                    self.marked += part.marked
                    self.ids += part.ids
        self.xy = np.array(self.xy)


def test_neighbours_stay_neighbours(api, grouped):
    rows, groups = vectors()
    made = make(api, grouped, name="all", seed=3)
    assert (made.documents, made.laid_out, made.left_out) == (ROWS, ROWS, 0)
    points = Points(api, grouped, "all", ids=True, attribute="group")
    assert points.ids == [f"d{at:04}" for at in range(ROWS)]
    assert np.abs(points.xy).max() <= 1 and np.abs(points.xy).max() > 0.99
    # scikit-learn's t-SNE has .953 here.
    assert trustworthiness(rows, points.xy, n_neighbors=10) > 0.9
    categories = list(points.head.categories)
    assert sorted(categories) == [f"g{group}" for group in range(GROUPS)]
    assert [categories[int(value)] for value in points.values] == [f"g{group}" for group in groups]


def test_a_sample_is_laid_out_and_the_rest_placed_among_it(api, grouped):
    rows, groups = vectors()
    made = make(api, grouped, name="some", sample=200)
    assert (made.documents, made.laid_out) == (ROWS, 200)
    points = Points(api, grouped, "some")
    assert not points.ids and not points.values and not points.marked
    squared = ((points.xy[:, None] - points.xy[None]) ** 2).sum(axis=2)
    np.fill_diagonal(squared, np.inf)
    assert (groups[squared.argmin(axis=1)] == groups).mean() > 0.9


def test_components_are_scikit_learns(api, grouped):
    rows, _ = vectors()
    make(api, grouped, name="flat", layout=v1.MAP_LAYOUT_PCA)
    points = Points(api, grouped, "flat").xy
    expected = PCA(2).fit_transform(rows)
    for axis in range(2):
        assert abs(np.corrcoef(points[:, axis], expected[:, axis])[0, 1]) > 0.999
    # One scale for both.
    ratio = points.std(axis=0) / expected.std(axis=0)
    assert ratio[0] == pytest.approx(ratio[1], rel=0.01)


def test_latents_lay_out_too(api, grouped):
    _, groups = vectors()
    make(api, grouped, name="latents", space=v1.MAP_SPACE_LATENTS, layout=v1.MAP_LAYOUT_PCA)
    points = Points(api, grouped, "latents", latent=2)
    # Documents of a group have one latent, at unit length: they lie at one place.
    for group in range(GROUPS):
        assert np.ptp(points.xy[groups == group], axis=0).max() < 1e-3
    active = np.array(points.values) > 0
    assert (active == (groups == 2)).all()


def test_an_axis_lays_out_what_its_latents_are_active_in(api, grouped):
    _, groups = vectors()
    axis = v1.Axis(latents=[0, 1, 2])
    made = make(api, grouped, name="axis", layout=v1.MAP_LAYOUT_AXIS, axis=axis, seed=5)
    inside = int((groups < 3).sum())
    assert (made.layout, made.space) == (v1.MAP_LAYOUT_AXIS, v1.MAP_SPACE_LATENTS)
    assert (made.documents, made.laid_out, made.left_out) == (inside, inside, ROWS - inside)
    points = Points(api, grouped, "axis", ids=True)
    # The same places as those of Cluster, at another scale.
    drawn = {}
    for message in api.analyses.Cluster(v1.ClusterRequest(collection=grouped, axis=axis, seed=5)):
        drawn |= {one.id: (one.x, one.y) for one in message.members.members}
    expected = np.array([drawn[own] for own in points.ids])
    scale = np.ptp(expected, axis=0).max() / 2
    middle = (expected.max(axis=0) + expected.min(axis=0)) / 2
    assert points.xy == pytest.approx((expected - middle) / scale, abs=1e-3)
    # Each group lies at a place of its own.
    own = groups[groups < 3]
    places = np.array([points.xy[own == group].mean(axis=0) for group in range(3)])
    assert np.ptp(points.xy[own == 1], axis=0).max() < 1e-3
    assert min(np.linalg.norm(places[a] - places[b]) for a, b in ((0, 1), (0, 2), (1, 2))) > 0.3
    again = make(api, grouped, name="axis", layout=v1.MAP_LAYOUT_AXIS, axis=axis, seed=5,
                 filter=wire.expr("at < 100"))
    assert again.documents == int((groups[:100] < 3).sum())


def test_an_axis_that_does_not_fit_is_refused(api, grouped):
    axis = v1.Axis(latents=[4])
    with refused(grpc.StatusCode.INVALID_ARGUMENT, field="axis"):
        make(api, grouped, name="m", layout=v1.MAP_LAYOUT_AXIS)
    with refused(grpc.StatusCode.INVALID_ARGUMENT, field="axis", saying="MAP_LAYOUT_AXIS"):
        make(api, grouped, name="m", axis=axis)
    with refused(grpc.StatusCode.INVALID_ARGUMENT, field="axis.latents[0]"):
        make(api, grouped, name="m", layout=v1.MAP_LAYOUT_AXIS, axis=v1.Axis(latents=[99]))
    with refused(grpc.StatusCode.FAILED_PRECONDITION, saying="active in 0 of 600"):
        make(api, grouped, name="m", layout=v1.MAP_LAYOUT_AXIS, axis=axis)
    listed = api.analyses.ListMaps(v1.ListMapsRequest(collection=grouped))
    assert not listed.maps


def test_values_marks_and_deleted_documents(api, grouped):
    make(api, grouped, name="m", layout=v1.MAP_LAYOUT_PCA)
    points = Points(api, grouped, "m", attribute="at", filter=wire.expr("at < 10"))
    assert points.values == list(range(ROWS)) and sum(points.marked) == 10
    api.documents.Delete(v1.DeleteRequest(collection=grouped, filter=wire.expr("at < 100")))
    api.upsert(grouped, [wire.document("d0200", text="changed", vec=np.ones(WIDTH), at=-5)])
    after = Points(api, grouped, "m", attribute="at", ids=True)
    assert after.head.points == ROWS - 100 and after.head.map.documents == ROWS
    assert after.ids[0] == "d0100" and after.values[100] == -5
    before = Points(api, grouped, "m").xy
    assert np.array_equal(before, after.xy)
    missing = Points(api, grouped, "m", attribute="nothing", filter=wire.expr("nothing = 1"))
    assert np.isnan(missing.values).all() and missing.head.warnings


def test_maps_have_names_and_outlive_a_restart(own_server):
    api = own_server.api
    api.create("c", dimension=2)
    api.upsert("c", [wire.document(f"d{at}", vec=[1, at]) for at in range(5)])
    for name in ("b", "a", "b"):
        make(api, "c", name=name)
    own_server.kill()
    api = own_server.start()
    listed = api.analyses.ListMaps(v1.ListMapsRequest(collection="c")).maps
    assert [entry.name for entry in listed] == ["a", "b"]
    assert len(Points(api, "c", "b").xy) == 5
    api.analyses.DropMap(v1.DropMapRequest(collection="c", name="b"))
    for call in (
        lambda: list(api.analyses.ReadMap(v1.ReadMapRequest(collection="c", name="b"))),
        lambda: api.analyses.DropMap(v1.DropMapRequest(collection="c", name="b")),
    ):
        with refused(grpc.StatusCode.NOT_FOUND, saying='no map "b"'):
            call()


def test_bad_requests(api, grouped):
    for fields, field in (
        ({"name": ""}, "name"),
        ({"name": "x" * 129}, "name"),
        ({"name": "a", "sample": 1}, "sample"),
        ({"name": "a", "sample": 50_001}, "sample"),
        ({"name": "a", "perplexity": 0.5}, "perplexity"),
        ({"name": "a", "perplexity": float("nan")}, "perplexity"),
        ({"name": "a", "space": 7}, "space"),
        ({"name": "a", "filter": wire.expr("at >")}, "filter.expression"),
    ):
        with refused(grpc.StatusCode.INVALID_ARGUMENT, field=field):
            make(api, grouped, **fields)
    with refused(grpc.StatusCode.FAILED_PRECONDITION, saying="two or more"):
        make(api, grouped, name="a", filter=wire.expr("at = 1"))
    make(api, grouped, name="a", layout=v1.MAP_LAYOUT_PCA)
    with refused(grpc.StatusCode.INVALID_ARGUMENT, field="latent"):
        Points(api, grouped, "a", latent=99)


def test_maps_go_out_and_come_in(cli, api, grouped, tmp_path):  # noqa: F811
    made = make(api, grouped, name="all", layout=v1.MAP_LAYOUT_PCA)
    cli("export", grouped, tmp_path / "out")
    copy = f"{grouped}-copy"
    cli("import", tmp_path / "out", "--name", copy)
    (listed,) = api.analyses.ListMaps(v1.ListMapsRequest(collection=copy)).maps
    assert listed == made
    before, after = (Points(api, name, "all", ids=True) for name in (grouped, copy))
    assert np.array_equal(before.xy, after.xy) and before.ids == after.ids
