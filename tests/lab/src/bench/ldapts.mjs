// Reads every person page by page with ldapts and counts them.
import { Client } from "ldapts";

const { URL, BASE, BIND_USER, BIND_PASSWORD, FILTER, ATTRIBUTES, PAGE } = process.env;
const client = new Client({ url: URL, tlsOptions: { rejectUnauthorized: false } });
await client.bind(BIND_USER, BIND_PASSWORD);
let people = 0;
const pages = client.searchPaginated(BASE, {
  scope: "sub",
  filter: FILTER,
  attributes: ATTRIBUTES.split(","),
  explicitBufferAttributes: ["objectGUID", "objectSid"],
  paged: { pageSize: Number(PAGE) },
});
for await (const page of pages) people += page.searchEntries.length;
await client.unbind();
console.log(people);
