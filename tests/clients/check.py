"""The official `openai` package against a running server. Every check is a claim about the server; what the bundled
model says is nobody's claim.

    TALON_URL        a server
    TALON_SMALL_URL  a server that runs one request and lets one wait
    TALON_FLAKY_URL  a way to the first that answers its first two chats with 503

Names the checks that fail on standard error, and ends with 1 when there are any.
"""

import asyncio
import json
import os
import socket
import sys
import traceback
import urllib.request
from typing import Literal

import openai
from openai import pydantic_function_tool
from pydantic import BaseModel, Field

URL, SMALL_URL, FLAKY_URL = (os.environ[name] for name in ("TALON_URL", "TALON_SMALL_URL", "TALON_FLAKY_URL"))


class Line(BaseModel):
    item: str = Field(max_length=8)
    count: int = Field(ge=1, le=99)


class Order(BaseModel):
    """An order of few lines."""

    zone: Literal["north", "south"]
    express: bool
    lines: list[Line] = Field(min_length=1, max_length=2)


class Weigh(BaseModel):
    """Weighs parcels."""

    count: int = Field(ge=1, le=99)


class Ship(BaseModel):
    """Ships parcels."""

    zone: Literal["north", "south"]


def schema(form: dict) -> dict:
    return {"type": "json_schema", "json_schema": {"name": "answer", "schema": form}}


DIGIT = {"type": "integer", "minimum": 0, "maximum": 9}
USER = [{"role": "user", "content": "Send two boxes of nails to the north."}]
CHAT = {"model": "pocket", "messages": USER, "temperature": 0, "max_tokens": 40}
SHORT = {**CHAT, "response_format": schema({"type": "array", "items": DIGIT, "minItems": 3, "maxItems": 3})}
# Goes on for as long as the context lasts; drawn at random, so that no digit can be foreseen.
ENDLESS = {
    **CHAT,
    "response_format": schema({"type": "array", "items": DIGIT, "minItems": 5000}),
    "temperature": 2,
    "max_tokens": 5000,
}
TOOLS = {"model": "pocket", "messages": USER, "tools": [pydantic_function_tool(Weigh), pydantic_function_tool(Ship)]}
TYPES = {"Weigh": Weigh, "Ship": Ship}


def connect(url: str, **options) -> openai.OpenAI:
    return openai.OpenAI(base_url=f"{url}/v1", api_key="none", **{"max_retries": 0, **options})


client = connect(URL)


def metric(url: str, name: str, label: str = "") -> float:
    with urllib.request.urlopen(f"{url}/metrics") as answer:
        lines = answer.read().decode().splitlines()
    values = [line for line in lines if line.startswith((f"{name} ", f"{name}{{")) and label in line]
    return sum(float(line.rsplit(" ", 1)[1]) for line in values)


def aborted(url: str) -> float:
    return metric(url, "openclaw_engine_request_success_total", 'finish="aborted"')


def at_rest(url: str) -> bool:
    return metric(url, "openclaw_engine_requests_running") + metric(url, "openclaw_engine_requests_waiting") == 0


def until(is_so) -> None:
    while not is_so():
        pass


def fails(kind: type[Exception], call) -> openai.APIError:
    try:
        call()
    except kind as error:
        # A subclass would be another claim.
        assert type(error) is kind, repr(error)
        return error
    raise AssertionError(f"there was no {kind.__name__}")


def models_are_listed_and_found_by_name():
    assert "pocket" in [model.id for model in client.models.list()]
    assert client.models.retrieve("pocket").id == "pocket"


def a_chat_is_answered():
    completion = client.chat.completions.create(**SHORT)
    choice = completion.choices[0]
    assert (choice.finish_reason, choice.message.role) == ("stop", "assistant"), choice
    assert len(json.loads(choice.message.content)) == 3, choice
    usage = completion.usage
    assert 0 < usage.completion_tokens < usage.total_tokens == usage.prompt_tokens + usage.completion_tokens, usage


def a_message_may_come_in_parts():
    parts = [{"type": "text", "text": USER[0]["content"]}]
    whole, pieces = SHORT, {**SHORT, "messages": [{"role": "user", "content": parts}]}
    whole, pieces = (client.chat.completions.create(**asked).choices[0] for asked in (whole, pieces))
    assert whole.message == pieces.message, pieces


