"""Types into a program on a terminal of its own: drive.py JSON COMMAND...

JSON is a list of [REGEXP, KEYS]: once the screen has shown the one, the other is
typed. Then the program must end by itself with status 0.
"""
import json
import os
import pty
import re
import select
import sys
import time

steps, command = json.loads(sys.argv[1]), sys.argv[2:]
pid, fd = pty.fork()
if pid == 0:
    os.environ.update(TERM="vt100", LINES="24", COLUMNS="80")
    os.execvp(command[0], command)
shown, everything, deadline = b"", b"", time.monotonic() + 45


def read():
    """Takes what the program writes; false once it has ended."""
    global shown, everything
    if time.monotonic() > deadline:
        sys.stderr.buffer.write(b"out of time, waiting for %r after\n" % (steps[:1],) + everything[-4000:])
        os.kill(pid, 9)
        sys.exit(1)
    if not select.select([fd], [], [], 0.2)[0]:
        return True
    try:
        part = os.read(fd, 65536)
    except OSError:
        return False
    shown += part
    everything += part
    return bool(part)


alive = True
while steps and alive:
    alive = read()
    text = re.sub(rb"\x1b(\[[0-9;?]*[A-Za-z]|[()][A-Z0-9]|[=>])|[\x00-\x07\x0e\x0f]", b"", shown)
    if re.search(steps[0][0].encode(), text):
        time.sleep(0.3)  # some programs throw away what was typed before they ask
        os.write(fd, steps.pop(0)[1].encode())
        shown = b""
while alive:
    alive = read()
status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
if status != 0 or steps:
    sys.stderr.buffer.write(b"status %d, left to type: %r\n" % (status, steps) + everything[-4000:])
    sys.exit(1)
