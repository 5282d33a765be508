"""Read every message over STLS: pop3_read.py HOST PORT USER PASSWORD.

Prints a JSON array of objects with uid (UIDL), size (LIST) and body (base64).
"""
import base64
import json
import poplib
import ssl
import sys

host, port, user, password = sys.argv[1:5]
context = ssl.create_default_context()
context.check_hostname = False
context.verify_mode = ssl.CERT_NONE
poplib._MAXLINE = 1 << 20

pop = poplib.POP3(host, int(port), timeout=30)
pop.stls(context)
pop.user(user)
pop.pass_(password)
count, total = pop.stat()
sizes = [int(line.split()[1]) for line in pop.list()[1]]
uids = [line.split()[1].decode() for line in pop.uidl()[1]]
assert len(sizes) == len(uids) == count and sum(sizes) == total, (count, total, sizes, uids)
messages = []
for n in range(1, count + 1):
    # poplib has undone the dot-stuffing and taken CRLF from each line.
    body = b"".join(line + b"\r\n" for line in pop.retr(n)[1])
    messages.append({"uid": uids[n - 1], "size": sizes[n - 1], "body": base64.b64encode(body).decode()})
pop.quit()
json.dump(messages, sys.stdout)
