"""The words everybody uses: names, shapes, limits, errors, ports. No I/O, no clock, no asyncio."""
