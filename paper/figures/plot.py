"""Axes and marks as SVG: what the figures of the paper share."""

import math
from pathlib import Path

WIDTH = 340
COLOURS = {
    "highwater": "#0b6e99",
    "single_thread": "#555555",
    "flink": "#d1495b",
    "kafka_streams": "#8a5a9e",
    "kafka_streams_grace": "#b796c4",
    "spark": "#e08e1b",
    "spark_rtm": "#b3701a",
    "hiccup": "#9a9a9a",
}
NAMES = {
    "highwater": "Highwater",
    "single_thread": "one thread",
    "flink": "Flink",
    "kafka_streams": "Kafka Streams",
    "kafka_streams_grace": "Kafka Streams, grace",
    "spark": "Spark",
    "spark_rtm": "Spark RTM",
    "consume": "bare consumer",
    "decode": "consumer + decode",
    "hiccup": "hiccup",
}


class Plot:
    """A drawing of some height, written when it is done."""

    def __init__(self, height):
        self.height, self.parts = height, []

    def line(self, x1, y1, x2, y2, colour="#000", width=0.6, dash=None):
        dash = f' stroke-dasharray="{dash}"' if dash else ""
        self.parts.append(
            f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}" '
            f'stroke-width="{width}"{dash}/>'
        )

    def rect(self, x, y, width, height, colour):
        self.parts.append(
            f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" '
            f'fill="{colour}"/>'
        )

    def dot(self, x, y, colour):
        self.parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="2.6" fill="{colour}"/>')

    def path(self, points, colour, width=1.2, dash=None):
        if points:
            at = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
            dash = f' stroke-dasharray="{dash}"' if dash else ""
            self.parts.append(
                f'<polyline points="{at}" fill="none" stroke="{colour}" stroke-width="{width}"'
                f"{dash}/>"
            )

    def text(self, x, y, text, anchor="start", size=9, colour="#000"):
        text = str(text).replace("&", "&amp;").replace("<", "&lt;")
        self.parts.append(
            f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" '
            f'fill="{colour}" font-family="Libertinus Serif">{text}</text>'
        )

    def write(self, path):
        if not self.parts:
            self.height = 40
            self.text(WIDTH / 2, 24, "not measured", "middle", 11, "#b00020")
        body = "\n".join(self.parts)
        Path(path).write_text(
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{self.height}" '
            f'viewBox="0 0 {WIDTH} {self.height}">\n{body}\n</svg>\n'
        )


class Scale:
    """Values on an axis, linear or by their logarithms."""

    def __init__(self, low, high, start, end, log=False):
        self.low, self.high, self.start, self.end, self.log = low, high, start, end, log

    def __call__(self, value):
        bend = math.log10 if self.log else float
        value = min(max(value, self.low), self.high)
        share = (bend(value) - bend(self.low)) / (bend(self.high) - bend(self.low))
        return self.start + share * (self.end - self.start)

    def ticks(self):
        """Places for marks: powers of ten, or about five round values."""
        if self.log:
            first, last = math.ceil(math.log10(self.low)), math.floor(math.log10(self.high))
            return [10.0**power for power in range(first, last + 1)]
        rough = (self.high - self.low) / 5
        unit = 10.0 ** math.floor(math.log10(rough))
        step = min((unit * n for n in (1, 2, 5, 10)), key=lambda step: abs(step - rough))
        count = int((self.high - self.low) / step + 1e-9)
        return [self.low + n * step for n in range(count + 1)]


def label(value):
    """A number at a tick."""
    return f"{value:,.0f}".replace(",", "\u2009") if 1 <= value else f"{value:g}"


def name(engine):
    """An engine as readers know it."""
    return NAMES.get(engine, engine.replace("_", " "))


def colour(engine):
    return COLOURS.get(engine, "#3c8d5a")
