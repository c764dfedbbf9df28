"""Grading: a student's file is run apart from everything else, and judged by what it answers."""
