"""What the retrieval objective brings: NDCG@10 of prompts among answers of chat models, by their codes.

    python benches/ranking/measure.py $LATENTDB_CORPORA/model-responses.jsonl.zst [--latentdb target/release/latentdb]

SAEs of 256 latents, k = 8, are trained on the answers to three quarters of the prompts, for reconstruction, with
near answers as pairs, and with the prompts as queries; measured on the other prompts, whose answers are relevant.
Needs numpy, safetensors and zstandard.
"""

import argparse
import io
import json
import pathlib
import subprocess
import tempfile

import numpy as np
import zstandard
from safetensors.numpy import load_file, save_file

K = 8


def texts(file: pathlib.Path) -> tuple[list[str], list[str], np.ndarray]:
    """Prompts, answers, and the prompt of each answer. (`prompt_id` means other prompts in some models' files.)"""
    with file.open("rb") as raw:
        stream = zstandard.ZstdDecompressor().stream_reader(raw)
        rows = [json.loads(line) for line in io.TextIOWrapper(stream, encoding="utf-8")]
    prompts = sorted({row["prompt"] for row in rows})
    number = {prompt: at for at, prompt in enumerate(prompts)}
    of = np.array([number[row["prompt"]] for row in rows])
    return prompts, [row["text"].strip() or "-" for row in rows], of


def encode(latentdb: str, folder: pathlib.Path, name: str, records: list[str]) -> np.ndarray:
    source, out = folder / f"{name}.jsonl", folder / f"{name}.safetensors"
    source.write_text("".join(json.dumps({"text": text}) + "\n" for text in records))
    subprocess.run([latentdb, "encode", source, "--text", "{text}", "--out", out], check=True, stdout=subprocess.DEVNULL)
    return load_file(out)["embeddings"].astype(np.float32)


class Sae:
    def __init__(self, folder: pathlib.Path):
        weights = load_file(folder / "sae_weights.safetensors")
        self.encoder, self.decoder = weights["W_enc"], weights["W_dec"]
        self.b_enc, self.b_dec = weights["b_enc"], weights["b_dec"]

    def codes(self, x: np.ndarray) -> np.ndarray:
        sums = (x - self.b_dec) @ self.encoder + self.b_enc
        least = -np.partition(-sums, K - 1, axis=1)[:, K - 1 : K]
        return np.where(sums >= least, np.maximum(sums, 0), 0)

    def fvu(self, x: np.ndarray) -> float:
        error = self.codes(x) @ self.decoder + self.b_dec - x
        return float((error**2).sum() / ((x - x.mean(0)) ** 2).sum())


def ndcg(scores: np.ndarray, relevant: np.ndarray) -> float:
    gains = 1 / np.log2(np.arange(2, 12))
    first = np.argsort(-scores)[:10]
    return float((relevant[first] * gains).sum() / gains[: min(10, int(relevant.sum()))].sum())


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("responses", type=pathlib.Path)
    arguments.add_argument("--latentdb", default="target/release/latentdb")
    chosen = arguments.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = pathlib.Path(made)
        prompts, answers, of = texts(chosen.responses)
        q, x = (
            encode(chosen.latentdb, folder, name, records)
            for name, records in [("prompts", prompts), ("answers", answers)]
        )
        held = np.zeros(len(prompts), bool)
        held[np.random.default_rng(1).permutation(len(prompts))[: len(prompts) // 4]] = True
        save_file({"embeddings": x[~held[of]]}, folder / "x.safetensors")
        save_file({"embeddings": q[of[~held[of]]]}, folder / "q.safetensors")

        def mean(score) -> float:
            return np.mean([ndcg(score(at), (of == at) * 1.0) for at in np.flatnonzero(held)])

        print("| pairs | weight | FVU, held out | NDCG@10 by cosine of codes | by their product |\n|---|---|---|---|---|")
        objective = ["--objective", "retrieval"]
        asked = [*objective, "--queries", folder / "q.safetensors"]
        grid = [(name, flags, weight) for name, flags in [("near", objective), ("queries", asked)] for weight in (0.03, 0.1, 0.3, 1)]
        for name, flags, weight in [("none", [], None), *grid]:
            contrast = [] if weight is None else ["--contrast", str(weight)]
            settings = ["--vectors", folder / "x.safetensors", "--n", "256", "--k", str(K), "--out", folder / "sae"]
            subprocess.run([chosen.latentdb, "sae", "train", *settings, *flags, *contrast], check=True, stdout=subprocess.DEVNULL)
            sae = Sae(folder / "sae")
            documents, queries = sae.codes(x), sae.codes(q)
            near = unit(documents) @ unit(queries).T
            product = documents @ queries.T
            by_cosine, by_product = mean(lambda at: near[:, at]), mean(lambda at: product[:, at])
            print(f"| {name} | {weight or ''} | {sae.fvu(x[held[of]]):.3f} | {by_cosine:.3f} | {by_product:.3f} |")
        print(f"\nby the vectors themselves: {mean(lambda at: x @ q[at]):.3f}")


if __name__ == "__main__":
    main()
