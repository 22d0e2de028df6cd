"""Where the time of an update goes, as the benchmark tells it."""

import pytest
from test_bench import TINY

from ganutils.bench import profile
from ganutils.bench.peak import count_flops
from ganutils.bench.workloads import WORKLOADS, untrained


@pytest.mark.parametrize(
    ("operator", "group"),
    [
        ("aten::mkldnn_convolution", "convolutions and products"),
        ("aten::convolution_backward", "convolutions and products"),
        ("aten::_convolution", "convolutions and products"),  # transposed ones have no name of their own
        ("aten::addmm", "convolutions and products"),
        ("aten::mm", "convolutions and products"),
        ("aten::native_batch_norm_backward", "batch norm"),
        ("aten::leaky_relu_", "activations"),
        ("_LeakyGradient", "activations"),
        ("aten::copy_", "copies and conversions"),
        ("aten::_to_copy", "copies and conversions"),
        ("aten::_fused_adam_", "optimiser"),
        ("Optimizer.step#RMSprop.step", "optimiser"),
        ("aten::sum", "all else"),
        ("aten::permute", "all else"),
    ],
)
def test_operators_have_their_group(operator, group):
    found = profile.grouped({operator: 2.0, "aten::empty": 0.5})
    assert found.pop("all else") == (2.5 if group == "all else" else 0.5)
    assert {name for name, spent in found.items() if spent} == {group} - {"all else"}


def test_a_profile_tells_where_the_time_of_an_update_goes(monkeypatch, entered, cpu_alone):
    monkeypatch.setitem(WORKLOADS, "tiny", TINY)
    monkeypatch.setattr(profile, "has_fast_bf16", lambda device: False)
    monkeypatch.setattr(profile, "flops_per_second", lambda dtype, device: 1e12)
    seconds = {"aten::mm": 0.3, "aten::copy_": 0.1, "aten::native_batch_norm": 0.1}
    monkeypatch.setattr(profile, "operator_seconds", lambda update: seconds)
    (one,) = profile.profiles(["tiny"])
    assert one.name == "tiny, fp32"
    assert one.shares["convolutions and products"] == pytest.approx(0.6)
    flops = count_flops(untrained(TINY.params("", "fp32")))
    assert one.of_peak == pytest.approx(flops / (0.3 / profile._COUNTED) / 1e12)
    header, _, row = profile.markdown([one])
    assert header.startswith(
        "| Workload | convolutions and products | their speed, of the peak | batch norm |"
    )
    assert row.startswith("| tiny, fp32 | 60% | ")
    assert row.endswith(" | 20% | 0% | 20% | 0% | 0% |")


def test_operators_are_timed_while_both_networks_are_updated():
    seconds = profile.operator_seconds(untrained(TINY.params("", "fp32")))
    assert seconds["aten::convolution_backward"] > 0
    assert "Optimizer.step#Adam.step" in seconds
