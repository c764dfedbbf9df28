"""Every technique on a language model, one table: row (in a process of its own), command. The rest is lessons/compare's."""
