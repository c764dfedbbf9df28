"""Prompt tuning: what stands in front, how it starts, what is saved."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from peft import PeftModel, PromptTuningConfig, get_peft_model
from peft.huggingface.virtual_tokens import task_type
from tests.peft.small import CONFIG, batch, small_base, take_steps
from tests.reference import prompts as reference
from transformer import DecoderOnly, TransformerConfig, generate


def prompted(seed: int = 1, count: int = 7, **changes: object) -> PeftModel:
    base = small_base()
    torch.manual_seed(seed)
    return get_peft_model(base, PromptTuningConfig(num_virtual_tokens=count, **changes)).eval()


def prompt_of(model: PeftModel) -> torch.nn.Parameter:
    return model.adapters["default"].layers["source_input"].prompt_embeddings


def decoder_only() -> DecoderOnly:
    torch.manual_seed(2)
    return DecoderOnly(TransformerConfig(**{**CONFIG.to_dict(), "num_encoder_layers": 0})).eval()


def test_the_prompt_stands_in_front_of_vectors_and_mask() -> None:
    model = prompted()
    source, _ = batch()
    with model.disable_adapter():
        x, mask = model.embed_source(source)
    expected, visible = reference.with_prompt(prompt_of(model).detach().numpy(), x.detach().numpy(), mask.numpy())
    got, got_mask = model.embed_source(source)
    np.testing.assert_array_equal(got.detach().numpy(), expected)
    np.testing.assert_array_equal(got_mask.numpy(), visible)


def test_a_prompt_of_real_words_is_those_words() -> None:
    words = [9, 4, 17]
    model = prompted(count=3, prompt_tuning_init="TEXT", prompt_tuning_init_token_ids=words)
    source, target = batch()
    hard = torch.cat([torch.tensor([words, words]), source], dim=1)
    with model.disable_adapter():
        expected = model(hard, target)
    assert torch.equal(model(source, target), expected)


def test_a_decoder_only_model_reads_its_prompt_as_words_too() -> None:
    words, source = [9, 4, 17], torch.tensor([[0, 0, 6, 8], [7, 12, 5, 11]])
    base = decoder_only()
    model = get_peft_model(
        base, PromptTuningConfig(3, prompt_tuning_init="TEXT", prompt_tuning_init_token_ids=words)
    ).eval()
    alone = torch.tensor([[*words, 6, 8]])
    with model.disable_adapter():
        expected = model(alone)[:, 3:]
    torch.testing.assert_close(model(source)[:1, 2:], expected)
    cached = generate(model, source, 5, num_beams=2)
    assert torch.equal(cached, generate(model, source, 5, num_beams=2, use_cache=False))


def test_it_trains_p_times_d_numbers_and_leaves_the_embeddings_alone() -> None:
    model = prompted()
    assert model.get_nb_trainable_parameters()[0] == 7 * 24
    before = model.source_embedding.weight.detach().clone()
    take_steps(model)
    assert torch.equal(model.source_embedding.weight, before)


def test_random_vectors_have_the_size_of_scaled_words() -> None:
    prompt = prompt_of(prompted(count=40))
    words = CONFIG.d_model**0.5 * small_base().source_embedding.weight
    assert prompt.mean().item() == pytest.approx(0.0, abs=0.1)
    assert prompt.std().item() == pytest.approx(1.0, rel=0.06)
    assert prompt.std().item() == pytest.approx(words.std().item(), rel=0.1)


def test_sampled_vectors_are_scaled_rows_of_the_vocabulary() -> None:
    prompt = prompt_of(prompted(prompt_tuning_init="SAMPLE_VOCAB"))
    words = CONFIG.d_model**0.5 * small_base().source_embedding.weight
    distance = (prompt[:, None] - words).abs().amax(dim=-1).min(dim=1)
    assert distance.values.max() < 1e-6
    assert len(set(distance.indices.tolist())) > 2


@pytest.mark.parametrize(("text", "used"), [([3, 8], [3, 8, 3, 8, 3]), ([1, 2, 3, 4, 5, 6, 7], [1, 2, 3, 4, 5])])
def test_a_text_is_cut_or_repeated_to_length(text: list[int], used: list[int]) -> None:
    prompt = prompt_of(prompted(count=5, prompt_tuning_init="TEXT", prompt_tuning_init_token_ids=text))
    torch.testing.assert_close(prompt.data, CONFIG.d_model**0.5 * small_base().source_embedding.weight[used].detach())


def test_every_vector_is_live() -> None:
    model = prompted(count=3)
    model(*batch()).square().mean().backward()
    assert (prompt_of(model).grad.abs().sum(dim=1) > 0).all()


def test_the_folder_has_the_form_of_hf(tmp_path: Path) -> None:
    model = prompted(prompt_tuning_init="TEXT", prompt_tuning_init_token_ids=[3, 8])
    model.save_pretrained(tmp_path)
    config = json.loads((tmp_path / "adapter_config.json").read_text())
    assert {name: tensor.shape for name, tensor in load_file(tmp_path / "adapter_model.safetensors").items()} == {
        "prompt_embeddings": (7, 24)
    }
    wanted = {"peft_type": "PROMPT_TUNING", "num_virtual_tokens": 7, "token_dim": 24, "num_layers": 2}
    wanted |= {"num_attention_heads": 3, "num_transformer_submodules": 1, "prompt_tuning_init": "RANDOM"}
    wanted |= {"task_type": "SEQ_2_SEQ_LM"}
    assert wanted.items() <= config.items()
    loaded = PeftModel.from_pretrained(small_base(), tmp_path)
    assert torch.equal(loaded(*batch()), model(*batch()))


def test_a_prompt_of_sampled_words_says_so_in_its_folder(tmp_path: Path) -> None:
    model = prompted(prompt_tuning_init="SAMPLE_VOCAB")
    model.save_pretrained(tmp_path)
    loaded = PeftModel.from_pretrained(small_base(), tmp_path)
    assert loaded.peft_config["default"] == model.peft_config["default"]


def test_a_folder_of_hf_that_started_from_a_text_is_read(tmp_path: Path) -> None:
    theirs = {
        "peft_type": "PROMPT_TUNING",
        "num_virtual_tokens": 2,
        "num_transformer_submodules": 1,
        "token_dim": 24,
    }
    theirs |= {"prompt_tuning_init": "TEXT", "prompt_tuning_init_text": "bath", "tokenizer_name_or_path": "letters"}
    theirs |= {"inference_mode": True, "peft_version": "0.21.2", "task_type": "SEQ_2_SEQ_LM", "auto_mapping": None}
    (tmp_path / "adapter_config.json").write_text(json.dumps(theirs))
    rows = torch.randn(2, 24)
    save_file({"prompt_embeddings": rows}, tmp_path / "adapter_model.safetensors")
    assert torch.equal(prompt_of(PeftModel.from_pretrained(small_base(), tmp_path)), rows)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"num_virtual_tokens": 0}, "num_virtual_tokens 0"),
        ({"prompt_tuning_init": "ZEROS"}, "RANDOM, SAMPLE_VOCAB, TEXT"),
        ({"prompt_tuning_init": "TEXT"}, "TEXT needs the ids"),
        ({"prompt_tuning_init_token_ids": [3]}, "take none"),
        ({"num_virtual_tokens": 48}, "48 virtual tokens .* max_length 48"),
        ({"token_dim": 32}, "token_dim 32.*d_model 24"),
        ({"num_transformer_submodules": 2}, "first 20 rows"),
        ({"prompt_tuning_init": "TEXT", "prompt_tuning_init_token_ids": [31]}, "0..30"),
        ({"prompt_tuning_init": "TEXT", "prompt_tuning_init_token_ids": [3, -1]}, "0..30"),
        ({"sites": ("cross",)}, "source_input within the sites cross"),
    ],
)
def test_impossible_settings_are_refused(settings: dict[str, object], message: str) -> None:
    base = small_base()
    with pytest.raises(ValueError, match=message):
        get_peft_model(base, PromptTuningConfig(**settings))
    assert type(base.source_input).__name__ == "SourceInput", "a refused adapter leaves nothing behind"


def test_a_source_that_no_longer_fits_is_refused_with_the_numbers() -> None:
    model = prompted(count=40)
    with pytest.raises(ValueError, match="49 positions; max_length is 48"):
        model.encode(torch.full((1, 9), 5))


@pytest.mark.parametrize(
    ("encoder_layers", "decoder_layers", "name"),
    [(2, 0, "FEATURE_EXTRACTION"), (2, 2, "SEQ_2_SEQ_LM"), (0, 2, "CAUSAL_LM")],
)
def test_hugging_faces_name_for_the_task_follows_from_the_stacks(
    encoder_layers: int, decoder_layers: int, name: str
) -> None:
    assert task_type(encoder_layers, decoder_layers) == name


def test_one_token_is_enough_and_a_text_may_hold_the_first_and_the_last_of_the_vocabulary() -> None:
    assert PromptTuningConfig(num_virtual_tokens=1).num_virtual_tokens == 1
    text = {"prompt_tuning_init": "TEXT", "prompt_tuning_init_token_ids": (0, 30)}
    model = get_peft_model(small_base(), PromptTuningConfig(num_virtual_tokens=2, **text))
    (prompt,) = model.adapters["default"].own_parameters().values()
    torch.testing.assert_close(prompt, 24**0.5 * small_base().source_embedding.weight[[0, 30]])
