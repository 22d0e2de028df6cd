"""The kit's own errors: each message says what is wrong, what is allowed and what to do."""


class GanutilsError(Exception):
    """Base of all errors that the kit raises on purpose; shown as its message, without a traceback."""

    def _render_traceback_(self) -> list[str]:
        # IPython calls this instead of printing the stack: the message alone helps a student.
        return [f"{type(self).__name__}: {self}"]


class ParameterError(GanutilsError):
    """A parameter has an unknown name or a value that is not allowed."""


class DataError(GanutilsError):
    """Images cannot be found, fetched or read."""


class RunError(GanutilsError):
    """A run folder cannot be written, or holds something else than this run."""


class DivergedError(RunError):
    """A loss is not finite any more; `what` names it, its value, epoch and update."""

    def __init__(self, what: str, rollbacks: int = 0) -> None:
        remedy = (
            ". Lower learning_rate, use precision='fp32' in place of bf16, or let the run go back with "
            "on_nan='rollback'"
        )
        if rollbacks:
            remedy = (
                f", after {rollbacks} returns to a checkpoint, each at half the learning rate. "
                "Lower learning_rate, or use precision='fp32' in place of bf16"
            )
        super().__init__(f"Training stopped: {what}{remedy}; the last checkpoint and all samples are kept.")
        self.what = what


class ReportError(GanutilsError):
    """A notebook cannot be executed or exported."""


class MetricError(GanutilsError):
    """A metric cannot be measured; the message says why."""
