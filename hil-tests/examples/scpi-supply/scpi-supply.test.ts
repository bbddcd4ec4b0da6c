import { Refused } from '@limpet/dmi';
import { checkMapper, exampleSubject, fakeContext } from '@limpet/dmi/testing';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import type { Duplex } from 'node:stream';
import { test } from 'node:test';
import mapper from './scpi-supply.ts';
import { simulator } from './simulator.ts';
import { subject } from './subject.ts';

const example = readFileSync(new URL('example.yaml', import.meta.url), 'utf8');

// One test for each promise of the device mapper interface, over wires that are cut, silenced and garbled.
checkMapper(mapper, { ...(await exampleSubject(example, mapper, simulator)), ...subject });

test('a setting that stands only in the error queue is refused in the words of the supply', async () => {
  const wire = { queue: ['-100,"Command error"'], volts: '5.000' };
  const context = fakeContext({ wire: (peer) => supply(peer, wire) });
  const { signal } = new AbortController();
  const connection = await mapper.connect(
    { address: 'tcp://s:5025', timeoutMs: 1000 },
    context,
    signal,
  );
  const limit = {
    ask: 'VOLT?',
    set: 'VOLT {}',
    answer: '{}',
    field: 0,
    type: 'number',
    on: '1',
    off: '0',
  } as const;
  assert.equal(await connection.write(limit, 6, signal), 6, 'an old error of others is not ours');
  await assert.rejects(connection.write(limit, 99, signal), (error) => {
    assert(error instanceof Refused);
    assert.equal(error.message, 'the supply says -222 Data out of range');
    return true;
  });
  assert.deepEqual(await connection.read([limit], signal), [{ ok: true, value: 6 }]);
  await connection.close();
});

/** By the manual, not by our simulator. */
function supply(wire: Duplex, state: { queue: string[]; volts: string }) {
  wire.setEncoding('ascii').on('data', (text: string) => {
    for (const line of text.split('\n').filter(Boolean)) {
      if (line === 'SYST:ERR?') wire.write(`${state.queue.shift() ?? '+0,"No error"'}\n`);
      else if (line === 'VOLT?') wire.write(`${state.volts}\n`);
      else if (Number(line.slice(5)) > 30) state.queue.push('-222,"Data out of range"');
      else state.volts = Number(line.slice(5)).toFixed(3);
    }
  });
}
