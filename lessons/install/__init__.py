"""Whether this installation is whole (doctor), and whether `peft` is ours or Hugging Face's (own_peft)."""
