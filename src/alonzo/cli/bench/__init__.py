"""``alonzo bench``: this platform beside two baselines, on this machine, in one run."""
