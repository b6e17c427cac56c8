"""Measures LatentDB and its peers, one work after the other, and prints them side by side.

`benches/peers/run` starts this in the environment that has the peers. LatentDB runs as a process of
its own (`latentdb.rs`) that answers one request at a time; in every work it and the peers take
turns for some rounds, and the best round of each counts, so that passing noise of the machine
hits nobody alone.
"""

import argparse
import gc
import json
import os
import pathlib
import platform
import subprocess
import sys
import tempfile
import time

import numpy as np

import arrays
from data import Data

ROOT = pathlib.Path(__file__).resolve().parents[2]
GROUPS = ["ingest", "latents", "counts", "facets", "fetch", "dense", "filtered", "encode"]
#: Beams that are tried until the recall is reached.
BEAMS = [16, 24, 32, 48, 64, 80, 100, 128, 160, 200, 256, 320, 400, 512]
RECALL = .99
WARM_UP = 20
#: A work of a peer ends after this many seconds with the queries it had then.
PATIENCE = 10


class LatentDB:
    """The other process."""

    def __init__(self, folder):
        command = ["cargo", "bench", "--quiet", "--bench", "peers", "--", str(folder)]
        self.process = subprocess.Popen(command, cwd=ROOT, text=True, bufsize=1,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.about = self._answer()
        self.name = f"LatentDB {self.about['version']}"

    def ask(self, work, **arguments):
        self.process.stdin.write(json.dumps({"work": work, **arguments}) + "\n")
        return self._answer()

    def close(self):
        self.process.stdin.close()
        self.process.wait()

    def _answer(self):
        line = self.process.stdout.readline()
        if not line:
            sys.exit(self.process.wait())
        return json.loads(line)


def timed(run, count):
    """Milliseconds of `run(0..count)`, each alone, and the results."""
    began = time.perf_counter()
    for at in range(min(count, WARM_UP)):
        run(at)
        if time.perf_counter() - began > PATIENCE / 10:
            break
    times, results = [], []
    gc.disable()
    began, processor = time.perf_counter(), time.process_time()
    for at in range(count):
        started = time.perf_counter_ns()
        results.append(run(at))
        times.append((time.perf_counter_ns() - started) / 1e6)
        if time.perf_counter() - began > PATIENCE:
            break
    cores = (time.process_time() - processor) / (time.perf_counter() - began)
    gc.enable()
    p50, p95 = np.percentile(times, [50, 95])
    return {"p50": p50, "p95": p95, "queries": len(times), "cores": cores}, results


class Report:
    """The rows of the table. A ratio above 1 says how many times LatentDB is better."""

    def __init__(self, own):
        self.own = own
        self.rows = []

    def times(self, work, own, own_note, peers):
        """Milliseconds: `peers` is (name, timing, note) of each."""
        for name, timing, note in peers:
            self.rows.append({
                "work": work, "unit": "ms", "latentdb": own["p50"], "latentdb_p95": own["p95"],
                "latentdb_note": own_note, "peer": name, "value": timing["p50"],
                "p95": timing["p95"], "queries": timing["queries"], "cores": timing["cores"],
                "note": note, "ratio": timing["p50"] / own["p50"]})
        self._say(len(peers))

    def single(self, work, unit, own, peer, value, own_note="", note="", more_is_better=False):
        """One figure of each."""
        ratio = own / value if more_is_better else value / own
        self.rows.append({"work": work, "unit": unit, "latentdb": own, "latentdb_note": own_note,
                          "peer": peer, "value": value, "note": note, "ratio": ratio})
        self._say(1)

    def _say(self, count):
        for row in self.rows[-count:]:
            print(f"{row['work']}: {row['latentdb']:.4g} against {row['value']:.4g} {row['unit']}, "
                  f"{row['peer']}", file=sys.stderr)

    def table(self):
        def figure(value, unit):
            if unit == "ms":
                return f"{value:.3f} ms"
            return f"{value:,.0f} {unit}" if value >= 100 else f"{value:.2f} {unit}"

        cells = [["work", "LatentDB", "(p95)", "", "peer", "", "(p95)", "", "ratio"]]
        previous = None
        for row in self.rows:
            p95 = [f"({row[key]:.3f})" if key in row else "" for key in ("latentdb_p95", "p95")]
            own = [row["work"], figure(row["latentdb"], row["unit"]), p95[0], row["latentdb_note"]]
            note = row["note"]
            if row.get("cores", 1) > 1.15:
                note += f", {row['cores']:.1f} cores"
            theirs = [row["peer"], figure(row["value"], row["unit"]), p95[1], note]
            shown = [""] * len(own) if own == previous else own
            previous = own
            cells.append([*shown, *theirs, f"{row['ratio']:.2f}"])
        widths = [max(map(len, column)) for column in zip(*cells)]
        right = {1, 2, 5, 6, 8}
        lines = []
        for row in cells:
            lines.append("  ".join(cell.rjust(width) if at in right else cell.ljust(width)
                                   for at, (cell, width) in enumerate(zip(row, widths))).rstrip())
        lines.insert(1, "-" * max(map(len, lines)))
        return "\n".join(lines)


class Comparison:
    def __init__(self, latentdb, data, report, rounds):
        self.latentdb, self.data, self.report, self.rounds = latentdb, data, report, rounds

    def run(self, title, work, peers, check, **arguments):
        """`peers` is (name, run, check) of each; a check gives the note on what was found."""
        count = len(self.data.halves)
        best = [None] * (len(peers) + 1)
        for _ in range(self.rounds):
            answer = self.latentdb.ask(work, **arguments)
            turns = [(answer["timing"], answer)]
            turns += [timed(run, count) for _, run, _ in peers]
            best = [turn if old is None or turn[0]["p50"] < old[0]["p50"] else old
                    for old, turn in zip(best, turns)]
        (timing, answer), others = best[0], best[1:]
        self.report.times(title, timing, check(answer), [
            (name, timing, note(results))
            for (name, _, note), (timing, results) in zip(peers, others)])

    def ranking(self, title, work, peers, note="", percent=None, **arguments):
        """`peers` is (name, run, note) of each; the notes get the recall."""
        def graded(before, rows):
            recall = self.data.recall(work, percent, rows)
            share = "exact" if recall == 1 else f"recall {recall:.3f}"
            return ", ".join(filter(None, [before, share]))

        if percent is not None:
            arguments["percent"] = percent
        self.run(title, work,
                 [(name, run, lambda rows, before=before: graded(before, rows))
                  for name, run, before in peers],
                 lambda answer: graded(", ".join(filter(None, [answer["access"], note])),
                                       answer["rows"]),
                 **arguments)

    def beam(self, rows_at):
        """The first beam with which `rows_at(beam)` reaches the recall."""
        for beam in BEAMS:
            if self.data.recall("dense", None, rows_at(beam)) >= RECALL:
                return beam
        return BEAMS[-1]

    def beam_of(self, dense):
        def rows_at(beam):
            run = dense(beam)
            return [run(at) for at in range(len(self.data.queries))]

        return self.beam(rows_at)


def expect(holds, what):
    if not holds:
        sys.exit(f"the results differ: {what}")
    return "exact"


def compare_ingest(comparison, qdrant):
    report, build = comparison.report, comparison.latentdb.about["build"]
    rows, batch = build["documents"], build["batch"]
    report.single(f"ingest, batches of {batch}: searchable", "docs/s",
                  rows / build["write_seconds"], qdrant.name, rows / qdrant.write_seconds,
                  "durable", "not indexed yet", more_is_better=True)
    report.single("the same with SAE encoding", "docs/s",
                  rows / (build["encode_seconds"] + build["write_seconds"]),
                  qdrant.name, rows / qdrant.write_seconds, "", "no encoding", more_is_better=True)
    report.single("ingest until all is indexed", "docs/s",
                  rows / (build["write_seconds"] + build["index_seconds"]),
                  qdrant.name, rows / (qdrant.write_seconds + qdrant.index_seconds),
                  "one segment", f"{qdrant.segments} segments", more_is_better=True)
    report.single("reopen", "s", build["reopen_seconds"], qdrant.name, qdrant.reopen())


def compare_latents(comparison, scipy, qdrant):
    for title, work in (("20 weighted latents, top 10", "latents"),
                        ("the same, 5 weights negative", "signed")):
        comparison.ranking(title, work, [(peer.name, peer.ranking(work), "")
                                         for peer in (scipy, qdrant)])


def compare_counts(comparison, numpy, qdrant):
    data = comparison.data

    def check(counts):
        return expect(list(counts) == data.right_counts(len(counts)), "counts")

    comparison.run("count a and (b or c) and not d", "counts",
                   [(peer.name, peer.counts(), check) for peer in (numpy, qdrant)],
                   lambda answer: check(answer["counts"]))


def compare_facets(comparison, numpy, scipy, qdrant):
    data = comparison.data
    latents, categories = data.right_latent_facet(), data.right_category_facet()

    def all_latents(counts):
        found = np.zeros(data.n_latents, np.int64)
        for latent, count in counts:
            found[latent] = count
        return expect(np.array_equal(found, latents), "latent facets")

    comparison.run(
        "counts of all latents in a half", "latent_facet",
        [(scipy.name, scipy.latent_facet(),
          lambda found: all_latents(enumerate(np.rint(found[0][0])))),
         (qdrant.name, qdrant.latent_facet(), lambda found: all_latents(found[0].items()))],
        lambda answer: all_latents((latent, count) for latent, count, _ in answer["first"]))

    def all_categories(counts):
        return expect(dict(counts) == categories, "category facets")

    comparison.run(
        "counts of categories in a half", "category_facet",
        [(numpy.name, numpy.category_facet(), lambda found: all_categories(
            (name, count) for name, count in zip(numpy.names, found[0]) if count)),
         (qdrant.name, qdrant.category_facet(), lambda found: all_categories(found[0].items()))],
        lambda answer: all_categories(answer["first"].items()))


def compare_fetch(comparison, qdrant):
    comparison.run("ids and attributes of 10 hits", "fetch",
                   [(qdrant.name, qdrant.fetch(), lambda _: "")], lambda _: "")


def compare_dense(comparison, numpy, libraries, qdrant, with_dense, with_filters):
    latentdb = comparison.latentdb
    own = comparison.beam(lambda beam: latentdb.ask("dense", ef=beam)["rows"])
    theirs = comparison.beam_of(qdrant.dense)
    if with_dense:
        build = latentdb.about["build"]
        for library in libraries:
            comparison.report.single("graph, from stored vectors", "s", build["index_seconds"],
                                     library.name, library.build_seconds,
                                     "with merge and self-check", "in memory")
        peers = [(library.name, library, comparison.beam_of(library.dense))
                 for library in libraries]
        peers = [(name, peer.dense(beam), f"ef {beam}") for name, peer, beam in peers]
        peers.append((qdrant.name, qdrant.dense(theirs), f"ef {theirs}"))
        comparison.ranking("dense, top 10", "dense", peers, f"ef {own}", ef=own)
        comparison.ranking("dense, scan of all", "scan", [
            (numpy.name, numpy.scan(), ""), (qdrant.name, qdrant.scan(), "")])
    if with_filters:
        for percent in comparison.data.windows:
            comparison.ranking(f"dense, filter of {percent}%", "filtered", [
                (qdrant.name, qdrant.filtered(percent, theirs), f"ef {theirs}"),
                (numpy.name, numpy.filtered(percent), "")], f"ef {own}", percent, ef=own)


def compare_encoding(comparison):
    import onnxruntime
    from tokenizers import Tokenizer

    import encode_onnx

    threads, batch = os.cpu_count(), 16
    answer = comparison.latentdb.ask("encode")
    folder = pathlib.Path(answer["model_folder"])
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    session = onnxruntime.InferenceSession(encode_onnx.build(folder), options,
                                           ["CPUExecutionProvider"])
    settings = json.loads((folder / "sentence_bert_config.json").read_text())
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(settings["max_seq_length"])
    texts = encode_onnx.read_texts(ROOT / answer["abstracts"], answer["documents"])
    encode_onnx.encode(session, tokenizer, texts[:WARM_UP], batch)
    own, peer, cosine = [], [], None
    for _ in range(comparison.rounds):
        own.append(comparison.latentdb.ask("encode")["documents_per_second"])
        started = time.perf_counter()
        vectors, _ = encode_onnx.encode(session, tokenizer, texts, batch)
        peer.append(len(texts) / (time.perf_counter() - started))
        cosine = (vectors * comparison.data.vectors[:len(texts)]).sum(1).min()
    comparison.report.single(
        f"encoding of {len(texts)} abstracts, {threads} threads", "docs/s", max(own),
        f"ONNX Runtime {onnxruntime.__version__}", max(peer),
        f"cosine > {answer['lowest_cosine'] - 5e-6:.5f}", f"cosine > {cosine - 5e-6:.5f}",
        more_is_better=True)


def environment(latentdb):
    """The machine, and what was measured on."""
    model = platform.processor()
    cpuinfo = pathlib.Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        model = names[0].split(":")[1].strip() if names else model
    return {
        "processor": model,
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
        "python": platform.python_version(),
        **latentdb.about,
    }


def main():
    parser = argparse.ArgumentParser(prog="benches/peers/run", description=(
        "Measures LatentDB and its peers on 60,000 arXiv abstracts: times are the medians of "
        "200 queries, one after the other, on one thread, in process."))
    parser.add_argument("--only", metavar="WORKS", default=",".join(GROUPS),
                        help=f"some of {','.join(GROUPS)}")
    parser.add_argument("--rounds", type=int, default=3, help="turns of each; the best one counts")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="write the figures here")
    arguments = parser.parse_args()
    only = set(arguments.only.split(","))
    if only - set(GROUPS):
        parser.error(f"--only takes {','.join(GROUPS)}")

    with tempfile.TemporaryDirectory(prefix="latentdb-peers-") as folder:
        folder = pathlib.Path(folder)
        latentdb = LatentDB(folder)
        about = environment(latentdb)
        data = Data(folder)
        comparison = Comparison(latentdb, data, Report(latentdb.name), arguments.rounds)
        measure(comparison, only, folder)
        latentdb.close()

    build, workload = about["build"], about["workload"]
    report = comparison.report
    print(f"{latentdb.name} on {about['processor']}, {about['cores']} cores, load "
          f"{about['load']:.1f} before, Python {about['python']}")
    print(f"{data.rows:,} documents, {data.vectors.shape[1]} dimensions, {data.n_latents:,} latents, "
          f"{data.matrix.nnz / data.rows:.1f} active in each, in {workload['least_frequency']:,} to "
          f"{workload['greatest_frequency']:,} documents (median {workload['median_frequency']:,})")
    print(f"{workload['queries']} queries of a kind, p50 and p95; a weighted one reads "
          f"{workload['postings_per_query']:,} postings; best of {arguments.rounds} rounds; "
          f"ratio: how many times LatentDB is better")
    print(f"LatentDB: {build['disk_bytes'] / 1e6:,.0f} MB on disk, "
          f"{build['resident_bytes'] / 1e6:,.0f} MB resident, {build['segments_after_writes']} "
          f"segments after the writes, graph over {build['graph_rows']:,} rows\n")
    print(report.table())
    if arguments.json:
        arguments.json.write_text(json.dumps({"about": about, "rows": report.rows}, indent=1))


def measure(comparison, only, folder):
    data, build = comparison.data, comparison.latentdb.about["build"]
    numpy, scipy, qdrant = arrays.Numpy(data), arrays.Scipy(data), None
    if only - {"encode"}:
        from qdrant import Qdrant
        qdrant = Qdrant(data, folder / "qdrant", build["batch"])
    if "ingest" in only:
        compare_ingest(comparison, qdrant)
    if "latents" in only:
        compare_latents(comparison, scipy, qdrant)
    if "counts" in only:
        compare_counts(comparison, numpy, qdrant)
    if "facets" in only:
        compare_facets(comparison, numpy, scipy, qdrant)
    if "fetch" in only:
        compare_fetch(comparison, qdrant)
    libraries = []
    if "dense" in only:
        from graphs import Hnswlib, Usearch
        libraries = [Hnswlib(data), Usearch(data)]
    if only & {"dense", "filtered"}:
        compare_dense(comparison, numpy, libraries, qdrant, "dense" in only, "filtered" in only)
    if "encode" in only:
        compare_encoding(comparison)


if __name__ == "__main__":
    main()
