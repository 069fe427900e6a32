"""Run folders to `build/numbers.typ`: every number of the paper by its name, with its run.

    measured.py OUT FOLDER…

A name is `ROLE.GROUP.ENGINE.WHAT`, such as `cost.count.highwater.rate`, or `ROLE.limit.WHAT`; roles
are those of `runs.py`. What was not measured has no name: the paper shows and lists it.
"""

import sys
from pathlib import Path

import runs


def shown(value):
    """Three digits, more only before the point."""
    if 99.5 <= abs(value):
        return f"{value:,.0f}".replace(",", "\u2009")
    digits = 2 if abs(value) < 9.995 else 1
    return f"{value:.{digits}f}" if 0.095 <= abs(value) or value == 0 else f"{value:.2g}"


def engine_numbers(run, group, engine):
    """What one engine did in one group, as (what, value)."""
    trials = runs.good(run.of(group, engine))
    biggest = runs.largest(trials)

    def each(column, scale=1):
        cells = (runs.number(trial[column]) for trial in biggest)
        return runs.median(None if cell is None else cell * scale for cell in cells)

    yield "events", each("events", 1e-6)
    yield "trials", len(biggest) or None
    yield "cpu", each("cpu_s")
    yield "wall", each("wall_s")
    yield "first", each("first_row_s")
    yield "load", each("cpu_percent")
    yield "idle", each("idle_percent")
    yield "memory", each("peak_rss_kb", 1e-3)
    yield "rows", each("rows_equal")
    if not group_is_live(group):
        yield "rate", runs.median(map(runs.rate, biggest))
        yield "marginal", marginal(trials, biggest)
    ids = {trial["trial"] for trial in biggest}
    for tag in ["event", "row", "close_delay", "hiccup", "gen_late"]:
        lines = [line for line in run.latencies if line["trial"] in ids and line["tag"] == tag]
        lines = [line for line in lines if int(line["count"]) != 0]
        for column in ["p50", "p99", "p999", "max"]:
            yield f"{tag}-{column}", runs.median(runs.number(line[column]) for line in lines)


def group_is_live(group):
    return group.count("-") == 2


def marginal(trials, biggest):
    """Millions of events per processor second beyond those of the smallest size."""
    sizes = sorted({int(trial["events"]) for trial in trials})
    if len(sizes) < 2:
        return None
    small = [trial for trial in trials if int(trial["events"]) == sizes[0]]
    cpu = [runs.median(runs.number(t["cpu_s"]) for t in part) for part in (small, biggest)]
    return (sizes[-1] - sizes[0]) / (cpu[1] - cpu[0]) / 1e6 if cpu[0] < cpu[1] else None


def why_not(trials):
    """Why an engine has no figure, in a few words; `None` if it has."""
    if not trials:
        return "not measured"
    if runs.good(trials):
        return None
    what, _, why = trials[0]["status"].partition(":")
    why = why.split("(")[0].split("hint:")[0].strip()
    return f"{what}: {why}"[:60] if why else what


def numbers(role, run):
    """All numbers of a run by name."""
    for group, engines in run.groups.items():
        for engine in engines:
            for what, value in engine_numbers(run, group, engine):
                if value is not None:
                    text = str(value) if isinstance(value, int) else shown(value)
                    yield f"{role}.{group}.{engine}.{what}", text
            found = runs.ratio(run, group, "highwater", engine)
            if engine != "highwater" and not group_is_live(group) and found:
                *values, pairs = found
                for what, value in zip(["ratio", "low", "high"], values):
                    yield f"{role}.{group}.{engine}.{what}", shown(value)
                yield f"{role}.{group}.{engine}.pairs", str(pairs)
    # A limit that stands twice was tried twice; the last one counts.
    for line in {line["what"]: line for line in run.limits}.values():
        name = line["what"].replace(",", "").replace(" ", "-")
        value = runs.number(line["value"])
        if value is not None:
            yield f"{role}.limit.{name}", shown(value)
    yield f"{role}.trials", str(len(run.trials))
    yield f"{role}.right", str(len(runs.good(run.trials)))
    yield f"{role}.compared", shown(sum(int(trial["rows_equal"]) for trial in run.trials))


def quoted(text):
    """A text as Typst writes it."""
    text = str(text).replace("\\", "\\\\").replace('"', '\\"')
    return '"' + " ".join(text.replace("`", "").split()) + '"'


def about(run):
    """What the paper says of a run."""
    host = run.host
    facts = {
        "id": run.id,
        "experiment": run.experiment,
        "question": run.question,
        "command": f"highwater-bench {run.command}",
        "machine": f"{host['cpu']}, {host['cores']} cores, {host['memory_kib'] / 2**20:.0f} GiB, "
        f"Linux {host['kernel']}, {host['rustc'].split(' (')[0]}, "
        f"Java {host['java'].split(chr(34))[1] if chr(34) in host['java'] else host['java']}",
        "commit": host["commit"] + (" with changes" if host["dirty"] else ""),
    }
    lines = [f"    {name}: {quoted(value)}," for name, value in facts.items()]
    lines.append(f"    scale: {run.scale},")
    lines.append(f"    unfair: ({''.join(quoted(text) + ', ' for text in run.unfair)}),")
    lines.append("    groups: (")
    for group, engines in run.groups.items():
        lines.append(f"      {quoted(group)}: (")
        for engine in engines:
            trials = run.of(group, engine)
            version = next((t["engine_version"] for t in trials if t["engine_version"]), "")
            why = why_not(trials)
            why = "none" if why is None else quoted(why)
            lines.append(f"        (name: {quoted(engine)}, version: {quoted(version)}, "
                         f"missing: {why}),")
        lines.append("      ),")
    return [*lines, "    ),"]


def is_ours(run):
    """Whether its experiment comes along, so that others can make it, too."""
    return Path("bench/experiments", f"{run.experiment}.toml").exists()


def main(out, *places):
    found = runs.newest(places)
    roles = runs.by_role(found)
    lines = ["// Made by measured.py from run folders; not to be edited.", "#let runs = (", "  :,"]
    for role, run in roles.items():
        lines += [f"  {role}: (", *about(run), "  ),"]
    lines += [")", "#let others = ("]
    others = [run for run in found.values() if run not in roles.values() and is_ours(run)]
    for run in others:
        lines += ["  (", *about(run), "  ),"]
    lines += [")", "#let numbers = (", "  :,"]
    named = [(f"{role}", run) for role, run in roles.items()]
    named += [(run.experiment, run) for run in others]
    for role, run in named:
        for name, value in numbers(role, run):
            lines.append(f"  {quoted(name)}: ({quoted(value)}, {quoted(run.id)}),")
    text = "\n".join([*lines, ")", ""]).replace("(\n  :,\n)", "(:)").replace("(\n  :,\n", "(\n")
    Path(out).write_text(text)
    for role, names in runs.ROLES.items():
        run = roles.get(role)
        print(f"{role:<8} {run.id if run else 'no run of ' + ' or '.join(names)}")


if __name__ == "__main__":
    main(*sys.argv[1:])
