"""`syncd run`: poll for years, as a service of systemd.

Reading order: `signals` (blocked, and taken by the main thread when it asks) · `schedule` (APScheduler) · `duty` (the
jobs and their errors) · `wake` (a commit makes the poll come at once) · `serving` (open, serve, reload, end) ·
`notify`, `alerts`, `metrics`, `fresh_page` with its `page_guard` (for systemd, a monitor, Prometheus and the page),
each behind a `courier`."""
