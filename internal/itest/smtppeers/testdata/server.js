// Serves SMTP or LMTP with the npm package smtp-server; prints one line of
// JSON for each message.
const fs = require("fs");
const { SMTPServer } = require("smtp-server");

const [port, dir, lmtp] = process.argv.slice(2);
const server = new SMTPServer({
  name: "node.example",
  lmtp: lmtp === "lmtp",
  key: fs.readFileSync(dir + "/key.pem"),
  cert: fs.readFileSync(dir + "/cert.pem"),
  authMethods: ["PLAIN"],
  authOptional: lmtp === "lmtp",
  size: 10000000,
  hideDSN: false,
  hideREQUIRETLS: false,
  onAuth(auth, session, done) {
    const good = auth.username === "relay" && auth.password === "secret";
    done(good ? null : new Error("no"), { user: auth.username });
  },
  onRcptTo(address, session, done) {
    done(address.address.startsWith("refused@") ? Object.assign(new Error("no such user"), { responseCode: 550 }) : null);
  },
  onData(stream, session, done) {
    const chunks = [];
    stream.on("data", (c) => chunks.push(c));
    stream.on("end", () => {
      console.log(JSON.stringify({
        from: session.envelope.mailFrom,
        to: session.envelope.rcptTo.map((r) => r.address),
        user: session.user || "",
        secure: session.secure,
        requireTLS: session.envelope.requireTLS,
        dsn: session.envelope.dsn,
        notify: (session.envelope.rcptTo[0].dsn || {}).notify,
        data: Buffer.concat(chunks).toString("utf8"),
      }));
      if (lmtp === "lmtp") {
        done(null, session.envelope.rcptTo.map((r) =>
          r.address.startsWith("late@") ? Object.assign(new Error("not wanted"), { responseCode: 550 }) : "queued as node"));
      } else {
        done(null, "queued as node");
      }
    });
  },
});
server.on("error", (err) => console.error(String(err)));
server.listen(Number(port), "127.0.0.1");
