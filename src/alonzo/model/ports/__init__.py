"""How one room reaches another. ``daemon/wiring.py`` hands the implementations in."""
