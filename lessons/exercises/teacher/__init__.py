"""What a teacher uses: the students' repository, and the grades of a class."""
