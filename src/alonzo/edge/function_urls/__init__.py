"""Function URLs: plain HTTP in, an invocation, plain HTTP out.

Pure parts: where a request goes (``address``), the event it becomes (``event``), what may call
(``permission``), what a function's answer means (``result``, ``prelude``), and CORS (``cors``).
``server`` puts them together.
"""
