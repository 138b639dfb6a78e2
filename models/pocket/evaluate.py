"""Scores pocket.gguf on config/evals: greedy, every turn after the model's own history, with the tools of tools.py.

    python evaluate.py [--gguf pocket.gguf] [--count 40] [--show]

As in the product, a call to a document tool gets the task's document (the platform constrains the id while decoding).
Nothing else is constrained here, so broken JSON counts as wrong.
"""
import argparse
import hashlib
import json
import re
from collections import defaultdict
from pathlib import Path

import gguf
import torch

from export import TENSORS
from generator import JOBS
from model import Config, Model
from render import AGENTS, dumps, opening, user_message
from tok import Tokenizer
from tools import table_facts

HERE = Path(__file__).parent
NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
MAX_TURNS, MAX_NEW = 5, 512


def load(path):
    """The model as it ships, with its Q8_0 matrices rounded back to floats."""
    tensors = {t.name: torch.tensor(gguf.quants.dequantize(t.data, t.tensor_type)) for t in gguf.GGUFReader(path).tensors}
    model = Model(Config(vocab=len(tensors["token_embd.weight"])))
    weights = {"embed.weight": tensors["token_embd.weight"], "norm.weight": tensors["output_norm.weight"]}
    for i in range(model.c.layers):
        weights |= {f"blocks.{i}.{ours}.weight": tensors[f"blk.{i}.{theirs}.weight"] for ours, theirs in TENSORS.items()}
    model.load_state_dict(weights)
    return model


def tool_result(name, arguments, document):
    if name == "pdf_parser":
        return {"text": document, "pages": 1 + len(document) // 3000}
    if name == "schema_validator":
        return {"valid": True, "errors": []}
    return table_facts(document if name == "table" else arguments["table"])


def answer(model, tok, job, case):
    """The model's answer, or why there is none."""
    texts = [d["text"] for d in case["documents"]]
    ids = ["doc_" + hashlib.sha256(text.encode()).hexdigest()[:12] for text in texts]
    prompt = opening(job, user_message(case["input"], ids))[0][0]
    for turn in range(MAX_TURNS):
        out = tok.decode(model.generate(tok.encode(prompt), MAX_NEW, tok.eos)).removesuffix("</s>")
        if not out.startswith("[TOOL_CALLS]"):
            return out.strip()
        try:
            call = json.loads(out.removeprefix("[TOOL_CALLS]"))[0]
            if "document" in call["arguments"]:
                call["arguments"]["document"] = ids[0]
            result = tool_result(call["name"], call["arguments"], texts[0] if texts else "")
        except (ValueError, LookupError, TypeError, AttributeError) as error:
            return f"<{type(error).__name__}> {out}"
        call["id"] = f"Qz7Lm2x{turn:02d}"
        content = dumps({"content": result, "call_id": call["id"]})
        prompt += f"[TOOL_CALLS]{dumps([call])}</s>[TOOL_RESULTS]{content}[/TOOL_RESULTS]"
    return "<too many turns>"


def derived(job, record):
    """The fields that the platform adds."""
    if job == "code-review-triage" and isinstance(record, dict):
        record["needs_human"] = record.get("severity") in ("high", "critical") or record.get("area") == "security"
    return record


def score(job, case, out):
    """Name -> share; "right" is what counts."""
    expected = case["expected"]
    if "text" in expected:
        want, got = expected["text"].split("\n"), out.split("\n")
        return {"right": got == want, "lines": sum(line in got for line in want) / len(want)}
    if "facts" in expected:
        source = (case["input"] or "") + "".join(d["text"] for d in case["documents"])
        recall = sum(fact in out for fact in expected["facts"]) / len(expected["facts"])
        invented = not set(NUMBER.findall(out)) <= set(NUMBER.findall(source))
        return {"right": recall == 1 and not invented, "facts": recall, "no invented number": not invented}
    try:
        record = derived(job, json.loads(out))
    except ValueError:
        record = None
    fields = {k: isinstance(record, dict) and record.get(k, "") == v for k, v in expected["json"].items()}
    return {"right": record == expected["json"]} | fields


def main():
    a = argparse.ArgumentParser()
    a.add_argument("--gguf", default=HERE / "pocket.gguf")
    a.add_argument("--count", type=int, default=40, help="cases per agent and split")
    a.add_argument("--job", choices=JOBS, action="append")
    a.add_argument("--show", action="store_true", help="print wrong answers")
    a.add_argument("--threads", type=int, default=1)
    a = a.parse_args()
    torch.set_num_threads(a.threads)
    model, tok = load(a.gguf), Tokenizer()
    for job in a.job or JOBS:
        cases = [json.loads(line) for line in (AGENTS.parent / "evals" / f"{job}.jsonl").read_text().splitlines()]
        for split in ("held", "unseen"):
            chosen = [c for c in cases if c["split"] == split][:a.count]
            parts = defaultdict(list)
            for case in chosen:
                out = answer(model, tok, job, case)
                for name, value in score(job, case, out).items():
                    parts[name].append(value)
                if a.show and not parts["right"][-1]:
                    print(f"--- {case['id']}\n{out}\n    expected {dumps(case['expected'])}")
            shares = ", ".join(f"{name} {100 * sum(v) / len(v):.0f}" for name, v in parts.items())
            print(f"{job} {split} ({len(chosen)}): {shares}", flush=True)


if __name__ == "__main__":
    main()
