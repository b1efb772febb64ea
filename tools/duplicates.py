"""Finds blocks of identical lines: `python -m tools.duplicates FOLDER…`.

pylint's checker `duplicate-code` decides what counts as identical. It compares any two files, and infers types that it
doesn't use, which with hundreds of files took longer than all other checks. Here only files are compared that share a
block.
"""

import sys
from collections import defaultdict
from collections.abc import Iterator
from functools import partial
from itertools import combinations
from pathlib import Path

import astroid
from pylint.checkers.similar import Commonality, LinesChunk, Similar, hash_lineset

LEAST_LINES = 6
"""Minimum number of lines of a block, without imports, signatures and docstrings."""


class Blocks(Similar):  # type: ignore[misc]
    """Finds the same blocks as pylint's checker."""

    def __init__(self) -> None:
        super().__init__(LEAST_LINES, ignore_docstrings=True, ignore_imports=True, ignore_signatures=True)

    def _iter_sims(self) -> Iterator[Commonality]:
        files: defaultdict[LinesChunk, list[int]] = defaultdict(list)
        for number, lines in enumerate(self.linesets):
            for chunk in hash_lineset(lines, LEAST_LINES)[0]:
                files[chunk].append(number)
        sharing = {pair for numbers in files.values() for pair in combinations(numbers, 2)}
        for one, other in sorted(sharing):
            yield from self._find_common(self.linesets[one], self.linesets[other])

    def report(self) -> str:
        """Return each block with the files that have it; empty if there is none."""
        found = self._compute_sims()
        return self._get_similarity_report(found) if found else ""


def main() -> int:
    """Command line."""
    astroid.parse = partial(astroid.parse, apply_transforms=False)
    blocks = Blocks()
    for file in sorted(file for folder in sys.argv[1:] for file in Path(folder).rglob("*.py")):
        with file.open(encoding="utf-8") as lines:
            blocks.append_stream(str(file), lines)
    report = blocks.report()
    print(report, end="")
    return 1 if report else 0


if __name__ == "__main__":
    sys.exit(main())
