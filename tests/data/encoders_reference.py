"""Writes small models of each architecture that encoders may have, as sentence-transformers and model2vec save them,
and the vectors that those libraries give for 50 texts: what `tests/encoders.rs` holds our own against.

    python encoders_reference.py        # writes beside itself, into encoders/

Weights are random: they go through every part of a network, and a file takes a few kilobytes. Needs:
sentence-transformers==6.2.0 transformers==5.24.0 torch==2.9.1 model2vec==0.10.0
"""

import json
import pathlib
import re
import shutil

import numpy as np
import torch
import transformers
from model2vec import StaticModel
from sentence_transformers import SentenceTransformer, SparseEncoder
from sentence_transformers.sentence_transformer.modules import Normalize, Pooling, StaticEmbedding, Transformer
from sentence_transformers.sparse_encoder.modules import SparseAutoEncoder
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

HERE = pathlib.Path(__file__).parent
OUT = HERE / "encoders"
VOCABULARY, WIDTH, HEADS = 280, 24, 3


def texts():
    """50 passages of the guide, from a few words to more than models of 64 tokens read."""
    guide = HERE.parent.parent / "src" / "guide"
    found = []
    for path in sorted(guide.glob("*.md")):
        for passage in path.read_text().split("\n\n"):
            words = " ".join(passage.split())
            if re.match(r"[A-Z]", words) and "|" not in words:
                found.append(words)
    chosen = found[:: max(1, len(found) // 47)][:47]
    return [*chosen, "Ünïcödé naïve façade, 量子 русский 😀", "a", "word " * 90]


def trained(kind, special, own_texts):
    if kind == "wordpiece":
        tokenizer = Tokenizer(models.WordPiece(unk_token=special["unk"]))
        tokenizer.normalizer = normalizers.BertNormalizer()
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        trainer = trainers.WordPieceTrainer(vocab_size=VOCABULARY, special_tokens=list(special.values()))
    elif kind == "unigram":
        tokenizer = Tokenizer(models.Unigram())
        tokenizer.normalizer = normalizers.NFKC()
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
        trainer = trainers.UnigramTrainer(vocab_size=VOCABULARY, special_tokens=list(special.values()), unk_token=special["unk"])
    else:
        tokenizer = Tokenizer(models.BPE())
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=VOCABULARY + 40, special_tokens=list(special.values()), initial_alphabet=pre_tokenizers.ByteLevel.alphabet()
        )
    tokenizer.train_from_iterator(own_texts, trainer)
    return tokenizer


def fast(tokenizer, special, around):
    """With the special tokens around a text, as transformers' tokenizer."""
    ids = [(token, tokenizer.token_to_id(token)) for token in dict.fromkeys(around) if token != "$A"]
    tokenizer.post_processor = processors.TemplateProcessing(single=" ".join(around), special_tokens=ids)
    names = {f"{name}_token": token for name, token in special.items()}
    return transformers.PreTrainedTokenizerFast(tokenizer_object=tokenizer, **names)


def randomised(model, seed):
    """Weights large enough that every part of a network matters."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if "norm" in name.lower() and name.endswith("weight"):
                parameter.copy_(1 + 0.2 * noise)
            else:
                parameter.copy_((0.6 if parameter.ndim > 1 and "embed" in name else 0.25) * noise)
    return model.eval()


def saved(name, model, tokenizer, pooling, normalise, reference, *, length=64, prompts=None, default=None, sae=None):
    """Saves a model and its tokenizer, makes a sentence encoder of it, and keeps its vectors."""
    bare = OUT / f"{name}.bare"
    model.save_pretrained(bare)
    tokenizer.save_pretrained(bare)
    transformer = Transformer(str(bare), max_seq_length=length)
    modules = [transformer, Pooling(WIDTH, pooling_mode=pooling)]
    if normalise:
        modules.append(Normalize())
    encoder = SentenceTransformer(modules=modules, prompts=prompts, default_prompt_name=default, device="cpu")
    keep(name, encoder, reference)
    shutil.rmtree(bare)


def keep(name, encoder, reference):
    folder = OUT / name
    encoder.save_pretrained(str(folder), create_model_card=False)
    queries = encoder.encode_query(reference["texts"])
    # `encode_document` takes the prompt "document", which is always there, before "passage".
    if encoder.prompts.get("passage"):
        documents = encoder.encode(reference["texts"], prompt_name="passage")
    else:
        documents = encoder.encode_document(reference["texts"])
    reference["models"][name] = {
        "dimension": int(documents.shape[1]),
        "document": [[round(float(value), 6) for value in row[:8]] for row in documents],
        "query": [[round(float(value), 6) for value in row[:8]] for row in queries],
        "document_norms": [round(float(np.linalg.norm(row)), 6) for row in documents],
    }


def main():
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir()
    reference = {"texts": texts(), "models": {}}
    wordpiece = {"unk": "[UNK]", "pad": "[PAD]", "cls": "[CLS]", "sep": "[SEP]", "mask": "[MASK]"}
    pieces = trained("wordpiece", wordpiece, reference["texts"])
    around = ["[CLS]", "$A", "[SEP]"]
    sizes = {"vocab_size": pieces.get_vocab_size(), "hidden_size": WIDTH, "num_attention_heads": HEADS, "intermediate_size": 40}
    unigram = {"bos": "<s>", "pad": "<pad>", "eos": "</s>", "unk": "<unk>", "cls": "<s>", "sep": "</s>", "mask": "<mask>"}

    config = transformers.MPNetConfig(**sizes, num_hidden_layers=2, max_position_embeddings=72, pad_token_id=1)
    saved("mpnet", randomised(transformers.MPNetModel(config, add_pooling_layer=False), 1), fast(pieces, wordpiece, around), "mean", True, reference)

    config = transformers.DistilBertConfig(
        vocab_size=sizes["vocab_size"], dim=WIDTH, n_heads=HEADS, n_layers=2, hidden_dim=40, max_position_embeddings=72
    )
    saved("distilbert", randomised(transformers.DistilBertModel(config), 2), fast(pieces, wordpiece, around), "mean", False, reference)

    config = transformers.ModernBertConfig(
        **sizes, num_hidden_layers=4, max_position_embeddings=80, local_attention=12, global_attn_every_n_layers=3,
        pad_token_id=1, cls_token_id=2, sep_token_id=3, bos_token_id=2, eos_token_id=3,
    )
    prompts = {"query": "search_query: ", "document": "search_document: "}
    saved("modernbert", randomised(transformers.ModernBertModel(config), 3), fast(pieces, wordpiece, around), "cls", True, reference, prompts=prompts)

    words = trained("unigram", unigram, reference["texts"])
    config = transformers.XLMRobertaConfig(
        **(sizes | {"vocab_size": words.get_vocab_size()}), num_hidden_layers=2, max_position_embeddings=72, type_vocab_size=1, pad_token_id=1
    )
    prompts = {"query": "query: ", "passage": "passage: "}
    model = randomised(transformers.XLMRobertaModel(config, add_pooling_layer=False), 4)
    saved("xlm-roberta", model, fast(words, unigram, ["<s>", "$A", "</s>"]), "mean", True, reference, prompts=prompts)

    qwen = {"eos": "<|endoftext|>", "pad": "<|endoftext|>"}
    pairs = trained("bpe", qwen, reference["texts"])
    config = transformers.Qwen3Config(
        vocab_size=pairs.get_vocab_size(), hidden_size=WIDTH, intermediate_size=40, num_hidden_layers=2, num_attention_heads=4,
        num_key_value_heads=2, head_dim=8, max_position_embeddings=80, eos_token_id=0, bos_token_id=0, pad_token_id=0,
    )
    prompts = {"query": "Instruct: Given a question, find what answers it\nQuery:", "document": ""}
    tokenizer = fast(pairs, qwen, ["$A", "<|endoftext|>"])
    tokenizer.padding_side = "left"
    saved("qwen3", randomised(transformers.Qwen3Model(config), 5), tokenizer, "lasttoken", True, reference, prompts=prompts)

    # Static vectors: of sentence-transformers, and of model2vec with weights and shared rows.
    generator = np.random.default_rng(6)
    pieces = trained("wordpiece", wordpiece, reference["texts"])
    rows = generator.normal(size=(pieces.get_vocab_size(), WIDTH)).astype(np.float32)
    static = StaticEmbedding(pieces, embedding_weights=rows)
    keep("static", SentenceTransformer(modules=[static, Normalize()], device="cpu"), reference)
    shared = generator.integers(0, 90, size=pieces.get_vocab_size())
    weights = generator.uniform(0.1, 1.0, size=pieces.get_vocab_size())
    for name, made in [
        ("model2vec", StaticModel(rows.astype(np.float16), pieces, {}, normalize=True, max_length=64)),
        ("model2vec-shared", StaticModel(rows[:90], pieces, {}, normalize=True, weights=weights, token_mapping=shared, max_length=None)),
    ]:
        made.save_pretrained(OUT / name)
        vectors = np.asarray(made.encode(reference["texts"]), dtype=np.float32)
        kept = [[round(float(value), 6) for value in row[:8]] for row in vectors]
        norms = [round(float(np.linalg.norm(row)), 6) for row in vectors]
        reference["models"][name] = {"dimension": WIDTH, "document": kept, "query": kept, "document_norms": norms}

    for extra in ["README.md", "special_tokens_map.json", "vocab.txt"]:
        for path in OUT.rglob(extra):
            path.unlink()
    (OUT / "reference.json").write_text(json.dumps(reference, ensure_ascii=False, separators=(",", ":")))


if __name__ == "__main__":
    main()
