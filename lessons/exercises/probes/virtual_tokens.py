"""Probes of lessons 18 to 21."""

import torch
from torch import Tensor

from lessons.exercises.probes.draw import Draw, gradients
from lessons.exercises.probes.models import random_model
from peft.p_tuning import EncodedPromptInput, PromptEncoder
from peft.prefix_tuning import PrefixAttend, PrefixTrunk
from peft.prompt_tuning import PromptInput, PromptTuningConfig, in_front
from transformer.attention import Attend
from transformer.embedding import SourceInput


def prompt_tuning(seed: int) -> dict[str, Tensor]:
    draw = Draw(seed)
    count, d_model, time = draw.size(1, 5), draw.size(2, 7), draw.size(2, 6)
    prompt, x = draw.normal(count, d_model, grad=True), draw.normal(3, time, d_model, grad=True)
    mask = draw.coin(3, 1, 1, time)
    vectors, longer = in_front(prompt, x, mask)
    wrapped, _ = PromptInput(SourceInput(), draw.normal(count, d_model))(x, mask)
    return {"the vectors": vectors, "the mask": longer, "of a layer": wrapped} | gradients(vectors, prompt=prompt, x=x)


def prompt_start(seed: int) -> dict[str, Tensor]:
    draw = Draw(seed)
    model, count = random_model(draw), draw.size(3, 9)
    text = tuple(draw.ids(0, model.config.vocab_size, draw.size(1, 12)).tolist())
    given = PromptTuningConfig(count, prompt_tuning_init="TEXT", prompt_tuning_init_token_ids=text)
    random = PromptTuningConfig(400, prompt_tuning_init="RANDOM").start(model).double()
    sampled = PromptTuningConfig(count, prompt_tuning_init="SAMPLE_VOCAB").start(model)
    rows = model.embedding_scale * model.source_embedding.weight
    distance = (sampled[:, None] - rows[None]).abs().amax(-1).amin(-1)
    return {
        "a text": given.start(model),
        "the distance of sampled rows from the vocabulary": distance,
        "the distance of the spread from 1, in fifths": (random.std() - 1).abs() // 0.2,
    }


def p_tuning(seed: int) -> dict[str, Tensor]:
    draw, found = Draw(seed), {}
    for kind in ("MLP", "LSTM"):
        encoder = PromptEncoder(draw.size(2, 5), draw.size(2, 6), draw.size(2, 5), kind, dropout=0.5)
        draw.fill(encoder)
        layer = EncodedPromptInput(SourceInput(), encoder.train())
        found[f"{kind}: the result"] = encoder.result()
        found[f"{kind}: still in training"] = torch.tensor(encoder.training)
        encoder.eval()
        found[f"{kind}: the prompt"] = layer.prompt()
        found |= {f"{kind}: {n}": g for n, g in gradients(layer.prompt(), embedding=encoder.embedding).items()}
        layer.drop_encoder()
        found |= {f"{kind}: dropped": layer.prompt(), f"{kind}: gone": torch.tensor(layer.encoder is None)}
    return found


def prefix_of(draw: Draw, with_network: bool) -> tuple[PrefixAttend, int, int]:
    heads, d_head, count = draw.size(1, 3), draw.size(1, 4), draw.size(1, 4)
    d_model = heads * d_head
    trunk = PrefixTrunk(count, d_model, draw.size(2, 5)) if with_network else None
    layer = PrefixAttend(Attend(), draw.normal(count, 2 * d_model), trunk, owner=True)
    draw.fill(layer)
    return layer.eval(), heads, d_head


def prefix_tuning(seed: int) -> dict[str, Tensor]:
    draw = Draw(seed)
    layer, heads, d_head = prefix_of(draw, with_network=False)
    time, past = draw.size(1, 5), draw.size(2, 6)
    query, key, value = (draw.normal(2, heads, n, d_head, grad=True) for n in (time, past, past))
    masked = layer(query, key, value, draw.coin(2, 1, 1, past))
    plain = layer(query, key, value)
    along_keys = layer(query, key, value, draw.coin(time, 1))
    found = {"with a mask": masked, "without one": plain, "with one that broadcasts along the keys": along_keys}
    return found | gradients(masked + plain, query=query, key=key, value=value, prefix=layer.prefix)


def prefix_network(seed: int) -> dict[str, Tensor]:
    draw = Draw(seed)
    layer, _, _ = prefix_of(draw, with_network=True)
    direct, _, _ = prefix_of(draw, with_network=False)
    rows = layer.rows()
    found = {"the trunk": layer.trunk(), "[P_K, P_V]": rows, "without a network": direct.rows()}
    return found | gradients(rows, embedding=layer.trunk.embedding)


def p_tuning_v2(seed: int) -> dict[str, Tensor]:
    draw = Draw(seed)
    layer, heads, d_head = prefix_of(draw, with_network=True)
    saved = layer.saved()
    query, key = draw.normal(2, heads, 3, d_head), draw.normal(2, heads, 4, d_head)
    found = {"the saved prefix": saved["prefix"], "before": layer(query, key, key)}
    layer.drop_encoder()
    found |= {"the prefix": layer.prefix, "after": layer(query, key, key)}
    other, _, _ = prefix_of(draw, with_network=True)
    other.load({"prefix": draw.normal(*other.saved()["prefix"].shape)})
    return found | {"a loaded prefix": other.rows()}
