"""Whether this installation is whole, and whether `peft` is ours."""
