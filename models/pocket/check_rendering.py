"""Checks that our prompts are what mistral-common (v3) builds from the same messages, text for text, and that
chat_template.jinja agrees.

    python check_rendering.py
"""
import json
import sys
from pathlib import Path

import jinja2
from mistral_common.protocol.instruct.messages import AssistantMessage, SystemMessage, ToolMessage, UserMessage
from mistral_common.protocol.instruct.request import ChatCompletionRequest
from mistral_common.protocol.instruct.tool_calls import Function, FunctionCall, Tool, ToolCall
from mistral_common.tokens.tokenizers.mistral import MistralTokenizer

from generator import JOBS, example, turns
from render import agent, tools_json
from tok import CONTROL

ENVIRONMENT = jinja2.Environment()
ENVIRONMENT.filters["tojson"] = lambda value: json.dumps(value, ensure_ascii=False)
TEMPLATE = ENVIRONMENT.from_string((Path(__file__).parent / "chat_template.jinja").read_text())


def messages(job, segments):
    """The conversation as OpenAI-style messages, without the last answer."""
    text = "".join(t for t, _ in segments)
    user = text.split("[/INST]")[0].split("[INST]" + agent(job)["instructions"] + "\n\n", 1)[1]
    out = [{"role": "system", "content": agent(job)["instructions"]}, {"role": "user", "content": user}]
    for turn in text.split("[TOOL_CALLS]")[1:]:
        call = json.loads(turn.split("</s>")[0])[0]
        arguments = turn.split('"arguments": ', 1)[1].rsplit(', "id": ', 1)[0]
        function = {"name": call["name"], "arguments": arguments}
        out.append({"role": "assistant", "content": "", "tool_calls": [{"id": call["id"], "function": function}]})
        result = json.loads(turn.split("[TOOL_RESULTS]")[1].split("[/TOOL_RESULTS]")[0])
        content = json.dumps(result["content"], ensure_ascii=False)
        out.append({"role": "tool", "content": content, "tool_call_id": result["call_id"]})
    return out


def reference(job, conversation, tokenizer):
    """What mistral-common makes of it, with its visible white space turned back."""
    make = {
        "system": lambda m: SystemMessage(content=m["content"]),
        "user": lambda m: UserMessage(content=m["content"]),
        "tool": lambda m: ToolMessage(content=m["content"], tool_call_id=m["tool_call_id"]),
        "assistant": lambda m: AssistantMessage(tool_calls=[
            ToolCall(id=c["id"], function=FunctionCall(**c["function"])) for c in m["tool_calls"]
        ]),
    }
    tools = [Tool(function=Function(**t["function"])) for t in json.loads(tools_json(job))]
    request = ChatCompletionRequest(messages=[make[m["role"]](m) for m in conversation], tools=tools)
    text = tokenizer.encode_chat_completion(request).text.replace("▁", " ").replace("<0x0A>", "\n").replace("<0x09>", "\t")
    for token in ["<s>", "</s>", *CONTROL]:
        text = text.replace(token + " ", token)
    return text


def main():
    tokenizer, checked, failed = MistralTokenizer.v3(), 0, 0
    for job in JOBS:
        for seed in range(40):
            segments = example(job, seed, "held", long=False)["segments"]
            prompt, _ = turns(segments)[-1]
            conversation = messages(job, segments)
            ours = TEMPLATE.render(
                messages=conversation, tools=json.loads(tools_json(job)), bos_token="<s>", eos_token="</s>"
            )
            theirs = reference(job, conversation, tokenizer)
            checked += 1
            for name, other in (("chat_template.jinja", ours), ("mistral-common", theirs)):
                if other != prompt:
                    failed += 1
                    at = next(i for i, (a, b) in enumerate(zip(prompt + "\0", other + "\1")) if a != b)
                    print(f"{job} {seed}: {name} differs at {at}\n  {prompt[at - 60:at + 60]!r}\n  {other[at - 60:at + 60]!r}")
    print(f"{checked} conversations, {failed} differences")
    sys.exit(bool(failed))


if __name__ == "__main__":
    main()
