"""SAEs of other programs: files from CPython's own pickler and from NumPy, quality by NumPy's arithmetic."""

import collections
import io
import json
import os
import pickle
import subprocess
import sys
import types
import zipfile

import numpy as np
import pytest

from harness import BINARY, PATIENCE

D, N, K, ROWS = 24, 64, 6, 500


def run(*arguments, code: int = 0):
    done = subprocess.run(
        [str(BINARY), *map(str, arguments)], capture_output=True, timeout=PATIENCE
    )
    assert done.returncode == code, (arguments, done.stdout, done.stderr)
    return done.stdout.decode() if code == 0 else done.stderr.decode()


class Storage:
    """What torch keeps the numbers of tensors in."""

    def __init__(self, array: np.ndarray, kind: str):
        self.array, self.kind = array, kind


class Tensor:
    """A tensor that pickles as torch's do; `array` may be a view with strides."""

    def __init__(self, array: np.ndarray, kind: str = "FloatStorage", storage=None, offset=0):
        self.shape = array.shape
        self.strides = tuple(step // array.itemsize for step in array.strides)
        base = array if array.base is None else array.base
        self.storage = storage or Storage(np.ascontiguousarray(base), kind)
        self.offset = offset

    def __reduce_ex__(self, _):
        rebuild = sys.modules["torch._utils"]._rebuild_tensor_v2
        parts = (self.storage, self.offset, self.shape, self.strides, False)
        return rebuild, (*parts, collections.OrderedDict())


@pytest.fixture
def save(monkeypatch):
    """Writes an object as torch.save does: CPython's pickler, with storages put aside."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
    for name in ("FloatStorage", "HalfStorage", "LongStorage"):
        setattr(torch, name, type(name, (), {"__module__": "torch"}))

    def _rebuild_tensor_v2(*_):
        raise AssertionError("it is only named")

    _rebuild_tensor_v2.__module__ = "torch._utils"
    _rebuild_tensor_v2.__qualname__ = "_rebuild_tensor_v2"
    utils._rebuild_tensor_v2 = _rebuild_tensor_v2
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "torch._utils", utils)

    def write(path, value):
        storages = []

        class Pickler(pickle.Pickler):
            def persistent_id(self, item):
                if not isinstance(item, Storage):
                    return None
                if item not in storages:
                    storages.append(item)
                kind = getattr(torch, item.kind)
                return "storage", kind, str(storages.index(item)), "cpu", int(item.array.size)

        pickled = io.BytesIO()
        Pickler(pickled, protocol=2).dump(value)
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr(f"{path.stem}/data.pkl", pickled.getvalue())
            archive.writestr(f"{path.stem}/byteorder", "little")
            for at, storage in enumerate(storages):
                archive.writestr(f"{path.stem}/data/{at}", storage.array.tobytes())
            archive.writestr(f"{path.stem}/version", "3\n")

    return write


def state(**tensors) -> collections.OrderedDict:
    """A state dictionary, with the attribute that torch gives it."""
    named = {name.replace("__", "."): tensor for name, tensor in tensors.items()}
    made = collections.OrderedDict(named)
    made._metadata = collections.OrderedDict([("", {"version": 1})])
    return made


class Known:
    """An SAE and vectors, and the codes and errors that its formulas give."""

    def __init__(self):
        random = np.random.default_rng(0)
        self.x = random.normal(size=(ROWS, D)).astype(np.float32) + 1
        # What half precision holds, since one format keeps it so.
        self.w_enc = random.normal(size=(N, D)).astype(np.float16).astype(np.float32)
        norms = np.linalg.norm(self.w_enc, axis=1, keepdims=True)
        self.w_dec = (self.w_enc / norms**2).astype(np.float32)
        self.b_enc = random.normal(size=N).astype(np.float32) / 10
        self.b_dec = np.ones(D, np.float32)

    def sums(self, x):
        return (x - self.b_dec) @ self.w_enc.T + self.b_enc

    def fvu(self, z, scale=1.0, shift=0.0) -> float:
        error = self.x - ((z @ self.w_dec + self.b_dec) * scale + shift)
        spread = self.x - self.x.mean(axis=0)
        return float((error.astype(float) ** 2).sum() / (spread.astype(float) ** 2).sum())


@pytest.fixture(scope="module")
def known() -> Known:
    return Known()


def top_k(sums):
    kept = np.argpartition(-sums, K - 1, axis=1)[:, :K]
    z = np.zeros_like(sums)
    np.put_along_axis(z, kept, np.maximum(np.take_along_axis(sums, kept, 1), 0), 1)
    return z


def check(source, known, expected, tmp_path, architecture):
    np.save(tmp_path / "x.npy", known.x)
    made = json.loads(run("sae", "import", source, "--out", tmp_path / "sae", "--json"))
    assert made["architecture"] == architecture
    assert made["training"]["about"]["source"] == str(source)
    page = run("sae", "info", tmp_path / "sae")
    assert made["sha256"] in page
    measured = run("sae", "eval", tmp_path / "sae", "--vectors", tmp_path / "x.npy", "--json")
    assert json.loads(measured)["quality"]["fvu"] == pytest.approx(expected, rel=1e-5)


def test_oneill(known, save, tmp_path):
    source = tmp_path / f"astroPH_{K}_{N}_auxk.pth"
    tensors = state(
        pre_bias=Tensor(known.b_dec),
        latent_bias=Tensor(known.b_enc),
        stats_last_nonzero=Tensor(np.zeros(N, np.int64), "LongStorage"),
        encoder__weight=Tensor(known.w_enc),
        decoder__weight=Tensor(known.w_dec.T),
    )
    save(source, tensors)
    check(source, known, known.fvu(top_k(known.sums(known.x))), tmp_path, "topk")


def test_openai_with_layer_norm(known, save, tmp_path):
    tensors = state(
        pre_bias=Tensor(known.b_dec),
        latent_bias=Tensor(known.b_enc),
        encoder__weight=Tensor(known.w_enc.astype(np.float16), "HalfStorage"),
        decoder__weight=Tensor(np.ascontiguousarray(known.w_dec.T)),
    )
    tensors["activation"] = "TopK"
    tensors["activation_state_dict"] = {"k": K, "postact_fn": "ReLU"}
    save(tmp_path / "v5.pt", tensors)
    mean = known.x.mean(axis=1, keepdims=True)
    std = known.x.std(axis=1, ddof=1, keepdims=True)
    z = top_k(known.sums((known.x - mean) / (std + 1e-5)))
    check(tmp_path / "v5.pt", known, known.fvu(z, std, mean), tmp_path, "topk")


def test_hypothesaes_with_two_tensors_in_one_storage(known, save, tmp_path):
    both = Storage(np.concatenate([known.b_dec, known.b_enc]), "FloatStorage")
    tensors = state(
        input_bias=Tensor(known.b_dec, storage=both),
        neuron_bias=Tensor(known.b_enc, storage=both, offset=D),
        threshold=Tensor(np.array(0.8, np.float32)),
        encoder__weight=Tensor(known.w_enc),
        decoder__weight=Tensor(np.ascontiguousarray(known.w_dec.T)),
    )
    config = {
        "input_dim": D,
        "m_total_neurons": N,
        "k_active_neurons": K,
        "aux_k": None,
        "multi_k": 4 * K,
        "dead_neuron_threshold_steps": 256,
        "prefix_lengths": [16, N],
        "use_batch_topk": True,
    }
    save(tmp_path / "sae.pt", {"config": config, "state_dict": tensors})
    sums = known.sums(known.x)
    z = np.where(sums > 0.8, sums, 0)
    check(tmp_path / "sae.pt", known, known.fvu(z), tmp_path, "batchtopk")


def test_gemma_scope(known, tmp_path):
    sums = known.x @ known.w_enc.T + known.b_enc
    # NumPy writes a transposed matrix in Fortran's order.
    for save, w_enc in [
        (np.savez, known.w_enc.T),
        (np.savez_compressed, known.w_enc.T),
        (np.savez, known.w_enc.T.copy("C")),
    ]:
        own = tmp_path / f"{save.__name__}-{w_enc.flags.c_contiguous}"
        folder = own / "layer_20"
        folder.mkdir(parents=True)
        save(
            folder / "params.npz",
            W_enc=w_enc,
            W_dec=known.w_dec,
            b_enc=known.b_enc,
            b_dec=known.b_dec,
            threshold=np.full(N, 0.5, np.float32),
        )
        check(folder, known, known.fvu(np.where(sums > 0.5, sums, 0)), own, "jumprelu")


def test_code_in_a_pickle_is_named_and_not_run(save, tmp_path):
    class Code:
        def __reduce__(self):
            return os.system, (f"touch {tmp_path / 'run'}",)

    source = tmp_path / "code.pt"
    save(source, {"pre_bias": Code()})
    message = run("sae", "import", source, "--out", tmp_path / "sae", code=1)
    assert "posix.system" in message and "nothing is run" in message
    assert not (tmp_path / "run").exists() and not (tmp_path / "sae").exists()
