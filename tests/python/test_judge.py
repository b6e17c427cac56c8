"""`eval queries` against trec_eval, as BEIR's own evaluation calls it."""

import json
import random

import pytest
import pytrec_eval

from test_cli import cli  # noqa: F401

WORDS = "parcel late broken battery camera novel film actor refund letter engine garden".split()


def test_measures_agree_with_the_reference_to_a_millionth(cli, name, tmp_path):  # noqa: F811
    """Graded judgements, documents under the queries' ids, and judged queries without a text."""
    chance = random.Random(7)
    documents = {
        f"d{at}": " ".join(chance.choices(WORDS, k=chance.randint(3, 12))) for at in range(300)
    }
    queries = {f"q{at}": " ".join(chance.sample(WORDS, 3)) for at in range(20)}
    # Half of the queries are documents of the corpus too, and would find themselves first.
    documents |= {query: text for query, text in queries.items() if int(query[1:]) % 2 == 0}
    qrels = {
        query: {key: chance.choice([0, 1, 1, 2, 3]) for key in chance.sample(list(documents), 40)}
        for query in [*queries, "q98", "q99"]
    }
    for query in queries:
        qrels[query].pop(query, None)

    corpus = tmp_path / "corpus.jsonl"
    lines = (json.dumps({"_id": key, "text": text}) for key, text in documents.items())
    corpus.write_text("\n".join(lines))
    (tmp_path / "qrels").mkdir()
    lines = (json.dumps({"_id": key, "text": text}) for key, text in queries.items())
    (tmp_path / "queries.jsonl").write_text("\n".join(lines))
    rows = [
        f"{query}\t{key}\t{grade}" for query, own in qrels.items() for key, grade in own.items()
    ]
    heading = "query-id\tcorpus-id\tscore"
    (tmp_path / "qrels" / "test.tsv").write_text("\n".join([heading, *rows]))

    cli("collection", "create", name, "--encoder", "none", "--dim", 2)
    cli("ingest", name, corpus, "--id", "_id", "--text", "{text}")
    run_file = tmp_path / "run"
    found = cli(
        *("eval", "queries", "--collection", name, "--beir", tmp_path),
        *("--method", "bm25", "--run-out", run_file),
    )
    run: dict = {}
    for line in run_file.read_text().splitlines():
        query, _, key, _, score, _ = line.split()
        run.setdefault(query, {})[key] = float(score)
    assert not any(query in ranking for query, ranking in run.items())
    measures = {"map", "P_10", "P_50", "ndcg_cut_10", "recall_100", "recall_1000"}
    judged = pytrec_eval.RelevanceEvaluator(qrels, measures).evaluate(run)
    assert found["queries"] == len(queries) == len(judged)
    for own, theirs in [
        *(("map", "map"), ("p10", "P_10"), ("p50", "P_50"), ("ndcg10", "ndcg_cut_10")),
        *(("recall100", "recall_100"), ("recall1000", "recall_1000")),
    ]:
        expected = sum(one[theirs] for one in judged.values()) / len(judged)
        assert found["methods"]["bm25"][own] == pytest.approx(expected, abs=1e-6), own
