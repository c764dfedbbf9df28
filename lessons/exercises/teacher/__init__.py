"""What a teacher uses. To be read in this order:

release_texts, release      the students' repository, and the folder for Gradescope
grade                       the grades of a class
commands                    what is typed
"""
