"""A model in shares: one process alone keeps the whole of each, and all that is done with shares is done."""

from collections.abc import Iterator

import pytest
import torch
import torch.distributed as distributed
from torch import nn
from torch.distributed.fsdp import FSDPModule

from tests.transformer import small
from tests.transformer.reversal import fresh_model, pairs, settings
from transformer import DecoderOnly, TransformerConfig, train
from transformer.learning import shares
from transformer.learning.resume import keep, resume
from transformer.learning.sharding import common, shard
from transformer.learning.shares import gathered, holders_of, is_share, put, shared_like, whole
from transformer.learning.training import parameter_groups
from transformer.stack import Stack

IDS = torch.tensor([[5, 3, 7, 1], [2, 6, 4, 8]])


@pytest.fixture(autouse=True)
def alone() -> Iterator[None]:
    """A group of one process."""
    distributed.init_process_group("gloo", store=distributed.HashStore(), rank=0, world_size=1)
    yield
    distributed.destroy_process_group()


class Beside(nn.Module):
    """A layer, and a part that stands in other layers too."""

    def __init__(self, layer: nn.Module, beside: nn.Module):
        super().__init__()
        self.layer, self.beside = layer, beside

    def forward(self, x, *given, **named):
        return self.layer(x + self.beside(x), *given, **named)


def model(**changes) -> DecoderOnly:
    torch.manual_seed(0)
    sizes = {"vocab_size": 9, "d_model": 8, "num_heads": 2, "num_encoder_layers": 0, "num_decoder_layers": 2, "d_ff": 6}
    return DecoderOnly(TransformerConfig(**sizes, dropout=0.0, max_length=12, **changes))


def with_a_part_in_common() -> DecoderOnly:
    """And with a list of parameters: the first is read by nobody, another by a layer, the last at both ends."""
    made = model()
    beside = nn.Sequential(nn.Linear(8, 3), nn.Linear(3, 8))
    stack = next(module for module in made.modules() if isinstance(module, Stack))
    stack.layers = nn.ModuleList([Beside(layer, beside) for layer in stack.layers])
    read = next(stack.layers[1].parameters()), made.source_embedding.weight
    made.listed = nn.ParameterList([nn.Parameter(torch.ones(2, 2)), *read])
    return made


def learnt(network: nn.Module) -> tuple[float, dict[str, torch.Tensor]]:
    """The loss, and the gradient of every parameter that is read."""
    loss = network(IDS).square().mean()
    loss.backward()
    named = network.named_parameters()
    return loss.item(), {name: whole(p.grad) for name, p in named if p.grad is not None}


@pytest.mark.parametrize("made", [model, lambda: model(tie_embeddings=False), with_a_part_in_common])
def test_a_model_in_shares_has_the_loss_and_the_gradients_of_a_whole_one(made):
    loss, gradients = learnt(made())
    network = made()
    groups = shard(network, parameter_groups(network, 0.1, 0.2))

    found, shared = learnt(network)

    assert found == loss
    assert set(shared) == set(gradients)
    small.assert_equal(shared, gradients)
    assert {id(p) for group in groups for p in group["params"]} == {id(p) for p in network.parameters()}
    assert [(group["lr"], group["weight_decay"]) for group in groups] == [(0.1, 0.2), (0.1, 0.0)]


def test_every_parameter_is_shared_and_a_tied_one_once():
    network = model()
    count = len(list(network.parameters()))

    shard(network, [])

    assert all(is_share(parameter) for parameter in network.parameters())
    assert len(list(network.parameters())) == count
    assert network.state_dict().keys() == model().state_dict().keys()


def test_layers_and_what_they_have_in_common_are_gathered_one_by_one():
    network = with_a_part_in_common()
    layers = next(module for module in network.modules() if isinstance(module, Stack)).layers

    assert common(list(layers)) == [layers[0].beside]

    shard(network, [])

    units = [module for module in network.modules() if isinstance(module, FSDPModule)]
    assert set(units) == {network, *layers, layers[0].beside, network.listed}


def test_what_a_list_alone_holds_is_shared_and_never_gathered():
    network = with_a_part_in_common()
    layers = next(module for module in network.modules() if isinstance(module, Stack)).layers

    shard(network, [])

    assert all(is_share(parameter) for parameter in network.listed)
    network(IDS)
    assert [parameter.shape for parameter in owned(network.listed)] == [(2, 2)]
    assert network.listed[1] is next(layers[1].parameters())
    assert network.listed[2] is network.source_embedding.weight
    assert not {(2, 2)} & {tuple(parameter.shape) for unit in (network, *layers) for parameter in owned(unit)}


