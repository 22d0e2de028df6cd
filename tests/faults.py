"""Fault campaign: trainings of every variant are killed, cut off from power, filled up and stopped.

    python tests/faults.py                    # at least 200 kills; prints a table
    python tests/faults.py --kills 1000 --seed 7
    python tests/faults.py --short            # each fault once, for the tests

A trial starts `ganutils run` at toy size in a folder of its own, strikes, starts the same command again
until it is done, and compares the run folder with that of a run that nothing disturbed: weights, moving
average, optimiser states, random streams, history and sample grids must be equal bit by bit, no other file
may be left, and training must have gone on from the newest whole checkpoint. Linux only.
"""

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from itertools import count
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # threads do not survive a fork

import torch
from fault_campaign.kinds import FAULTS, cut_power
from fault_campaign.sessions import settings
from fault_campaign.trials import Reference, Trial


def campaign(folder: Path, kills: int, seed: int, short: bool) -> dict[str, Counter]:
    """Inject faults in turn until `kills` processes were killed; return counts by fault and by variant.

    The short one injects each fault once that strikes at a file operation and not at a moment.
    """
    # The short one takes each variant once, by turns with its defaults and with the second choices.
    chosen = [one for number, one in enumerate(settings()) if not short or number % 4 in (0, 3)]
    references = [Reference(*one, folder / f"reference-{number}") for number, one in enumerate(chosen)]
    faults = [name for name in FAULTS if not (short and "any moment" in name)]
    counts = {name: Counter() for name in [*faults, *(variant for variant, _ in chosen), "control"]}
    turns = count()
    while sum(counts[name]["killed"] for name in faults) < (1 if short else kills):
        turn = next(turns)
        for place, name in enumerate(faults):
            reference = references[(turn + place) % len(references)]
            _inject(name, Trial(reference, folder / "trial", f"{seed}/{turn}/{place}"), counts)
        killed = sum(counts[name]["killed"] for name in faults)
        print(f"{killed} processes killed", file=sys.stderr, flush=True)
    for number in range(2 if short else 10):
        _control(Trial(references[0], folder / "trial", str(number)), counts["control"])
    return counts


def _control(trial: Trial, counts: Counter) -> None:
    """Cut the power of a disk that takes no notice of syncs: the campaign must see what that loses."""
    counts["injected"] += cut_power(trial, lies=True)
    counts["lost"] += bool(trial.lost)
    shutil.rmtree(trial.folder)


def _inject(name: str, trial: Trial, counts: dict[str, Counter]) -> None:
    struck = FAULTS[name](trial)
    trial.finish()
    for key in (name, trial.reference.variant):
        counts[key] += Counter(injected=struck, killed=trial.kills, lost=bool(trial.lost))
    if trial.lost:
        some = "\n".join(trial.lost[:3])
        print(f"LOST, {name}, {trial.reference.variant}, seed {trial.seed}: {some}", flush=True)
        print(f"{len(trial.lost)} findings", flush=True)
    shutil.rmtree(trial.folder)


def table(counts: dict[str, Counter]) -> str:
    """Return the counts of the faults as Markdown."""
    rows = [
        f"| {name} | {one['injected']} | {one['lost'] or 'nothing'} |"
        for name, one in counts.items()
        if name in FAULTS
    ]
    return "\n".join(["| Fault | Times injected | What was lost |", "| --- | ---: | --- |", *rows])


def main() -> int:
    """Run the campaign and print its table; returns 1 if something was lost."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--kills", type=int, default=200, help="SIGKILLs to reach (default: 200)")
    parser.add_argument("--seed", type=int, default=0, help="of the moments (default: 0)")
    parser.add_argument("--short", action="store_true", help="each fault once")
    parser.add_argument("--json", type=Path, help="write the counts there")
    options = parser.parse_args()
    torch.set_num_threads(1)
    memory = Path("/dev/shm")  # syncing costs nothing there, and neither kills nor these power cuts need it
    started = time.monotonic()
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        counts = campaign(Path(folder), options.kills, options.seed, options.short)
    if options.json:
        options.json.write_text(json.dumps(counts))
    total = sum((counts[name] for name in FAULTS if name in counts), Counter())
    minutes = (time.monotonic() - started) / 60
    print(table(counts))
    print(
        f"\n{total['injected']} faults, {total['killed']} kills, seed {options.seed}, {minutes:.1f} minutes. "
        f"Control: a disk that takes no notice of syncs lost something in {counts['control']['lost']} of "
        f"{counts['control']['injected']} power cuts."
    )
    return int(total["lost"] > 0)


if __name__ == "__main__":
    raise SystemExit(main())
