"""What the runners in Python share: the values of a scenario, the commands that are run, and the command line. README.md has the format."""

import base64
import json
import os
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback

GUARD = 60  # seconds until something counts as hanging
SCENARIO_GUARD = 240
NAP = 0.005
PLACE = re.compile(rb" \([^() ]*:[0-9]+\)")

# execve() with the bytes as they are: an argv[0] of one's own or none, and an environment that is no mapping.
RAW = """
import ast, ctypes, sys
path, argv, env = (ast.literal_eval(word) for word in sys.argv[1:])
block = lambda items: (ctypes.c_char_p * (len(items) + 1))(*items, None)
ctypes.CDLL(None).execve(path, block(argv), block(env))
"""


class Mismatch(Exception):
    """Something is not as the scenario says."""


def bytes_of(value):
    if isinstance(value, str):
        return value.encode()
    if "base64" in value:
        return base64.b64decode(value["base64"], validate=True)
    return value["repeat"].encode() * value["times"]


def list_of(values):
    found = []
    for value in values:
        many = isinstance(value, dict) and "copies" in value
        found += [bytes_of(value["of"])] * value["copies"] if many else [bytes_of(value)]
    return found


def told(text):
    """A text of cmdmox without the places of the test."""
    return PLACE.sub(b"", text)


class Texts:
    """Compares bytes with what is expected; lines that depend on the language are those of the dialect."""

    def __init__(self, dialect):
        self.dialect = dialect

    def line(self, value):
        return bytes_of(value[self.dialect] if isinstance(value, dict) and self.dialect in value else value)

    def expect(self, what, expected, actual):
        if isinstance(expected, dict) and "any" in expected:
            return
        if isinstance(expected, dict) and ("contains" in expected or "lacks" in expected):
            for part in map(self.line, expected.get("contains", ())):
                require(part in actual, f"{what} lacks {part!r}; it is\n{shown(actual)}")
            for part in map(self.line, expected.get("lacks", ())):
                require(part not in actual, f"{what} has {part!r}; it is\n{shown(actual)}")
            return
        lines = isinstance(expected, list)
        wanted = b"".join(self.line(each) + b"\n" for each in expected) if lines else bytes_of(expected)
        require(wanted == actual, f"{what}: expected\n{shown(wanted)}\nactual\n{shown(actual)}")


def program_path(name):
    """Of one of the scenario's programs."""
    return os.path.join(os.path.dirname(os.getcwd()), "programs", name)


def require(condition, text):
    if not condition:
        raise Mismatch(text)


def shown(data):
    return data[:4000].decode("utf-8", "backslashreplace")


class Stage:
    """The scenario at work. Each step is a method, and its other keys are the arguments. A runner adds those that declare and judge."""

    dialect = "c"
    provided = frozenset()
    lacking = {}  # what scenarios may need and this client has not, and why
    address = None  # of a server that runs already

    def __init__(self):
        self.texts = Texts(self.dialect)
        self.running = {}

    def close(self):
        for process in self.running.values():
            process.kill()
            process.communicate()

    def take(self, step):
        names = [key for key in step if hasattr(self, f"step_{key}")]
        require(len(names) == 1, f"no such step: {json.dumps(step)}")
        others = {{"as": "name", "is": "number"}.get(key, key): value for key, value in step.items() if key != names[0]}
        try:
            getattr(self, f"step_{names[0]}")(step[names[0]], **others)
        except TypeError as error:
            raise Mismatch(f"the scenario is malformed: {error}") from error

    # ---- What a runner gives

    def environment(self):
        """For commands."""
        return dict(os.environb)

    def count(self, name):
        raise NotImplementedError

    def release(self, gate):
        raise NotImplementedError

    # ---- Steps that run

    def start(self, argv, stdin=None, env=None, cwd=None, argv0="", env_entries=None):
        environment = self.environment()
        for name, value in (env or {}).items():
            environment.pop(name.encode(), None)
            if value is not None:
                environment[name.encode()] = bytes_of(value)
        words = list_of(argv)
        if argv0 != "" or env_entries is not None:
            found = shutil.which(words[0], path=environment[b"PATH"])
            require(found, f"{words[0]!r} is not on PATH")
            argv_raw = [] if argv0 is None else [bytes_of(argv0) if argv0 else words[0], *words[1:]]
            entries = [b"%s=%s" % pair for pair in environment.items()] if env_entries is None else list_of(env_entries)
            words = [sys.executable, "-c", RAW, repr(found), repr(argv_raw), repr(entries)]
        return subprocess.Popen(words, env=environment, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE)

    def finish(self, process, expect=None, stdin=None):
        out, err = process.communicate(None if stdin is None else bytes_of(stdin), timeout=GUARD)
        self.ended(process.returncode, out, err, **(expect or {}))

    def ended(self, code, out, err, status=0, signal=None, stdout="", stderr=""):
        wanted = -getattr(globals()["signal"], signal) if signal else status
        require(code == wanted, f"expected {signal or status}, actual {code}; stderr:\n{shown(err)}")
        self.texts.expect("stdout", stdout, out)
        self.texts.expect("stderr", stderr, told(err))

    def step_run(self, argv, expect=None, stdin=None, at_once=None, statuses=None, **how):
        if at_once is None:
            self.finish(self.start(argv, stdin, **how), expect, stdin)
            return
        processes = [self.start(argv, stdin, **how) for _ in range(at_once)]
        for process in processes:
            process.communicate(timeout=GUARD)
        codes = [process.returncode for process in processes]
        for status, times in statuses.items():
            require(codes.count(int(status)) == times, f"status {status}: expected {times} times, actual {codes}")

    def step_shell(self, line, expect=None, **how):
        self.step_run(["/bin/sh", "-c", line], expect, **how)

    def step_start(self, argv, name, **how):
        self.running[name] = self.start(argv, **how)

    def step_kill(self, name):
        self.running[name].kill()

    def step_wait(self, name, expect=None):
        self.finish(self.running.pop(name), expect)

    def until(self, condition, text):
        deadline = time.monotonic() + GUARD
        while not condition():
            require(time.monotonic() < deadline, text)
            time.sleep(NAP)

    def step_await(self, name, calls):
        self.until(lambda: self.count(name) >= calls, f"{name} did not get {calls} calls")

    def step_release(self, gate, calls):
        gone = []

        def enough():
            gone.append(self.release(gate))
            return sum(gone) >= calls

        self.until(enough, f"{calls} calls are to go on at {gate}")
        require(sum(gone) == calls, f"{calls} calls are to go on at {gate}, and {sum(gone)} did")

    def step_file(self, path, content="", mode=None):
        self.texts.expect(path, content, pathlib.Path(path).read_bytes())
        actual = os.stat(path).st_mode & 0o777
        require(mode is None or actual == int(mode, 8), f"{path}: expected mode {mode}, actual {actual:o}")


