"""Wrong solutions that no catalogue holds: what the cards say of mistakes that nobody prepared them for.

.venv/bin/python -m tests.exercises.unseen        prints the share that is named, and what is said of the rest
"""
