"""Probes: one function for each exercise, from a seed to named tensors.

The same function runs twice: beside the student's file, and beside the real code in a process that the student's file
cannot see. The seed is drawn after the file is loaded. Whoever wants to be right on it has to compute.
"""
