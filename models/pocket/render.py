"""Prompts in the v3 instruct form, built from the agents' own YAML files so that product and training never drift.

No space follows a control token here: the tokenizer puts one before every piece of text (see tok.py).
A conversation is a list of [text, learn]; `learn` marks what the model has to write itself.
"""
import functools
import json
from pathlib import Path

import yaml

AGENTS = Path(__file__).resolve().parents[2] / "config" / "agents"


@functools.cache
def agent(name):
    return yaml.safe_load((AGENTS / f"{name}.yml").read_text())["agent"]


def dumps(value):
    return json.dumps(value, ensure_ascii=False)


@functools.cache
def tools_json(name):
    keys = ("name", "description", "parameters")
    return dumps([{"type": "function", "function": {k: tool[k] for k in keys}} for tool in agent(name)["tools"]])


def user_message(text, documents=()):
    listed = "Documents: " + ", ".join(documents) if documents else ""
    return "\n\n".join(part for part in (text, listed) if part)


def opening(name, user, instructions=None):
    instructions = instructions or agent(name)["instructions"]
    return [[f"<s>[AVAILABLE_TOOLS]{tools_json(name)}[/AVAILABLE_TOOLS][INST]{instructions}\n\n{user}[/INST]", False]]


def answer(text):
    return [[text + "</s>", True]]


class Calls:
    """Tool calls with their results. The ids are the model's own (call00001, learnt) or random as a platform hands them
    out (then outside the loss)."""

    def __init__(self, g):
        self.g, self.count, self.random = g, 0, g.p(0.5)

    def call(self, tool, arguments, result):
        """`arguments` is JSON text."""
        self.count += 1
        call_id = self.g.call_id() if self.random else f"call{self.count:05d}"
        return [
            [f'[TOOL_CALLS][{{"name": "{tool}", "arguments": {arguments}, "id": "', True],
            [call_id, not self.random],
            ['"}]</s>', True],
            [f'[TOOL_RESULTS]{{"content": {dumps(result)}, "call_id": "{call_id}"}}[/TOOL_RESULTS]', False],
        ]


def parsed(g, calls, document, text):
    """Reads a document with pdf_parser."""
    pages = 1 + len(text) // 3000
    return calls.call("pdf_parser", dumps({"document": document}), {"text": text, "pages": pages})
