"""The short form of the fault campaign (`make faults` is the long one), and what would escape its eyes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from fault_campaign.compare import differences, steps

from ganutils import RunDir, build, train, variants

CAMPAIGN = Path(__file__).with_name("faults.py")


@pytest.mark.skipif(sys.platform != "linux", reason="strikes at file operations of forked processes")
def test_nothing_is_lost_by_any_fault(tmp_path):
    command = [sys.executable, CAMPAIGN, "--short", "--json", tmp_path / "counts.json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    counts = json.loads((tmp_path / "counts.json").read_text())
    control = counts.pop("control")
    assert done.returncode == 0, done.stdout
    assert not any(count.get("lost") for count in counts.values()), done.stdout
    faults = counts.keys() - set(variants.names())
    assert sum(counts[name].get("injected", 0) for name in faults) >= 17  # a strike may come too late
    assert all(counts[name]["killed"] for name in variants.names())
    assert control["lost"] > 0  # on a disk that lies: the comparison can fail


def changed(text):
    return lambda path: path.write_bytes(path.read_bytes().replace(*text, 1))


def nudge_weight(path):
    state = torch.load(path, weights_only=True)
    next(iter(state["generator"].values())).mul_(1 + 1e-6)
    torch.save(state, path)


@pytest.mark.parametrize(
    ("file", "damage", "told"),
    [
        ("history.jsonl", changed((b"1", b"2")), "history.jsonl differs"),
        ("epochs.jsonl", changed((b'"g_step": 5', b'"g_step": 6')), "epochs.jsonl differs"),
        ("params.json", changed((b"dcgan", b"wgan")), "params.json differs"),
        ("samples/epoch-00001.png", Path.unlink, "samples/epoch-00001.png is in one of them only"),
        ("checkpoints/last.pt", nudge_weight, "checkpoint.generator."),
    ],
)
def test_the_comparison_sees_one_small_difference(toy_params, toy_data, file, damage, told):
    first, second = (run_of(toy_params(run=name), toy_data).path for name in ("first", "second"))
    for path in (first, second):  # their own names differ
        changed((path.name.encode(), b"same"))(path / "params.json")
    assert differences(first, second) == []
    damage(second / file)
    (found,) = differences(first, second)
    assert found.startswith(told)


def test_a_checkpoint_with_one_changed_bit_does_not_count_as_whole(toy_params, toy_data):
    run = run_of(toy_params(), toy_data)
    assert steps(run.path) == [10, 5]
    content = bytearray(run.checkpoints.last.read_bytes())
    content[len(content) // 2] ^= 1
    run.checkpoints.last.write_bytes(content)
    assert steps(run.path) == [5]


def run_of(params, data):
    gan, run = build(params, data), RunDir.open(params, data)
    train(gan, data, params, run)
    return run
