/** The real kubectl, found on PATH or named by KUBECTL, against a cloud: what people of Kubernetes do all day. */
import assert from 'node:assert/strict';
import { execFile, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { startCloud, type CloudService } from '../../cloud/service/main.ts';

const KUBECTL = process.env['KUBECTL'] ?? 'kubectl';
const found = spawnSync(KUBECTL, ['version', '--client'], { encoding: 'utf8' });
const skip =
  found.status === 0 ? false : `no ${KUBECTL} here: put it on PATH or name it by KUBECTL`;

const MODEL = `
apiVersion: limpet.dev/v1
kind: DeviceModel
metadata: {name: boiler}
spec:
  protocol: modbus
  properties:
  - {name: temperature, type: float, visitor: {address: 0}}
  - {name: setpoint, type: float, access: readWrite, minimum: 20, maximum: 90, visitor: {address: 10}}
`;
const device = (setpoint: number, hall = 'north'): string => `
apiVersion: limpet.dev/v1
kind: Device
metadata: {name: boiler-1, labels: {hall: ${hall}}}
spec: {model: boiler, node: gateway-1, settings: {}, desired: {setpoint: ${setpoint}}}
`;
const HEAT = `
apiVersion: limpet.dev/v1
kind: Device
metadata: {name: boiler-1}
spec: {desired: {setpoint: 70}}
`;

const folder = mkdtempSync(path.join(tmpdir(), 'limpet-kubectl-'));
const silent = { debug() {}, info() {}, warn() {}, error() {}, with: () => silent };
let cloud: CloudService;

before(async () => {
  cloud = await startCloud({ data: folder, listen: '127.0.0.1:0', log: silent });
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'limpet', cluster: { server: cloud.url } }],
    users: [{ name: 'limpet', user: {} }],
    contexts: [{ name: 'limpet', context: { cluster: 'limpet', user: 'limpet' } }],
    'current-context': 'limpet',
  };
  file('config', JSON.stringify(config));
  file('model.yaml', MODEL);
  file('device.yaml', device(55));
  file('changed.yaml', device(60, 'south'));
  file('heat.yaml', HEAT);
});
after(async () => {
  await cloud.close();
  rmSync(folder, { recursive: true, force: true });
});

function file(name: string, text: string): void {
  writeFileSync(path.join(folder, name), text);
}

/** Exit code and all that it printed. */
function run(line: string, ...more: string[]): Promise<{ code: number; text: string }> {
  const env = {
    ...process.env,
    HOME: folder,
    KUBECONFIG: path.join(folder, 'config'),
    KUBE_EDITOR: "sed -i 's/setpoint: 62/setpoint: 63/'",
  };
  return new Promise((resolve) => {
    const options = { cwd: folder, env, timeout: 60_000 };
    execFile(KUBECTL, [...line.split(' '), ...more], options, (error, stdout, stderr) => {
      const code = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
      resolve({ code, text: stdout + stderr });
    });
  });
}

