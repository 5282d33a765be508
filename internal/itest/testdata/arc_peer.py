"""Seals or verifies chains with dkimpy.

arc_peer.py seal ID KEYDIR IN OUT  each IN/NAME, as OUT/NAME, with the chain's
                                   state out of the Authentication-Results of ID
arc_peer.py verify ZONE IN         prints "NAME RESULT" for each message

ZONE has lines "NAME RECORD". The key is KEYDIR/rsa.pem.
"""
import os
import sys

import dkim


def seal(srv_id, keydir, source, target):
    rsa = open(os.path.join(keydir, "rsa.pem"), "rb").read()
    for name in sorted(os.listdir(source)):
        message = open(os.path.join(source, name), "rb").read()
        fields = dkim.arc_sign(message, b"rsa", b"example.org", rsa, srv_id.encode())
        with open(os.path.join(target, name), "wb") as f:
            f.write(b"".join(fields) + message)


def verify(zone, source):
    records = {}
    for line in open(zone, "rb"):
        name, record = line.rstrip(b"\n").split(b" ", 1)
        records[name] = record

    def dnsfunc(name, timeout=5):
        if isinstance(name, str):
            name = name.encode()
        return records.get(name.rstrip(b"."))

    for name in sorted(os.listdir(source)):
        message = open(os.path.join(source, name), "rb").read()
        cv, _, reason = dkim.arc_verify(message, dnsfunc=dnsfunc)
        print(name, "pass" if cv == dkim.CV_Pass else "fail %s" % reason)


if __name__ == "__main__":
    {"seal": seal, "verify": verify}[sys.argv[1]](*sys.argv[2:])
