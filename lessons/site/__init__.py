"""The course as a site that opens from disk, made with Sphinx from what is there: notebooks, sources, results, glossary.

command     make site: writes the pages, then calls Sphinx
links       where a link of a notebook leads on the site
notebooks   an executed notebook → a page
beside      a source file with its text beside its lines
ways        where a function leads: its lesson, its exercise, its test
pages       the front page, results, exercises, glossary, the teacher's guide, the API
clinic      the clinic's table
sphinx/     Sphinx's settings, formulas as MathML, docstrings as text, style
"""
