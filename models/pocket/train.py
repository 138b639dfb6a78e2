"""Trains the pocket model within a wall-clock budget; the learning rate follows the clock, so a run always ends annealed.

    python train.py --minutes 80                 # from scratch
    python train.py --minutes 80 --init run.pt   # from the weights of an earlier run
    python train.py --resume                     # goes on after an interruption (weights, optimizers, step, clock)

Examples are made on the fly and never repeat; the loss is only on what the model has to write. Muon for the matrices,
AdamW for the embedding and the norms. Runs on a GPU when there is one, else on the CPU.
"""
import argparse
import itertools
import json
import math
import multiprocessing as mp
import os
import random
import time
from pathlib import Path

import torch

from generator import JOBS, example
from model import Config, Model
from tok import Tokenizer

MIX = {
    "data-extraction": 0.24, "customer-query-routing": 0.30, "code-review-triage": 0.08, "document-summarization": 0.28,
    "report-generation": 0.10,
}
HOME = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "talon-pocket"
POOL = 1200  # examples that are sorted into batches at a time
PADDING = 32  # rows are as wide as a multiple of this, so that few shapes are compiled
SAVE_EVERY, EVAL_EVERY = 180, 1800  # seconds
LONGEST_STEP = 20  # seconds that a step may count: a run that is stopped for a while does not lose its time
AVERAGING = 0.005  # weight of the newest step in the moving average that is exported


# ---------------------------------------------------------------- data
def encode(made, tok):
    """-> prefix ids (tools and instructions), the other ids, and which of them are learnt."""
    ids, learnt = tok.encode_segments(made["segments"])
    opening = made["segments"][0][0]
    prefix = tok.encode(opening[: opening.index("\n\n", opening.index("[INST]")) + 2])
    assert ids[: len(prefix)] == prefix
    return tuple(prefix), ids[len(prefix):], learnt[len(prefix):]


def weights_of(learnt):
    """Tokens of short turns weigh more: two label words must not drown among hundreds of copied ones."""
    out = []
    for value, run in itertools.groupby(learnt):
        n = len(list(run))
        out += [min(max((60 / n) ** 2, 0.6), 10.0) if value else 0.0] * n
    return out


def batch(rows):
    """Rows of (ids, learnt) -> input ids, next-token targets, weights. The first id of a row is never a target."""
    width = -(-(max(len(ids) for ids, _ in rows) - 1) // PADDING) * PADDING
    x = torch.zeros(len(rows), width, dtype=torch.long)
    y, w = torch.full_like(x, -100), torch.zeros(len(rows), width)
    for r, (ids, learnt) in enumerate(rows):
        t, n = torch.tensor(ids), len(ids) - 1
        x[r, :n] = t[:-1]
        y[r, :n] = torch.where(torch.tensor(learnt[1:]), t[1:], -100)
        w[r, :n] = torch.tensor(weights_of(learnt)[1:])
    return x, y, w


def batches(rows, tokens):
    """Groups (prefix, ids, learnt) by prefix and by length; about `tokens` padded tokens each."""
    groups = {}
    for prefix, ids, learnt in rows:
        groups.setdefault(prefix, []).append((ids, learnt))
    for prefix, group in groups.items():
        group.sort(key=lambda row: len(row[0]))
        current = []
        for row in group:
            if current and (len(current) + 1) * len(row[0]) > tokens:
                yield prefix, current
                current = []
            current.append(row)
        yield prefix, current


def feeder(queue, first, tokens, context):
    """Endless batches with the number of the next unused example. Runs in its own process."""
    torch.set_num_threads(1)
    tok, jobs, shares = Tokenizer(), list(MIX), list(MIX.values())
    while True:
        r = random.Random(first)
        made = [example(r.choices(jobs, shares)[0], first + i, "train") for i in range(POOL)]
        rows = [encode(m, tok) for m in made]
        rows = [row for row in rows if len(row[0]) + len(row[1]) <= context - PADDING]
        first += POOL
        ready = list(batches(rows, tokens))
        r.shuffle(ready)
        for prefix, group in ready:
            queue.put((torch.tensor([prefix]), *batch(group), first))


# ---------------------------------------------------------------- optimizer
class Muon:
    """Momentum, orthogonalized by Newton-Schulz; matrices of one shape are treated as one batch."""

    def __init__(self, params, momentum=0.95, decay=0.02):
        self.groups, self.momentum, self.decay = {}, momentum, decay
        for p in params:
            self.groups.setdefault(tuple(p.shape), []).append(p)
        self.buffers = {s: torch.zeros(len(ps), *s, device=ps[0].device) for s, ps in self.groups.items()}

    @torch.no_grad()
    def step(self, lr):
        for shape, params in self.groups.items():
            grad, buffer = torch.stack([p.grad for p in params]), self.buffers[shape]
            buffer.lerp_(grad, 1 - self.momentum)
            x = grad.lerp(buffer, self.momentum)
            x = (x / (x.norm(dim=(1, 2), keepdim=True) + 1e-7)).bfloat16()
            tall = shape[0] > shape[1]
            x = x.mT if tall else x
            for _ in range(5):
                a = x @ x.mT
                x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
            x = (x.mT if tall else x).float() * max(1, shape[0] / shape[1]) ** 0.5
            for p, update in zip(params, x):
                p.mul_(1 - lr * self.decay).add_(update, alpha=-lr)
                p.grad = None


def learning_rate(done, flat):
    """Share of the peak after the share `done` of the time: short warm-up, flat, cosine to almost zero."""
    if done < flat:
        return min(1, done / 0.01 + 0.1)
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * (done - flat) / (1 - flat)))


