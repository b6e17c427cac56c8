"""Vectors of 50 texts of the demo corpus by `latentdb encode` beside those of the model's own library.

    python benches/encoders/compare.py FOLDER [--latentdb target/release/latentdb]

FOLDER is a model of sentence-transformers, or of model2vec. Needs that library and safetensors.
"""

import argparse
import json
import pathlib
import subprocess
import tempfile

import numpy as np
from safetensors.numpy import load_file


def reference(folder: pathlib.Path, texts: list[str]) -> np.ndarray:
    config = folder / "config.json"
    if config.is_file() and "normalize" in json.loads(config.read_text()):
        from model2vec import StaticModel

        return np.asarray(StaticModel.from_pretrained(folder).encode(texts), dtype=np.float32)
    from sentence_transformers import SentenceTransformer

    return SentenceTransformer(str(folder), device="cpu").encode_document(texts)


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("folder", type=pathlib.Path)
    arguments.add_argument("--latentdb", default="target/release/latentdb")
    chosen = arguments.parse_args()
    with tempfile.TemporaryDirectory() as made:
        corpus, records, vectors = (pathlib.Path(made) / name for name in ("corpus.jsonl", "texts.jsonl", "own.safetensors"))
        subprocess.run([chosen.latentdb, "inputs", "--corpus", corpus], check=True, stdout=subprocess.DEVNULL)
        lines = corpus.read_text().splitlines()
        lines = lines[:: len(lines) // 50][:50]
        records.write_text("\n".join(lines) + "\n")
        command = [chosen.latentdb, "encode", records, "--text", "{text}", "--model", chosen.folder, "--out", vectors]
        subprocess.run(command, check=True)
        own = load_file(vectors)["embeddings"]
        other = reference(chosen.folder, [json.loads(line)["text"] for line in lines])
    cosines = (own * other).sum(1) / np.linalg.norm(own, axis=1) / np.linalg.norm(other, axis=1)
    print(f"{own.shape[0]} texts, {own.shape[1]} values: least cosine {cosines.min():.9f}, largest difference {abs(own - other).max():.1e}")


if __name__ == "__main__":
    main()
