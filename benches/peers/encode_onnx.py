"""Sentence encoding by ONNX Runtime, float32, the peer of LatentDB's own encoder.

    python encode_onnx.py MODEL_FOLDER ABSTRACTS.jsonl.zst [--documents 500] [--threads 2]
                          [--batch 16] [--check EMBEDDINGS.safetensors] [--bench-json OUT]

MODEL_FOLDER is a sentence-transformers folder of a BERT encoder with mean pooling (all-MiniLM-L6-v2).
The graph is built here from its safetensors with the operators that ONNX Runtime's own transformer
optimiser would fuse to (com.microsoft Attention, BiasGelu, SkipLayerNormalization), so no PyTorch is
needed. Texts are `title. abstract`, cut at the folder's max_seq_length, sorted by length, padded to
the longest of their batch. Needs: onnxruntime onnx tokenizers numpy safetensors zstandard.
"""

import argparse
import io
import json
import pathlib
import resource
import time

import numpy as np
import onnx
import onnxruntime
import zstandard
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import load_file
from tokenizers import Tokenizer

MS = "com.microsoft"


def build(folder: pathlib.Path) -> bytes:
    """The encoder with mean pooling and unit norm as one fused float32 graph."""
    config = json.loads((folder / "config.json").read_text())
    weights = {k: v.astype(np.float32) for k, v in load_file(folder / "model.safetensors").items()
               if v.dtype != np.int64}
    if "embeddings.word_embeddings.weight" not in weights:
        weights = {k.split(".", 1)[1]: v for k, v in weights.items()}
    eps = config["layer_norm_eps"]
    constants, nodes = [], []

    def constant(name, value):
        constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def node(kind, inputs, output, domain="", **attributes):
        nodes.append(helper.make_node(kind, inputs, [output], domain=domain, **attributes))
        return output

    def weight(key, transpose=False):
        return constant(key + ("^T" if transpose else ""), weights[key].T if transpose else weights[key])

    def norm(prefix):
        return [weight(prefix + ".LayerNorm.weight"), weight(prefix + ".LayerNorm.bias")]

    nodes.append(helper.make_node(
        "EmbedLayerNormalization",
        ["input_ids", "segment_ids", weight("embeddings.word_embeddings.weight"),
         weight("embeddings.position_embeddings.weight"),
         weight("embeddings.token_type_embeddings.weight"), *norm("embeddings"), "mask"],
        ["embedded", "mask_index"], domain=MS, epsilon=eps))
    hidden = "embedded"
    for i in range(config["num_hidden_layers"]):
        layer = f"encoder.layer.{i}"
        parts = [f"{layer}.attention.self.{part}" for part in ("query", "key", "value")]
        qkv = constant(f"{layer}.qkv", np.concatenate([weights[p + ".weight"].T for p in parts], 1))
        bias = constant(f"{layer}.qkv.bias", np.concatenate([weights[p + ".bias"] for p in parts]))
        attended = node("Attention", [hidden, qkv, bias, "mask_index"], f"{i}.attended", MS,
                        num_heads=config["num_attention_heads"])
        projected = node("MatMul", [attended, weight(f"{layer}.attention.output.dense.weight", True)],
                         f"{i}.projected")
        hidden = node("SkipLayerNormalization",
                      [projected, hidden, *norm(f"{layer}.attention.output"),
                       weight(f"{layer}.attention.output.dense.bias")], f"{i}.middle", MS, epsilon=eps)
        wide = node("MatMul", [hidden, weight(f"{layer}.intermediate.dense.weight", True)], f"{i}.wide")
        active = node("BiasGelu", [wide, weight(f"{layer}.intermediate.dense.bias")], f"{i}.active", MS)
        narrow = node("MatMul", [active, weight(f"{layer}.output.dense.weight", True)], f"{i}.narrow")
        hidden = node("SkipLayerNormalization",
                      [narrow, hidden, *norm(f"{layer}.output"), weight(f"{layer}.output.dense.bias")],
                      f"{i}.hidden", MS, epsilon=eps)
    floats = node("Cast", ["mask"], "mask_float", to=TensorProto.FLOAT)
    column = node("Unsqueeze", [floats, constant("axis", np.array([2]))], "mask_column")
    masked = node("Mul", [hidden, column], "masked")
    total = node("ReduceSum", [masked, constant("tokens", np.array([1]))], "total", keepdims=0)
    node("LpNormalization", [total], "embedding", axis=-1, p=2)
    shape = ["batch", "length"]
    graph = helper.make_graph(
        nodes, "encoder",
        [helper.make_tensor_value_info(name, TensorProto.INT32, shape)
         for name in ("input_ids", "segment_ids", "mask")],
        [helper.make_tensor_value_info("embedding", TensorProto.FLOAT, ["batch", config["hidden_size"]])],
        constants)
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 17), helper.make_opsetid(MS, 1)], ir_version=8)
    return model.SerializeToString()


