# Tells as JSON what an account has: {path: {"subscribed", "role", "messages": [[flags,
# seconds, octets, sha256], …]}}, levels joined by "/". Usage: imap_dump.py PORT USER PASSWORD
import base64, hashlib, imaplib, json, re, sys, time

port, user, password = int(sys.argv[1]), sys.argv[2], sys.argv[3]
imaplib._MAXLINE = 10_000_000
m = imaplib.IMAP4("127.0.0.1", port)
m.login(user, password)


def utf7(name):
    def decode(found):
        text = found.group(1)
        if not text:
            return "&"
        text = text.replace(",", "/")
        return base64.b64decode(text + "=" * (-len(text) % 4)).decode("utf-16-be")
    return re.sub("&([^-]*)-", decode, name)


def listed(command, *args):
    typ, _ = m._simple_command(command, *args)
    assert typ == "OK", typ
    _, lines = m._untagged_response(typ, [None], "LSUB" if command == "LSUB" else "LIST")
    for line in lines:
        if line is None:
            continue
        if isinstance(line, tuple):
            attrs, delimiter = re.match(rb'\((.*?)\) "(.)" ', line[0]).groups()
            name = line[1]
        elif line:
            attrs, delimiter, name = re.match(rb'\((.*?)\) "(.)" (.*)', line).groups()
        else:
            continue
        name = name.decode()
        if name.startswith('"'):
            name = re.sub(r"\\(.)", r"\1", name[1:-1])
        yield attrs.decode().lower().split(), delimiter.decode(), name


_, spaces = m.namespace()
prefix = re.match(rb'\(\("(.*?)"', spaces[0]).group(1).decode()
uses = {r"\sent", r"\drafts", r"\trash", r"\junk", r"\archive"}
out = {}
subscribed = {name for _, _, name in listed("LSUB", '""', '"*"')}
for attrs, delimiter, name in list(listed("LIST", '""', '"*"', "RETURN", "(SPECIAL-USE)")):
    if r"\noselect" in attrs or r"\nonexistent" in attrs:
        continue
    path = name[len(prefix):] if prefix and name.startswith(prefix) else name
    box = {"subscribed": name in subscribed, "role": " ".join(uses & set(attrs)), "messages": []}
    out["/".join(utf7(level) for level in path.split(delimiter))] = box
    typ, answer = m.select('"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"', readonly=True)
    assert typ == "OK", answer
    if int(answer[0]) == 0:
        continue
    _, data = m.fetch("1:*", "(FLAGS INTERNALDATE BODY.PEEK[])")
    for item, tail in zip(data, data[1:] + [b""]):
        if not isinstance(item, tuple):
            continue
        head = item[0] + (tail if isinstance(tail, bytes) else b"")
        flags = sorted(f.decode().lower() for f in imaplib.ParseFlags(head) if f.lower() != rb"\recent")
        date = int(time.mktime(imaplib.Internaldate2tuple(head)))
        box["messages"].append([" ".join(flags), date, len(item[1]), hashlib.sha256(item[1]).hexdigest()])
    box["messages"].sort()
m.logout()
json.dump(out, sys.stdout)
