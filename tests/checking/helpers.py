"""What is said of a workspace by 'ginv check'."""

import json

import pytest


def report_of(run, exit_code: int | None = 0) -> dict:
    """Run the command and return what it printed for programs."""
    result = run("check", "--json")
    assert exit_code is None or result.exit_code == exit_code, result.output
    return json.loads(result.stdout, parse_constant=pytest.fail)
