/** The page of the cloud service in a real browser: asked, watched, a device set, a fault shown, a token asked for. */
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { startCloud } from '#cloud/service/main.ts';
import { BOILER, BOILER_1, silent } from '#cloud/service/testing.ts';
import { ApiClient, type Document } from '#protocol/api';
import { Browser } from '../rig/browser.ts';

const TOKEN = 'a-token-of-more-than-sixteen-letters';
const device = { kind: 'Device', namespace: 'default', name: 'boiler-1' } as const;

async function opened(t: TestContext, tokenFile?: string) {
  const data = mkdtempSync(join(tmpdir(), 'limpet-page-'));
  const cloud = await startCloud({ data, listen: '127.0.0.1:0', tokenFile, log: silent });
  const api = new ApiClient({ url: cloud.url, ...(tokenFile && { token: TOKEN }) });
  for (const doc of [BOILER, BOILER_1]) await api.create(doc as unknown as Document);
  const browser = await Browser.open(`${cloud.url}/`);
  t.after(async () => {
    await browser.close();
    await cloud.close();
    rmSync(data, { recursive: true, force: true });
  });
  return { api, browser };
}

/** Types a query and presses a button. */
async function ask(browser: Browser, query: string, button = 'run'): Promise<void> {
  const text = JSON.stringify(query);
  await browser.evaluate(
    `document.getElementById('query').value = ${text}; document.getElementById('${button}').click()`,
  );
}

const rows = `[...document.querySelectorAll('#rows tbody tr')].map((row) => row.innerText)`;

test('the page answers a query, shows where one is wrong, and what a device is and shall be', async (t) => {
  const { api, browser } = await opened(t);
  await browser.until(`${rows}.length === 1`);
  await browser.until(`document.getElementById('fleet').innerText.includes('1 offline')`);
  await ask(browser, 'SELECT device FROM devices', 'explain');
  await browser.until(`document.querySelectorAll('#rows li').length > 0`);
  await ask(browser, 'SELECT devise FROM devices');
  await browser.until(`document.getElementById('fault').innerText.includes('^^^^^^')`);
  await ask(browser, `SELECT device, labels.hall FROM devices`);
  await browser.until(`${rows}[0]?.includes('north')`);
  await browser.evaluate(`document.querySelector('#rows td a').click()`);
  await browser.until(`document.getElementById('device').innerText.includes('→ 55 (pending)')`);
  await browser.evaluate(`window.prompt = () => '60'`);
  await browser.evaluate(
    `[...document.querySelectorAll('#device tr')].find((row) => row.innerText.startsWith('setpoint')).querySelector('button').click()`,
  );
  await browser.until(`document.getElementById('device').innerText.includes('→ 60 (pending)')`);
  const set = await api.get(device);
  assert.equal(set.kind === 'Device' && set.spec.desired?.['setpoint'], 60);
});

test('a watched query follows what changes, without anything asked again', async (t) => {
  const { api, browser } = await opened(t);
  await browser.until(`${rows}.length === 1`);
  await ask(browser, `SELECT device, labels.hall FROM devices`, 'watch');
  await browser.until(`document.getElementById('took').innerText === '1 rows, live'`);
  await browser.until(`${rows}[0]?.includes('north')`);
  await api.patch(device, { metadata: { labels: { hall: 'south' } } });
  await browser.until(`${rows}[0]?.includes('south')`);
  await api.delete(device);
  await browser.until(`${rows}.length === 0`);
  await browser.until(`document.getElementById('took').innerText === '0 rows, live'`);
});

test('with tokens the page asks for one, and keeps it for this tab only', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'limpet-token-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  writeFileSync(join(folder, 'token'), TOKEN, { mode: 0o600 });
  const { browser } = await opened(t, join(folder, 'token'));
  await browser.until(`!document.getElementById('sign-in').hidden`);
  assert.equal(await browser.evaluate(`${rows}.length`), 0);
  await browser.evaluate(`document.getElementById('token').value = '${TOKEN}';
    document.querySelector('#sign-in button').click()`);
  await browser.until(`${rows}.length === 1`);
  assert.equal(await browser.evaluate(`localStorage.length`), 0);
  await browser.evaluate(`document.getElementById('forget').click()`);
  await browser.until(`!document.getElementById('sign-in').hidden`);
});
