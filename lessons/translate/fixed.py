"""The words that pages show beside the lessons' own, by name: the site's, which every language says."""

SITE = {
    "title": "Fine-tuning, by hand",
    "what": "A Transformer and 22 ways to fine-tune it, written by hand: lessons, exercises, and every line of the code.",
    "cover": "Where each technique sits in the Transformer",
    "begin": "Begin with [lesson 1](lessons/01_fine_tuning.md).",
    "see": "[See a fine-tune](see.md): type a word, choose a technique, slide its strength.",
    "measured": "[What each technique costs and gives](results.md), measured.",
    "lessons": "Lessons",
    "look": "To look and to look up",
    "source": "The code beside its text",
    "api": "API",
    "results": "Results",
    "sorts": "Errors in per cent, mean ± standard deviation over the seeds. A click on a column's head sorts.",
    "exercises": "Exercises",
    "started": "Each is started by `python -m lessons start NAME`.",
    "minutes": "{minutes} minutes",
    "see it": "See a fine-tune",
    "alone": "Open it alone",
    "code": "Code",
    "notebook": "Notebook",
    "source file": "Source",
}