def read_texts(path: pathlib.Path, count: int) -> list[str]:
    with open(path, "rb") as file:
        lines = io.TextIOWrapper(zstandard.ZstdDecompressor().stream_reader(file), encoding="utf-8")
        rows = (json.loads(line) for line in lines)
        return [f"{row['title']}. {row['abstract']}" for row, _ in zip(rows, range(count))]


def encode(session, tokenizer, texts, batch):
    """Vectors in input order and the number of tokens, padding not counted."""
    ids = [encoding.ids for encoding in tokenizer.encode_batch(texts)]
    order = sorted(range(len(ids)), key=lambda i: len(ids[i]))
    vectors = [None] * len(ids)
    for start in range(0, len(order), batch):
        rows = order[start:start + batch]
        length = max(len(ids[i]) for i in rows)
        tokens = np.zeros((len(rows), length), np.int32)
        mask = np.zeros_like(tokens)
        for row, i in enumerate(rows):
            tokens[row, :len(ids[i])] = ids[i]
            mask[row, :len(ids[i])] = 1
        feed = {"input_ids": tokens, "segment_ids": np.zeros_like(tokens), "mask": mask}
        for i, vector in zip(rows, session.run(None, feed)[0]):
            vectors[i] = vector
    return np.stack(vectors), sum(map(len, ids))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("abstracts", type=pathlib.Path)
    parser.add_argument("--documents", type=int, default=500)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--check", type=pathlib.Path, help="reference rows, tensor `embeddings`")
    parser.add_argument("--bench-json", type=pathlib.Path, help="write the best run here")
    arguments = parser.parse_args()

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = arguments.threads
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(build(arguments.folder), options, ["CPUExecutionProvider"])
    settings = arguments.folder / "sentence_bert_config.json"
    tokenizer = Tokenizer.from_file(str(arguments.folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(json.loads(settings.read_text())["max_seq_length"])
    texts = read_texts(arguments.abstracts, arguments.documents)

    encode(session, tokenizer, texts[:32], arguments.batch)
    best = None
    for _ in range(arguments.repeats):
        wall, processor = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
        vectors, tokens = encode(session, tokenizer, texts, arguments.batch)
        seconds = time.perf_counter() - wall
        after = resource.getrusage(resource.RUSAGE_SELF)
        used = after.ru_utime + after.ru_stime - processor.ru_utime - processor.ru_stime
        run = {
            "peer": f"onnxruntime {onnxruntime.__version__}",
            "documents_per_second": len(texts) / seconds,
            "tokens_per_second": tokens / seconds,
            "documents_per_processor_second": len(texts) / used,
            "threads": arguments.threads,
            "documents": len(texts),
        }
        best = max(best or run, run, key=lambda r: r["documents_per_second"])
    if arguments.check:
        reference = load_file(arguments.check)["embeddings"][:len(texts)].astype(np.float32)
        best["lowest_cosine"] = float((vectors * reference).sum(1).min())
    print(json.dumps(best, indent=1))
    if arguments.bench_json:
        arguments.bench_json.write_text(json.dumps(best))


if __name__ == "__main__":
    main()
