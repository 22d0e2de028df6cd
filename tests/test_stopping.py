import signal
import threading

import pytest

from ganutils.cli import main
from ganutils.runs import RunDir
from ganutils.stopping import StopSignal, handling_requests
from ganutils.update import Update

NAMES = [name for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name)]


@pytest.mark.parametrize("name", NAMES)
def test_a_request_is_kept_and_a_second_one_stops_at_once(name):
    number = getattr(signal, name)
    before = signal.getsignal(number)
    with StopSignal(0) as stop:
        assert not stop.is_requested()
        signal.raise_signal(number)
        assert stop.is_requested()
        assert stop.reason == ("by the user" if name == "SIGINT" else f"by {name}")
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(number)
    assert signal.getsignal(number) == before


def test_the_time_is_up():
    with StopSignal(1e-9) as stop:
        assert stop.is_requested()
        assert stop.reason == "by max_minutes"


@pytest.mark.skipif("SIGHUP" not in NAMES, reason="Windows has no such signal")
def test_a_closed_terminal_stops_nothing_under_nohup():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with StopSignal(0) as stop:
            signal.raise_signal(signal.SIGHUP)
            assert not stop.is_requested()
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)


def test_other_threads_leave_the_signals_alone():
    handlers = []

    def work():
        with handling_requests(print):
            handlers.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert handlers == [signal.getsignal(signal.SIGTERM)]


@pytest.mark.parametrize(
    ("log_every", "stopped", "lines"), [(1, "0.60", [1, 2, 3, 4, 5]), (2, "0.80", [2, 4, 5])]
)
def test_a_batch_system_ends_a_run_and_the_same_command_goes_on(
    tmp_path, monkeypatch, capsys, log_every, stopped, lines
):
    """It is asked in the third of five updates, and stops when the line of the history is complete."""
    values = {"dataset": "shapes", "n_images": 40, "batch_size": 8, "width": 4, "n_samples": 4, "run": "mine"}
    values["log_every"] = log_every
    command = ["run", "dcgan", *(text for pair in values.items() for text in ("-p", *map(str, pair)))]
    original = Update.__call__

    def asked(update, indices):
        if update.state.step == 2:
            signal.raise_signal(signal.SIGTERM)
        return original(update, indices)

    with monkeypatch.context() as patch:
        patch.setattr(Update, "__call__", asked)
        assert main([*command, "-p", "epochs", "1"]) == 130
    assert f"Stopped by SIGTERM after {stopped} of 1 epochs" in capsys.readouterr().out
    assert main([*command, "-p", "epochs", "1"]) == 0
    assert [row["step"] for row in RunDir(tmp_path / "mine").history().updates] == lines
