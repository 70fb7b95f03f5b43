// The OpenAPI document as a measure: its operations, and whether an answer is what it says.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Ajv2020 } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { root } from "./harness.mjs";

export const document = JSON.parse(readFileSync(join(root, "edge/openapi.json"), "utf8"));
export const METHODS = ["get", "put", "post", "delete", "patch"];

export const resolve = (node) => (node?.$ref ? node.$ref.split("/").slice(1).reduce((at, key) => at[key], document) : node);

export const operations = Object.entries(document.paths).flatMap(([path, item]) =>
  METHODS.filter((method) => method in item).map((method) => ({ path, method: method.toUpperCase(), ...item[method] })),
);

// What a body is sent as.
export const media = (requestBody) => Object.values(requestBody.content)[0];

// Any schema of the document, compiled with the component schemas in reach. Strict: an unknown keyword or
// format is an error, not ignored.
const ajv = addFormats(new Ajv2020({ strict: true, allowUnionTypes: true, allErrors: true }));
const inReach = (schema) => JSON.parse(JSON.stringify(schema).replaceAll("#/components/schemas/", "passalong#/$defs/"));
ajv.addSchema({ $id: "passalong", $defs: inReach(document.components.schemas) });
const compiled = new Map();
export function violations(schema, value) {
  const text = JSON.stringify(schema);
  if (!compiled.has(text)) compiled.set(text, ajv.compile(inReach(schema)));
  const validate = compiled.get(text);
  return validate(value) ? [] : validate.errors.map(({ instancePath, message, params }) => `${instancePath} ${message} ${JSON.stringify(params)}`);
}

// Holds an answer (`status`, `headers`, `text`, `body`) against what the document says of its operation.
export function check(operation, answer, context = "") {
  const what = `${operation.operationId} ${answer.status} ${context}`;
  const documented = resolve(operation.responses[answer.status]);
  assert.ok(documented, `${what} is not documented: ${answer.text}`);
  const type = (answer.headers.get("content-type") ?? "").split(";")[0];
  if (documented.content) {
    const media = documented.content[type];
    assert.ok(media, `${what}: content type ${type}`);
    assert.deepEqual(violations(media.schema, answer.body), [], `${what}: ${answer.text}`);
  } else {
    assert.equal(answer.text, "", what);
  }
  for (const [name, header] of Object.entries(documented.headers ?? {})) {
    const { required, schema } = resolve(header);
    const value = answer.headers.get(name);
    if (required) assert.notEqual(value, null, `${what}: ${name} is missing`);
    if (value !== null) assert.deepEqual(violations(schema, value), [], `${what}: ${name}: ${value}`);
  }
}
