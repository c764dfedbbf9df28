"""Grader: the adapter beside the feed forward."""

from lessons.exercises.diagnosis import assert_matches
from peft.bottleneck import Bottleneck, ParallelAdapter
from tests.exercises.graders import given
from tests.reference.adapters import parallel
from transformer.feed_forward import FeedForward

D_MODEL, M, SCALING = 6, 4, 3.0


def parts():
    base = given.shaken(FeedForward(D_MODEL, 9))
    adapter = ParallelAdapter(base, given.shaken(Bottleneck(D_MODEL, M, "parallel")), SCALING)
    return adapter.eval(), given.normal(2, 3, D_MODEL)


def test_the_change_is_the_scaled_bottleneck_of_the_same_input():
    adapter, x = parts()
    weights = given.arrays(adapter.adapter)

    right = parallel(x.numpy(), 0.0, weights, SCALING)
    mistakes = {
        "the feed forward's output is in it already; delta is only what is added": right
        + adapter.base(x).detach().numpy(),
        "the adapter reads the feed forward's output: that would be in series": SCALING
        * adapter.adapter(adapter.base(x)),
        "the adapter reads x + FFN(x)": SCALING * adapter.adapter(x + adapter.base(x)),
    }
    assert_matches(
        adapter.delta(x), right, "batch time d_model", name="delta(x)", scales={"s": SCALING}, mistakes=mistakes
    )


def test_the_output_is_the_feed_forwards_plus_the_change():
    adapter, x = parts()

    right = parallel(x.numpy(), adapter.base(x).detach().numpy(), given.arrays(adapter.adapter), SCALING)
    assert_matches(adapter(x), right, "batch time d_model", scales={"s": SCALING})
