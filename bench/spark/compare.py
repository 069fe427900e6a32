#!/usr/bin/env python3
"""Compares two folders of CSV files, view by view: `compare.py EXPECTED ACTUAL`.

Every file of EXPECTED must be in ACTUAL, with the same header and, in any order, the same lines.
Integers, texts, times and decimals must be equal; floats, also those inside a text, may differ by
1e-9 of their size (or by 1e-12, where a sum cancels out), as the order in which Spark adds floats
is not defined. A column of processing time at the end of ACTUAL is left out. Exit code 1 and the
first differences of each view if anything differs.
"""

import math
import re
import sys
from collections import Counter, defaultdict
from pathlib import Path

SHOWN_MAX = 5
RELATIVE = 1e-9
ABSOLUTE = 1e-12

# Columns that a sink appends, if its binding asks for one.
STAMPS = ["processed_at", "processing_time", "detected_at"]

NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?:E-?\d+)?(?![\w.])")
# What is rounded to two decimals is exact.
HUNDREDTHS = re.compile(r"-?\d+\.\d\d")


def main(expected: Path, actual: Path) -> int:
    files = sorted(expected.glob("*.csv"))
    if not files:
        print(f"{expected} has no CSV files", file=sys.stderr)
        return 64
    wrong = 0
    for file in files:
        differences = compare(file, actual / file.name)
        wrong += bool(differences)
        print(f"{file.stem}: {'differs' if differences else 'equal'}")
        for difference in differences[:SHOWN_MAX]:
            print(f"  {difference}")
        if SHOWN_MAX < len(differences):
            print(f"  and {len(differences) - SHOWN_MAX} more")
    print(f"{len(files) - wrong} of {len(files)} views are equal")
    return 1 if wrong else 0


def compare(expected: Path, actual: Path) -> list[str]:
    """What differs, in words."""
    if not actual.exists():
        return ["there is no such file"]
    expected_header, expected_lines = lines(expected)
    actual_header, actual_lines = lines(actual)
    if actual_header in [f"{expected_header},{stamp}" for stamp in STAMPS]:
        actual_header = expected_header
        actual_lines = [line.rpartition(",")[0] for line in actual_lines]
    if expected_header != actual_header:
        return [f"expected the columns {expected_header}", f"found the columns    {actual_header}"]
    return unequal(expected_lines, actual_lines)


def lines(file: Path) -> tuple[str, list[str]]:
    header, *rest = file.read_text(encoding="utf-8").removesuffix("\n").split("\n")
    return header, rest


def unequal(expected: list[str], actual: list[str]) -> list[str]:
    """Lines without a partner. Only what is not literally equal is looked at more closely."""
    left, right = Counter(expected), Counter(actual)
    expected_left, actual_left = left - right, right - left
    partners = defaultdict(list)
    for line in sorted(actual_left.elements()):
        partners[shape(line)].append(line)
    differences = []
    for line in sorted(expected_left.elements()):
        candidates = partners[shape(line)]
        at = next((i for i, other in enumerate(candidates) if close(line, other)), None)
        if at is None:
            differences.append((line, f"expected {line}"))
        else:
            del candidates[at]
    found = (line for candidates in partners.values() for line in candidates)
    differences += [(line, f"found    {line}") for line in found]
    return [text for _, text in sorted(differences)]


def shape(line: str) -> str:
    """A line without its numbers."""
    return NUMBER.sub("#", line)


def close(expected: str, actual: str) -> bool:
    """Whether two lines of the same shape hold the same numbers."""
    pairs = zip(NUMBER.findall(expected), NUMBER.findall(actual))
    return all(a == b or near(a, b) for a, b in pairs)


def near(a: str, b: str) -> bool:
    is_exact = "." not in a + b or (HUNDREDTHS.fullmatch(a) and HUNDREDTHS.fullmatch(b))
    if is_exact:
        return False
    return math.isclose(float(a), float(b), rel_tol=RELATIVE, abs_tol=ABSOLUTE)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        print(__doc__, file=sys.stderr)
        sys.exit(64)
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
