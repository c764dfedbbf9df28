"""What a student uses. To be read in this order:

workbook                    their folder: files and progress
wording, overviews          a result in words, the course in words
arguments, commands         what is typed: next, start, hint, solution, reset
milestones                  what your code does, under a pass and at the end of a part
file_changes, checking      check, and watch
cells, notebook, notebook_help
                            check, start, hint and next, in a cell
"""
