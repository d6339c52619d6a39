"""Stands for the sandbox's zygote: imports the bootstrap once, forks, and becomes the bootstrap.

``zygote.py FOLDER MODULE`` is started with the child's descriptors 1, 2, 3 and 4 at 11, 12, 13 and
14, and with the child's own variables as a JSON object on its standard input. It ends as the child
ends. Runs on every Python that the bootstrap runs on.
"""

import importlib
import json
import os
import sys

folder, name = sys.argv[1:]
sys.path.insert(0, folder)
module = importlib.import_module(name)
module.preload()
variables = json.loads(sys.stdin.read())
child = os.fork()
if child == 0:
    for fd in (1, 2, 3, 4):
        os.dup2(fd + 10, fd)
        os.close(fd + 10)
    devnull = os.open(os.devnull, os.O_RDONLY)
    os.dup2(devnull, 0)
    os.close(devnull)
    os.environ.clear()
    os.environ.update(variables)
    module.main()
for fd in (11, 12, 13, 14):
    os.close(fd)
_, status = os.waitpid(child, 0)
if os.WIFSIGNALED(status):
    os.kill(os.getpid(), os.WTERMSIG(status))
os._exit(os.WEXITSTATUS(status))
