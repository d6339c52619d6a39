"""Composite alarms: alarms that look at other alarms.

``rule`` reads and evaluates their rules, ``suppression`` decides when actions wait, ``checks`` what
may be put, ``graph`` in which order alarms follow one another, and ``reasons`` says why.
"""
