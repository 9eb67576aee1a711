// Says in which group this Node and the interop server made their keys, as the server saw it: key_exchange.cjs PROTO
// reads the server's line of JSON from stdin. NODE_PATH names the packages.
"use strict";

const fs = require("node:fs");
const grpc = require("@grpc/grpc-js");
const loader = require("@grpc/proto-loader");

const [proto] = process.argv.slice(2);
const server = JSON.parse(fs.readFileSync(0, "utf8"));
const { testing } = grpc.loadPackageDefinition(
  loader.loadSync("grpc/testing/test.proto", { includeDirs: [proto] }),
).grpc;
const credentials = grpc.credentials.createSsl(
  ...[server.ca, server.key, server.certificate].map((file) => fs.readFileSync(file)),
);
const client = new testing.TestService(server.endpoint, credentials, {
  "grpc.ssl_target_name_override": server.server_name,
});
const deadline = new Date(Date.now() + 20_000);
let group;
client
  .EmptyCall({}, { deadline }, (error) => {
    client.close();
    if (error) {
      console.error(`${error}`);
      process.exitCode = 1;
    } else {
      console.log(group);
    }
  })
  .on("metadata", (metadata) => ([group] = metadata.get("x-key-exchange")));
