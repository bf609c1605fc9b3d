"""Messages that nobody of ours sends, as they lie in Redis."""

import json
from base64 import b64encode
from typing import Any

WHOLE = [[999_999], {}, {}]


def message(body: Any, raw: str | None = None, encoding: str = "utf-8", **headers: Any) -> str:
    """Return a message as kombu writes it, but for what is given."""
    headers = {"task": "todos.export", "id": "1"} | headers
    delivery = {"exchange": "", "routing_key": "interactive"}
    properties = {"delivery_info": delivery, "delivery_tag": str(abs(hash(repr((body, raw, headers)))))}
    properties |= {"body_encoding": "base64", "correlation_id": "1", "delivery_mode": 2, "priority": 0}
    coded = b64encode(json.dumps(body).encode()).decode() if raw is None else raw
    facts = {"body": coded, "content-type": "application/json", "content-encoding": encoding}
    return json.dumps(facts | {"headers": headers, "properties": properties})


MESSAGES = {
    "no JSON": "hello",
    "a list": "[]",
    "empty": "{}",
    "deep": "[" * 100_000,
    "no properties": json.dumps({"body": "x", "headers": {}}),
    "a body that is no list": message({"a": 1}),
    "a number as body": message(5),
    "no body": message(None),
    "a body of two parts": message([[999_999], {}]),
    "a body that is no base64": message(None, raw="!!!"),
    "a body in no known encoding": message(WHOLE, encoding="nonsense"),
    "arguments that are no list": message(["abc", {}, {}]),
    "no arguments": message([None, None, None]),
    "arguments nobody knows": message([[999_999], {"x": 1}, {}]),
    "further tasks": message([[999_999], {}, {"callbacks": [{"task": "x"}], "chain": [{"task": "y", "args": [1]}]}]),
    "a task that is a list": message(WHOLE, task=["x"]),
    "a time that is none": message(WHOLE, eta="nonsense"),
    "an end that is none": message(WHOLE, expires="nonsense"),
    "a limit that is none": message(WHOLE, timelimit="x"),
    "a number no database holds": message([[10**30], {}, {}]),
}
