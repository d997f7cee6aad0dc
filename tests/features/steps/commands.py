"""What the code under test finds on its PATH."""

import os
import tempfile

from behave import given, step


@given("these programs are installed: {names}")
def _(context, names):
    """Each says "real NAME"; PATH begins with their directory."""
    folder = tempfile.TemporaryDirectory(dir="/tmp")
    context.stage.addCleanup(folder.cleanup)
    os.chmod(folder.name, 0o755)
    for name in names.split(", "):
        path = os.path.join(folder.name, name)
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"#!/bin/sh\necho real {name}\n")
        os.chmod(path, 0o755)
    context.stage.tools = folder.name
    context.stage.options["path"] = os.fsencode(folder.name) + b":" + os.environb[b"PATH"]


@given("the session is contained")
def _(context):
    context.stage.options["contained"] = True


@step("the command {command:Line} is allowed")
def _(context, command):
    with context.stage.mistakes_kept():
        context.stage.mox.allow(command.encode())


@step("the command {command:Line} is absent")
def _(context, command):
    with context.stage.mistakes_kept():
        context.stage.mox.absent(command.encode())
