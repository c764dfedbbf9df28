"""A joint-sequence baseline on the very same split: the WFST models of phonetisaurus 0.3.0 (x86-64).

pip install phonetisaurus==0.3.0          in an environment of its own
python -m tests.benchmarks.phonetisaurus --program /path/to/phonetisaurus [--accent american]
"""

import argparse
import subprocess
import tempfile
from pathlib import Path

from lessons.task.dictionary import load, tokenize, words
from lessons.task.scoring import score


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", default="phonetisaurus", help="its command line program")
    parser.add_argument("--accent", default="american")
    options = parser.parse_args()
    dictionary, test = load(options.accent), words(options.accent, "test")
    with tempfile.TemporaryDirectory() as folder:
        lexicon, model, asked = (Path(folder) / name for name in ("lexicon.txt", "model.fst", "words.txt"))
        lexicon.write_text(
            "".join(
                f"{word} {' '.join(tokenize(pronunciation))}\n"
                for word in words(options.accent, "train")
                for pronunciation in dictionary[word]
            )
        )
        asked.write_text("\n".join(test) + "\n")
        subprocess.run([options.program, "train", "--model", str(model), str(lexicon)], check=True, capture_output=True)
        command = [options.program, "predict", "--model", str(model), "--nbest", "1", *test]
        answers = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    said = {line.split()[0]: "".join(line.split()[1:]) for line in answers.splitlines() if line.strip()}
    print(f"{len(said)} of {len(test)} words answered; {score({w: said.get(w, '') for w in test}, options.accent)}")


if __name__ == "__main__":
    main()
