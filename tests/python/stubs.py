"""The wire types and stubs of `latentdb.v1`, generated from `proto/` when this module is imported.

Everything is one namespace, as in the package: `v1.Document`, `v1.SearchServiceStub`, ...
"""

import atexit
import importlib
import pathlib
import shutil
import sys
import tempfile
import types

import grpc_tools
from grpc_tools import protoc

REPOSITORY = pathlib.Path(__file__).resolve().parents[2]
PROTO = REPOSITORY / "proto"


def _generate() -> pathlib.Path:
    out = pathlib.Path(tempfile.mkdtemp(prefix="latentdb-stubs-"))
    atexit.register(shutil.rmtree, out, ignore_errors=True)
    files = sorted(str(path) for path in PROTO.glob("latentdb/v1/*.proto"))
    well_known = pathlib.Path(grpc_tools.__file__).parent / "_proto"
    code = protoc.main(
        [
            "protoc",
            f"-I{PROTO}",
            f"-I{well_known}",
            f"--python_out={out}",
            f"--grpc_python_out={out}",
            *files,
        ]
    )
    if code != 0:
        raise RuntimeError(f"protoc ended with {code} on {files}")
    return out


def _load() -> types.SimpleNamespace:
    sys.path.insert(0, str(_generate()))
    names = {}
    for path in sorted(PROTO.glob("latentdb/v1/*.proto")):
        for suffix in ("pb2", "pb2_grpc"):
            module = importlib.import_module(f"latentdb.v1.{path.stem}_{suffix}")
            names.update(
                (name, entry)
                for name, entry in vars(module).items()
                if not name.startswith("_") and not isinstance(entry, types.ModuleType)
            )
    return types.SimpleNamespace(**names)


v1 = _load()