def an_answer_without_an_end_is_cut_by_length():
    asked = {**ENDLESS, "max_tokens": 7, "seed": 7}
    completion = client.chat.completions.create(**asked)
    assert (completion.choices[0].finish_reason, completion.usage.completion_tokens) == ("length", 7), completion
    del asked["max_tokens"]
    again = client.chat.completions.create(**asked, max_completion_tokens=7)
    assert again.choices == completion.choices, again


def a_stream_adds_up_to_the_whole_answer():
    whole = client.chat.completions.create(**SHORT)
    deltas, done = [], []
    with client.chat.completions.stream(**SHORT, stream_options={"include_usage": True}) as stream:
        for event in stream:
            if event.type == "content.delta":
                deltas.append(event.delta)
            if event.type == "content.done":
                done.append(event.content)
        final = stream.get_final_completion()
    choice = final.choices[0]
    assert [choice.message.content] == done == ["".join(deltas)] == [whole.choices[0].message.content], (final, whole)
    assert (choice.finish_reason, final.usage) == ("stop", whole.usage), final
    assert len(deltas) > 1, deltas


def several_answers_come_whole_and_streamed():
    asked = {**SHORT, "n": 2, "temperature": 2, "seed": 7}
    whole = client.chat.completions.create(**asked)
    assert [choice.index for choice in whole.choices] == [0, 1], whole
    with client.chat.completions.stream(**asked) as stream:
        final = stream.get_final_completion()
    contents = [[choice.message.content for choice in it.choices] for it in (whole, final)]
    assert contents[0] == contents[1], contents


def log_probabilities_belong_to_the_text():
    choice = client.chat.completions.create(**SHORT, logprobs=True, top_logprobs=2).choices[0]
    tokens = choice.logprobs.content
    assert b"".join(bytes(token.bytes) for token in tokens).decode() == choice.message.content, choice
    assert all(token.logprob <= 0 and len(token.top_logprobs) == 2 for token in tokens), choice


def stop_strings_end_an_answer():
    whole = client.chat.completions.create(**SHORT).choices[0].message.content
    cut = client.chat.completions.create(**SHORT, stop=[","]).choices[0]
    assert (cut.message.content, cut.finish_reason) == (whole.split(",")[0], "stop"), (whole, cut)


def a_text_is_completed():
    asked = {"model": "pocket", "prompt": "Dear", "max_tokens": 5, "temperature": 0}
    whole = client.completions.create(**asked)
    pieces = [chunk.choices[0].text for chunk in client.completions.create(**asked, stream=True)]
    assert whole.choices[0].text == "".join(pieces), (whole, pieces)
    assert whole.usage.completion_tokens <= 5, whole


def a_tool_may_be_called_or_not():
    choice = client.chat.completions.create(**TOOLS, tool_choice="auto").choices[0]
    assert (choice.finish_reason == "tool_calls") == bool(choice.message.tool_calls), choice
    assert (choice.message.content is None) == bool(choice.message.tool_calls), choice
    none = client.chat.completions.create(**TOOLS, tool_choice="none", max_tokens=40).choices[0]
    assert not none.message.tool_calls, none


def a_required_tool_is_called_by_its_schema():
    message = client.chat.completions.parse(**TOOLS, tool_choice="required").choices[0].message
    assert message.content is None and message.tool_calls, message
    for call in message.tool_calls:
        assert isinstance(call.function.parsed_arguments, TYPES[call.function.name]), call


def the_named_tool_is_called():
    for name in ("Weigh", "Ship"):
        named = {"type": "function", "function": {"name": name}}
        calls = client.chat.completions.create(**TOOLS, tool_choice=named).choices[0].message.tool_calls
        assert {call.function.name for call in calls} == {name}, calls


def calls_in_parallel_are_several_or_one():
    one = client.chat.completions.create(**TOOLS, tool_choice="required", parallel_tool_calls=False)
    assert len(one.choices[0].message.tool_calls) == 1, one
    several = client.chat.completions.create(**TOOLS, tool_choice="required", parallel_tool_calls=True)
    calls = several.choices[0].message.tool_calls
    assert len({call.id for call in calls}) == len(calls) > 0, calls


