"""What is wrong with a result, in the words of a teacher: not only that it differs, but what the difference looks like.

To be read in this order: `case` (a wrong result and what is known of it), `show` (how numbers are written), `sizes` and
`arrangement` (one kind of mistake after another), `likeness` (which of them it is), `compare` (the whole message), then
`gradients`, `inputs` and `refusal`, which stand alone; `calls` (with what a function was called), `first` (which of several
failures is explained) and `cause` (whether a message names one) are the graders' helpers.
"""

from lessons.exercises.diagnosis.compare import assert_matches, difference
from lessons.exercises.diagnosis.gradients import assert_gradients_flow
from lessons.exercises.diagnosis.inputs import inputs_unchanged
from lessons.exercises.diagnosis.refusal import assert_refused

__all__ = ["assert_gradients_flow", "assert_matches", "assert_refused", "difference", "inputs_unchanged"]
