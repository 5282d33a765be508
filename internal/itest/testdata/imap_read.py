"""Read every message of INBOX over STARTTLS: imap_read.py HOST PORT USER PASSWORD.

Prints a JSON array of objects with uid, envelope, bodystructure and body (base64).
"""
import base64
import imaplib
import json
import re
import ssl
import sys

host, port, user, password = sys.argv[1:5]
context = ssl.create_default_context()
context.check_hostname = False
context.verify_mode = ssl.CERT_NONE


def ok(answer):
    assert answer[0] == "OK", answer
    return answer[1]


imap = imaplib.IMAP4(host, int(port), timeout=30)
ok(imap.starttls(ssl_context=context))
ok(imap.login(user, password))
ok(imap.select("INBOX", readonly=True))
messages = []
for uid in ok(imap.uid("SEARCH", "ALL"))[0].split():
    # Literals in an envelope make imaplib answer with tuples; they are joined as they came.
    def text(item):
        parts = []
        for part in ok(imap.uid("FETCH", uid, item)):
            parts.extend(part if isinstance(part, tuple) else (part,))
        return b"".join(parts).decode("latin-1")

    body = ok(imap.uid("FETCH", uid, "BODY.PEEK[]"))
    head, data = next(part for part in body if isinstance(part, tuple))
    assert int(re.search(rb"\{(\d+)\}$", head).group(1)) == len(data), head
    messages.append({
        "uid": int(uid),
        "envelope": text("ENVELOPE"),
        "bodystructure": text("BODYSTRUCTURE"),
        "body": base64.b64encode(data).decode(),
    })
imap.logout()
json.dump(messages, sys.stdout)
