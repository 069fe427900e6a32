"""Names the trials of some run folders whose status is not `ok`; ends with 1 if one has failed.

A skipped trial has not: its engine does not do such a job. Nor has one whose generator was late,
which says something of the machine and nothing of the engine.
"""

import sys

import runs


HARMLESS = ["skipped", "invalid_generator"]


def main(*places):
    failed = False
    for run in runs.newest(places).values():
        for trial in run.trials:
            status = trial["status"]
            if status != "ok":
                print(f"{run.experiment}, trial {trial['trial']}, {trial['engine']}: {status}")
                failed |= status.split(":")[0] not in HARMLESS
    sys.exit(failed)


if __name__ == "__main__":
    main(*sys.argv[1:])
