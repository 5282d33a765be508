// Sends messages with the npm package nodemailer: one pooled connection.
const fs = require("fs");
const nodemailer = require("nodemailer");

const [port, dir, lmtp] = process.argv.slice(2);
const transport = nodemailer.createTransport({
  host: "127.0.0.1",
  port: Number(port),
  name: "node.example",
  pool: true,
  maxConnections: 1,
  lmtp: lmtp === "lmtp",
  requireTLS: true,
  tls: { ca: fs.readFileSync(dir + "/cert.pem"), servername: "localhost" },
  auth: { user: "relay", pass: "secret" },
});

async function main() {
  const info = await transport.sendMail({
    envelope: { from: "from@example.org", to: ["one@example.net", "refused@example.net", "two@example.net"] },
    raw: fs.readFileSync(dir + "/message"),
    dsn: { id: "id+1", return: "headers", notify: ["failure", "delay"], recipient: "o@example.net" },
  });
  console.log(JSON.stringify(info));
  await transport.sendMail({
    envelope: { from: "grüße@bücher.example", to: ["ö@example.net"] },
    raw: fs.readFileSync(dir + "/utf8"),
  });
  transport.close();
  if (lmtp !== "lmtp") {
    // The pool does not pass it on.
    await nodemailer.createTransport({ ...transport.options, pool: false }).sendMail({
      envelope: { from: "from@example.org", to: ["one@example.net"] },
      raw: fs.readFileSync(dir + "/message"),
      requireTLSExtensionEnabled: true,
    });
  }
}

main().catch((err) => { console.error(err); process.exit(1); });
