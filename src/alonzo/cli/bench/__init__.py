"""``alonzo bench``: what this platform does on this machine, beside baselines, in one run."""
