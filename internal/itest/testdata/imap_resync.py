"""Keeps a copy of INBOX in step with QRESYNC (RFC 7162): imap_resync.py HOST PORT USER PASSWORD ROUNDS.

In each round the client goes away, another session changes the mailbox at random,
and the client comes back: what it knew and what SELECT (QRESYNC ...) tells it must
be what a whole FETCH says. Prints how many changes it was told.
"""
import imaplib
import random
import re
import ssl
import sys

host, port, user, password, rounds = sys.argv[1:6]
context = ssl.create_default_context()
context.check_hostname = False
context.verify_mode = ssl.CERT_NONE
rnd = random.Random(1)


def ok(answer):
    assert answer[0] == "OK", answer
    return answer[1]


def connect(resync=True):
    imap = imaplib.IMAP4_SSL(host, int(port), ssl_context=context, timeout=30)
    ok(imap.login(user, password))
    if resync:
        ok(imap.enable("QRESYNC"))
        assert b"QRESYNC" in imap.response("ENABLED")[1][0], "QRESYNC is not enabled"
    return imap


def numbers(text):
    for part in text.split(","):
        low, _, high = part.partition(":")
        yield from range(int(low), int(high or low) + 1)


def state(lines):
    """UID to flags and mod-sequence of FETCH responses."""
    messages = {}
    for line in lines or []:
        if line is None:
            continue
        text = line.decode()
        uid = int(re.search(r"UID (\d+)", text).group(1))
        flags = frozenset(re.search(r"FLAGS \(([^)]*)\)", text).group(1).split()) - {"\\Recent"}
        messages[uid] = flags, int(re.search(r"MODSEQ \((\d+)\)", text).group(1))
    return messages


def select(imap, parameter):
    imap.untagged_responses = {}
    imap.is_readonly = False
    typ, data = imap._simple_command("SELECT", "INBOX", parameter)
    assert typ == "OK", data
    imap.state = "SELECTED"
    seen = dict(imap.untagged_responses)
    validity, modseq = (int(seen[key][-1]) for key in ("UIDVALIDITY", "HIGHESTMODSEQ"))
    vanished = []
    for line in seen.get("VANISHED", []):
        earlier, uids = line.decode().split(" ")
        assert earlier == "(EARLIER)", line
        vanished.extend(numbers(uids))
    return validity, modseq, state(seen.get("FETCH")), vanished


def whole(imap):
    return state(ok(imap.uid("FETCH", "1:*", "(FLAGS MODSEQ)")))


def change(imap, n):
    ok(imap.select("INBOX"))
    uids = [int(u) for u in ok(imap.uid("SEARCH", "ALL"))[0].split()]
    for uid in rnd.sample(uids, len(uids) // 6):
        ok(imap.uid("STORE", str(uid), rnd.choice(["+FLAGS", "-FLAGS", "FLAGS"]), rnd.choice(["(\\Flagged)", "(\\Seen kw)", "()", "(\\Answered)"])))
    gone = rnd.sample(uids, len(uids) // 9)
    if gone:
        ok(imap.uid("STORE", ",".join(map(str, gone)), "+FLAGS", "(\\Deleted)"))
        ok(imap.expunge())
    for i in range(rnd.randrange(1, 9)):
        ok(imap.append("INBOX", "(\\Draft)", None, b"Subject: resync %d %d\r\n\r\nx\r\n" % (n, i)))


first = connect(resync=False)
for i in range(60):
    ok(first.append("INBOX", None, None, b"Subject: first %d\r\n\r\nx\r\n" % i))
first.logout()

imap = connect()
validity, modseq, _, _ = select(imap, "(CONDSTORE)")
known = whole(imap)
imap.logout()
told = 0
for n in range(int(rounds)):
    other = connect(resync=False)
    change(other, n)
    other.logout()
    imap = connect()
    top = max(known)
    uids = ["", " 1:%d" % top, " " + ",".join(map(str, sorted(known)))][n % 3]
    same, now, changed, vanished = select(imap, "(QRESYNC (%d %d%s))" % (validity, modseq, uids))
    assert same == validity and now >= modseq, (same, now)
    assert not set(changed) & set(vanished), (changed, vanished)
    assert all(m > modseq for _, m in changed.values()), changed
    for uid in vanished:
        known.pop(uid, None)
    if uids:  # what is new is told to a client only that names no UIDs
        assert all(uid <= top for uid in changed), changed
        changed.update(state(ok(imap.uid("FETCH", "%d:*" % (top + 1), "(FLAGS MODSEQ)"))))
        changed = {uid: m for uid, m in changed.items() if known.get(uid) != m}
    before = dict(known)
    known.update(changed)
    truth = whole(imap)
    assert known == truth, (sorted(known.items() ^ truth.items()))
    assert all(before.get(uid) != is_ for uid, is_ in changed.items()), "told what was known"
    told += len(changed) + len(vanished)
    modseq = now
    imap.logout()
assert told > 0
print(told)
