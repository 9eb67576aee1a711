// Makes src/gen: the code of the published contract, by the one list of it, and its service config.
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";

const here = fileURLToPath(new URL(".", import.meta.url));
const proto = fileURLToPath(new URL("../../", import.meta.url));
const gen = `${here}src/gen`;

const template = {
  version: "v2",
  plugins: [{ local: [`${here}node_modules/.bin/protoc-gen-es`], out: gen, opt: ["target=ts", "import_extension=js"] }],
};
const published = readFileSync(`${proto}sdk/published`, "utf8").trim().split("\n");
const paths = published.flatMap((path) => ["--path", path]);
rmSync(gen, { recursive: true, force: true });
execFileSync(`${here}node_modules/.bin/buf`, ["generate", "--template", JSON.stringify(template), ...paths], {
  cwd: proto,
  stdio: "inherit",
});
mkdirSync(gen, { recursive: true });
const config = JSON.stringify(JSON.parse(readFileSync(`${proto}service_config.json`, "utf8")));
writeFileSync(`${gen}/service_config.ts`, `export const serviceConfig = ${JSON.stringify(config)};\n`);
