"""One style for every figure and page of the course, and what they share: names beside points, mean ± sd, grids, bars.

Read in this order: style, families, labels, means, grids, page, progress.
"""
