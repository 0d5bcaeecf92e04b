"""Working off due pairs: one pass to the end (`run`), the daemon's pass (`loop`), one lane (`worker`)."""
