"""Keeping a policy or a reward model: the adapter's folder as `peft` writes it, and the heads beside it.

folder/adapter_config.json, adapter_model.safetensors       the adapter (or config.json, model.safetensors: a whole model)
folder/value_head.safetensors                               the value head of a policy
folder/reward_head.safetensors                              the reward head, its gain and its shift
"""

from pathlib import Path

from torch import nn

from peft import PeftModel
from rlhf.heads import ScalarHead, value_head
from rlhf.reward_model import RewardModel
from transformer import Transformer, load_model, save_model
from transformer.learning.checkpoint import load_state
from transformer.learning.formats import read_tensors, write_tensors

VALUE, REWARD = "value_head.safetensors", "reward_head.safetensors"


def save_policy(policy: PeftModel, folder: str | Path, head: ScalarHead | None = None) -> None:
    """Writes the adapter, and the value head beside it if there is one. Raises ValueError as `require_default` does."""
    require_default(policy)
    policy.save_pretrained(folder)
    if head is not None:
        write_tensors(Path(folder) / VALUE, head.state_dict())


def load_policy(base: nn.Module, folder: str | Path, is_trainable: bool = False) -> tuple[PeftModel, ScalarHead | None]:
    """The policy on its base, and its value head if one was saved. Raises ValueError for files that do not fit."""
    policy = PeftModel.from_pretrained(base, folder, is_trainable=is_trainable)
    path = Path(folder) / VALUE
    if not path.is_file():
        return policy, None
    tensors = read_tensors(path)[0]
    kind = next((tensor.dtype for tensor in tensors.values()), None)
    head = value_head(policy.config.d_model).to(next(policy.parameters()).device, kind)
    load_state(head, tensors, path)
    return policy, head


def save_reward_model(model: RewardModel, folder: str | Path) -> None:
    """Writes the head, and of the base its adapter, or all of it where it has none.

    Raises ValueError as `require_default` does.
    """
    if isinstance(model.base, PeftModel):
        require_default(model.base)
        model.base.save_pretrained(folder)
    else:
        save_model(model.base, folder)
    write_tensors(Path(folder) / REWARD, model.head.state_dict())


def require_default(model: PeftModel) -> None:
    """Raises ValueError where no adapter is called "default": others get folders of their own, away from the head."""
    if "default" not in model.adapters:
        raise ValueError(
            f'the folder would hold a head and no adapter, as none of {", ".join(model.adapters)} is called "default": '
            "make the adapter without an adapter_name"
        )


def load_reward_model(folder: str | Path, base: Transformer | None = None) -> RewardModel:
    """The reward model in evaluation mode. `base` is needed where the folder holds an adapter only.

    Raises ValueError where it is missing, and for files that do not fit.
    """
    folder = Path(folder)
    if not (folder / "adapter_config.json").is_file():
        model = RewardModel(load_model(folder))
    elif base is None:
        raise ValueError(f"{folder} holds an adapter: pass the base that it was trained on")
    else:
        model = RewardModel(PeftModel.from_pretrained(base, folder))
    load_state(model.head, read_tensors(folder / REWARD)[0], folder / REWARD)
    return model
