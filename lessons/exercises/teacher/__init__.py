"""What a teacher uses. To be read in this order:

release_texts, release        the students' repository, and the folder for Gradescope
submissions, grade, tables    who handed in, the grades of a class, and what is written of them
commands                      what is typed
"""