# ---------------------------------------------------------------- exact match
@torch.no_grad()
def exact_match(model, tok, split, count, device, first=0):
    """Share of examples, per job, in which every target token is the arg max: what greedy decoding gets right when each
    turn follows its gold history."""
    out = {}
    for job in JOBS:
        rows, right = [encode(example(job, first + i, split), tok) for i in range(count)], 0
        for prefix, group in batches(rows, 6000):
            x, y, _ = (t.to(device) for t in batch(group))
            with torch.autocast(device, dtype=torch.bfloat16):
                best = model.logits(model.hidden(torch.tensor([prefix], device=device), x)).argmax(-1)
            right += int(((best == y) | (y == -100)).all(1).sum())
        out[job] = round(right / count, 3)
    return out


def write_atomically(state, path):
    temporary = path.with_suffix(".tmp")
    torch.save(state, temporary)
    os.replace(temporary, path)


def main():
    a = argparse.ArgumentParser()
    a.add_argument("--minutes", type=float, default=80)
    a.add_argument("--out", type=Path, default=HOME, help="folder of checkpoint.pt and log.jsonl")
    a.add_argument("--resume", action="store_true", help="go on from OUT/checkpoint.pt")
    a.add_argument("--init", type=Path, help="start from these weights")
    a.add_argument("--lr", type=float, default=0.005, help="peak of the matrices' learning rate")
    a.add_argument("--adam", type=float, default=0.0015, help="peak of the embedding's learning rate")
    a.add_argument("--flat", type=float, default=0.3, help="share of the time at the peak")
    a.add_argument("--tokens", type=int, default=4096, help="per batch, without the shared prefix")
    a.add_argument("--seed", type=int, default=1)
    a.add_argument("--threads", type=int, default=2)
    a = a.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.set_num_threads(a.threads)
    torch.manual_seed(a.seed)
    a.out.mkdir(parents=True, exist_ok=True)
    checkpoint = a.out / "checkpoint.pt"

    tok = Tokenizer()
    config = Config(vocab=tok.vocab)
    model = Model(config).to(device)
    matrices = [p for n, p in model.named_parameters() if p.ndim == 2 and "embed" not in n]
    others = [p for n, p in model.named_parameters() if p.ndim != 2 or "embed" in n]
    muon, adam = Muon(matrices), torch.optim.AdamW(others, lr=a.adam, betas=(0.9, 0.98), weight_decay=0.0)
    state = {"step": 0, "tokens": 0, "targets": 0, "elapsed": 0.0, "next_example": a.seed * 100_000_000}
    if a.resume:
        saved = torch.load(checkpoint, map_location=device)
        model.load_state_dict(saved["model"])
        muon.buffers = saved["muon"]
        adam.load_state_dict(saved["adam"])
        torch.set_rng_state(saved["rng"].cpu())
        state = saved["state"]
    elif a.init:
        model.load_state_dict(torch.load(a.init, map_location=device)["model"])
    average = {name: w.clone() for name, w in (saved["average"] if a.resume else model.state_dict()).items()}
    for block in model.blocks:
        block.compile(dynamic=True)
    queue = mp.Queue(maxsize=60)
    mp.Process(target=feeder, args=(queue, state["next_example"], a.tokens, config.context), daemon=True).start()

    def save():
        write_atomically({
            "config": config.__dict__, "model": model.state_dict(), "average": average, "muon": muon.buffers,
            "adam": adam.state_dict(), "rng": torch.get_rng_state(), "state": state,
        }, checkpoint)

    def evaluate(count):
        line = state | {"loss": round(loss_now, 4), "lr": round(rate, 4)}
        line |= {split: exact_match(model, tok, split, count, device) for split in ("held", "unseen")}
        with open(a.out / "log.jsonl", "a") as log:
            print(json.dumps(line), file=log)
        print(json.dumps(line), flush=True)

    loss_now, rate = 0.0, 0.0
    next_save, next_eval = state["elapsed"] + SAVE_EVERY, state["elapsed"] + EVAL_EVERY
    while state["elapsed"] < a.minutes * 60:
        began = time.monotonic()
        rate = learning_rate(state["elapsed"] / (a.minutes * 60), a.flat)
        prefix, x, y, w, state["next_example"] = queue.get()
        with torch.autocast(device, dtype=torch.bfloat16):
            loss = model.loss(*(t.to(device) for t in (prefix, x, y, w)))
        loss.backward()
        torch.nn.utils.clip_grad_norm_(others, 1.0)
        muon.step(a.lr * rate)
        for group in adam.param_groups:
            group["lr"] = a.adam * rate
        adam.step()
        adam.zero_grad()
        with torch.no_grad():
            torch._foreach_lerp_(list(average.values()), list(model.state_dict().values()), AVERAGING)
        state["step"] += 1
        state["tokens"] += int((x != 0).sum())
        state["targets"] += int((y != -100).sum())
        loss_now = loss.item() if not loss_now else 0.98 * loss_now + 0.02 * loss.item()
        if state["step"] % 50 == 0:
            print(f"step {state['step']} {state['elapsed'] / 60:.1f} min loss {loss_now:.4f} lr {rate:.3f} "
                  f"{state['tokens'] / 1e6:.2f} M tokens", flush=True)
        state["elapsed"] += min(time.monotonic() - began, LONGEST_STEP)
        if state["elapsed"] > next_save:
            save()
            next_save = state["elapsed"] + SAVE_EVERY
        if state["elapsed"] > next_eval:
            evaluate(40)
            next_eval = state["elapsed"] + EVAL_EVERY
    save()
    evaluate(100)


if __name__ == "__main__":
    main()
