"""What functions used, and what the same work would have cost at AWS's list price.

``rules.py`` groups and prices, ``route.py`` answers, ``prices.json`` has the rates, their date and
their source.
"""
