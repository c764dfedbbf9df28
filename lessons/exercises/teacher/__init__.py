"""What a teacher uses. To be read in this order:

release_texts, exam, wheel, release     the students' repository, and the zip file for Gradescope
submissions, archives, downloads        who handed in: folders, zip files, what Moodle and Canvas give
partial, grade                          the grades of a class
lateness, tables, platforms             what is written of them
statistics, similarity                  what the class has understood, and who wrote alike
syllabus, guide                         twelve weeks, and every exercise's usual mistakes
grading, commands                       what is typed
"""
