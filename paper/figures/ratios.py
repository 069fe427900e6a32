"""Highwater against each other engine of the same run: the median of the pairs of events per
processor second, with its bootstrap interval."""

import sys

import plot
import runs

ROW = 16


def main(out, *places):
    run = runs.by_role(runs.newest(places)).get("cost")
    drawing = plot.Plot(40)
    found = ratios(run) if run else []
    if found:
        draw(drawing, found)
    drawing.write(out)


def ratios(run):
    """(group, engine, (median, low, high, pairs)) of every engine that was measured beside."""
    found = []
    for group, engines in run.groups.items():
        others = [engine for engine in engines if engine != "highwater"]
        for engine in others if group.count("-") < 2 else []:
            estimate = runs.ratio(run, group, "highwater", engine)
            if estimate:
                found.append((group, engine, estimate))
    return found


def draw(drawing, found):
    left, right, top = 128, plot.WIDTH - 66, 6
    bottom = top + ROW * len(found) + 4
    drawing.height = bottom + 30
    least = min(min(low for _, _, (_, low, _, _) in found), 0.5) / 1.1
    most = max(max(high for _, _, (_, _, high, _) in found), 2.0) * 1.1
    x = plot.Scale(least, most, left, right, log=True)
    marks = [power * n for power in (0.01, 0.1, 1, 10, 100) for n in (1, 2, 5)]
    for mark in (mark for mark in marks if least <= mark <= most):
        one = mark == 1
        drawing.line(x(mark), top, x(mark), bottom, "#222222" if one else "#dddddd")
        drawing.text(x(mark), bottom + 11, f"{mark:g}", "middle", 8)
    drawing.text((left + right) / 2, bottom + 24, "times as many events per CPU-second", "middle")
    for row, (group, engine, (median, low, high, pairs)) in enumerate(found):
        y = top + ROW * row + ROW / 2 + 2
        drawing.text(left - 5, y + 3, f"{group}, {plot.name(engine)}", "end", 8)
        drawing.line(x(low), y, x(high), y, plot.colour(engine), 1.4)
        drawing.dot(x(median), y, plot.colour(engine))
        many = f"{pairs} pair" + ("" if pairs == 1 else "s")
        drawing.text(right + 5, y + 3, f"{median:.2f}, {many}", size=8)


if __name__ == "__main__":
    main(*sys.argv[1:])
