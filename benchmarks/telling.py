"""How measured figures are said: three figures that matter, in Vietnamese writing, with the goal and whether it was reached."""

import statistics
from dataclasses import dataclass

Found = dict[str, list[float]]


@dataclass(frozen=True)
class Goal:
    """A ratio to a reference of the same round (or a plain limit in the unit ``name``, where ``against`` is empty) to be reached."""

    number: str
    against: str
    limit: float
    at_least: bool = True
    name: str = ""

    def said(self, found: Found, key: str) -> tuple[str, str]:
        """The median of the rounds' ratios in words, and the goal with its verdict."""
        if self.against and not found.get(self.against):
            return "", f"{self.number}: mốc không đo được"
        value = ratio(found, key, self.against) if self.against else statistics.median(found[key])
        reached = value >= self.limit if self.at_least else value <= self.limit
        sign, times = ("≥" if self.at_least else "≤"), f" × {self.name}" if self.against else f" {self.name}".rstrip()
        words = f"{figure(value)}{times}" if self.against else ""
        return words, f"{self.number}: {sign} {figure(self.limit)}{times} – {'đạt' if reached else 'chưa đạt'}"


def ratio(found: Found, key: str, against: str) -> float:
    """The median of the rounds' own ratios."""
    return statistics.median(a / b for a, b in zip(found[key], found[against], strict=True))


def row(name: str, values: list[float], unit: str, said: str = "", goal: str = "") -> dict[str, str]:
    """One row of a section."""
    return {
        "name": name, "median": figure(statistics.median(values)), "low": figure(min(values)), "high": figure(max(values)),
        "unit": unit, "ratio": said, "goal": goal,
    }  # fmt: skip


def measured(
    found: Found, key: str, name: str, unit: str, goals: tuple[Goal, ...] = (), also: str = ""
) -> dict[str, str]:
    """One row of rounds with its goals."""
    told = [goal.said(found, key) for goal in goals]
    ratios = "; ".join([*dict.fromkeys(words for words, _ in told if words), *([also] if also else [])])
    return row(name, found[key], unit, ratios, "; ".join(verdict for _, verdict in told))


def one(name: str, value: float, unit: str, said: str = "", goal: str = "") -> dict[str, str]:
    """One row measured once."""
    return {"name": name, "median": figure(value), "low": "", "high": "", "unit": unit, "ratio": said, "goal": goal}


def figure(value: float) -> str:
    """1.250 or 98,5 or 0,053: three figures that matter."""
    digits = 0 if value >= 100 or value == int(value) else 1 if value >= 10 else 2 if value >= 1 else 3
    return f"{value:,.{digits}f}".replace(",", "\0").replace(".", ",").replace("\0", ".")
