"""From which checkpoint a run goes on: the newest one whose history and samples are whole."""

from ganutils.checkpoints import State
from ganutils.errors import RunError
from ganutils.params import RunParams
from ganutils.runs import RunDir, epoch_sheet


def state_to_resume(run: RunDir, params: RunParams) -> State | None:
    """Return the checkpoint to go on from; None if there is none.

    A disk that did not keep its promises may hold the last checkpoint but not what was recorded before it:
    then it is told, and training goes back to the checkpoint before, to record it again.
    """
    state = _newest(run)
    if state is None or not (missing := _missing(run, params, state)):
        return state
    before = run.checkpoints.load_previous()
    can_go_back = before is not None and before["step"] < state["step"]
    if can_go_back and not _missing(run, params, before):
        print(f"WARNING: {missing} Going back to previous.pt, the checkpoint before, to make it again.")
        return before
    print(f"WARNING: {missing} It stays missing.")
    return state


def _newest(run: RunDir) -> State | None:
    """Return the newest whole checkpoint; None, loudly, if the very first one is damaged.

    Raises `RunError` if all are gone: to train from the start would overwrite what was recorded.
    """
    try:
        state = run.checkpoints.load()
    except RunError as error:
        if run.checkpoints.previous.exists() or run.history().epochs:
            raise
        print(f"WARNING: {str(error).partition(' Delete')[0]} Nothing follows it: training from the start.")
        return None
    if state is None and (epochs := len(run.history().epochs)):
        raise RunError(
            f"{run} has a history of {epochs} epochs, but its checkpoints are gone. Put them back, choose "
            "another `run`, or delete the run folder to train from the start."
        )
    return state


def _missing(run: RunDir, params: RunParams, state: State) -> str:
    """Say what the run folder lacks of the time up to a checkpoint, "" if nothing."""
    step, per_epoch = state["step"], run.steps_per_epoch
    history, (epochs, rest) = run.history(), divmod(step, per_epoch)
    updates = epochs * -(-per_epoch // params.log_every) + -(-rest // params.log_every)
    for name, rows, expected in (("history", history.updates, updates), ("epochs", history.epochs, epochs)):
        found = int((rows.column("step") <= step).sum())
        if found < expected:
            return f"{run}: {name}.jsonl has {found:,} of {expected:,} lines up to update {step:,}."
    is_drawn = epochs and not rest and state.get("sampled_epoch") == epochs
    for name in (epoch_sheet(epochs), "latest") if is_drawn else ():
        if not run.has_grid(name):
            return f"{run}: samples/{name}.png is damaged or gone."
    return ""
