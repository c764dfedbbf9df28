"""A technique of your own: its file, its reference and its tests, to fill in. What is written runs as it is."""
