"""The course: lessons, exercises, the real data of the pronunciation task and the commands that run them."""
