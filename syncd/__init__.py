"""syncd keeps the customers of one SQL database and of several business systems in agreement, in both directions.

Reading order, along the road of one changed customer:
`source.triggers` logs its key → `detect.capture` makes it due → `engine.worker` takes the due pairs of a lane →
`reconcile` gathers facts, asks the pure `core.plan` and `core.merge`, and carries the answer out → `providers` speak
each API's language → `store` remembers the link, the base and every write that is under way → `status` tells.
`bootstrap` puts it together, `daemon` repeats it, `cli` is how people reach it. The words are defined in README.
"""

__version__ = "1.1.0"
