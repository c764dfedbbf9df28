"""Probes of lessons 18 to 21."""

import torch
from torch import Tensor

from lessons.exercises.probes.draw import Draw, gradients, refusal
from lessons.exercises.probes.models import random_model
from peft.p_tuning import EncodedPromptInput, PromptEncoder
from peft.prefix_tuning import PrefixAttend, PrefixTrunk
from peft.prompt_tuning import PromptInput, PromptTuningConfig, in_front
from transformer.attention import Attend
from transformer.embedding import SourceInput
from transformer.model import Transformer


def prompt_tuning(seed: int) -> dict[str, Tensor]:
    draw = Draw(seed)
    count, time = draw.size(2, 5), draw.size(4, 7)
    d_model = count + draw.size(1, 3)
    prompt, x = draw.normal(count, d_model, grad=True), draw.normal(3, time, d_model, grad=True)
    mask = draw.coin(3, 1, 1, time)
    mask[..., 0], mask[..., -1] = False, False
    vectors, longer = in_front(prompt, x, mask)
    wrapped, masked = PromptInput(Turned(), draw.normal(count, d_model))(x, mask)
    found = {"the vectors": vectors, "the mask": longer, "of a layer": wrapped, "the mask of a layer": masked}
    return found | gradients(vectors, prompt=prompt, x=x)


class Turned(SourceInput):
    """A way in that changes what comes in."""

    def forward(self, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor]:
        return -2.0 * x, ~mask


def prompt_start(seed: int) -> dict[str, Tensor]:
    draw = Draw(seed)
    model, count = random_model(draw), draw.size(3, 9)
    text = tuple(draw.ids(0, model.config.vocab_size, draw.size(1, 12)).tolist())
    found = {}
    for what, ids in {"a text": text, "a longer text": (*text, *range(count)), "a short one": text[:1]}.items():
        found[what] = from_text(count, ids).start(model)
    for wrong in (-1, model.config.vocab_size):
        found[f"the kind of error for the id {wrong}"] = refusal(from_text(count, (0, wrong)).start, model)
    return found | drawn_starts(model)


def from_text(count: int, ids: tuple[int, ...]) -> PromptTuningConfig:
    return PromptTuningConfig(count, prompt_tuning_init="TEXT", prompt_tuning_init_token_ids=ids)


def drawn_starts(model: Transformer) -> dict[str, Tensor]:
    """The spread and the chance of what is drawn; the numbers may be drawn in more than one way."""
    random, again = (PromptTuningConfig(400, prompt_tuning_init="RANDOM").start(model).double() for _ in range(2))
    sampled, others = (PromptTuningConfig(400, prompt_tuning_init="SAMPLE_VOCAB").start(model) for _ in range(2))
    rows = model.embedding_scale * model.source_embedding.weight
    distance, nearest = (sampled[:, None] - rows[None]).abs().amax(-1).min(-1)
    return {
        "the distance of sampled rows from the vocabulary": distance,
        "does the next call sample others": torch.tensor(not torch.equal(sampled, others)),
        "is every token sampled": torch.tensor(len(nearest.unique()) == len(rows)),
        "the distance of the spread from 1, in fifths": (random.std() - 1).abs() // 0.2,
        "the distance of the mean from 0, in fifths": random.mean().abs() // 0.2,
        "does the next call draw others": torch.tensor(not torch.equal(random, again)),
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
        encoder.requires_grad_(kind == "LSTM")
        layer.drop_encoder()
        found |= {f"{kind}: dropped": layer.prompt(), f"{kind}: gone": torch.tensor(layer.encoder is None)}
        found[f"is the kept prompt trained, {kind}"] = torch.tensor(layer.prompt_embeddings.requires_grad)
        layer.drop_encoder()
        found[f"{kind}: dropped once more"] = layer.prompt()
    return found


def prefix_of(draw: Draw, with_network: bool) -> tuple[PrefixAttend, int, int]:
    heads, d_head, count = draw.size(2, 3), draw.size(2, 4), draw.size(1, 4)
    count += count == d_head  # no axis is as long as another by chance
    d_model = heads * d_head
    trunk = PrefixTrunk(count, d_model, draw.size(2, 5)) if with_network else None
    layer = PrefixAttend(Attend(), draw.normal(count, 2 * d_model), trunk, owner=True)
    draw.fill(layer)
    return layer.eval(), heads, d_head


def prefix_tuning(seed: int) -> dict[str, Tensor]:
    draw = Draw(seed)
    layer, heads, d_head = prefix_of(draw, with_network=False)
    time, past = draw.size(1, 4), draw.size(5, 7)
    query, key, value = (draw.normal(2, heads, n, d_head, grad=True) for n in (time, past, past))
    mask = draw.coin(2, 1, 1, past)
    mask[..., 0], mask[..., -1] = False, True  # another one where it is read from the other end
    masked, plain = layer(query, key, value, mask), layer(query, key, value)
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
    frozen, _, _ = prefix_of(draw, with_network=True)
    frozen.requires_grad_(False).drop_encoder()
    saved = layer.saved()
    query, key = draw.normal(2, heads, 3, d_head), draw.normal(2, heads, 4, d_head)
    found = {"the saved prefix": saved["prefix"], "before": layer(query, key, key)}
    found["how much is saved, and does it require a gradient"] = torch.tensor(
        [len(saved), *(tensor.requires_grad for tensor in saved.values())]
    )
    layer.drop_encoder()
    found |= {"the prefix": layer.prefix, "after": layer(query, key, key)}
    found["is the kept prefix trained, are trunk and last gone"] = torch.tensor(
        [layer.prefix.requires_grad, frozen.prefix.requires_grad, layer.trunk is None, layer.last is None]
    )
    kept = layer.prefix
    layer.drop_encoder()
    found["does a second drop change nothing"] = torch.tensor(layer.prefix is kept)
    other, _, _ = prefix_of(draw, with_network=True)
    other.load({"prefix": draw.normal(*other.saved()["prefix"].shape)})
    return found | {"a loaded prefix": other.rows()}
