"""`syncd run`: repeat the cycle for years, and be a good citizen of systemd while doing so.

Reading order: `signals` (blocked, and taken by the main thread when it asks) · `schedule` (APScheduler) · `duty` (the
jobs, and what becomes of their errors) · `wake` (a commit makes the poll come at once) · `serving` (open, serve,
reload, end) · `notify`, `alerts`, `metrics`, `fresh_page` with its `page_guard` (systemd, monitor, Prometheus and page
are told), by a `courier` each.
"""
