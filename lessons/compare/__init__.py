"""The main job: one base, many fine-tunings, one table. `command` runs it; a row, a report, a page.

Read in this order: row, processes, report, figures, clouds, page, command; beside them search, amounts, readme_table.
"""
