"""Lesson 16: QLoRA."""

from lessons.exercises.exercise import Exercise, Wrong

EXERCISES = [
    Exercise(
        name="qlora",
        title="Gradients through a matrix of four bits",
        topic="quantization",
        lesson=16,
        module="quant.product",
        targets=("LinearFromCodes.forward", "LinearFromCodes.backward"),
        difficulty=4,
        minutes=35,
        after=("lora",),
        hints=(
            "forward: dequantize the weight in the type of x, F.linear, and forget the matrix. What backward needs is kept with "
            "ctx.save_for_backward(*parts), where parts are the codes and scales.",
            "backward: from_parts(dict(zip(ctx.names, ctx.saved_tensors)), *ctx.layout) is the packed weight again. "
            "∂L/∂x = ∂L/∂y · Ŵ; ∂L/∂b is the sum of ∂L/∂y over all rows.",
            "ctx.names = tuple(weight.tensors()), ctx.layout = (block_size, shape, dtype) of the weight. ctx.needs_input_grad says "
            "which gradients are wanted. Return one value for each argument of forward: x, bias, weight, then a None for each part.",
        ),
        wrong=(
            Wrong(
                "F.linear(x, dequantize_4bit(weight, x.dtype), bias)",
                "F.linear(x, dequantize_4bit(weight, x.dtype))",
                "the bias is missing",
            ),
            Wrong(
                "rows @ dequantize_4bit(weight, rows.dtype)",
                "2 * rows @ dequantize_4bit(weight, rows.dtype)",
                "every value is 2",
            ),
            Wrong(
                "rows.sum(dim=0)",
                "rows.mean(dim=0)",
                "where the sum is wanted",
            ),
            Wrong("return for_x, for_bias", "return None, for_bias", "no gradient reaches x"),
            Wrong("return for_x, for_bias", "return for_x, None", "no gradient reaches the bias"),
            Wrong(
                "ctx.save_for_backward(*parts)",
                "ctx.save_for_backward(*parts, dequantize_4bit(weight, x.dtype)); ctx.extra = 1",
                "ValueError",
            ),
        ),
    ),
]
