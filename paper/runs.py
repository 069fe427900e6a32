"""Run folders of highwater-bench, as the paper reads them. Python's own library is enough.

A folder holds `run.json`, `host.json`, `runs.csv` (a line a trial), `latency.csv`, `limits.csv` and
`NNN-ENGINE.hlog`. Of each experiment the newest finished folder counts. Figures of two folders are
never divided by each other.
"""

import csv
import json
import random
import statistics
import tomllib
from pathlib import Path

SCHEMA = 1
RESAMPLES = 10_000

# What the paper asks for, and the experiments that answer it, the best one first.
ROLES = {
    "cost": ["backlog", "smoke"],
    "latency": ["latency", "smoke"],
    "start": ["start"],
    "nexmark": ["nexmark"],
    "system": ["elearning"],
}


class Run:
    """One folder: what was planned (its experiment's own text) and what came of it."""

    def __init__(self, folder):
        self.folder = folder
        about = json.loads((folder / "run.json").read_text())
        if about["schema"] != SCHEMA:
            raise SystemExit(f"{folder}: results of form {about['schema']}, not {SCHEMA}")
        self.id, self.experiment = about["run_id"], about["experiment"]
        self.scale, self.finished = about["scale"], about["finished"]
        self.command = about["command"]
        self.host = json.loads((folder / "host.json").read_text())
        self.trials = table(folder / "runs.csv")
        self.latencies = table(folder / "latency.csv")
        self.limits = table(folder / "limits.csv")
        plan = tomllib.loads(about["text"])
        self.question, self.unfair = plan["question"], plan.get("unfair", [])
        self.groups = groups(plan)

    def of(self, group, engine):
        """The trials of an engine in a group."""
        mine = [trial for trial in self.trials if trial["engine"] == engine]
        return [trial for trial in mine if group_of(trial) == group]


def group_of(trial):
    """Trials that may be compared: `count`, or `latest-update-20000` under load."""
    rate = number(trial["rate_planned"])
    name = trial["query"] if rate is None else f"{trial['query']}-{trial['rows']}-{rate:.0f}"
    return on_workers(name, int(trial["workers"]))


def on_workers(name, workers):
    """A group of its own for more than one worker: `count-w2`."""
    return name if workers == 1 else f"{name}-w{workers}"


def groups(plan):
    """Groups of an experiment with their engines, in its own order."""
    found = {}
    for part in plan.get("backlog", []):
        name = on_workers(part["query"], part.get("workers", 1))
        found.setdefault(name, []).extend(part["engines"])
    for part in plan.get("live", []):
        name = f"{part['query']}-{part['rows']}-{part['rate']}"
        name = on_workers(name, part.get("workers", 1))
        found.setdefault(name, []).extend(part["engines"])
    return {group: list(dict.fromkeys(engines)) for group, engines in found.items()}


def table(path):
    """Lines of a CSV file by column; a file that is not there has none."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def number(text):
    """A cell as a number; `None` if it is empty or none."""
    value = float(text) if text else float("nan")
    return None if value != value else value


def newest(places):
    """The newest finished run of each experiment below some folders, by its name."""
    found = {}
    for place in map(Path, places):
        below = [place] if (place / "run.json").exists() else sorted(place.glob("*/"))
        for folder in below:
            if (folder / "run.json").exists():
                run = Run(folder)
                known = found.get(run.experiment)
                if run.finished and (known is None or known.id < run.id):
                    found[run.experiment] = run
    return found


def by_role(runs):
    """Which run answers what; a role without a run is left out."""
    pick = {role: [runs[name] for name in names if name in runs] for role, names in ROLES.items()}
    return {role: found[0] for role, found in pick.items() if found}


def good(trials):
    """Trials whose rows were right."""
    return [trial for trial in trials if trial["status"] == "ok"]


def largest(trials):
    """Trials with the most events."""
    most = max((int(trial["events"]) for trial in trials), default=0)
    return [trial for trial in trials if int(trial["events"]) == most]


def median(values):
    """The median of what there is; `None` of nothing."""
    known = [value for value in values if value is not None]
    return statistics.median(known) if known else None


def rate(trial):
    """Millions of events per processor second."""
    cpu = number(trial["cpu_s"])
    return int(trial["events"]) / cpu / 1e6 if cpu else None


def ratio(run, group, engine, other):
    """How many times more events per processor second: median and bootstrap interval of the pairs
    of the same part, size and round, and how many pairs there are; `None` without any."""
    def cost(name):
        trials = largest(good(run.of(group, name)))
        places = ((t["part"], t["events"], t["round"]) for t in trials)
        return {place: number(t["cpu_s"]) for place, t in zip(places, trials)}

    mine, theirs = cost(engine), cost(other)
    pairs = [theirs[at] / mine[at] for at in mine if mine[at] and theirs.get(at)]
    if not pairs:
        return None
    if len(pairs) < 3:
        return statistics.median(pairs), min(pairs), max(pairs), len(pairs)
    chance = random.Random(1)
    draws = [statistics.median(chance.choices(pairs, k=len(pairs))) for _ in range(RESAMPLES)]
    draws.sort()
    low, high = draws[int(0.025 * RESAMPLES)], draws[int(0.975 * RESAMPLES) - 1]
    return statistics.median(pairs), low, high, len(pairs)
