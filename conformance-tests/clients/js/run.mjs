// The unmodified `fhirclient` library in a real browser, against techo demo.
//
// Standard input: the JSON that `techo demo --json` prints. A person signs in,
// leaves one scope unticked, approves; the app reads; she withdraws it in the
// portal; the app's next call is refused. Standard output: one JSON object.

import { createServer } from "node:http";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { text } from "node:stream/consumers";

const home = process.env.TECHO_CLIENTS_HOME ?? import.meta.dirname;
const require = createRequire(join(home, "package.json"));
const { chromium } = require("playwright-core");
const library = readFileSync(require.resolve("fhirclient/build/fhir-client.js"));

const ORIGIN = "http://127.0.0.1:9871";
const ASKED = [
  "launch/patient", "openid", "fhirUser", "offline_access",
  "patient/Patient.rs", "patient/Observation.rs", "patient/Immunization.rs",
  "patient/MedicationStatement.rs", "patient/Condition.rs",
];
const UNTICKED = "patient/Condition.rs";

const info = JSON.parse(await text(process.stdin));
const page = (script) => `<!doctype html><meta charset="utf-8"><title>app</title>
<script src="/fhir-client.js"></script><script>${script}</script>`;
const pages = {
  "/launch": page(`FHIR.oauth2.authorize(${JSON.stringify({
    client_id: "app-public", scope: ASKED.join(" "), iss: info.base, redirectUri: "/app/index.html",
  })});`),
  "/app/index.html": page(`FHIR.oauth2.ready().then((client) => { window.client = client; }, (error) => { window.failed = String(error); });`),
};
const app = createServer((request, response) => {
  const path = new URL(request.url, ORIGIN).pathname;
  if (path === "/fhir-client.js") {
    response.setHeader("Content-Type", "text/javascript").end(library);
  } else if (pages[path]) {
    response.setHeader("Content-Type", "text/html").end(pages[path]);
  } else {
    response.writeHead(404).end();
  }
});
await new Promise((ready, failed) => app.once("error", failed).listen(9871, "127.0.0.1", ready));

const chrome = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  headless: true,
  args: [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
  ],
});
const device = { locale: "ja-JP", viewport: { width: 390, height: 844 } };
const browser = await chrome.newContext(device);
const telephone = await chrome.newContext(device);

async function picture(tab, name) {
  if (process.env.TECHO_TEST_PICTURES) {
    await tab.screenshot({ path: join(process.env.TECHO_TEST_PICTURES, `${name}.png`), fullPage: true });
  }
}

async function signInAndApprove(tab) {
  await tab.goto(`${ORIGIN}/launch`);
  await tab.waitForSelector("input[name=username]");
  await picture(tab, "sign-in");
  await signIn(tab);
  await tab.waitForSelector("[name=decision]");
  const ticked = await tab.locator("input[name=scope]:checked").count();
  for (const box of await tab.locator("input[name=scope]").all()) {
    if ((await box.getAttribute("value")) !== UNTICKED) await box.check();
  }
  await tab.check("input[name=patient][value=pt-mei]");
  await picture(tab, "approve");
  await tab.click("[name=decision][value=allow]");
  await tab.waitForFunction(() => window.client || window.failed);
  const failed = await tab.evaluate(() => window.failed);
  if (failed) throw new Error(failed);
  return ticked;
}

// What the library's own client object gets for a path: entries, or the status it failed with.
const ask = (tab, path) => tab.evaluate(async (path) => {
  try {
    const found = await window.client.request(path);
    return found.entry ? found.entry.length : found.resourceType === "Bundle" ? 0 : found.id;
  } catch (error) {
    return error.status ?? error.statusCode ?? String(error);
  }
}, path);

async function signIn(tab) {
  const user = info.users.hanako;
  await tab.fill("input[name=username]", user.username);
  await tab.fill("input[name=password]", user.password);
  await tab.click("form:has(input[name=username]) button[type=submit]");
}

// The portal on another device: its page of connected apps.
async function openApps() {
  const tab = await telephone.newPage();
  const discovery = await fetch(`${info.base}/.well-known/smart-configuration`).then((answer) => answer.json());
  await tab.goto(discovery.management_endpoint);
  if (await tab.locator("input[name=username]").count()) {
    await signIn(tab);
    await tab.waitForLoadState();
    await tab.goto(discovery.management_endpoint);
  }
  return tab;
}

// What tells one withdraw form from another: its hidden fields, without the token.
const keys = (tab) => tab.$$eval("main form[method=post]", (forms) => forms.map((form) =>
  [...form.querySelectorAll("input[type=hidden]")]
    .filter((field) => !["csrf", "lang"].includes(field.name))
    .map((field) => field.value).join(" ")));

async function withdraw(tab, before) {
  await tab.reload();
  await picture(tab, "apps");
  const now = await keys(tab);
  const mine = now.findIndex((key) => key && !before.includes(key));
  if (mine < 0) throw new Error(`the app is not on the page of connected apps: ${now}`);
  await tab.locator("main form[method=post]").nth(mine).locator("button").click();
  await tab.waitForLoadState();
  await picture(tab, "withdrawn");
}

const result = {};
try {
  const apps = await openApps();
  const before = await keys(apps);
  const tab = await browser.newPage();
  result.preticked = await signInAndApprove(tab);
  result.state = await tab.evaluate(() => {
    const { patient, scope } = window.client.state.tokenResponse;
    return { patient, scope, user: window.client.user.fhirUser };
  });
  result.patient = await ask(tab, "Patient/pt-mei");
  for (const kind of ["Observation", "Immunization", "MedicationStatement", "Condition"]) {
    result[kind] = await ask(tab, `${kind}?patient=pt-mei&_count=200`);
  }
  // A user reloads the page: the library takes its token from the session.
  await tab.reload();
  await tab.waitForFunction(() => window.client || window.failed);
  result.reloaded = await ask(tab, "Patient/pt-mei");
  await withdraw(apps, before);
  // The library refreshes by itself on 401; the refresh token must be dead too.
  result.withdrawn = await tab.evaluate((base) => fetch(`${base}/Patient/pt-mei`, {
    headers: { Authorization: `Bearer ${window.client.state.tokenResponse.access_token}` },
  }).then((answer) => answer.status), info.base);
  result.library = await ask(tab, "Observation?patient=pt-mei");
} finally {
  await chrome.close();
  app.close();
}
console.log(JSON.stringify(result));
