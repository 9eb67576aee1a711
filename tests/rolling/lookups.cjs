// Looks a person up over and over with the published service config, from grpc-js: lookups.cjs PROTO
//
// The first line of stdin says whom and where. To every further line the answer is what happened so far; when stdin
// ends, the calls under way are waited for and it is said once more. NODE_PATH names the packages.
"use strict";

const fs = require("node:fs");
const readline = require("node:readline");
const grpc = require("@grpc/grpc-js");
const loader = require("@grpc/proto-loader");

const [proto] = process.argv.slice(2);
const { IdentityService } = grpc.loadPackageDefinition(
  loader.loadSync("lienthong/identity/v1/identity_service.proto", { includeDirs: [proto], keepCase: true }),
).lienthong.identity.v1;

const said = { calls: 0, errors: [], broken_off: [], slowest_ms: 0 };
const say = () => console.log(JSON.stringify(said));
let over = false;

function lookUp(client, request, seconds) {
  const metadata = new grpc.Metadata();
  metadata.set("x-request-id", "node");
  // What breaks off when its headers are here already is not attempted again (gRFC A6).
  let headers = false;
  return new Promise((done) => {
    const call = client.GetPerson(request, metadata, { deadline: Date.now() + seconds * 1000 }, (error, response) => {
      const items = response?.answer.items.map(({ item }) => item);
      if (error) done([`${grpc.status[error.code]}: ${error.details}`, headers]);
      else done(`${items}` === `${request.items}` ? [null] : ["the answer has other items", false]);
    });
    call.on("metadata", () => (headers = true));
  });
}

async function work(client, request, seconds) {
  while (!over) {
    const begun = performance.now();
    const [error, broken_off] = await lookUp(client, request, seconds);
    said.calls += 1;
    said.slowest_ms = Math.max(said.slowest_ms, Math.round(performance.now() - begun));
    if (error) (broken_off ? said.broken_off : said.errors).push(error);
  }
}

async function main() {
  const lines = readline.createInterface({ input: process.stdin })[Symbol.asyncIterator]();
  const settings = JSON.parse((await lines.next()).value);
  const credentials = grpc.credentials.createSsl(
    ...["ca", "key", "certificate"].map((name) => fs.readFileSync(settings[name])),
  );
  const client = new IdentityService(settings.target, credentials, {
    "grpc.ssl_target_name_override": settings.server_name,
    "grpc.service_config": settings.service_config,
  });
  const request = IdentityService.service.GetPerson.requestDeserialize(Buffer.from(settings.request, "base64"));
  const workers = Array.from({ length: settings.workers }, () => work(client, request, settings.timeout_seconds));
  for await (const _ of lines) say();
  over = true;
  await Promise.all(workers);
  client.close();
  say();
}

main();
