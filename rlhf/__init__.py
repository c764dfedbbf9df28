"""Learning from preferences: a reward model, and three ways to follow it without leaving what one knows.

Read in this order: masked, kl, responses, heads, preferences, reward_model, config, run, reward_training, rollout, answers,
advantages, ppo_loss, ppo_config, ppo_epochs, ppo, dpo_loss, dpo, grpo_loss, grpo, saving.
"""

from rlhf.advantages import gae, token_rewards, whiten
from rlhf.dpo import DPOConfig, dpo, response_log_prob
from rlhf.dpo_loss import dpo_loss, ipo_loss
from rlhf.grpo import GRPOConfig, grpo
from rlhf.grpo_loss import grpo_advantages, grpo_loss
from rlhf.heads import ScalarHead, value_head
from rlhf.kl import AdaptiveKLController, FixedKLController, kl_estimate
from rlhf.masked import masked_mean
from rlhf.ppo import ppo
from rlhf.ppo_config import PPOConfig
from rlhf.ppo_loss import ppo_policy_loss, ppo_value_loss
from rlhf.preferences import Preferences, append_preference, collate_preferences, read_preferences
from rlhf.reward_model import RewardModel, preference_loss
from rlhf.reward_training import RewardConfig, margins, train_reward_model
from rlhf.rollout import Rollout, reference, roll_out
from rlhf.saving import load_policy, load_reward_model, save_policy, save_reward_model

__all__ = [
    "AdaptiveKLController",
    "DPOConfig",
    "FixedKLController",
    "GRPOConfig",
    "PPOConfig",
    "Preferences",
    "RewardConfig",
    "RewardModel",
    "Rollout",
    "ScalarHead",
    "append_preference",
    "collate_preferences",
    "dpo",
    "dpo_loss",
    "gae",
    "grpo",
    "grpo_advantages",
    "grpo_loss",
    "ipo_loss",
    "kl_estimate",
    "load_policy",
    "load_reward_model",
    "margins",
    "masked_mean",
    "ppo",
    "ppo_policy_loss",
    "ppo_value_loss",
    "preference_loss",
    "read_preferences",
    "reference",
    "response_log_prob",
    "roll_out",
    "save_policy",
    "save_reward_model",
    "token_rewards",
    "train_reward_model",
    "value_head",
    "whiten",
]
