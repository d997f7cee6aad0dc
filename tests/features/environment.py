"""Each scenario has a server and a session of its own, and may leave nothing behind: tests/acceptance/leftovers.py."""

import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "acceptance")]

from behave import register_type  # noqa: E402  pylint: disable=wrong-import-position
from parse import with_pattern  # noqa: E402  pylint: disable=wrong-import-position
from stage import Stage  # noqa: E402  pylint: disable=wrong-import-position
from phrases import text  # noqa: E402  pylint: disable=wrong-import-position


@with_pattern(r'"(?:[^"\\]|\\.)*"')
def quoted(value):
    return text(value)


@with_pattern(r'"(?:[^"\\]|\\.)*"')
def line(value):
    return value[1:-1].replace('\\"', '"')


@with_pattern(r"mock|stub|spy")
def kind(value):
    return value


register_type(Text=quoted, Line=line, Kind=kind)


def before_scenario(context, _):
    context.stage = Stage()
    context.stage.open()


def before_step(context, step):
    """Only a step that asks for a mistake may follow one."""
    if not step.name.startswith("that is refused with"):
        context.stage.no_mistake()


def after_scenario(context, _):
    context.stage.close()
