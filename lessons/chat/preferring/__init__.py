"""After the supervised adapter: DPO on people's preferences, GRPO on a rule. Read in this order: votes, rule, arms, command."""
