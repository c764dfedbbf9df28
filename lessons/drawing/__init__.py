"""One style for every figure and page of the course."""
