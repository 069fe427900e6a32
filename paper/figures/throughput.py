"""Events per processor second of each engine as bars, with lines at the limits of the same run."""

import sys

import plot
import runs

LIMITS = ["consume", "decode"]
ROW = 17


def main(out, *places):
    run = runs.by_role(runs.newest(places)).get("cost")
    drawing = plot.Plot(40)
    bars, lines = rates(run) if run else ([], {})
    if bars:
        draw(drawing, bars, lines)
    drawing.write(out)


def rates(run):
    """Medians of the engines in each group, and of the limits."""
    bars, lines = [], {}
    for group, engines in run.groups.items():
        if group.count("-") == 2:
            continue
        for engine in engines:
            trials = runs.largest(runs.good(run.of(group, engine)))
            rate = runs.median(map(runs.rate, trials))
            if rate is None:
                continue
            if engine in LIMITS:
                lines[engine] = rate
            else:
                bars.append((group, engine, rate))
    return bars, lines


def draw(drawing, bars, lines):
    top, left, right = 8 + 9 * len(lines), 92, plot.WIDTH - 34
    groups = list(dict.fromkeys(group for group, _, _ in bars))
    bottom = top + ROW * len(bars) + 14 * len(groups)
    drawing.height = bottom + 30
    most = max([rate for _, _, rate in bars] + list(lines.values()))
    x = plot.Scale(0, most * 1.04, left, right)
    for tick in x.ticks():
        drawing.line(x(tick), top, x(tick), bottom, "#dddddd")
        drawing.text(x(tick), bottom + 11, f"{tick:g}", "middle", 8)
    drawing.text((left + right) / 2, bottom + 24, "M events per CPU-second", "middle")
    for row, (engine, rate) in enumerate(lines.items()):
        y = 8 + 9 * row
        drawing.line(x(rate), y - 6, x(rate), bottom, "#222222", 0.9, "3 2")
        drawing.text(x(rate) - 3, y, plot.name(engine), "end", 8)
    y = top
    for group in groups:
        drawing.text(2, y + 10, group, size=8, colour="#555555")
        y += 12
        for _, engine, rate in (bar for bar in bars if bar[0] == group):
            drawing.text(left - 4, y + 10, plot.name(engine), "end")
            drawing.rect(left, y + 2, x(rate) - left, ROW - 6, plot.colour(engine))
            if x(rate) - left < 30:
                drawing.text(x(rate) + 3, y + 10, f"{rate:.2f}", size=8)
            else:
                drawing.text(x(rate) - 3, y + 10, f"{rate:.2f}", "end", 8, "#ffffff")
            y += ROW
        y += 2
    drawing.line(left, top, left, bottom)


if __name__ == "__main__":
    main(*sys.argv[1:])
