"""The doubles of a scenario as the file that `cmdmox run --doubles` reads: the schema's JSON."""

from common import Mismatch, program_path, require

TEXTS = ("starts_with", "ends_with", "contains", "regex", "glob", "json_equals")


def bytes_json(value):
    """As the schema's JSON has bytes: a text, or base64."""
    return value["repeat"] * value["times"] if isinstance(value, dict) and "repeat" in value else value


def list_json(values):
    found = []
    for value in values:
        many = isinstance(value, dict) and "copies" in value
        found += [bytes_json(value["of"])] * value["copies"] if many else [bytes_json(value)]
    return found


def matcher_json(value):
    if isinstance(value, str) or "repeat" in value:
        return bytes_json(value)
    (name, said), = value.items()
    if name == "base64":
        return {"equals": value}
    if name in TEXTS:
        return {name: bytes_json(said)}
    if name == "one_of":
        return {"any_of": list_json(said)}
    if name in ("all_of", "any_of"):
        return {name: [matcher_json(each) for each in said]}
    if name == "not":
        return {"not": matcher_json(said)}
    require(name in ("any", "is_a"), f"no such matcher: {name}")
    return {name: said}


def item_json(value):
    """One of the list of arguments."""
    name = next(iter(value)) if isinstance(value, dict) else ""
    if name == "rest":
        return {"rest": matcher_json(value["rest"])}
    if name in ("any_order", "args_contain"):
        return {"contains" if name == "args_contain" else name: [matcher_json(each) for each in value[name]]}
    if name == "flag":
        return {"flag": {"name": value["flag"]["name"], "value": matcher_json(value["flag"]["value"])}}
    return {"one": matcher_json(value)}


def variable_json(name, value):
    unset = isinstance(value, dict) and "unset" in value
    return {"name": name, **({"absent": True} if unset else {"node": matcher_json(value)})}


def chunk_json(stdout=None, stderr=None, after_ms=0):
    return {"to_stderr": stdout is None, "data": bytes_json(stderr if stdout is None else stdout), "delay_ms": after_ms}


def file_json(path, content="", mode="0"):
    return {"path": bytes_json(path), "content": bytes_json(content), "mode": int(mode, 8)}


def reply_json(stdout="", stderr="", exit_code=None, signal=None, delay_ms=0, hang=False, gate="", chunks=(), files=()):
    end = {"hang": True} if hang else {"signal": signal} if signal else {} if exit_code is None else {"exit_code": exit_code}
    return {"reply": {"stdout_data": bytes_json(stdout), "stderr_data": bytes_json(stderr), "delay_ms": delay_ms, **end}, "gate": gate,
            "chunks": [chunk_json(**each) for each in chunks], "files": [file_json(**each) for each in files]}


def passthrough_json(timeout_ms=0, kill_after_ms=0, capture_max_bytes=0, captured=True, gate="", program=""):
    return {"passthrough": {"capture_stdout": captured, "capture_stderr": captured, "capture_max_bytes": capture_max_bytes,
                            "timeout_ms": timeout_ms, "kill_after_ms": kill_after_ms,
                            "program": program and bytes_json(program_path(program))}, "gate": gate}


ACTIONS = {"returns": reply_json, "passthrough": passthrough_json}
COUNTS = {"times": lambda n: (n, n), "never": lambda _: (0, 0), "at_least": lambda n: (n, None), "at_most": lambda n: (0, n),
          "between": tuple, "any_times": lambda _: (0, None)}


class Document:
    """What a scenario declares before its session begins."""

    def __init__(self):
        self.doubles = {}
        self.rest = {"register": [], "allow": [], "absent": []}
        self.position = 0

    def json(self):
        return {"doubles": [self._double(double) for double in self.doubles.values()], **self.rest}

    @staticmethod
    def _double(double):
        facets = {key: value for key, value in double.items() if key not in ("turns", "lasting")}
        return {**facets, "actions": double["turns"] + double["lasting"]}

    def declare(self, kind, command, name, that):
        double = self.doubles[name] = {"kind": kind, "command": bytes_json(command), "turns": [], "lasting": []}
        for refinement in that:
            (word, value), = refinement.items()
            self.refine(double, word, value)

    def refine(self, double, word, value):
        stem, _, turns = word.partition("_")
        if stem in ACTIONS and turns in ("", "once", "times"):
            how = dict(value)
            repeat = how.pop("times") if turns == "times" else 1 if turns else 0
            action = {**ACTIONS[stem](**how), "repeat": repeat}
            if repeat:
                double["turns"].append(action)
            else:
                double["lasting"] = [action]
        elif word in COUNTS:
            minimum, maximum = COUNTS[word](value)
            double["count"] = {"minimum": minimum, **({} if maximum is None else {"maximum": maximum})}
        else:
            facet, text = self.facet(word, value)
            if isinstance(text, list) and facet in ("env_match", "env_injection"):
                text = double.get(facet, []) + text
            double[facet] = text

    def facet(self, word, value):
        if word == "with_args":
            return "argv", [{"one": each if isinstance(each, str) else {"equals": each}} for each in list_json(value)]
        if word == "with_matching_args":
            return "argv", [item_json(each) for each in value]
        if word == "with_stdin":
            return "stdin_match", matcher_json(value)
        if word == "with_cwd":
            return "cwd_match", matcher_json(value)
        if word == "with_env":
            return "env_injection", [{"name": name, **({} if its is None else {"value": bytes_json(its)})} for name, its in value.items()]
        if word == "with_matching_env":
            return "env_match", [variable_json(name, its) for name, its in value.items()]
        if word == "capture_stdin":
            return "stdin_policy", {"mode": "capture", **value}
        if word == "drain_stdin":
            return "stdin_policy", {"mode": "drain"}
        if word == "after":
            return "after", [list(self.doubles).index(value) + 1]
        raise Mismatch(f"no such refinement: {word}")

    def line_up(self, sequence, names):
        for name in names:
            self.position += 1
            self.doubles[name].setdefault("sequences", []).append({"sequence": sequence, "position": self.position})

    def default(self, answer):
        (kind, how), = answer.items()
        if kind != "fails":
            self.rest["default_action"] = ACTIONS[kind](**how)
