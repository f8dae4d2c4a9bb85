// SPDX-License-Identifier: Apache-2.0
// verify.js ROOTS PORT HOST: exit status 0 accepted, 1 refused.
const fs = require("fs");
const tls = require("tls");
const [roots, port, host] = process.argv.slice(2);
const socket = tls.connect({
  host: "127.0.0.1", port: Number(port), servername: host,
  ca: fs.readFileSync(roots),
}, () => process.exit(0));
socket.setTimeout(10000, () => process.exit(2));
socket.on("error", (e) => {
  console.error(e.code, e.message);
  process.exit(1);
});
