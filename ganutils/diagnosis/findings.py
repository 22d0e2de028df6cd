"""What a diagnosis looks at (`Case`) and what it says (`Finding`)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any

from ganutils.diagnosis.curves import BLOCK, Blocks, Curves
from ganutils.diagnosis.samples import Samples
from ganutils.history import History
from ganutils.measurements import Measurement


class Light(StrEnum):
    """A traffic light, named in words so that it can be read in black and white."""

    GREEN = "green"
    AMBER = "amber"
    RED = "red"
    GREY = "grey"  # cannot be judged, or does not apply; the evidence says why


ORDER = (Light.GREEN, Light.AMBER, Light.RED)


@dataclass(frozen=True)
class Finding:
    """One sign: its light, the evidence in a sentence or two, and what usually helps if it is not green."""

    sign: str
    light: Light
    evidence: str
    remedy: str = ""

    @property
    def is_raised(self) -> bool:
        """Amber or red."""
        return self.light in (Light.AMBER, Light.RED)


def judged(sign: str, colour: Light, evidence: str, remedy: str) -> Finding:
    """Return a finding of that colour; a green one needs no remedy."""
    return Finding(sign, colour, evidence, "" if colour == Light.GREEN else remedy)


@dataclass(frozen=True)
class Case:
    """Everything that is known about a run; what is missing turns signs grey, never green."""

    history: History
    params: Mapping[str, Any] = field(default_factory=dict)  # as in params.json
    measurements: Sequence[Measurement] = ()
    samples: Samples | None = None
    floors: Sequence[Measurement] = ()  # what real images score in the generator's place
    rollbacks: Sequence[str] = ()  # what was not finite, once for each return to a checkpoint

    @cached_property
    def curves(self) -> Curves:
        """The history in blocks."""
        return Curves(self.history)

    def remedy(self, *ideas: str) -> str:
        """Return the ideas that this run can still follow, as a list in words.

        An idea begins with a parameter of the kit, as `` `name: value` `` or `` `name` ``; it is left out
        where the run has no such parameter or that value already.
        """
        usable = [idea for idea in ideas if self._is_open(idea)]
        return "; ".join(usable) + "." if usable else ""

    def _is_open(self, idea: str) -> bool:
        name, _, value = idea.split("`")[1].partition(": ")
        if name == "d_norm" and self.params.get("network") == "dense":
            return False  # its discriminator has dropout instead
        return name in self.params and str(self.params[name]) != value


FEW = 4  # blocks: with fewer there is no curve to judge


def too_few(sign: str, blocks: Blocks) -> Finding:
    """Return a grey finding about a curve that is too short."""
    reason = f"Cannot be judged: {len(blocks.values)} blocks of {BLOCK} updates are too few."
    return Finding(sign, Light.GREY, reason)


def light(value: float, *, amber: float, red: float) -> Light:
    """Return the light of a value that is the worse the larger it is."""
    return Light.RED if value >= red else Light.AMBER if value >= amber else Light.GREEN


def worse(*lights: Light) -> Light:
    """Return the worst of lights that are not grey."""
    return max(lights, key=ORDER.index)
