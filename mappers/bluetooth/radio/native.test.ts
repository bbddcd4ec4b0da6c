import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fakeContext } from '@limpet/dmi/testing';
import mapper from '../mapper.ts';

/** No machine has so many adapters. */
const ABSENT = 'hci63';

for (const noble of ['stoprocent', 'abandonware']) {
  test(`an adapter of the kernel that is not there is Unreachable through @${noble}/noble, and harms nothing`, async () => {
    const result = await mapper.settings['~standard'].validate({
      address: 'c4:7c:8d:6a:12:34',
      adapter: ABSENT,
      noble,
    });
    assert.ok(result.issues === undefined);
    const context = fakeContext({ wire: {} });
    const connecting = mapper.connect(result.value, context, AbortSignal.timeout(5_000));
    // As far as this machine goes: no Bluetooth in its kernel, no adapter of this number, or no right to ask.
    await assert.rejects(connecting, /BLE_UNSUPPORTED|BLE_ADAPTER_DOWN|BLE_PERMISSION|hci63/);
    await context.clock.advance(60_000);
    assert.equal(context.clock.pending, 0);
  });
}
