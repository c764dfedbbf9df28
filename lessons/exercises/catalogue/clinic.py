"""Lesson 31: the clinic. Six sick runs; each is to be found out, and repaired."""

from lessons.exercises.exercise import Exercise, Wrong

ROOM = "lessons.clinic.repairs"
LEARNT = "(attention_mask == 1) & (columns >= answer_from[:, None])"
K = "sum(float(torch.sum((now[path] - before[path]) * delta)) for path, delta in update.items()) / length"

EXERCISES = [
    Exercise(
        name="never_stops",
        title="Patient 1: it answers well, and never stops",
        topic="patients",
        lesson=31,
        module=f"{ROOM}.never_stops",
        targets=("labels_of",),
        difficulty=2,
        minutes=20,
        after=("learnt_tokens",),
        hints=(
            "`python -m lessons clinic --patient never_stops` shows the lines of the sick run, and what was measured. Which tokens "
            "should carry loss, and which do?",
            "Padding and end are the same token. Whoever masks by the token's id masks every end as well. What else says where "
            "the padding is?",
            "A place is learnt where attention_mask is 1 and its column is answer_from or later; torch.arange gives the columns. "
            "torch.where(learnt, input_ids, IGNORED).",
        ),
        wrong=(
            Wrong(
                f"learnt = {LEARNT}",
                "learnt = (input_ids != 2) & (columns >= answer_from[:, None])",
                "the end carries no loss",
            ),
            Wrong(LEARNT, "(attention_mask == 1)", "the prompt carries loss"),
            Wrong(LEARNT, "(columns >= answer_from[:, None])", "padding carries loss"),
            Wrong("columns >= answer_from", "columns > answer_from", "the first token of the answer"),
            Wrong(
                "return torch.where(learnt, input_ids, IGNORED)",
                "return torch.where(learnt, input_ids, IGNORED).roll(-1, 1)",
                "the model shifts the labels by itself",
            ),
            Wrong(
                "return torch.where(learnt, input_ids, IGNORED)",
                "return input_ids.masked_fill_(~learnt, IGNORED)",
                "input_ids was written into",
            ),
            Wrong("input_ids, IGNORED)", "input_ids, 0)", "-100"),
        ),
    ),
    Exercise(
        name="exported_model",
        title="Patient 2: the exported model is another one",
        topic="patients",
        lesson=31,
        module=f"{ROOM}.exported_model",
        targets=("times_merged", "merged_once"),
        difficulty=3,
        minutes=25,
        after=("lora",),
        hints=(
            "Between base and export something was added, and ΔW is known. Measure first: how much of ΔW is in the difference?",
            "The k that leaves the smallest rest in now - before ≈ k ΔW is ⟨now - before, ΔW⟩ / ⟨ΔW, ΔW⟩. One k for all matrices: "
            "sum both products over the paths of `update`, then divide.",
            "merged_once: the export holds k ΔW and should hold 1 ΔW. Add what is lacking, (1 - k) ΔW, to new matrices; the "
            "others go along as they are.",
        ),
        wrong=(
            Wrong(f"return {K}", "return 1.0", "merged 1 times"),
            Wrong("(now[path] - before[path]) * delta", "now[path] * delta", "the base is in it"),
            Wrong("/ length\n", "/ length**0.5\n", "the square root"),
            Wrong("matrix + (1 - times) * update[path]", "matrix - times * update[path]", "the base is left"),
            Wrong("matrix + (1 - times) * update[path]", "matrix + update[path]", "once more"),
            Wrong(
                "matrix + (1 - times) * update[path] if path in update else matrix for path, matrix in now.items()",
                "now[path].add_((1 - times) * delta) for path, delta in update.items()",
                "matrices are missing",
            ),
            Wrong(
                "matrix + (1 - times) * update[path] if",
                "matrix.add_((1 - times) * update[path]) if",
                "was written into",
            ),
            Wrong("if length == 0:", "if False:", "refused"),
        ),
    ),
    Exercise(
        name="silent_adapter",
        title="Patient 3: loaded without an error, and the base answers",
        topic="patients",
        lesson=31,
        module=f"{ROOM}.silent_adapter",
        targets=("renamed",),
        difficulty=3,
        minutes=25,
        after=("lora_start",),
        hints=(
            "Print three names of the file beside three names of the model. How many of the file's names does the model know? "
            "load_state_dict(strict=False) skips the others without a word.",
            "What stands in front and between differs from file to file. stands_in(wanted.split('.'), saved.split('.')) asks only "
            "whether all parts are there in their order.",
            "For each saved name, collect the wanted names that fit. Exactly one must, and it must be free; otherwise ValueError. "
            "At the end no wanted name may be left.",
        ),
        wrong=(
            Wrong(
                'fitting = [each for each in wanted if stands_in(each.split("."), name.split("."))]',
                "fitting = [each for each in wanted if each == name]",
                "ValueError",
            ),
            Wrong(
                'fitting = [each for each in wanted if stands_in(each.split("."), name.split("."))]',
                "fitting = [each for each in wanted if name.endswith(each)]",
                "ValueError",
            ),
            Wrong(
                'stands_in(each.split("."), name.split("."))',
                'stands_in(name.split("."), each.split("."))',
                "ValueError",
            ),
            Wrong("if len(fitting) != 1 or fitting[0] in found:", "if len(fitting) != 1:", "two saved names"),
            Wrong(
                "if len(fitting) != 1 or fitting[0] in found:\n            raise ValueError"
                '(f"{name} fits {len(fitting)} names, or one that has a tensor already")',
                "if not fitting or fitting[0] in found:\n            continue",
                "refused",
            ),
            Wrong(
                "if missing := [name for name in wanted if name not in found]:", "if missing := []:", "has no tensor"
            ),
            Wrong("return found", "return dict(saved)", "the model's names"),
        ),
    ),
    Exercise(
        name="standing_loss",
        title="Patient 4: the loss stays where it is",
        topic="patients",
        lesson=31,
        module=f"{ROOM}.standing_loss",
        targets=("revived",),
        difficulty=2,
        minutes=20,
        after=("trainable_numbers", "parameter_groups"),
        hints=(
            "`python -m lessons clinic --patient standing_loss --diagnose` asks `diagnose`. Look with several `--seed`s: there are two ways "
            "in which this patient can be sick, and the repair must help against both.",
            "Two questions decide: which parameters have requires_grad, and which ones does the optimizer hold? The adapter's, in "
            "both cases, and only they.",
            "Set requires_grad of every named parameter by `name in own`. Then build a new optimizer: "
            "type(optimizer)(trainable, **optimizer.defaults).",
        ),
        wrong=(
            Wrong("parameter.requires_grad_(name in own)", "pass", "trainable"),
            Wrong("parameter.requires_grad_(name in own)", "parameter.requires_grad_(True)", "the base is trainable"),
            Wrong("parameter.requires_grad_(name in own)", "parameter.requires_grad_(name not in own)", "trainable"),
            Wrong("return type(optimizer)(trained, **optimizer.defaults)", "return optimizer", "holds"),
            Wrong(
                "return type(optimizer)(trained, **optimizer.defaults)",
                'optimizer.add_param_group({"params": trained})\n    return optimizer',
                "tensors of the base",
            ),
            Wrong("(trained, **optimizer.defaults)", "(trained, lr=0.001)", "settings"),
            Wrong("(trained, **optimizer.defaults)", "(model.parameters(), **optimizer.defaults)", "of the base"),
        ),
    ),
    Exercise(
        name="small_batches",
        title="Patient 5: three small batches are not the large one",
        topic="patients",
        lesson=31,
        module=f"{ROOM}.small_batches",
        targets=("accumulated",),
        difficulty=3,
        minutes=25,
        after=("accumulation",),
        hints=(
            "The sick run takes the mean of each batch, and the mean of the means. For which batches is that the mean over all "
            "tokens? What does a batch of one token do?",
            "The number of all tokens that are asked must be known before the first backward(). The labels say it, without any model.",
            "loss = losses(batch).sum() / tokens for each batch, backward() at once, and the sum of loss.detach(). No tokens at "
            "all: ValueError.",
        ),
        wrong=(
            Wrong(
                "losses(batch).sum() / tokens",
                'losses(batch).sum() / (batch["labels"] != IGNORED).sum().clamp(min=1) / len(batches)',
                "mean of means",
            ),
            Wrong(
                "losses(batch).sum() / tokens",
                "losses(batch).mean() / len(batches)",
                "divided by its own places",
            ),
            Wrong("losses(batch).sum() / tokens", "losses(batch).sum()", "is not divided"),
            Wrong(
                '(batch["labels"] != IGNORED).sum()', 'batch["labels"].numel()', "places without a label are counted"
            ),
            Wrong("        loss.backward()\n", "", "no gradient"),
            Wrong(
                "        loss.backward()\n        total = total + loss.detach()\n    return total",
                "        total = total + loss\n    total.backward()\n    return total.detach()",
                "graphs",
            ),
            Wrong("loss.detach()", "loss", "graph"),
            Wrong("if tokens == 0:", "if False:", "refused"),
        ),
    ),
    Exercise(
        name="four_bit_merge",
        title="Patient 6: merged, and worse than in training",
        topic="patients",
        lesson=31,
        module=f"{ROOM}.four_bit_merge",
        targets=("rest", "merged"),
        difficulty=3,
        minutes=20,
        after=("qlora",),
        hints=(
            "Beside which matrices was the update learnt? Beside those that the model computed with in training. Are they the ones "
            "that it was written into?",
            "In training stood Ŵ + ΔW, with Ŵ = dequantize_4bit(...). The export holds W + ΔW; what is left over is W - Ŵ, the "
            "rounding. rest() measures its length by that of the update, over all matrices together.",
            "Sum the squares of exported - Ŵ - ΔW over the paths of `update`, those of ΔW too; divide, and take the root once. "
            "merged() gives Ŵ + ΔW, and Ŵ where there is no update.",
        ),
        wrong=(
            Wrong(" - delta)", ")", "the update itself is counted"),
            Wrong(" ** 0.5", "", "the root"),
            Wrong(
                "exported[path] - dequantize_4bit(quantized[path]) - delta",
                "exported[path] - dequantize_4bit(quantized[path]) + delta",
                "the update",
            ),
            Wrong("matrix + update[path] if path in update else matrix", "matrix", "the update is missing"),
            Wrong(
                "matrix + update[path] if path in update else matrix for path, matrix in matrices.items()",
                "matrices[path] + update[path] for path in update",
                "matrices are missing",
            ),
            Wrong("matrix + update[path] if", "matrix + 2 * update[path] if", "twice"),
            Wrong("matrix + update[path] if", "(matrix + update[path]).bfloat16() if", "dtype"),
        ),
    ),
]
