"""The truth: refit without a training point (LOO) or a group, to a certified minimum, or train a network again.

Imports nothing of the solver chain, so that agreement with it means something.
"""

from influence_core.retraining.certified import (
    LeaveOneOut,
    changed_refit,
    leave_groups_out,
    leave_one_out,
    refit_changed,
)
from influence_core.retraining.minimise import SingularRefitError
from influence_core.retraining.networks import Repeated
from influence_core.retraining.question import Question, Refits, joined

__all__ = [
    "LeaveOneOut",
    "Question",
    "Refits",
    "Repeated",
    "SingularRefitError",
    "changed_refit",
    "joined",
    "leave_groups_out",
    "leave_one_out",
    "refit_changed",
]
