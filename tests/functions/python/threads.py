"""Starts a thread that would run on, then fails at import."""

import threading
import time

threading.Thread(target=time.sleep, args=(60,)).start()
raise RuntimeError("the module fails, its thread runs on")
