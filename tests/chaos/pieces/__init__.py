"""The long tests of ``make chaos``: each module names its test (``NAME``) and runs it (``run``).

``run(size, seed, folder) -> bool`` says whether it is green; ``size`` None is the full size. What it needs to go on
later it keeps in ``folder``; after at most ten minutes it raises ToBeContinued and is called again.
"""


class ToBeContinued(Exception):
    """This piece has more to do; the message tells how far it is."""
