/** What manifests may say, which endpoint is taken, and what servers' words become: tables. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Misconfigured, Refused, Unreachable } from '@limpet/dmi';
import { choose, type Offer } from './endpoint.ts';
import { formatNodeId, parseNodeId } from './node-id.ts';
import { type Settings, settings } from './settings.ts';
import { itemError, openError, serviceError } from './status.ts';
import { unitOf } from './units.ts';
import { fits, type Visitor, visitor } from './visitor.ts';

type Checked = { readonly value?: unknown; readonly issues?: readonly { message: string }[] };

function checked(schema: typeof settings | typeof visitor, value: object): unknown {
  const result = schema['~standard'].validate(value) as Checked;
  return result.issues === undefined ? result.value : result.issues[0]?.message;
}

test('a NodeId is read in all its forms, and written as it was', () => {
  const good = [
    'i=85',
    'ns=2;s=Boiler.Temp',
    'ns=3;s="DB"."x;y"=1',
    'nsu=http://maker.com/UA/;i=4294967295',
    'nsu=urn:a%3Bb%25;s=x',
    'ns=1;g=72962b91-fa75-4ae6-8d28-b404dc7daf63',
    'ns=1;b=AAEC/w==',
  ];
  for (const text of good) {
    const address = parseNodeId(text);
    assert.ok(address, text);
    assert.equal(formatNodeId(address), text);
  }
  assert.deepEqual(parseNodeId('nsu=urn:a%3Bb;s=x')?.namespace, 'urn:a;b');
  const wrong = [
    '',
    'Temp',
    'i=x',
    'i=4294967296',
    'ns=65536;i=1',
    'ns=-1;i=1',
    's=',
    'g=1',
    'b=A',
    'svr=1;i=1',
    'nsu=%;i=1',
  ];
  for (const text of wrong) assert.equal(parseNodeId(text), undefined, text);
});

test('settings are made explicit, and wrong ones are told what is right', () => {
  const endpoint = 'opc.tcp://plc';
  assert.deepEqual(checked(settings, { endpoint }), {
    endpoint,
    dial: 'tcp://plc:4840',
    security: 'best',
    deprecated: false,
    user: { kind: 'anonymous' },
    plainPassword: false,
    timeoutMs: 5_000,
    sessionMs: 60_000,
    keepAliveMs: 5_000,
  });
  const dial = (text: string) => (checked(settings, { endpoint: text }) as Settings).dial;
  assert.equal(dial('opc.tcp://[fe80::1]:4841/a/b'), 'tcp://[fe80::1]:4841');
  const wrong: [object, RegExp][] = [
    [{}, /need an endpoint/],
    [{ endpoint: 'http://plc' }, /expected opc.tcp/],
    [{ endpoint: 'opc.tcp://plc:70000' }, /expected opc.tcp/],
    [{ endpoint, security: 'None' }, /none, sign or signAndEncrypt/],
    [{ endpoint, security: 'none', policy: 'Basic256Sha256' }, /has no policy/],
    [{ endpoint, policy: 'Basic128Rsa15' }, /no longer secure.*deprecated: true/],
    [{ endpoint, user: 'joe' }, /needs password or passwordFile/],
    [{ endpoint, password: 'x' }, /needs a user/],
    [{ endpoint, user: 'joe', passwordFile: '../x' }, /without folders/],
    [{ endpoint, certificate: 'user.pem' }, /go together/],
    [{ endpoint, timeout: '5' }, /a duration from 100ms to 60s/],
    [{ endpoint, keepalive: '5s' }, /unknown field "keepalive"/],
  ];
  for (const [value, message] of wrong) assert.match(String(checked(settings, value)), message);
});

test('visitors say where and how, and what cannot be is refused', () => {
  const full = {
    node: 'ns=2;s=T',
    range: '0:3',
    sampling: '0ms',
    deadband: '2%',
    queue: 5,
    discard: 'newest',
  };
  assert.deepEqual(checked(visitor, full), {
    kind: 'node',
    node: { namespace: 2, kind: 's', id: 'T' },
    attribute: 'Value',
    range: '0:3',
    samplingMs: 0,
    deadband: { kind: 'percent', value: 2 },
    queue: 5,
    discard: 'newest',
  });
  const wrong: [object, RegExp][] = [
    [{}, /needs node; one of a method/],
    [{ node: 'Temp' }, /expected a NodeId/],
    [{ node: 'i=1', range: '3:1' }, /index range/],
    [{ node: 'i=1', deadband: '200%' }, /a deadband/],
    [{ node: 'i=1', discard: 'oldest' }, /discard needs queue/],
    [{ node: 'i=1', attribute: 'DisplayName', deadband: 1 }, /only the attribute Value/],
    [{ object: 'i=1' }, /object and method/],
    [{ object: 'i=1', method: 'i=2', queue: 2 }, /nothing else/],
    [{ node: 'i=1', method: 'i=2' }, /node, or object and method/],
  ];
  for (const [value, message] of wrong) assert.match(String(checked(visitor, value)), message);
  const of = (value: object) => checked(visitor, value) as Visitor;
  const shape = { name: 'p', type: 'int', access: 'readWrite' } as const;
  assert.equal(fits(of({ node: 'i=1' }), shape), undefined);
  assert.match(fits(of({ node: 'i=1', as: 'name' }), shape) ?? '', /gives a string/);
  assert.match(fits(of({ node: 'i=1', attribute: 'DataType' }), shape) ?? '', /access: read/);
  assert.match(fits(of({ object: 'i=1', method: 'i=2' }), shape) ?? '', /name a method/);
});

const offer = (securityMode: number, policy: string, tokens = [0]): Offer => ({
  endpointUrl: null,
  securityMode,
  securityPolicyUri: `http://opcfoundation.org/UA/SecurityPolicy#${policy}`,
  serverCertificate: null,
  transportProfileUri: null,
  userIdentityTokens: tokens.map((tokenType) => ({
    policyId: null,
    tokenType,
    securityPolicyUri: null,
  })),
});

test('the best endpoint is taken, and never none unless it is asked for', () => {
  const all = [
    offer(1, 'None'),
    offer(3, 'Basic256Sha256'),
    offer(2, 'Aes256_Sha256_RsaPss'),
    offer(3, 'Aes128_Sha256_RsaOaep'),
    offer(3, 'Basic256'),
  ];
  const of = (more: object) =>
    checked(settings, { endpoint: 'opc.tcp://plc', ...more }) as Settings;
  const taken = (offers: Offer[], more: object = {}) => offers.indexOf(choose(offers, of(more)));
  assert.equal(taken(all), 3);
  assert.equal(taken(all, { security: 'none' }), 0);
  assert.equal(taken(all, { security: 'sign' }), 2);
  assert.equal(taken(all, { policy: 'Basic256Sha256' }), 1);
  assert.equal(taken(all, { policy: 'Basic256', deprecated: true }), 4);
  // A token with a password is only on one of them.
  assert.equal(taken([...all, offer(3, 'Basic256Sha256', [1])], { user: 'a', password: 'b' }), 5);
  const refused = (offers: Offer[], more: object, code: string, message: RegExp): void =>
    assert.throws(
      () => choose(offers, of(more)),
      (error) =>
        error instanceof Misconfigured && error.code === code && message.test(error.message),
    );
  refused([offer(1, 'None')], {}, 'OPCUA_INSECURE', /offers no security \(None\).*security: none/);
  refused(
    [offer(3, 'Basic256')],
    {},
    'OPCUA_SECURITY',
    /offers SignAndEncrypt Basic256.*deprecated/,
  );
  refused(all, { user: 'a', password: 'b' }, 'OPCUA_USER_TOKEN', /takes anonymous users/);
});

test('a StatusCode decides what happens next', () => {
  const bad = (name: string) => ({ name, value: 0x8000_0000 });
  assert.equal(itemError(bad('BadNodeIdUnknown'), 'x').code, 'OPCUA_BAD_NODE_ID_UNKNOWN');
  assert.ok(serviceError(bad('BadSessionIdInvalid'), 'x') instanceof Unreachable);
  assert.ok(serviceError(bad('BadTooManyOperations'), 'x') instanceof Refused);
  assert.ok(openError(bad('BadIdentityTokenRejected'), 'x') instanceof Misconfigured);
  const untrusted = openError(bad('BadCertificateUntrusted'), 'x', 'ABCD');
  assert.ok(untrusted instanceof Unreachable && untrusted.message.includes('thumbprint ABCD'));
  assert.ok(openError(bad('BadTooManySessions'), 'x') instanceof Unreachable);
});

test('units are UCUM codes where they are known', () => {
  const table: [number, string, string | undefined][] = [
    [4_408_652, 'degree Celsius', 'Cel'],
    [0x4b5754, 'kW', 'kW'],
    [0x5031, '%', '%'],
    [-1, '°C', 'Cel'],
    [-1, 'pieces', 'pieces'],
    [0, '', undefined],
  ];
  for (const [id, symbol, unit] of table) assert.equal(unitOf(id, symbol), unit, symbol);
});
