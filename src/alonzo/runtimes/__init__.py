"""Runtimes: one file per family, and the bootstraps we supply. Facts and plans, no processes."""
