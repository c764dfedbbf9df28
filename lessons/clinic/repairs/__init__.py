"""Six repairs, the answers to lesson 31's exercises: one file for each patient of patients/, under the same name."""
