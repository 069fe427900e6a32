"""paper.typ to build/paper.pdf, or to an image of each page: typeset.py [--pages].

Only the typesetter's own fonts are used, so that every machine makes the same pages.
"""

import sys
from pathlib import Path

import typst

HERE = Path(__file__).parent


def main(*options):
    pages = "--pages" in options
    out = HERE / "build" / ("page-{p}.png" if pages else "paper.pdf")
    common = {"root": str(HERE), "ignore_system_fonts": True}
    if pages:
        common |= {"format": "png", "ppi": 100.0}
    typst.compile(str(HERE / "paper.typ"), output=str(out), **common)
    missing = typst.query(str(HERE / "paper.typ"), "<missing>", field="value", one=True,
                          root=str(HERE), ignore_system_fonts=True)
    print(f"{out}\nnot measured: {missing}")


if __name__ == "__main__":
    main(*sys.argv[1:])
