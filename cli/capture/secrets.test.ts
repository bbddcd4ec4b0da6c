import assert from 'node:assert/strict';
import { test } from 'node:test';
import { withoutSecrets } from './secrets.ts';

test('settings lose what their names, or an address, say is secret, at any depth', () => {
  const settings = {
    address: 'tcp://10.0.0.5:502',
    broker: 'mqtt://anna:s3@cret@broker:1883',
    user: 'anna',
    password: 's3cret',
    passwordFile: 'anna.txt',
    tls: { privateKey: '-----BEGIN', ca: 'pem', list: [{ apiToken: 's3cret' }, 5, null] },
  };
  const kept = withoutSecrets(settings);
  assert.deepEqual(kept, {
    address: 'tcp://10.0.0.5:502',
    broker: 'mqtt://anna:(left out)@broker:1883',
    user: 'anna',
    password: '(left out)',
    passwordFile: 'anna.txt',
    tls: { privateKey: '(left out)', ca: 'pem', list: [{ apiToken: '(left out)' }, 5, null] },
  });
});

test('other names for a secret, and those in the query of an address, are left out too', () => {
  const settings = {
    address: 'https://10.0.0.5/api?unit=3&apiKey=s3cret&x=1#top',
    headers: { authorization: 'Basic s3cret' },
    wifi: { psk: 's3cret', pwd: 's3cret' },
  };
  const kept = JSON.stringify(withoutSecrets(settings));
  assert.ok(!kept.includes('s3cret'), kept);
  assert.match(kept, /api\?unit=3&apiKey=\(left out\)&x=1#top/);
});
