"""Patient: it answers well, and never stops."""

import torch
from jaxtyping import Int
from torch import Tensor

from lessons.clinic.reading import IGNORED


def labels_of(
    input_ids: Int[Tensor, "batch time"], attention_mask: Int[Tensor, "batch time"], answer_from: Int[Tensor, "batch"]
) -> Int[Tensor, "batch time"]:
    """The labels of a batch of texts: the token itself where it is to be learnt, -100 everywhere else.

    A row is a prompt, its answer, the end and padding. End and padding are one token here, and padding stands on the
    left or on the right.

    `attention_mask`   1 where a token is real, 0 where it is padding
    `answer_from`      the column at which each row's answer begins

    What is measured after the repair: every answer carries loss, with its end. No prompt does, and no padding. The model
    shifts the labels by itself. `input_ids` stays as it is.
    """
    columns = torch.arange(input_ids.shape[1], device=input_ids.device)
    learnt = (attention_mask == 1) & (columns >= answer_from[:, None])
    return torch.where(learnt, input_ids, IGNORED)
