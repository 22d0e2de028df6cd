"""The training loop: one for all variants; it names none."""

import errno
import time

import torch

from ganutils.checkpoints import SAVING_SHARE
from ganutils.data import Dataset
from ganutils.data.batches import epoch_order
from ganutils.environment import facts
from ganutils.errors import DivergedError, RunError
from ganutils.hardware import SMALLER, choose, own_random, telling_memory
from ganutils.history import History
from ganutils.measurements import drop_later
from ganutils.monitor import Monitor
from ganutils.objective import Gan
from ganutils.observer import Observer
from ganutils.params import RunParams, is_sampled
from ganutils.progress import Progress
from ganutils.recorder import Recorder
from ganutils.resuming import state_to_resume
from ganutils.runs import RunDir, epoch_sheet
from ganutils.state import TrainState
from ganutils.stopping import StopSignal
from ganutils.streams import stream
from ganutils.update import Update

MOST_ROLLBACKS = 5  # after which the learning rate is 1/32 and something else is wrong


def train(gan: Gan, dataset: Dataset, params: RunParams, run: RunDir) -> History:
    """Train until `params.epochs`, from where the run folder stands; a finished run is only read.

    Stopping (Ctrl-C, the notebook's stop button, `max_minutes`) waits for the line of the history that
    is begun (`log_every` updates), and saves; the same call goes on from there. Raises `ParameterError`
    for a device that is not there or cannot do the precision, `RunError` when a loss is not finite (see
    `on_nan`), when memory does not suffice, or when another process trains here.
    """
    stamp = run.checkpoints.stamp
    checkpoint = state_to_resume(run, params)
    if checkpoint is not None and checkpoint["step"] >= params.epochs * run.steps_per_epoch:
        print(f"{run.name} is finished: {params.epochs} epochs read, nothing trained.")
        return run.history()
    device = choose(params).device
    memory = telling_memory(device, f"{SMALLER} The last checkpoint is kept.")
    try:
        with memory, run.locked(), own_random(device):
            if run.checkpoints.stamp != stamp:  # another process trained here meanwhile
                checkpoint = state_to_resume(run, params)
            torch.manual_seed(params.seed)
            loop = _Loop(gan, dataset, params, run)
            if checkpoint is not None:
                loop.state.restore(checkpoint)
            run.note_environment(facts(loop.hardware))
            with loop.hardware.algorithms():
                loop.forget_later()
                loop.train()
    except BrokenPipeError:
        raise RunError("Nobody reads the output any more. The last checkpoint is kept.") from None
    except OSError as error:
        remedy = "make room" if error.errno in (errno.ENOSPC, errno.EDQUOT) else "mend that"
        raise RunError(
            f"{run.path} cannot be written ({error.strerror}). The last checkpoint is kept; {remedy} "
            "and start the same command again."
        ) from None
    except Exception as error:
        if params.compile and _is_the_compilers(error):
            reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
            raise RunError(
                f"compile=True: the networks cannot be compiled here ({reason}). Use compile=False."
            ) from error
        raise
    return run.history()


def _is_the_compilers(error: Exception) -> bool:
    return isinstance(error, AssertionError) or type(error).__module__.startswith(("torch._", "triton"))


