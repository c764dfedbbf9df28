"""Lesson 25: PPO."""

from lessons.exercises.exercise import Exercise, Wrong

EXERCISES = [
    Exercise(
        name="kl_estimate",
        title="How far has the policy moved?",
        topic="preferences",
        lesson=25,
        module="rlhf.kl",
        targets=("kl_estimate",),
        difficulty=2,
        minutes=15,
        hints=(
            "Everything is made of log r = log ref(y) - log π(y). k1 = -log r, k2 = (log r)² / 2, k3 = r - 1 - log r.",
            "r - 1 for r near 1 loses all its digits: torch.expm1(log r) keeps them. An unknown kind is a ValueError.",
        ),
        wrong=(
            Wrong(
                "reference_log_probs - log_probs",
                "log_probs - reference_log_probs",
                "policy and reference have changed places",
            ),
            Wrong("0.5 * log_ratio.square()", "log_ratio.square()", "the ½ is missing"),
            Wrong("torch.expm1(log_ratio) - log_ratio", "torch.exp(log_ratio) - log_ratio", "the - 1 is missing"),
            Wrong("torch.expm1(log_ratio) - log_ratio", "torch.expm1(log_ratio)", "the -log r is missing"),
            Wrong("torch.expm1(log_ratio) - log_ratio", "torch.exp(log_ratio) - 1 - log_ratio", "use expm1"),
            Wrong("kind not in get_args(Estimator)", "False", "an unknown kind is refused"),
        ),
    ),
    Exercise(
        name="adaptive_kl",
        title="Who sets the price of moving away",
        topic="preferences",
        lesson=25,
        module="rlhf.kl",
        targets=("AdaptiveKLController.update",),
        difficulty=2,
        minutes=15,
        after=("kl_estimate",),
        hints=(
            "The error is KL / target - 1, clipped to ±0.2: positive when the policy is too far, and then the price rises.",
            "β ← β (1 + error · steps / horizon). A divergence that is NaN or infinite is a ValueError, and so are steps outside "
            "of 0 to five horizons.",
        ),
        wrong=(
            Wrong("min(max(kl / self.target - 1.0, -0.2), 0.2)", "kl / self.target - 1.0", "the error is not clipped"),
            Wrong("1.0 + error", "1.0 - error", "it moves the other way"),
            Wrong("error * steps / self.horizon", "error * self.horizon / steps", "value: "),
            Wrong("kl / self.target - 1.0", "kl - self.target", "value: "),
            Wrong("if not math.isfinite(kl):", "if False:", "a divergence that is no number is refused"),
            Wrong("if not 0 < steps < 5 * self.horizon:", "if False:", "impossible steps are refused"),
        ),
    ),
    Exercise(
        name="token_rewards",
        title="A price for every token, a score for the last one",
        topic="policy",
        lesson=25,
        module="rlhf.advantages",
        targets=("token_rewards",),
        difficulty=2,
        minutes=15,
        after=("kl_estimate",),
        hints=(
            "Each real token pays β · k1. The response's score is added at its last real token, wherever that stands.",
            "only_real(values, mask) is 0 on padding; last_token(mask) says where each row ends.",
            "rewards.scatter_add(1, last_token(mask)[:, None], scores[:, None]).",
        ),
        wrong=(
            Wrong("-beta * kl", "beta * kl", "the price is added"),
            Wrong("-beta * kl", "-kl", "value: the rewards"),
            Wrong(
                "last_token(mask)[:, None]", "0 * last_token(mask)[:, None] + mask.shape[1] - 1", "on the last column"
            ),
            Wrong(
                'only_real(-beta * kl_estimate(log_probs, reference_log_probs, "k1"), mask)',
                '-beta * kl_estimate(log_probs, reference_log_probs, "k1")',
                "padding pays too",
            ),
            Wrong(
                "return rewards.scatter_add(1, last_token(mask)[:, None], scores[:, None].to(rewards.dtype))",
                "return rewards",
                "the score is missing",
            ),
        ),
    ),
    Exercise(
        name="gae",
        title="How much better than expected was each token?",
        topic="policy",
        lesson=25,
        module="rlhf.advantages",
        targets=("gae",),
        difficulty=3,
        minutes=30,
        after=("token_rewards",),
        hints=(
            "δ_t = R_t + γ V_{t+1} - V_t, and A_t = δ_t + γ λ A_{t+1}: go from the last position to the first.",
            "Behind the end V is 0. Rewards and values on padding are cut out first (only_real).",
            "On padding the recursion starts anew: advantage = torch.where(mask[:, t], δ + γ λ · advantage, 0). returns = A + V, "
            "with the values that are 0 on padding.",
        ),
        wrong=(
            Wrong("gamma * lam * advantage", "gamma * advantage", "λ is not used"),
            Wrong("delta + gamma * lam * advantage", "delta", "only δ is there"),
            Wrong("rewards[:, t] + gamma * next_value - values[:, t]", "rewards[:, t]", "the values are not used"),
            Wrong("reversed(range(values.shape[1]))", "range(values.shape[1])", "value: the advantages"),
            Wrong("return advantages, advantages + values", "return advantages, advantages", "the value is not added"),
            Wrong(
                "rewards[:, t] + gamma * next_value - values[:, t]",
                "rewards[:, t] - gamma * next_value + values[:, t]",
                "value: the advantages",
            ),
            Wrong(
                "rewards, values = only_real(rewards, mask), only_real(values, mask)", "pass", "value: the advantages"
            ),
        ),
        harmless=("advantage = next_value = torch.zeros_like(values[:, (1)])",),
    ),
    Exercise(
        name="whiten",
        title="Mean 0 and deviation 1 over the real tokens",
        topic="policy",
        lesson=25,
        module="rlhf.advantages",
        targets=("whiten",),
        difficulty=2,
        minutes=15,
        hints=(
            "Mean and variance over the real tokens only: masked_mean. The variance is the biased one.",
            "(values - mean) · rsqrt(variance + 1e-8); with shift_mean False the mean is added back; padding is 0 in the end.",
        ),
        wrong=(
            Wrong("mean = masked_mean(values, mask)", "mean = values.mean()", "value: the output"),
            Wrong("torch.rsqrt(variance + 1e-8)", "1 / (variance + 1e-8)", "by the variance, not by its root"),
            Wrong("whitened if shift_mean else whitened + mean", "whitened", "the mean is not added back"),
            Wrong("whitened if shift_mean else whitened + mean", "whitened + mean", "the mean is added back"),
            Wrong(
                "return only_real(whitened if shift_mean else whitened + mean, mask)",
                "return whitened if shift_mean else whitened + mean",
                "right only where nothing is masked",
            ),
            Wrong(
                "variance = masked_mean((values - mean).square(), mask)",
                "variance = values[mask].var()",
                "the variance is the unbiased one",
            ),
        ),
        harmless=("whitened = (values - mean) * torch.rsqrt(variance + (2e-08))",),
    ),
    Exercise(
        name="ppo_policy_loss",
        title="A step, but not too far",
        topic="policy",
        lesson=25,
        module="rlhf.ppo_loss",
        targets=("ppo_policy_loss", "clipped_surrogate"),
        difficulty=3,
        minutes=25,
        after=("gae",),
        hints=(
            "ratio = π / π_old: the exponential of the difference of the log-probabilities. Each token takes the worse of two cases.",
            "A loss is minimized, so the worse case is the larger of -A · ratio and -A · clip(ratio, 1 - ε, 1 + ε): torch.maximum.",
            "Padding is cut out with only_real before exp (a NaN times 0 is NaN); the loss is masked_mean over the real tokens.",
        ),
        wrong=(
            Wrong("torch.maximum(-gain", "torch.minimum(-gain", "the better of the two cases is taken"),
            Wrong("ratio.clamp(1.0 - clip, 1.0 + clip)", "ratio", "the ratio is not clipped"),
            Wrong(
                "torch.maximum(-gain * ratio, -gain * ratio.clamp(1.0 - clip, 1.0 + clip))",
                "-gain * ratio.clamp(1.0 - clip, 1.0 + clip)",
                "only the clipped case is taken",
            ),
            Wrong(
                "only_real(log_probs - old_log_probs, mask).exp()",
                "only_real(log_probs - old_log_probs, mask)",
                "value: the surrogate",
            ),
            Wrong(
                "torch.maximum(-gain * ratio, -gain * ratio.clamp(1.0 - clip, 1.0 + clip))",
                "torch.minimum(gain * ratio, gain * ratio.clamp(1.0 - clip, 1.0 + clip))",
                "value: the surrogate",
            ),
            Wrong(
                "masked_mean(clipped_surrogate(log_probs, old_log_probs, advantages, mask, clip), mask)",
                "clipped_surrogate(log_probs, old_log_probs, advantages, mask, clip).mean()",
                "padding counts into the mean",
            ),
            Wrong(
                "only_real(log_probs - old_log_probs, mask).exp()",
                "(log_probs - old_log_probs).exp()",
                "padding may hold anything",
            ),
        ),
    ),
    Exercise(
        name="ppo_value_loss",
        title="Values that do not run away either",
        topic="policy",
        lesson=25,
        module="rlhf.ppo_loss",
        targets=("ppo_value_loss",),
        difficulty=2,
        minutes=20,
        after=("ppo_policy_loss",),
        hints=(
            "Two squared errors: of the value, and of a value that has moved by at most clip from the old one. The worse counts.",
            "near = old_values + (values - old_values).clamp(-clip, clip); half the mean of the maximum, over the real tokens.",
        ),
        wrong=(
            Wrong("0.5 * masked_mean", "masked_mean", "the ½ is missing"),
            Wrong("torch.maximum(", "torch.minimum(", "the better of the two cases is taken"),
            Wrong(
                "torch.maximum((values - returns).square(), (near - returns).square())",
                "(values - returns).square()",
                "nothing is clipped",
            ),
            Wrong(
                "torch.maximum((values - returns).square(), (near - returns).square())",
                "(near - returns).square()",
                "only the clipped case is taken",
            ),
            Wrong(
                "old_values + (values - old_values).clamp(-clip, clip)",
                "values.clamp(-clip, clip)",
                "the value itself is clipped",
            ),
            Wrong(
                "values, old_values, returns = (only_real(x, mask) for x in (values, old_values, returns))",
                "pass",
                "padding may hold anything",
            ),
        ),
    ),
]
