// Uses a mailbox with imapflow, which enables what the server offers: QRESYNC,
// UTF8=ACCEPT, COMPRESS. The argument is a JSON object. The module is found by
// NODE_PATH.
const assert = require('assert');
const fs = require('fs');
const { ImapFlow } = require('imapflow');
const o = JSON.parse(process.argv[2]);

async function connect() {
  const c = new ImapFlow({
    host: 'localhost', port: o.port, secure: o.secure, doSTARTTLS: !o.secure, tls: { ca: fs.readFileSync(o.ca) },
    auth: { user: o.user, pass: o.password }, logger: false, qresync: true,
  });
  await c.connect();
  for (const name of ['CONDSTORE', 'QRESYNC', 'UTF8=ACCEPT']) {
    assert.equal(c.enabled.has(name), c.capabilities.has(name), name);
  }
  assert.equal(!!c._deflate, c.capabilities.has('COMPRESS=DEFLATE'), 'COMPRESS');
  return c;
}

// until waits for an event of an emitter, at most 20 s.
function until(emitter, name, done) {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('no event ' + name)), 20000);
    emitter.on(name, (e) => { if (done(e)) { clearTimeout(timer); resolve(e); } });
  });
}

const parts = [
  'From: =?utf-8?q?J=C3=B6rg?= <joerg@remote.example>', 'To: a@example.org', 'Subject: =?utf-8?q?Gr=C3=B6=C3=9Fe?=',
  'Date: Mon, 02 Nov 2026 10:00:00 +0000', 'Message-ID: <flow@remote.example>', 'MIME-Version: 1.0',
  'Content-Type: multipart/mixed; boundary=b', '',
  '--b', 'Content-Type: text/plain; charset=iso-8859-1', 'Content-Transfer-Encoding: quoted-printable', '', 'gr=FC=DF dich',
  '--b', 'Content-Type: application/octet-stream', 'Content-Disposition: attachment; filename=a.bin',
  'Content-Transfer-Encoding: base64', '', 'AAEC/w==', '--b--', '',
].join('\r\n');

async function read(stream) {
  const list = [];
  for await (const chunk of stream) list.push(chunk);
  return Buffer.concat(list);
}

async function mailboxes(c, box) {
  await c.mailboxCreate(box + '/tmp');
  await c.mailboxRename(box + '/tmp', box + '/neu');
  await c.mailboxSubscribe(box + '/neu');
  let list = await c.list({ statusQuery: { messages: true, uidNext: true } });
  assert(list.some(m => m.path === 'Sent' && m.specialUse === '\\Sent'), 'Sent');
  assert(list.some(m => m.path === box + '/neu' && m.subscribed && m.status.messages === 0), 'new name');
  await c.mailboxUnsubscribe(box + '/neu');
  await c.mailboxDelete(box + '/neu');
  list = await c.list();
  assert(!list.some(m => m.path === box + '/neu'), 'deleted');
}

async function messages(c, box) {
  const date = new Date('2023-11-14T22:13:20Z');
  const put = await c.append(box, parts, ['\\Seen', 'flow'], date);
  assert.equal(put.uid, 1);
  const m = await c.fetchOne('1', { uid: true, flags: true, envelope: true, bodyStructure: true, internalDate: true, size: true, source: true }, { uid: true });
  assert.equal(m.source.toString(), parts);
  assert.equal(m.size, parts.length);
  assert.equal(m.envelope.subject, 'Größe');
  assert.equal(m.envelope.from[0].name, 'Jörg');
  assert.equal(m.internalDate.getTime(), date.getTime());
  assert(m.flags.has('\\Seen') && m.flags.has('flow'));
  assert.equal(m.bodyStructure.childNodes[1].dispositionParameters.filename, 'a.bin');
  const text = await c.download('1', '1', { uid: true });
  assert.equal((await read(text.content)).toString().trim(), 'grüß dich');
  const bin = await c.download('1', '2', { uid: true });
  assert.deepEqual([...await read(bin.content)], [0, 1, 2, 255]);

  for (let i = 2; i <= 12; i++) await c.append(box, parts.replace('<flow@', `<flow${i}@`));
  assert.deepEqual(await c.search({ header: { 'message-id': '<flow7@remote.example>' } }, { uid: true }), [7]);
  assert.deepEqual(await c.search({ body: 'dich', subject: 'Größe', seen: true }, { uid: true }), [1]);
  assert(await c.messageFlagsAdd('3:5', ['\\Flagged'], { uid: true }));
  assert(await c.messageFlagsRemove('4', ['\\Flagged'], { uid: true }));
  assert.deepEqual(await c.search({ flagged: true }, { uid: true }), [3, 5]);
  const copied = await c.messageCopy('1:2', 'Archive', { uid: true });
  assert.deepEqual([...copied.uidMap.keys()], [1, 2]);
  const moved = await c.messageMove('2:3', 'Trash', { uid: true });
  assert.deepEqual([...moved.uidMap.keys()], [2, 3]);
  assert(await c.messageDelete('12', { uid: true }));
  const left = [];
  for await (const n of c.fetch('1:*', { uid: true, flags: true })) left.push(n.uid);
  assert.deepEqual(left, [1, 4, 5, 6, 7, 8, 9, 10, 11]);
}

// told asserts that a second session in IDLE is told of each change.
async function told(c, d, box) {
  await d.mailboxOpen(box);
  d.idle().catch(() => {});
  let heard = until(d, 'exists', e => e.count === 10);
  await c.append(box, parts);
  await heard;
  heard = until(d, 'flags', e => e.flags.has('later'));
  await c.messageFlagsAdd('4', ['later'], { uid: true });
  await heard;
  heard = until(d, 'expunge', e => e.vanished ? e.uid === 6 : e.seq === 4);
  await c.messageDelete('6', { uid: true });
  await heard;
}

// away asserts that what changed while a client was away is what it fetches
// with the mod-sequence that it knows.
async function away(c, box) {
  const since = (await c.status(box, { highestModseq: true })).highestModseq;
  await c.logout();
  const other = await connect();
  await other.mailboxOpen(box);
  await other.messageFlagsAdd('8', ['\\Answered'], { uid: true });
  await other.messageDelete('9', { uid: true });
  await other.logout();
  const back = await connect();
  const vanished = [];
  back.on('expunge', e => vanished.push(e.uid));
  await back.mailboxOpen(box);
  const changed = [];
  for await (const m of back.fetch('1:*', { uid: true, flags: true }, { uid: true, changedSince: since })) changed.push(m.uid);
  if (back.enabled.has('CONDSTORE')) assert.deepEqual(changed, [8]);
  if (back.enabled.has('QRESYNC')) assert.deepEqual(vanished, [9]);
  await back.logout();
}

(async () => {
  const box = 'Flow/Größe';
  const c = await connect(), d = await connect();
  await c.mailboxCreate(box);
  await mailboxes(c, box);
  await c.mailboxOpen(box);
  await messages(c, box);
  await told(c, d, box);
  await d.logout();
  await away(c, box);
})().catch(e => { console.error(e); process.exit(1); });
