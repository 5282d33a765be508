"""Signs or verifies with dkimpy.

dkim_peer.py sign KEYDIR IN OUT    each IN/NAME in four canonicalizations and
                                   with two keys, as OUT/NAME.CANON.KEY
dkim_peer.py verify ZONE IN        prints "NAME RESULT" for each signature

ZONE has lines "NAME RECORD". Keys are KEYDIR/rsa.pem and KEYDIR/ed.seed
(base64).
"""
import os
import sys

import dkim


def sign(keydir, source, target):
    rsa = open(os.path.join(keydir, "rsa.pem"), "rb").read()
    ed = open(os.path.join(keydir, "ed.seed"), "rb").read().strip()
    for name in sorted(os.listdir(source)):
        message = open(os.path.join(source, name), "rb").read()
        for header in (b"relaxed", b"simple"):
            for body in (b"relaxed", b"simple"):
                for selector, key, algorithm in ((b"rsa", rsa, b"rsa-sha256"), (b"ed", ed, b"ed25519-sha256")):
                    field = dkim.sign(message, selector, b"example.org", key, canonicalize=(header, body), signature_algorithm=algorithm)
                    out = b"%s.%s-%s.%s" % (os.fsencode(name), header, body, selector)
                    with open(os.path.join(os.fsencode(target), out), "wb") as f:
                        f.write(field + message)


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
        count = message.split(b"\r\n\r\n")[0].lower().count(b"dkim-signature:")
        for i in range(count):
            d = dkim.DKIM(message)
            try:
                ok = d.verify(idx=i, dnsfunc=dnsfunc)
            except dkim.DKIMException as e:
                ok = False
                print(name, "fail", e)
                continue
            print(name, "pass" if ok else "fail")


if __name__ == "__main__":
    {"sign": sign, "verify": verify}[sys.argv[1]](*sys.argv[2:])
