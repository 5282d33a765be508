// Logs in with imapflow or nodemailer; the argument is a JSON object. The
// modules are found by NODE_PATH.
const fs = require('fs');
const o = JSON.parse(process.argv[2]);
const tls = { ca: fs.readFileSync(o.ca) };
const auth = o.token ? { user: o.user, accessToken: o.token, type: 'OAuth2' } : { user: o.user, pass: o.password };
async function imap() {
  const { ImapFlow } = require('imapflow');
  if (o.mechanism && !o.token) auth.loginMethod = o.mechanism;
  const c = new ImapFlow({ host: 'localhost', port: o.port, secure: false, doSTARTTLS: true, tls, auth, logger: false });
  await c.connect();
  await c.logout();
}
async function smtp() {
  const nodemailer = require('nodemailer');
  const t = nodemailer.createTransport({ host: 'localhost', port: o.port, secure: false, requireTLS: true, tls, auth, authMethod: o.mechanism });
  await t.sendMail({ from: o.user, to: 'bob@example.org', subject: 'x', text: 'x' });
}
(o.protocol === 'imap' ? imap() : smtp()).catch(e => { console.error(e); process.exit(1); });
