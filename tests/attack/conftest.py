"""Attacks count what they tried and what escaped, and say so at the end of the run.

An attack is a seeded function: the number of a try is its seed, so that whatever escapes can be
looked at again by its number alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent


class Attack:
    """The tries of one attack, and what escaped.

    Parameters
    ----------
    name : str
        What is attacked, as the summary names it.
    minutes : float or None
        How long to go on; None for the floor of each attack.
    """

    SHOWN = 20

    def __init__(self, name: str, minutes: float | None) -> None:
        self.name = name
        self.minutes = minutes
        self.tried = 0
        self.escaped: list[str] = []

    def tries(self, floor: int) -> Iterator[int]:
        """Yield 0, 1, 2 ...: `floor` of them, or with ``--minutes`` until the time is over."""
        begun = time.monotonic()
        while (
            self.tried < floor
            if self.minutes is None
            else time.monotonic() - begun < 60 * self.minutes
        ):
            yield self.tried
            self.tried += 1

    def escape(self, number: int | str, what: str) -> None:
        """Record that a try was not answered as promised."""
        self.escaped.append(f"{self.name} {number}: {what}")

    def line(self) -> str:
        return f"{self.name}: {self.tried} tried, {len(self.escaped)} escaped"

    def settle(self) -> None:
        """Fail if anything escaped."""
        if self.escaped:
            shown = "\n".join(self.escaped[: self.SHOWN])
            pytest.fail(f"{self.line()}\n{shown}", pytrace=False)


@pytest.fixture
def attack(
    request: pytest.FixtureRequest, record_property: Callable[[str, object], None]
) -> Iterator[Attack]:
    """The tally of the test that asks for it, named by the test: ``test_recipes`` is "recipes"."""
    name = request.node.name.removeprefix("test_").replace("_", " ")
    tally = Attack(name, request.config.getoption("--minutes"))
    yield tally
    record_property("attack", tally.line())
    tally.settle()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.slow)
