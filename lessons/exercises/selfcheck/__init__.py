"""The exercises checked against themselves: `mutants` makes wrong solutions, `trials` tries everything, `__main__` reports."""
