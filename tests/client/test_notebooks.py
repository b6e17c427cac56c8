"""The example notebooks, run unchanged against the demo's collection.

They need the demo: `latentdb demo` makes it in the cache; without it they skip with a line."""

import os
import pathlib
import re
import shutil

import pytest

import latentdb

nbclient = pytest.importorskip("nbclient")
nbformat = pytest.importorskip("nbformat")

EXAMPLES = pathlib.Path(latentdb.__file__).parents[1] / "examples"
CACHE = pathlib.Path(
    os.environ.get("LATENTDB_CACHE")
    or pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "latentdb"
)


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """A server over a copy of the demo's data."""
    demo = pathlib.Path(os.environ.get("LATENTDB_DEMO") or CACHE / "demo")
    if not (demo / "catalog.redb").is_file():
        pytest.skip(f"no demo in {demo}: `latentdb demo` makes it")
    data = tmp_path_factory.mktemp("demo") / "data"
    shutil.copytree(demo, data)
    with latentdb.open(data) as client:
        yield client.address


@pytest.mark.parametrize("path", sorted(EXAMPLES.glob("*.ipynb")), ids=lambda path: path.stem)
def test_a_notebook_runs_to_its_end(path, address, monkeypatch):
    monkeypatch.setenv("LATENTDB_SERVER", address)
    monkeypatch.delenv("MPLBACKEND", raising=False)
    monkeypatch.setenv("PYTHONPATH", str(EXAMPLES.parent))
    notebook = nbformat.read(path, as_version=4)
    nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3").execute()
    figures = [
        output
        for cell in notebook.cells
        for output in cell.get("outputs", [])
        if "image/png" in output.get("data", {})
    ]
    assert figures


REPOSITORY = EXAMPLES.parents[2]


@pytest.mark.parametrize("page", ["README.md", "src/guide/python.md"])
def test_the_cells_of_the_documents_run(page, address):
    """Those over the demo's collection, in their order, in one namespace."""
    cells = re.findall(r"```python\n(.*?)```", (REPOSITORY / page).read_text(), flags=re.S)
    names = {}
    ran = 0
    for cell in cells:
        needs_more = ("frame", "AsyncClient", "google", "reviews.")
        if any(word in cell for word in needs_more):
            continue
        exec(cell.replace("127.0.0.1:7700", address), names)
        ran += 1
    assert ran >= 1
