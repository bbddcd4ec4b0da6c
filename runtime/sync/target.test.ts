import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Misconfigured } from '@limpet/dmi';
import { cloudUrl } from './target.ts';

test('unencrypted is for this machine only', () => {
  for (const url of ['ws://127.0.0.1:8440/hub', 'ws://localhost:1/hub', 'ws://[::1]:8440/hub']) {
    assert.equal(cloudUrl(url).href, url);
  }
  assert.equal(cloudUrl('wss://cloud.example:8440/hub').protocol, 'wss:');
});

test('unencrypted over the network is refused, saying what to write instead', () => {
  for (const host of ['10.0.0.5:8440', 'cloud.example', '127.0.0.1.evil.example']) {
    assert.throws(
      () => cloudUrl(`ws://${host}/hub`),
      (error: unknown) =>
        error instanceof Misconfigured &&
        error.code === 'SYNC_NOT_ENCRYPTED' &&
        error.message.includes(`wss://${host}/hub`),
    );
  }
});

test('an address that is none, or that carries a password, is refused without repeating the password', () => {
  for (const url of [
    'cloud',
    'http://127.0.0.1/hub',
    'wss://u:hunter2@h/hub',
    'ftp://u:hunter2@h',
  ]) {
    assert.throws(
      () => cloudUrl(url),
      (error: unknown) =>
        error instanceof Misconfigured &&
        error.code === 'SYNC_BAD_URL' &&
        !error.message.includes('hunter2'),
    );
  }
});