/** In order: each finds what those before it left. A number: the exit code; 0 when there is none. */
const STEPS: readonly (readonly [line: string, expected: RegExp, code?: number])[] = [
  ['api-versions', /^limpet\.dev\/v1$/m],
  ['api-resources', /^devices +dev +limpet\.dev\/v1 +true +Device$/m],
  ['explain device.spec.desired', /each value is an order/],
  ['explain devicemodel --recursive', /visitor\t<Object> -required-/],
  ['apply -f model.yaml -f device.yaml', /device.limpet.dev\/boiler-1 created/],
  ['get devices', /^NAME +STATE +NODE +MODEL +GOOD +ORDERS +AGE\nboiler-1 +offline +gateway-1/],
  ['get dev -o wide', /REASON +DESCRIPTION\n.*NODE_UNKNOWN/],
  ['get devices -A -o name', /^device.limpet.dev\/boiler-1\n$/],
  ['get device boiler-1 -o yaml', /setpoint: 55/],
  ['get devices -o custom-columns=S:.spec.desired.setpoint', /^S\n55\n$/],
  ['get models,nodes', /boiler +modbus +2 +0/],
  ['describe device boiler-1', /Labels: +hall=north[^]*Events: +<none>/],
  ['diff -f changed.yaml', /-    setpoint: 55\n\+    setpoint: 60/, 1],
  ['apply -f changed.yaml --dry-run=server', /configured \(server dry run\)/],
  ['get devices -l hall=north --field-selector spec.node=gateway-1', /boiler-1/],
  ['apply -f changed.yaml', /configured/],
  ['apply -f changed.yaml', /unchanged/],
  [
    'apply -f heat.yaml --server-side --field-manager=heat',
    /conflict with "kubectl-client-side-apply".*\.spec\.desired\.setpoint/,
    1,
  ],
  ['get device boiler-1 -o jsonpath={.spec.desired.setpoint}', /^60$/],
  ['patch device boiler-1 -p {}', /strategic.*--type=merge/, 1],
  ['patch device boiler-1 --type=merge -p {"spec":{"desired":{"setpoint":610}}}', /at most 90/, 1],
  ['patch device boiler-1 --type=merge -p {"spec":{"desired":{"setpoint":61}}}', /patched/],
  [
    'patch device boiler-1 --type=json -p [{"op":"replace","path":"/spec/desired/setpoint","value":62}]',
    /patched/,
  ],
  ['edit device boiler-1', /edited/],
  [
    'wait --for=jsonpath={.spec.desired.setpoint}=63 device/boiler-1 --timeout=20s',
    /condition met/,
  ],
  ['label device boiler-1 floor=3', /labeled/],
  ['annotate device boiler-1 note=hello', /annotated/],
  [
    'patch device boiler-1 --type=merge --subresource=status -p {"status":{}}',
    /told by its node/,
    1,
  ],
  ['get --raw /apis/limpet.dev/v1/devices', /"kind":"DeviceList"/],
  ['create -f device.yaml', /already exists/, 1],
  ['replace -f device.yaml', /replaced/],
  ['auth can-i create devices', /^yes/],
  ['auth can-i create pods', /^no|\nno/, 1],
  ['get namespaces', /default/],
  ['create namespace other', /comes with the first resource/, 1],
  ['get events', /No resources found/],
  ['get device nothing', /NotFound/, 1],
  ['delete device boiler-1 --dry-run=server', /server dry run/],
  ['delete devices --all', /"boiler-1" deleted/],
  ['get devices', /No resources found/],
];

test(`kubectl does its day's work: ${found.stdout?.split('\n')[0] ?? ''}`, { skip }, async (t) => {
  for (const [line, expected, code = 0] of STEPS) {
    await t.test(line, async () => {
      const said = await run(line);
      assert.match(said.text, expected);
      assert.equal(said.code, code, said.text);
    });
  }
});

test('kubectl --server-side takes over, owns, and lets go of fields', { skip }, async () => {
  file('mine.yaml', device(50));
  file('less.yaml', device(50).replace(', desired: {setpoint: 50}', ''));
  const apply = (name: string, ...more: string[]) => run(`apply --server-side -f ${name}`, ...more);
  assert.match((await apply('mine.yaml')).text, /serverside-applied/);
  assert.match((await apply('heat.yaml', '--field-manager=heat')).text, /conflict with "kubectl"/);
  const forced = await apply('heat.yaml', '--field-manager=heat', '--force-conflicts');
  assert.match(forced.text, /serverside-applied/);
  const shown = await run('get device boiler-1 -o yaml --show-managed-fields');
  assert.match(shown.text, /f:setpoint: \{\}\n {4}manager: heat\n {4}operation: Apply/);
  // Not kubectl's any more: it stays.
  assert.match((await apply('less.yaml')).text, /serverside-applied/);
  const left = await run('get device boiler-1 -o jsonpath={.spec.desired}');
  assert.equal(left.text, '{"setpoint":70}');
});

test('kubectl get --watch prints what changes', { skip }, async () => {
  const watching = run('get devices -w --request-timeout=8s');
  await new Promise((resolve) => setTimeout(resolve, 2_000));
  await run('label device boiler-1 watched=yes --overwrite');
  await run('delete device boiler-1');
  const { text } = await watching;
  assert.ok(text.split('\n').filter((line) => line.startsWith('boiler-1')).length >= 2, text);
});