def a_streamed_call_adds_up_to_its_arguments():
    deltas, done = {}, {}
    with client.chat.completions.stream(**TOOLS, tool_choice="required") as stream:
        for event in stream:
            if event.type == "tool_calls.function.arguments.delta":
                deltas[event.index] = deltas.get(event.index, "") + event.arguments_delta
            if event.type == "tool_calls.function.arguments.done":
                done[event.index] = event.arguments
        choice = stream.get_final_completion().choices[0]
    calls = choice.message.tool_calls
    assert dict(enumerate(call.function.arguments for call in calls)) == deltas == done, (choice, deltas, done)
    for call in calls:
        assert call.id and isinstance(call.function.parsed_arguments, TYPES[call.function.name]), call
    assert choice.finish_reason == "tool_calls", choice


def a_conversation_goes_on_after_a_tool():
    message = client.chat.completions.parse(**TOOLS, tool_choice="required").choices[0].message
    results = [{"role": "tool", "tool_call_id": call.id, "content": '{"kg": 3}'} for call in message.tool_calls]
    asked = {**TOOLS, "messages": [*USER, message, *results]}
    answer = client.chat.completions.create(**asked, tool_choice="none", max_tokens=5).choices[0].message
    assert answer.content is not None and not answer.tool_calls, answer


def an_answer_is_parsed_into_its_type():
    asked = {**CHAT, "max_tokens": 200, "response_format": Order}
    parsed = client.chat.completions.parse(**asked)
    assert isinstance(parsed.choices[0].message.parsed, Order), parsed
    with client.chat.completions.stream(**asked) as stream:
        final = stream.get_final_completion()
    assert final.choices[0].message.parsed == parsed.choices[0].message.parsed, final
    client.chat.completions.create(**{**CHAT, "max_tokens": 1, "messages": [*USER, parsed.choices[0].message, *USER]})
    fails(openai.LengthFinishReasonError, lambda: client.chat.completions.parse(**{**asked, "max_tokens": 3}))


def json_mode_answers_with_an_object():
    asked = {**CHAT, "max_tokens": 400, "response_format": {"type": "json_object"}}
    choice = client.chat.completions.create(**asked).choices[0]
    assert choice.message.content.lstrip().startswith("{"), choice
    assert choice.finish_reason == "length" or isinstance(json.loads(choice.message.content), dict), choice


def every_error_has_its_class():
    ask = client.chat.completions.create
    too_long = [{"role": "user", "content": "word " * 5000}]
    no_tool = {"type": "function", "function": {"name": "Absent"}}
    for changes, param, code in [
        ({"temperature": -1}, "temperature", "invalid_value"),
        ({"temperature": -1, "stream": True}, "temperature", "invalid_value"),
        ({"extra_body": {"mood": 1}}, "mood", "unknown_parameter"),
        ({"messages": []}, "messages", "invalid_value"),
        ({"messages": too_long}, "messages", "context_length_exceeded"),
        ({"tools": TOOLS["tools"], "tool_choice": no_tool}, "tool_choice", "invalid_value"),
    ]:
        error = fails(openai.BadRequestError, lambda: ask(**{**CHAT, **changes}))
        assert (error.param, error.code, error.type) == (param, code, "invalid_request_error"), error
    error = fails(openai.NotFoundError, lambda: ask(**{**CHAT, "model": "gpt-4o"}))
    assert (error.param, error.code) == ("model", "model_not_found"), error
    fails(openai.NotFoundError, lambda: client.models.retrieve("gpt-4o"))
    fails(openai.NotFoundError, lambda: client.embeddings.create(model="pocket", input="x"))
    error = fails(openai.APIStatusError, lambda: ask(**{**CHAT, "user": "x" * (9 << 20)}))
    assert error.status_code == 413, error
    error = fails(openai.InternalServerError, lambda: ask(**ENDLESS, extra_body={"deadline_ms": 50}))
    assert (error.status_code, error.code) == (504, "deadline_passed"), error
    error = fails(openai.APIError, lambda: list(ask(**ENDLESS, stream=True, extra_body={"deadline_ms": 50})))
    assert error.code == "deadline_passed", error
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        absent = connect(f"http://127.0.0.1:{free.getsockname()[1]}")
        fails(openai.APIConnectionError, lambda: absent.chat.completions.create(**SHORT))


