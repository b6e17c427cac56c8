"""Writes minilm_reference.json: vectors of all-MiniLM-L6-v2 by NumPy in double precision.

    python minilm_reference.py MODEL_FOLDER > minilm_reference.json

The formulas are those of the papers (arXiv 1810.04805, 1908.10084), one text at a time, without any
code of the encoder under test. Needs: numpy safetensors tokenizers.
"""

import json
import math
import pathlib
import sys

import numpy as np
from safetensors.numpy import load_file
from tokenizers import Tokenizer

TEXTS = [
    "",
    "Hello, world!",
    "graph neural networks for molecular property prediction",
    "What happens to my search results if I turn this concept up?",
    "We prove that every finite group of odd order is solvable. " * 30,
    "Ünïcödé naïve façade, Straße, Ångström, İstanbul, Ελληνικά, русский текст",
    "量子コンピュータの誤り訂正 양자 오류 정정 量子纠错",
    "I love this 😀👩‍🚀🎉!!! #happy @you",
    "First line\nsecond line\r\n\tindented\u00a0with a no-break space\n\n\nend",
    "E = mc^2, \\frac{a}{b} \\le \\sum_{i=1}^{n} x_i^2 ... O(n log n)",
    "a",
    "supercalifragilisticexpialidocious" * 8 + " and [MASK] or [SEP] in the text",
    " ".join(f"word{i}" for i in range(400)),
    "The cat sat on the mat.   " * 25,
]

erf = np.vectorize(math.erf)


def main(folder):
    config = json.loads((folder / "config.json").read_text())
    w = {k: v.astype(np.float64) for k, v in load_file(folder / "model.safetensors").items()}
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(json.loads((folder / "sentence_bert_config.json").read_text())["max_seq_length"])

    def norm(x, name):
        x = x - x.mean(-1, keepdims=True)
        x = x / np.sqrt((x * x).mean(-1, keepdims=True) + config["layer_norm_eps"])
        return x * w[name + ".weight"] + w[name + ".bias"]

    def linear(x, name):
        return x @ w[name + ".weight"].T + w[name + ".bias"]

    def embed(text):
        ids = tokenizer.encode(text).ids
        x = w["embeddings.word_embeddings.weight"][ids]
        x = x + w["embeddings.position_embeddings.weight"][:len(ids)]
        x = norm(x + w["embeddings.token_type_embeddings.weight"][0], "embeddings.LayerNorm")
        heads = config["num_attention_heads"]
        for i in range(config["num_hidden_layers"]):
            layer = f"encoder.layer.{i}"
            q, k, v = (linear(x, f"{layer}.attention.self.{part}").reshape(len(ids), heads, -1).swapaxes(0, 1)
                       for part in ("query", "key", "value"))
            scores = q @ k.swapaxes(1, 2) / np.sqrt(q.shape[-1])
            scores = np.exp(scores - scores.max(-1, keepdims=True))
            scores /= scores.sum(-1, keepdims=True)
            context = (scores @ v).swapaxes(0, 1).reshape(len(ids), -1)
            x = norm(x + linear(context, f"{layer}.attention.output.dense"), f"{layer}.attention.output.LayerNorm")
            middle = linear(x, f"{layer}.intermediate.dense")
            middle = middle * (1 + erf(middle / math.sqrt(2))) / 2
            x = norm(x + linear(middle, f"{layer}.output.dense"), f"{layer}.output.LayerNorm")
        mean = x.mean(0)
        return mean / np.linalg.norm(mean), len(ids)

    rows = [embed(text) for text in TEXTS]
    vectors = ",\n  ".join(json.dumps([round(float(value), 6) for value in vector]) for vector, _ in rows)
    texts = ",\n  ".join(json.dumps(text) for text in TEXTS)
    print(f"""{{
 "how": "tests/data/minilm_reference.py: NumPy in double precision from the model's safetensors",
 "model": "sentence-transformers/all-MiniLM-L6-v2",
 "tokens": {[count for _, count in rows]},
 "texts": [
  {texts}
 ],
 "vectors": [
  {vectors}
 ]
}}""")


main(pathlib.Path(sys.argv[1]))
