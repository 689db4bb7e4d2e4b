"""The zygote: imports everything once, then forks real workers in milliseconds, and kills them.

A process of its own, single-threaded: it takes orders as lines of JSON on standard input and answers each with a line.
"""

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import Any

from sqlalchemy.exc import OperationalError

from store.engine import Store
from tests.chaos import outlets
from tests.chaos.living import BORN, DONE, Order, live, warm
from tests.chaos.world import World

SHORTEST, LONGEST = 0.07, 0.42
"""Seconds of work after which a life is killed; on a busy machine as many times longer as its start took longer."""
LONELY = 2.0
"""How many times longer a life works that has nobody beside it."""
CALM_START = 0.1
UNBORN = 0.1
"""The share of lives that are killed while they still begin."""


@dataclass(frozen=True)
class Storm:
    """What a storm did: kills made, lives ended by themselves because all work was over, seconds."""

    kills: int
    finished: bool
    seconds: float


@dataclass(frozen=True)
class Life:
    """How a life ended, and the points it passed."""

    killed: bool
    finished: bool
    passed: list[str]


class Zygote:
    """The parent's side: gives orders to the zygote process."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process

    def storm(self, world: World, kills: int, workers: int, seed: int, seconds: float) -> Storm:
        """Kill ``kills`` workers at random moments, then let the last ones finish; stops after ``seconds``."""
        given = {"kills": kills, "workers": workers, "seed": seed, "seconds": seconds}
        return Storm(**self._ask({"do": "storm", "world": world.dumps(), **given}))

    def life(self, world: World, order: Order) -> Life:
        """One life until it dies, finishes or gives up."""
        return Life(**self._ask({"do": "life", "world": world.dumps(), "order": order.dumps()}))

    def _ask(self, order: dict[str, Any]) -> Any:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError("the zygote is gone")
        return json.loads(answer)


@contextlib.contextmanager
def zygote() -> Iterator[Zygote]:
    """A zygote that lives as long as the block."""
    command = [sys.executable, "-m", "tests.chaos.zygote"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield Zygote(process)
        finally:
            assert process.stdin
            process.stdin.close()
            process.wait(30)


def main() -> None:
    """Take orders until standard input ends."""
    outlets.install()
    mothers: dict[str, Mother] = {}
    for line in sys.stdin:
        given = json.loads(line)
        mother = mothers.setdefault(given["world"], Mother(World.loads(given["world"])))
        if given["do"] == "storm":
            storm = _storm(mother, given["kills"], given["workers"], Random(given["seed"]), given["seconds"])
            answer = storm.__dict__
        else:
            answer = _life(mother, Order(**given["order"])).__dict__
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


class Mother:
    """One world's forks: its store is warm and has no open connection when a child is born."""

    def __init__(self, world: World) -> None:
        self.world, self.store, self.warm = world, Store(world.url), False

    def fork(self, order: Order, tell: int = -1) -> int:
        while not self.warm:
            try:
                warm(self.world, self.store)
                self.warm = True
            except OperationalError:
                time.sleep(0.2)  # the database starts again just now
        pid = os.fork()
        if pid:
            return pid
        try:
            live(self.world, order, self.store, tell)
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(9)


def _storm(mother: Mother, kills: int, workers: int, chance: Random, seconds: float) -> Storm:
    began, killed, over = time.monotonic(), 0, None
    lives = [_Life(mother, chance) for _ in range(workers)]
    while killed < kills and time.monotonic() < began + seconds:
        position = chance.randrange(workers)
        lives[position].let_work(chance, LONELY if workers == 1 else 1.0)
        over = _end(lives[position].pid)
        if over == DONE:
            lives.pop(position)
            break
        killed += 1
        lives[position] = _Life(mother, chance)
    finished = _let_finish([life.pid for life in lives], began + seconds) or over == DONE
    return Storm(killed, finished, time.monotonic() - began)


class _Life:
    """One worker of a storm; it tells when its work begins."""

    def __init__(self, mother: Mother, chance: Random) -> None:
        self._hear, tell = os.pipe()
        self._forked = time.monotonic()
        self.pid = mother.fork(Order(seed=chance.randrange(10**9), telling=False), tell)
        os.close(tell)

    def let_work(self, chance: Random, longer: float) -> None:
        """Wait for a moment at which it may be killed."""
        if chance.random() < UNBORN:
            time.sleep(chance.uniform(0, CALM_START))
            return
        select.select([self._hear], [], [], 30)
        slowness = max((time.monotonic() - self._forked) / CALM_START, 1.0)
        time.sleep(chance.uniform(SHORTEST, LONGEST) * longer * min(slowness, 10.0))

    def __del__(self) -> None:
        os.close(self._hear)


def _end(pid: int) -> int | None:
    """Kill it; the code with which it had ended by itself, None when it really was killed."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    return None if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def _let_finish(pids: list[int], until: float) -> bool:
    """Wait for the last workers; those that are still at work when the time is over are killed too."""
    codes: list[int | None] = []
    for pid in pids:
        ended = 0
        while not ended and time.monotonic() < until:
            ended, status = os.waitpid(pid, os.WNOHANG)
            if not ended:
                time.sleep(0.02)
        codes.append(os.WEXITSTATUS(status) if ended and os.WIFEXITED(status) else _end(pid) if not ended else None)
    return DONE in codes


def _life(mother: Mother, order: Order) -> Life:
    hear, tell = os.pipe()
    pid = mother.fork(order, tell)
    os.close(tell)
    heard = b""
    while select.select([hear], [], [], order.patience + 30)[0] and (data := os.read(hear, 65536)):
        heard += data
    os.close(hear)
    _, status = os.waitpid(pid, 0)
    finished = os.WIFEXITED(status) and os.WEXITSTATUS(status) == DONE
    passed = [name for name in heard.decode().split() if name != BORN]
    return Life(os.WIFSIGNALED(status), finished, passed)


if __name__ == "__main__":
    main()
