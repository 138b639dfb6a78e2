"""Synthetic tasks for the five agents, deterministic from (job, seed, split).

    python generator.py held 5 --job data-extraction      # prints examples; «…» is what the model has to write
"""
import argparse

from gen import Gen
from jobs import extraction, report, routing, summary, triage

MAKERS = {module.NAME: module.make for module in (extraction, routing, triage, summary, report)}
JOBS = list(MAKERS)
INLINE_SHARE = 0.3  # the rest name a document that a tool reads
LONG_SHARE = 0.12
PARAPHRASE_SHARE = 0.05
PARAPHRASES = {
    "data-extraction": [
        "Extract vendor, document_number, date, currency and total. Read documents with pdf_parser, check the record with "
        "schema_validator, then answer with it as JSON.",
        "You turn invoices, receipts, orders and e-mails into records. Missing fields are null.",
    ],
    "customer-query-routing": [
        "Choose queue and priority of the customer message. Answer in JSON.",
        "You are the front desk: send each message to billing, technical, sales, account, cancellation or other and set the priority.",
    ],
    "code-review-triage": [
        "Rate the pull request: severity and area, as JSON.", "You sort pull requests for the reviewers by severity and area.",
    ],
    "document-summarization": [
        "Summarize the document: title and key sentences, copied exactly.", "Give the title and the important sentences of the text.",
    ],
    "report-generation": [
        "Write a report about the table from the figures of the table tool.",
        "You report the figures of a table: rows, total, mean, highest and lowest, as the tool returns them.",
    ],
}


def example(job, seed, split, inline=None, long=None):
    """-> segments ([text, learn]), text, request, expected, inline."""
    g = Gen(f"{job}/{seed}", split)
    inline = g.p(INLINE_SHARE) if inline is None else inline
    long = g.p(LONG_SHARE) if long is None else long
    out = MAKERS[job](g, inline, long) | {"job": job, "inline": inline}
    if split == "train" and g.p(PARAPHRASE_SHARE):
        first = out["segments"][0]
        head, rest = first[0].split("[INST]", 1)
        _, user = rest.split("\n\n", 1)
        first[0] = f"{head}[INST]{g.any(PARAPHRASES[job])}\n\n{user}"
    return out


def turns(segments):
    """(prompt, expected) for each turn that the model has to write, after the gold history."""
    out, done, current = [], "", ""
    for text, learn in segments:
        if learn or (current and not text.startswith("[TOOL_RESULTS]")):  # a masked id belongs to its call
            current += text
        else:
            if current:
                out.append((done, current))
            done, current = done + current + text, ""
    return out + [(done, current)]


if __name__ == "__main__":
    arguments = argparse.ArgumentParser()
    arguments.add_argument("split", choices=["train", "held", "unseen"])
    arguments.add_argument("count", type=int)
    arguments.add_argument("--job", choices=JOBS)
    arguments.add_argument("--seed", type=int, default=0)
    a = arguments.parse_args()
    for i in range(a.count):
        made = example(a.job or JOBS[i % 5], a.seed + i, a.split)
        print(f"=== {made['job']}\n" + "".join(f"«{text}»" if learn else text for text, learn in made["segments"]))
