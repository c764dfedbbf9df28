"""Merged in three ways: in full it is the same, back in four bits it is not, and the model stays as it was."""

import pytest
import torch

from lessons.chat.training.conversations import texts_of
from lessons.chat.training.merged import WAYS, answer_loss, merged_back, merged_losses
from lessons.chat.training.tuning import Q4_1, fine_tune, open_tuned
from quant import Linear4bit, LinearQ4
from tests.lessons.test_chat_command import gguf  # noqa: F401  a fixture
from tests.lessons.test_chat_training import CONVERSATIONS


@pytest.mark.parametrize(("method", "kind"), [("qlora", Linear4bit), (Q4_1, LinearQ4)])
@pytest.mark.filterwarnings("ignore:merg")
def test_each_way_has_its_loss(method, kind, gguf):  # noqa: F811
    chat = open_tuned(method, gguf)
    for module in chat.model.modules():
        if isinstance(module, kind):
            module.compute_dtype = torch.float32
    texts = texts_of(chat, CONVERSATIONS)
    fine_tune(chat, method, texts, 3, 0.02, precision="fp32")

    losses = merged_losses(chat, texts)

    assert tuple(losses) == WAYS
    assert losses["in full"] == pytest.approx(losses["beside"], rel=1e-4)
    assert losses["in 4 bits"] != pytest.approx(losses["in full"], rel=1e-4)
    assert answer_loss(chat, texts) == losses["beside"]
    back = merged_back(chat.model)
    before = sum(isinstance(module, kind) for module in open_tuned(method, gguf).model.modules())
    assert sum(isinstance(module, kind) for module in back.modules()) == before


def test_a_base_in_full_precision_has_no_four_bits_to_go_back_to(gguf):  # noqa: F811
    with pytest.raises(TypeError, match="needs a Linear4bit or LinearQ4 base"):
        merged_back(open_tuned("lora", gguf).model)


def test_a_merge_into_a_tied_output_unties_it(gguf):  # noqa: F811
    """The embedding keeps its numbers, and the model says what it said."""
    chat = open_tuned("lora", gguf, target_modules=["output", "q_proj"])
    assert chat.config.tie_embeddings
    torch.nn.init.normal_(chat.model.base_model.output.layers["default"].lora_B.weight)
    ids = torch.tensor([[5, 9, 4]])
    said, embedding = chat.model(ids), chat.model.base_model.source_embedding.weight.clone()

    merged = chat.model.merge_and_unload()

    torch.testing.assert_close(merged(ids), said, atol=1e-5, rtol=1e-5)
    assert torch.equal(merged.source_embedding.weight, embedding)
    assert not merged.config.tie_embeddings
    assert set(merged.state_dict()) == set(type(merged)(merged.config).state_dict())
