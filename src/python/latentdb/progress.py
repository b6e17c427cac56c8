"""Progress bars, where tqdm is installed and somebody looks."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any, Union

# None: a bar where there is a terminal or a notebook; True and False: always and never; a function
# gets what is done and the whole, None where that is not known.
ProgressLike = Union[None, bool, Callable[[int, "int | None"], None]]


class Progress:
    """Something of which more and more is done."""

    def __init__(self, wanted: ProgressLike, total: int | None, unit: str) -> None:
        self._report = wanted if callable(wanted) else None
        self._total = total
        self._done = 0
        self._bar: Any = None
        if self._report is None and wanted is not False and (wanted or _is_seen()):
            try:
                from tqdm import tqdm
            except ImportError:
                if wanted:
                    raise ImportError(
                        "tqdm is not installed: pip install 'latentdb-client[progress]'"
                    ) from None
            else:
                # Nothing is shown of what is done at once.
                self._bar = tqdm(total=total, unit=f" {unit}", leave=False, delay=0.5)

    def add(self, more: int) -> None:
        """So many more are done."""
        self.set(self._done + more, self._total)

    def set(self, done: int, total: int | None) -> None:
        """So many of so many are done."""
        if self._bar is not None:
            self._bar.total = total
            self._bar.update(done - self._done)
        self._done, self._total = done, total
        if self._report is not None:
            self._report(done, total)

    def close(self) -> None:
        """Takes the bar away."""
        if self._bar is not None:
            self._bar.close()


def _is_seen() -> bool:
    return sys.stderr.isatty() or "ipykernel" in sys.modules
