"""When training improves, slows down and ends."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass
class Plateau:
    """
    Follow the criterion: what is best, when to slow down, when to stop.

    After `patience` epochs without improvement the learning rate is multiplied by
    `factor`, never below `minimum`, and the patience starts anew.
    """

    rate: float
    factor: float
    minimum: float
    patience: int
    early_stopping: int | None
    best: float = math.inf
    waited: int = 0
    since_best: int = 0

    def improves(self, value: float) -> bool:
        """Take in an epoch's score, the less the better; tell if it is the best."""
        if value < self.best:
            self.best = value
            self.waited = self.since_best = 0
            return True
        self.waited += 1
        self.since_best += 1
        if self.waited >= self.patience:
            self.rate = max(self.rate * self.factor, min(self.minimum, self.rate))
            self.waited = 0
        return False

    @property
    def over(self) -> bool:
        """Whether training should end."""
        return (
            self.early_stopping is not None and self.since_best >= self.early_stopping
        )