# ---- The command line


def perform(stage_class, scenario, place):
    """In a process of its own; raises what is wrong."""
    signal.alarm(SCENARIO_GUARD)
    for folder in ("work", "programs", "tmp"):
        os.mkdir(f"{place}/{folder}")
    os.environ.update(TMPDIR=f"{place}/tmp", CMOX_TMPDIR=f"{place}/tmp")
    for name, text in scenario.get("programs", {}).items():
        path = pathlib.Path(place, "programs", name)
        path.write_text(text, encoding="utf-8")
        path.chmod(0o755)
    if "programs" in scenario:
        os.environ["PATH"] = f"{place}/programs:{os.environ['PATH']}"
    os.chdir(f"{place}/work")
    stage = stage_class()
    try:
        for number, step in enumerate(scenario["steps"], 1):
            try:
                stage.take(step)
            except Mismatch as error:
                raise Mismatch(f"step {number}: {error}") from error
    finally:
        stage.close()


def child(stage_class, scenario, place, said):
    """What the forked process does; its status."""
    try:
        perform(stage_class, scenario, place)
    except Mismatch as error:
        os.write(said, str(error).encode("utf-8", "replace"))
    except BaseException:
        os.write(said, traceback.format_exc().encode("utf-8", "replace"))
    else:
        return 0
    return 1


def isolated(stage_class, scenario):
    """What is wrong; "" when all is well."""
    with tempfile.TemporaryDirectory(prefix="cmdmox-conformance-") as place, tempfile.TemporaryFile() as said:
        sys.stdout.flush()
        pid = os.fork()
        if pid == 0:
            sys.exit(child(stage_class, scenario, place, said.fileno()))
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        said.seek(0)
        text = said.read().decode("utf-8", "replace")
        left = os.listdir(f"{place}/tmp") if os.path.isdir(f"{place}/tmp") else []
        if status and not text:
            return f"the scenario's process ended with {status}"
        return text or (f"the scenario leaves {', '.join(left)}" if left else "")


def skipped(stage_class, scenario):
    for need in scenario.get("needs", ()):
        if need in stage_class.lacking:
            return stage_class.lacking[need]
        if need not in stage_class.provided:
            sys.exit(f"{need} is needed, and this runner knows nothing of it")
    return None


def scenarios(folder, names, smoke):
    for file in sorted(pathlib.Path(folder).glob("*.json")):
        for scenario in json.loads(file.read_text(encoding="utf-8")):
            name = f"{file.stem}/{scenario['name']}"
            if (not names or name.startswith(tuple(names))) and (not smoke or scenario.get("smoke")):
                yield name, scenario


def main(stage_class):
    options = {word for word in sys.argv[1:] if word.startswith("--")}
    words = [word for word in sys.argv[1:] if word not in options]
    stage_class.address = next((word.partition("=")[2] for word in options if word.startswith("--connect=")), None)
    if not words or {word.partition("=")[0] for word in options} - {"--smoke", "--broken", "--connect"}:
        sys.exit(f"usage: {os.path.basename(sys.argv[0])} [--smoke] [--broken] [--connect=ADDRESS] FOLDER [NAME...]")
    tally = {"ok": 0, "skip": 0, "not ok": 0}
    for name, scenario in scenarios(words[0], words[1:], "--smoke" in options):
        why = skipped(stage_class, scenario)
        if why:
            tally["skip"] += 1
            print(f"skip {name}: {why}")
            continue
        text = isolated(stage_class, scenario)
        passed = bool(text) == ("--broken" in options)
        tally["ok" if passed else "not ok"] += 1
        print(f"{'ok' if passed else 'not ok'} {name}", f"({text.splitlines()[0]})" if passed and text else "")
        if not passed:
            print("".join(f"    {line}\n" for line in (text or "it passes, and should not").splitlines()), end="")
    print(f"{tally['ok']} passed, {tally['skip']} skipped, {tally['not ok']} failed")
    sys.exit(0 if tally["ok"] and not tally["not ok"] else 1)
