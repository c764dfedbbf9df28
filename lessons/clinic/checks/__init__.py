"""The checks, one small pure function each: check(run) -> measurements. A reader adds a file and its name to CHECKS."""

from lessons.clinic.checks import (
    accumulation,
    asked,
    base,
    diverged,
    effect,
    eos,
    finite,
    forgetting,
    four_bits,
    leak,
    loaded,
    merge,
    mode,
    optimizer,
    order,
    padding,
    rate,
    rows,
    scale,
    shift,
    template,
    tied,
    trainable,
    vocabulary,
)

CHECKS = (
    finite, asked, shift, eos, template, padding, accumulation, effect, loaded, base, trainable, optimizer, rate, scale, mode,
    merge, four_bits, order, tied, vocabulary, rows, diverged, forgetting, leak,
)  # fmt: skip
