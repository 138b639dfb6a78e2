"""Writes config/evals/<agent>.jsonl: tasks with their expected answers, for the whole product and for evaluate.py.

    python make_evals.py
"""
import json

from generator import JOBS, example
from render import AGENTS, dumps

CASES = 40  # per split
FIRST_SEED = 5_000_000


def case(job, i, split):
    inline = i % 10 in (2, 5, 8)
    made = example(job, FIRST_SEED + i, split, inline=inline, long=i % 20 == 19)
    expected = made["expected"]
    if "json" in expected:
        expected = {"json": json.loads(expected["json"])}
    return {
        "id": f"{job}-{split}-{i:02d}", "split": split,
        "input": inline_input(made) if inline else made["request"] or None,
        "documents": [] if inline else [{"name": f"{split}-{i:02d}.txt", "text": made["text"]}],
        "expected": expected,
    }


def inline_input(made):
    """The user message of the example: all that follows the instructions."""
    return made["segments"][0][0].split("[INST]", 1)[1].split("\n\n", 1)[1].removesuffix("[/INST]")


def main():
    folder = AGENTS.parent / "evals"
    folder.mkdir(exist_ok=True)
    for job in JOBS:
        cases = [case(job, i, split) for split in ("held", "unseen") for i in range(CASES)]
        (folder / f"{job}.jsonl").write_text("".join(dumps(c) + "\n" for c in cases))


if __name__ == "__main__":
    main()
