"""What the sandboxes of a platform have to do with each other: nothing.

What hostile code comes to is in ``test_attacks.py``.
"""

PEER = """
import os, socket, threading
def handler(event, context):
    if event == "plant":
        open("/tmp/planted", "w").write("x")
        s = socket.socket(); s.bind(("127.0.0.1", 7777)); s.listen(); globals()["kept"] = s
        u = socket.socket(socket.AF_UNIX); u.bind("\\0planted"); u.listen(); globals()["kept2"] = u
        return os.getpid()
    def connect(family, address):
        try:
            s = socket.socket(family); s.settimeout(2); s.connect(address); return True
        except OSError:
            return False
    return [os.path.exists("/tmp/planted"), connect(socket.AF_INET, ("127.0.0.1", 7777)),
            connect(socket.AF_UNIX, "\\0planted"),
            len([d for d in os.listdir("/proc") if d.isdigit()])]
"""


def test_a_function_sees_nothing_of_its_neighbour(function):
    one, other = function(PEER), function(PEER)
    one.invoke("plant")
    exists, tcp, unix, processes = other.invoke("look").json
    assert (exists, tcp, unix) == (False, False, False)
    assert processes <= 2


TREE = """
import os, signal, time
def handler(event, context):
    for _ in range(8):
        if os.fork() == 0:
            os.setsid()
            for number in range(1, 32):
                try: signal.signal(number, signal.SIG_IGN)
                except (OSError, ValueError): pass
            os.fork()
            time.sleep(600)
    time.sleep(600)
"""


def test_a_timeout_kills_the_whole_tree(function, platform, eventually):
    from alonzo.testing.residue import descendants

    tree = function(TREE, Timeout=1)
    assert tree.invoke().json["errorType"] == "Sandbox.Timedout"
    before = len(descendants(platform.pid))
    assert tree.invoke().json["errorType"] == "Sandbox.Timedout"
    eventually(lambda: len(descendants(platform.pid)) <= before, 10)
