"""The exercises checked against themselves: stub, solution, hints and every wrong solution."""
