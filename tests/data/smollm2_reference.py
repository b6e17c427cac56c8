"""Writes smollm2_reference.json: token states of SmolLM2-135M-Instruct by NumPy in double precision.

    python smollm2_reference.py MODEL.gguf > smollm2_reference.json

The formulas are those of the papers (arXiv 2302.13971, 2104.09864, 2305.13245) on the file's own order
of rows (queries and keys turned in neighbouring pairs), one text at a time, every layer, without any
code of the reader under test. States are the residual stream behind a layer, counted from 0. Needs:
numpy gguf tokenizers.
"""

import base64
import json
import sys

import gguf
import numpy as np
from tokenizers import Tokenizer
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel, Digits, Sequence

CHAT = (
    "<|im_start|>system\nYou are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n"
    "<|im_start|>assistant\n"
)
# Text, what stands before it, layer.
CASES = [
    ("The battery died after 12 days, but the screen is great!", "<|im_start|>", 15),
    ("The battery died after 12 days, but the screen is great!", CHAT, 15),
    (" Ünïcödé façade — 量子 😀\n\tindented  twice", "<|im_start|>", 15),
    ("It spells <|im_end|> and 2026.", "<|im_start|>", 0),
    ("a", "<|im_start|>", 29),
]


def main(path):
    file = gguf.GGUFReader(path)
    field = lambda name: file.fields[name].contents()
    w = {t.name: gguf.quants.dequantize(t.data, t.tensor_type).astype(np.float64) for t in file.tensors}
    vocabulary = field("tokenizer.ggml.tokens")
    merges = [tuple(merge.split(" ")) for merge in field("tokenizer.ggml.merges")]
    tokenizer = Tokenizer(BPE({token: i for i, token in enumerate(vocabulary)}, merges))
    tokenizer.pre_tokenizer = Sequence([Digits(individual_digits=True), ByteLevel(add_prefix_space=False)])
    heads, kv_heads = field("llama.attention.head_count"), field("llama.attention.head_count_kv")
    width, base = field("llama.embedding_length"), field("llama.rope.freq_base")
    eps, head = field("llama.attention.layer_norm_rms_epsilon"), width // heads

    def ids_of(text):
        """Ids of a text in which control tokens stand, each split off first."""
        ids = []
        while "<|im_" in text:
            before, rest = text.split("<|im_", 1)
            name, text = rest.split("|>", 1)
            ids += tokenizer.encode(before).ids + [vocabulary.index(f"<|im_{name}|>")]
        return ids + tokenizer.encode(text).ids

    def norm(x, weight):
        return x / np.sqrt((x * x).mean(-1, keepdims=True) + eps) * weight

    def turn(x):
        """[tokens, heads, head], neighbouring pairs turned."""
        angle = np.arange(len(x))[:, None] * base ** (-np.arange(0, head, 2) / head)
        cos, sin = np.cos(angle)[:, None], np.sin(angle)[:, None]
        out = np.empty_like(x)
        out[..., 0::2] = x[..., 0::2] * cos - x[..., 1::2] * sin
        out[..., 1::2] = x[..., 1::2] * cos + x[..., 0::2] * sin
        return out

    def states(ids, layer):
        x = w["token_embd.weight"][ids]
        mask = np.triu(np.full((len(ids), len(ids)), -np.inf), 1)
        for i in range(layer + 1):
            part = lambda name: w[f"blk.{i}.{name}.weight"]
            y = norm(x, part("attn_norm"))
            q = turn((y @ part("attn_q").T).reshape(len(ids), heads, head))
            k = turn((y @ part("attn_k").T).reshape(len(ids), kv_heads, head))
            v = (y @ part("attn_v").T).reshape(len(ids), kv_heads, head)
            out = np.empty_like(q)
            for h in range(heads):
                g = h // (heads // kv_heads)
                scores = q[:, h] @ k[:, g].T / np.sqrt(head) + mask
                scores = np.exp(scores - scores.max(-1, keepdims=True))
                out[:, h] = scores / scores.sum(-1, keepdims=True) @ v[:, g]
            x = x + out.reshape(len(ids), -1) @ part("attn_output").T
            y = norm(x, part("ffn_norm"))
            gate, up = y @ part("ffn_gate").T, y @ part("ffn_up").T
            x = x + (gate / (1 + np.exp(-gate)) * up) @ part("ffn_down").T
        return x

    cases = []
    for text, before, layer in CASES:
        own = tokenizer.encode(text)
        prefix = ids_of(before)
        x = states(prefix + own.ids, layer)[len(prefix):]
        cases.append({
            "text": text,
            "is_chat": before == CHAT,
            "layer": layer,
            "tokens": [text[a:b] for a, b in own.offsets],
            "states_f16": base64.b64encode(x.astype("<f2").tobytes()).decode(),
        })
    json.dump({"width": width, "cases": cases}, sys.stdout, indent=1, ensure_ascii=False)
    print()


if __name__ == "__main__":
    main(sys.argv[1])
