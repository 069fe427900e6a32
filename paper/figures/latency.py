"""How many events waited longer than a time (CCDF, both axes by logarithms), from the raw
histograms, with the excess of a sleep of 1 ms in the same run."""

import sys

import hdr
import plot
import runs

LEAST = 1e-5


def main(out, *places):
    run = runs.by_role(runs.newest(places)).get("latency")
    drawing = plot.Plot(190)
    curves = series(run) if run else []
    if curves:
        draw(drawing, curves)
    drawing.write(out)


def series(run):
    """The curves of the update rows at the greatest rate: (engine, [(ms, share beyond)])."""
    live = [group for group in run.groups if "-update-" in group]
    curves = []
    for group in sorted(live, key=lambda group: -int(group.rsplit("-", 1)[1]))[:1]:
        for engine in run.groups[group]:
            for trial in runs.good(run.of(group, engine))[:1]:
                log = run.folder / f"{int(trial['trial']):03}-{engine}.hlog"
                found = hdr.read(log) if log.exists() else {}
                curves.append((engine, beyond(found.get("event", []))))
                if engine == "highwater":
                    curves.append(("hiccup", beyond(found.get("hiccup", []))))
    return [(engine, points) for engine, points in curves if points]


def beyond(counts):
    """The share of values above each value of a histogram."""
    left = total = sum(count for _, count in counts)
    points = []
    for value, count in counts:
        points.append((value / 1e3, left / total))
        left -= count
    return points


def draw(drawing, curves):
    left, right, top, bottom = 34, plot.WIDTH - 6, 8, 160
    longest = max(points[-1][0] for _, points in curves)
    x = plot.Scale(0.05, max(longest * 1.1, 100), left, right, log=True)
    y = plot.Scale(LEAST, 1, bottom, top, log=True)
    for tick in x.ticks():
        drawing.line(x(tick), top, x(tick), bottom, "#dddddd")
        drawing.text(x(tick), bottom + 11, plot.label(tick), "middle", 8)
    for tick in y.ticks():
        drawing.line(left, y(tick), right, y(tick), "#dddddd")
        drawing.text(left - 3, y(tick) + 3, f"{tick:g}", "end", 8)
    drawing.text((left + right) / 2, bottom + 24, "milliseconds", "middle")
    for at, (engine, points) in enumerate(curves):
        dash = "2 2" if engine == "hiccup" else None
        shown = [(x(ms), y(share)) for ms, share in points if LEAST <= share]
        drawing.path(shown, plot.colour(engine), dash=dash)
        drawing.rect(right - 84, bottom - 12 * (len(curves) - at) - 1, 9, 3, plot.colour(engine))
        drawing.text(right - 71, bottom - 12 * (len(curves) - at) + 4, plot.name(engine), size=8)
    drawing.line(left, bottom, right, bottom)
    drawing.line(left, top, left, bottom)


if __name__ == "__main__":
    main(*sys.argv[1:])