def owned(unit: nn.Module) -> list[nn.Parameter]:
    """The parameters that torch gathers with this unit."""
    return [each.sharded_param for each in unit._get_fsdp_state()._fsdp_param_group.fsdp_params]


def test_gathered_it_is_a_model_like_any_other_and_afterwards_in_the_same_shares():
    network, plain = with_a_part_in_common(), with_a_part_in_common()
    first = next(network.parameters()).requires_grad_(False)
    name, listed = (next(n for n, p in network.named_parameters() if p is one) for one in (first, network.listed[1]))
    shard(network, [])
    before = list(network.parameters())
    network(IDS)  # after which what stands in no layer is still gathered
    hooks = [len(module._forward_pre_hooks) for module in network.modules()]

    with gathered(network):
        held = dict(network.named_parameters())
        assert not any(is_share(parameter) for parameter in held.values())
        assert [name for name, parameter in held.items() if not parameter.requires_grad] == [name]
        small.assert_equal(network.state_dict(), plain.state_dict())
        assert torch.equal(network(IDS), plain(IDS))
        assert not any(module._forward_pre_hooks or module._forward_hooks for module in network.modules())
        assert network.listed[1] is held[listed]

    assert [id(parameter) for parameter in network.parameters()] == [id(parameter) for parameter in before]
    assert [len(module._forward_pre_hooks) for module in network.modules()] == hooks
    assert sum(hooks) > 0
    assert torch.equal(network(IDS), plain(IDS))
    assert first.shape == next(network.parameters()).shape


def test_where_another_process_saves_the_model_stays_in_shares(monkeypatch):
    network = model()
    shard(network, [])
    monkeypatch.setattr(shares.distributed, "get_rank", lambda: 1)

    with gathered(network):
        assert all(is_share(parameter) for parameter in network.parameters())


def test_a_tensor_of_the_same_shape_goes_into_the_same_shares():
    network = model()
    parameter = next(iter(network.parameters()))
    plain = torch.arange(parameter.numel(), dtype=torch.float32).reshape(parameter.shape)

    assert shared_like(parameter, plain) is plain
    shard(network, [])
    parameter = next(iter(network.parameters()))
    share = shared_like(parameter, plain)

    assert is_share(share)
    assert share.placements == parameter.placements
    assert torch.equal(whole(share), plain)
    assert shared_like(parameter, torch.tensor(3.0)).item() == 3.0
    assert not is_share(shared_like(parameter, torch.tensor(3.0)))


def test_a_run_in_shares_is_kept_whole_and_goes_on_in_shares(tmp_path):
    network, again = model(), model()
    kept = tmp_path / "run.safetensors"
    optimizer = torch.optim.AdamW(shard(network, parameter_groups(network, 0.1, 0.0)))
    learnt(network)
    optimizer.step()
    keep(network, optimizer, {"a": 1}, [2.0], kept)
    other = torch.optim.AdamW(shard(again, parameter_groups(again, 0.1, 0.0)))

    assert resume(again, other, {"a": 1}, kept) == [2.0]

    for name, parameter in again.named_parameters():
        origin = network.get_parameter(name)
        assert is_share(parameter)
        assert torch.equal(whole(parameter), whole(origin.detach())), name
        for moment in ("exp_avg", "exp_avg_sq"):
            assert is_share(other.state[parameter][moment])
            assert torch.equal(whole(other.state[parameter][moment]), whole(optimizer.state[origin][moment]))
        assert float(other.state[parameter]["step"]) == 1.0


def test_a_parameter_is_exchanged_in_every_module_that_holds_it():
    network = model()
    holders = holders_of(network)
    tied = [parameter for parameter, places in holders.items() if len(places) > 1]
    other = nn.Parameter(torch.zeros_like(tied[0]))

    put(holders, {tied[0]: other})

    assert len(tied) == 1
    assert [getattr(module, name) is other for module, name in holders[tied[0]]] == [True, True]


def test_of_one_process_nothing_is_shared():
    with pytest.raises(ValueError, match="torchrun"):
        train(fresh_model(), pairs(), settings(1), shard=True)