def a_failing_server_is_asked_again():
    error = fails(openai.InternalServerError, lambda: connect(FLAKY_URL).chat.completions.create(**SHORT))
    assert error.status_code == 503, error
    assert connect(FLAKY_URL, max_retries=2).chat.completions.create(**SHORT).choices[0].finish_reason == "stop"


def a_full_server_is_asked_again_when_it_says():
    asyncio.run(full_server())


async def full_server():
    refused, callers = [], []

    async def note(response):
        if response.status_code == 429:
            refused.append(response.headers["retry-after"])
            for caller in callers:
                caller.cancel()

    small = {"base_url": f"{SMALL_URL}/v1", "api_key": "none"}
    http = openai.DefaultAsyncHttpxClient(event_hooks={"response": [note]})
    async with openai.AsyncOpenAI(**small, max_retries=0) as hasty:
        async with openai.AsyncOpenAI(**small, max_retries=9, http_client=http) as patient:
            while not refused:
                callers = [asyncio.create_task(hasty.chat.completions.create(**ENDLESS)) for _ in range(6)]
                # The first to end is refused: from then on the server is full.
                ended, _ = await asyncio.wait(callers, return_when=asyncio.FIRST_COMPLETED)
                error = ended.pop().exception()
                assert type(error) is openai.RateLimitError and error.code == "overloaded", repr(error)
                answer = await patient.chat.completions.create(**SHORT)
                assert answer.choices[0].finish_reason == "stop", answer
    assert all(float(seconds) >= 1 for seconds in refused), refused
    until(lambda: at_rest(SMALL_URL))


def stops_the_model(leave) -> None:
    """Leaves long answers until the server has given one up; a slow caller may come too late for the first."""
    before = aborted(URL)
    for _ in range(20):
        leave()
        until(lambda: at_rest(URL))
        if aborted(URL) > before:
            return
    raise AssertionError("the model went on to the end each time")


def an_abandoned_stream_stops_the_model():
    def leave():
        with client.chat.completions.create(**ENDLESS, stream=True) as stream:
            next(iter(stream))

    def leave_events():
        with client.chat.completions.stream(**ENDLESS) as stream:
            next(event for event in stream if event.type == "content.delta")

    stops_the_model(leave)
    stops_the_model(leave_events)


def a_caller_who_waits_no_longer_stops_the_model():
    def leave():
        fails(openai.APITimeoutError, lambda: client.chat.completions.create(**ENDLESS, n=8, timeout=0.2))

    stops_the_model(leave)


CHECKS = [
    models_are_listed_and_found_by_name,
    a_chat_is_answered,
    a_message_may_come_in_parts,
    an_answer_without_an_end_is_cut_by_length,
    a_stream_adds_up_to_the_whole_answer,
    several_answers_come_whole_and_streamed,
    log_probabilities_belong_to_the_text,
    stop_strings_end_an_answer,
    a_text_is_completed,
    a_tool_may_be_called_or_not,
    a_required_tool_is_called_by_its_schema,
    the_named_tool_is_called,
    calls_in_parallel_are_several_or_one,
    a_streamed_call_adds_up_to_its_arguments,
    a_conversation_goes_on_after_a_tool,
    an_answer_is_parsed_into_its_type,
    json_mode_answers_with_an_object,
    every_error_has_its_class,
    a_failing_server_is_asked_again,
    a_full_server_is_asked_again_when_it_says,
    an_abandoned_stream_stops_the_model,
    a_caller_who_waits_no_longer_stops_the_model,
]


def main() -> int:
    failed = 0
    for check in CHECKS:
        try:
            check()
        except Exception:
            failed += 1
            print(f"FAILED {check.__name__}\n{traceback.format_exc()}", file=sys.stderr)
    return 1 if failed else 0


sys.exit(main())
