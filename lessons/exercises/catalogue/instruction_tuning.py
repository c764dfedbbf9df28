"""Lesson 30: instruction tuning."""

from lessons.exercises.exercise import Exercise, Wrong

SHIFT = "before[:, :-1] = learnt[:, 1:]"
DIVIDED = "loss = summed / tokens"
KEPT = "losses.append(loss.detach())"
MARKED = "mask += [is_answer] * len(found)"
CLIP = "torch.nn.utils.clip_grad_norm_"

EXERCISES = [
    Exercise(
        name="encoded_parts",
        title="From the template's text to ids and an answer mask",
        topic="conversations",
        lesson=30,
        module="transformer.learning.answer_mask",
        targets=("encode_parts",),
        difficulty=1,
        minutes=10,
        hints=(
            "The template has cut the conversation already: each part is an answer as a whole, or not at all. How many truths "
            "does a part's mask need?",
            "Encode part after part with add_special_tokens=False, and put the ids behind one another.",
            "A part of n ids adds n times its own truth to the mask: [is_answer] * len(found).",
        ),
        wrong=(
            Wrong(
                "for text, is_answer in parts:",
                'for text, is_answer in [("".join(text for text, _ in parts), True)]:',
                "the text is cut as a whole",
            ),
            Wrong(
                ", add_special_tokens=False).ids\n", ").ids\n", "the tokenizer put a special token in front of a part"
            ),
            Wrong(MARKED, "mask += [is_answer] * len(text)", "the mask has one truth for each character"),
            Wrong(MARKED, "mask += [is_answer]", "the mask has one truth for each part"),
            Wrong(MARKED, "mask += [not is_answer] * len(found)", "the mask is the other way round"),
            Wrong(MARKED, "mask += [True] * len(found)", "everything is learnt, the prompt too"),
            Wrong(
                MARKED,
                "mask += [is_answer and id != found[-1] for id in found]",
                "the token that ends an answer is not learnt",
            ),
            Wrong("return ids, mask", "return ids, mask[1:] + [False]", "one place too early"),
            Wrong("return ids, mask", "return ids, [False, *mask[:-1]]", "one place too late"),
            Wrong(
                MARKED,
                "mask = [False] * len(mask) + [is_answer] * len(found) if is_answer else mask + [False] * len(found)",
                "only the last answer is learnt",
            ),
        ),
    ),
    Exercise(
        name="learnt_tokens",
        title="The loss is taken on the answer alone",
        topic="training",
        lesson=30,
        module="transformer.learning.texts",
        targets=("text_batch",),
        difficulty=3,
        minutes=25,
        after=("collate", "encoded_parts"),
        harmless=(  # a text with a learnt token has two tokens at least
            "documents = torch.stack([filled(row, source.shape[1], row[(-2)] + 1) for row in numbers])",
            "documents = torch.stack([filled(row, source.shape[1], row[-(2)] + 1) for row in numbers])",
        ),
        hints=(
            "A token is predicted at the place before it. Which places does the loss need, and which tokens are right there?",
            "`pad` makes the matrix of ids, `filled` a row of marks: fill `learnt` up with False, and the numbers of the texts "
            "with one more than the last.",
            "before[:, t] = learnt[:, t + 1]; the labels are source[learnt] with an axis of 1 in front.",
        ),
        wrong=(
            Wrong(SHIFT, "before = learnt", "the learnt tokens themselves"),
            Wrong(SHIFT, "before[:, 1:] = learnt[:, :-1]", "the places after the learnt tokens"),
            Wrong(SHIFT, "before[:, :-1] = True", "every place"),
            Wrong("source[learnt][None]", "source[before][None]", "the tokens before the learnt ones"),
            Wrong("source[learnt][None]", "source[learnt]", "shape"),
            Wrong(".bool()", ".bool() & (source != pad_id)", "a learnt token with the padding's id is left out"),
            Wrong("row[-1] + 1", "row[-1]", "padding belongs to the last text"),
            Wrong("if any(len(row) > 1 for row in rows):", "if True:", "None"),
        ),
    ),
    Exercise(
        name="accumulation",
        title="A step in parts is the step of the whole batch",
        topic="steps",
        lesson=30,
        module="transformer.learning.step",
        targets=("one_step",),
        difficulty=3,
        minutes=25,
        after=("label_smoothed_cross_entropy",),
        harmless=("step = 1  # an argument that is not looked at",),  # for the error's words alone
        hints=(
            "A sum of gradients is the gradient of the sum. By what must each part's sum of losses be divided, so that the "
            "parts add up to the mean over all tokens of the step?",
            "`summed_losses` gives the parts' sums, one by one: divide each by `tokens`, call backward(), and keep the number "
            "without its graph. backward() adds to what is in `.grad`, so that must be empty at the start.",
            "After all parts: clip_grad_norm_ over the parameters of all groups of the optimizer gives the norm; check_finite "
            "looks at it and at the sum of the losses; then optimizer.step(), once.",
        ),
        wrong=(
            Wrong(
                DIVIDED,
                "loss = summed / (parts[len(losses)].labels != pad_id).sum() / len(parts)",
                "it is the mean of the parts' means",
            ),
            Wrong(DIVIDED, "loss = summed / len(parts)", "it is divided by the number of parts"),
            Wrong(DIVIDED, "loss = summed / tokens / len(parts)", "by the number of tokens and of parts"),
            Wrong(DIVIDED, "loss = summed", "it is the sum over all tokens"),
            Wrong(
                DIVIDED,
                "loss = summed / sum(part.labels.numel() for part in parts)",
                "padding is counted among the tokens",
            ),
            Wrong(DIVIDED, f"optimizer.zero_grad()\n        {DIVIDED}", "only the last part counts"),
            Wrong("optimizer.zero_grad(set_to_none=True)", "pass", "what an earlier step left in the gradients"),
            Wrong(KEPT, "losses.append(loss)", "carries a graph"),
            Wrong(
                f"loss.backward()\n        {KEPT}\n    loss = torch.stack(losses).sum()",
                "losses.append(loss)\n    loss = torch.stack(losses).sum()\n    loss.backward()",
                "graphs were alive at once",
            ),
            Wrong(KEPT, f"{KEPT}\n        optimizer.step()", "the weights change once, after all parts"),
            Wrong(
                KEPT,
                f"{KEPT}\n        {CLIP}(network.parameters(), config.clip_norm)",
                "the gradient is clipped after each part",
            ),
            Wrong(f"{CLIP}(parameters, config.clip_norm)", "loss", "the gradient is not clipped"),
            Wrong("torch.stack(losses).sum()", "losses[-1]", "only the last part counts"),
            Wrong("check_finite(step, loss, norm)", "pass", "refused"),
            Wrong(
                "check_finite(step, loss, norm)\n    optimizer.step()",
                "optimizer.step()\n    check_finite(step, loss, norm)",
                "before the loss was looked at",
            ),
            Wrong("check_finite(step, loss, norm)", "check_finite(step, loss, loss)", "refused"),
            Wrong("starts, idle)", "starts)", "the last part is idle"),
        ),
    ),
]