class _Loop:
    """One session of training."""

    def __init__(self, gan: Gan, dataset: Dataset, params: RunParams, run: RunDir) -> None:
        self.params, self.run = params, run
        self.hardware = choose(params)
        self.state = TrainState(gan, params, self.hardware.device)
        self.update = Update(gan, self.state, dataset, params, self.hardware)
        self.images = len(dataset)
        self.steps_per_epoch = run.steps_per_epoch
        self.recorder = Recorder(run, params.log_every)
        self.stop = StopSignal(params.max_minutes)
        self.observer = Observer(self.state, gan, params, run)
        self.monitor = Monitor(run, dataset, gan, params)

    def train(self) -> None:
        state, epochs = self.state, self.params.epochs
        self._saved_step, self._saved, self._save_seconds = state.step, time.perf_counter(), 0.0
        self.progress = Progress(
            epochs * self.steps_per_epoch,
            state.step,
            epochs,
            self.params.batch_size,
            self.observer.live,
        )
        print(f"Training on {self.hardware}. Run folder: {self.run}")
        if self.params.schedule == "constant":
            state.scale_learning_rate(1.0)  # a checkpoint of a GPU holds it in fp32
        if state.step == 0:  # a cell that is interrupted and run again begins with these weights
            self._save()
        try:
            with self.stop:
                while state.step < epochs * self.steps_per_epoch:
                    try:
                        self._train_epoch(state.step // self.steps_per_epoch)
                    except DivergedError as error:
                        self._roll_back(error)
                    if self.stop.is_requested():
                        break
                if state.step != self._saved_step:  # a stop that came between two epochs
                    self._save()
        finally:
            self.progress.close()
        if state.step < epochs * self.steps_per_epoch:
            self.observer.sample()
            done = state.step / self.steps_per_epoch
            print(f"Stopped {self.stop.reason} after {done:.2f} of {epochs} epochs. Everything is saved.")
            print("Run the same command, or this cell again, to continue from here.")

    def forget_later(self) -> None:
        """Drop what was recorded after the state that training goes on from: it is recorded again."""
        step = self.state.step
        self.run.cut_history(step)
        drop_later(self.run, step / self.steps_per_epoch)
        if step and self.monitor.best_epoch() * self.steps_per_epoch == step:
            # best.pt may hold a later state, which will be trained again.
            self.observer.sample_best()
            self._save(is_best=True)

    def _train_epoch(self, epoch: int) -> None:
        state, params = self.state, self.params
        last = (epoch + 1) * self.steps_per_epoch
        clock = time.perf_counter()
        order = epoch_order(self.images, params.batch_size, stream(params.seed, "order", epoch))
        for indices in order[state.step - epoch * self.steps_per_epoch :]:
            if params.schedule == "linear":
                state.scale_learning_rate(1 - state.step / (params.epochs * self.steps_per_epoch))
            values = self.update(indices)
            self.recorder.add(state.step, values)
            if state.step == last or not self.recorder.is_complete(state.step):
                continue
            if self.recorder.is_due():
                self.recorder.flush()
                self.progress.advance(state.step, self.recorder.recent)
            leaving = self.stop.is_requested()
            if leaving or self._is_overdue():
                state.epoch_seconds += time.perf_counter() - clock
                self._save()
                clock = time.perf_counter()
            if leaving:
                self.progress.advance(state.step, self.recorder.recent)
                return
        self.recorder.flush()
        state.epoch_seconds += time.perf_counter() - clock
        self._end_epoch(epoch + 1)

    def _roll_back(self, error: DivergedError) -> None:
        """Return to the last checkpoint at half the learning rate, or raise the error."""
        state = self.state
        rollbacks = [*state.rollbacks, error.what]
        if self.params.on_nan == "stop":
            raise error
        if len(rollbacks) > MOST_ROLLBACKS:
            raise DivergedError(error.what, MOST_ROLLBACKS)
        state.restore(self.run.checkpoints.load(self.hardware.device))
        state.rollbacks = rollbacks
        state.scale_learning_rate(1.0)
        self.update.begin_anew()
        self.forget_later()
        self.recorder = Recorder(self.run, self.params.log_every)
        self._save()
        done = state.step / self.steps_per_epoch
        print(f"WARNING: {error.what}. Back to epoch {done:.2f}, at half the learning rate.")

    def _end_epoch(self, epoch: int) -> None:
        state = self.state
        row = {
            "epoch": epoch,
            "step": state.step,
            "g_step": state.g_step,
            "seconds": round(state.epoch_seconds, 3),
            "images_per_second": round(
                self.steps_per_epoch * self.params.batch_size / max(state.epoch_seconds, 1e-9), 1
            ),
        }
        if is_sampled(epoch, self.params.sample_epochs) or epoch == self.params.epochs:
            self.observer.sample(epoch_sheet(epoch))
            state.sampled_epoch = epoch
        if self.monitor.is_due(epoch):
            self.progress.wait("scoring")
        score = self.monitor.score(epoch, self.observer.sampler, state.epoch_seconds)
        if score is not None:
            row["score_seconds"] = score.seconds
            self.progress.score = str(score)
        self.run.append(epochs=[row])
        self.progress.advance(state.step, self.recorder.recent)
        state.epoch_seconds = 0.0
        if score is not None:
            self.monitor.keep(score)
        is_best = score is not None and score.is_best
        if is_best:
            self.observer.sample_best()
        is_wanted = is_best or epoch == self.params.epochs or self.stop.is_requested()
        if is_wanted or self._has_to_save():
            self._save(is_best=is_best)
        self.progress.epoch(epoch, self.recorder.epoch_means(), row["images_per_second"])

    def _save(self, *, is_best: bool = False) -> None:
        """Write a checkpoint after all that belongs to it: a finished run lacks nothing, wherever it died."""
        self.recorder.flush()
        begun = time.perf_counter()
        if self.state.rollbacks:
            self.run.note_rollbacks(self.state.rollbacks)
        self.run.checkpoints.save(self.state.capture(), is_best=is_best)
        self._saved_step, self._saved = self.state.step, time.perf_counter()
        self._save_seconds = self._saved - begun

    def _has_to_save(self) -> bool:
        """Say whether an epoch ends with a checkpoint: not if these took more than `SAVING_SHARE`."""
        if self.params.on_nan == "rollback" or self._is_overdue():
            return True  # where a run goes back to must not depend on time
        return self._save_seconds <= SAVING_SHARE * (time.perf_counter() - self._saved)

    def _is_overdue(self) -> bool:
        return time.perf_counter() - self._saved > 60 * self.params.checkpoint_minutes
