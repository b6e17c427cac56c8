"""Writes small SAEs as sentence-transformers and latentsae save them, and the codes and reconstructions that those
libraries give: what `src/sae/format` holds its readers against.

    python saes_reference.py        # writes beside itself, into saes/

Weights are random. Needs: sentence-transformers==6.2.0 latentsae==0.2.0 torch==2.9.1
"""

import json
import pathlib
import shutil

import torch
from latentsae.sae import Sae
from latentsae.utils.config import SaeConfig
from sentence_transformers.sparse_encoder.modules import SparseAutoEncoder

OUT = pathlib.Path(__file__).parent / "saes"
D_IN, LATENTS, K, ROWS = 12, 40, 5, 30


def rounded(matrix):
    return [[round(float(value), 6) for value in row] for row in matrix]


def randomised(module, generator):
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator) * (0.4 if parameter.ndim > 1 else 0.2))
    return module.eval()


def main():
    shutil.rmtree(OUT, ignore_errors=True)
    generator = torch.Generator().manual_seed(0)
    vectors = torch.randn((ROWS, D_IN), generator=generator)
    reference = {"vectors": rounded(vectors), "saes": {}}
    # What the codes are of is what is written down.
    vectors = torch.tensor(reference["vectors"])
    for normalise in [False, True]:
        name = "csr-normalised" if normalise else "csr"
        module = randomised(SparseAutoEncoder(D_IN, LATENTS, k=K, k_aux=8, normalize=normalise), generator)
        (OUT / name).mkdir(parents=True)
        module.save(str(OUT / name))
        with torch.inference_mode():
            prepared, scales = module.prepare(vectors)
            codes, _ = module.top_k(module.encode_pre_act(prepared), compute_aux=False)
            back = module.decode(codes, scales)
        reference["saes"][name] = {"codes": rounded(codes), "back": rounded(back)}
    for name, settings in {
        "latentsae-topk": {"sae_type": "topk", "k": K},
        "latentsae-centred": {"sae_type": "topk", "k": K, "mean_center": True},
        "latentsae-jumprelu": {"sae_type": "jumprelu", "k": K},
        "latentsae-matryoshka": {"sae_type": "matryoshka", "k": 9, "matryoshka_sizes": f"10,{LATENTS}", "matryoshka_ks": f"2,{K}"},
    }.items():
        sae = randomised(Sae(D_IN, SaeConfig(num_latents=LATENTS, **settings)), generator)
        if settings.get("mean_center"):
            sae.input_mean.copy_(torch.randn(D_IN, generator=generator))
        sae.save_to_disk(OUT / name)
        with torch.inference_mode():
            found = sae.encode(vectors)
            codes = torch.zeros((ROWS, LATENTS)).scatter(1, found.top_indices, found.top_acts)
            back = codes @ sae.W_dec + sae.b_dec + getattr(sae, "input_mean", 0)
        reference["saes"][name] = {"codes": rounded(codes), "back": rounded(back)}
    (OUT / "reference.json").write_text(json.dumps(reference, separators=(",", ":")))


if __name__ == "__main__":
    main()
