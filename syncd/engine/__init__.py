"""Working off due pairs: one cycle to its end (`run`), the daemon's polls (`loop`), one lane (`worker`)."""
