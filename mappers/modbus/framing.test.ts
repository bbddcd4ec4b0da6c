import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Garbled } from '@limpet/dmi';
import { mismatch, replyLength } from './pdu.ts';
import { crc16, encodeRtu, RtuFraming, silenceMs, transferMs } from './rtu.ts';
import { decodeTcp, encodeTcp, TcpFraming } from './tcp.ts';

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');
/** MODBUS application protocol V1.1b3, §6.3: registers 108 to 110. */
const ASK = { unit: 17, pdu: hex('03 006b 0003') };
const ANSWER = hex('03 06 022b 0000 0064');

/** Requests and replies as printed in §6.1, 6.3, 6.4, 6.5, 6.6, 6.11, 6.12 and 6.16. */
const SPECIFIED: readonly (readonly [request: string, reply: string])[] = [
  ['01 0013 0013', '01 03 cd6b05'],
  ['03 006b 0003', '03 06 022b 0000 0064'],
  ['04 0008 0001', '04 02 000a'],
  ['05 00ac ff00', '05 00ac ff00'],
  ['06 0001 0003', '06 0001 0003'],
  ['0f 0013 000a 02 cd01', '0f 0013 000a'],
  ['10 0001 0002 04 000a 0102', '10 0001 0002'],
  ['16 0004 00f2 0025', '16 0004 00f2 0025'],
];

test('the replies that the specification prints answer its requests', () => {
  for (const [request, reply] of SPECIFIED) {
    assert.equal(mismatch(hex(request), hex(reply)), undefined, request);
    assert.equal(replyLength(hex(request)), hex(reply).length, request);
    const exception = Buffer.from([hex(request).readUInt8() | 0x80, 2]);
    assert.equal(mismatch(hex(request), exception), undefined);
  }
});

test('a reply that is short, long or to something else answers nothing', () => {
  for (const [request, reply] of SPECIFIED) {
    const [ask, right] = [hex(request), hex(reply)];
    for (let length = 1; length < right.length; length++)
      assert.ok(mismatch(ask, right.subarray(0, length)));
    assert.ok(mismatch(ask, Buffer.concat([right, Buffer.of(0)])));
    assert.ok(mismatch(ask, Buffer.of(right.readUInt8() + 1, ...right.subarray(1))));
    assert.ok(
      mismatch(ask, Buffer.of(right.readUInt8(), right.readUInt8(1) ^ 1, ...right.subarray(2))),
    );
    assert.ok(mismatch(ask, Buffer.of((right.readUInt8() + 1) | 0x80, 2)), 'exception to another');
  }
});

test('the checksum is the one of the serial line specification', () => {
  assert.equal(crc16(hex('0207')), 0x1241); // §6.2.2
  assert.equal(
    encodeRtu({ unit: 1, pdu: hex('03 0000 000a') }).toString('hex'),
    '01030000000ac5cd',
  );
});

test('the silence of a line follows its speed down to 1.75 ms', () => {
  assert.equal(silenceMs({ baud: 9600, bits: 11 }), 5);
  assert.equal(silenceMs({ baud: 115_200, bits: 11 }), 2);
  assert.equal(transferMs({ baud: 1200, bits: 11 }, 100), 917);
});

function tcp(): { framing: TcpFraming; answer: Buffer } {
  const framing = new TcpFraming(0x1500);
  assert.equal(framing.begin(ASK).toString('hex'), '15010000000611' + '03006b0003');
  return { framing, answer: encodeTcp({ transaction: 0x1501, unit: 17, pdu: ANSWER }) };
}

test('a TCP answer split at every byte, and byte by byte, is one answer', () => {
  const { answer } = tcp();
  for (let at = 1; at < answer.length; at++) {
    const { framing } = tcp();
    assert.equal(framing.receive(answer.subarray(0, at)).kind, 'waiting');
    assert.deepEqual(framing.receive(answer.subarray(at)), { kind: 'reply', pdu: ANSWER });
  }
  const { framing } = tcp();
  for (const byte of answer.subarray(0, -1))
    assert.equal(framing.receive(Buffer.of(byte)).kind, 'waiting');
  assert.equal(framing.receive(answer.subarray(-1)).kind, 'reply');
});

test('two coalesced TCP frames are two, and a late one before ours is passed over', () => {
  const { framing, answer } = tcp();
  const late = encodeTcp({ transaction: 0x1500, unit: 17, pdu: hex('03 06 0000 0000 0000') });
  assert.equal(decodeTcp(Buffer.concat([late, answer])).frames.length, 2);
  assert.deepEqual(framing.receive(Buffer.concat([late, answer])), { kind: 'reply', pdu: ANSWER });
});

test('an impossible MBAP header breaks the stream', () => {
  for (const header of [
    '1501 0001 0006 11',
    '1501 0000 0000 11',
    '1501 0000 0001 11',
    '1501 0000 00ff 11',
    '1501 0000 ffff 11',
  ])
    assert.equal(tcp().framing.receive(hex(header)).kind, 'broken', header);
});

test('nonsense between two requests is found by the next one', () => {
  const { framing } = tcp();
  framing.idle(hex('ff ff ff ff ff ff ff ff'));
  assert.throws(() => framing.begin(ASK), Garbled);
});

test('a late TCP answer of which half came while idle costs nothing', () => {
  const { framing, answer } = tcp();
  framing.idle(answer.subarray(0, 5));
  framing.begin(ASK);
  const ours = encodeTcp({ transaction: 0x1502, unit: 17, pdu: ANSWER });
  const outcome = framing.receive(Buffer.concat([answer.subarray(5), ours]));
  assert.deepEqual(outcome, { kind: 'reply', pdu: ANSWER });
});

test('another unit, function or byte count under our transaction id is garbled', () => {
  for (const [unit, pdu] of [
    [18, ANSWER],
    [17, hex('04 06 022b 0000 0064')],
    [17, hex('84 02')],
    [17, hex('03 04 022b 0000')],
    [17, hex('03 04 022b 0000 0064')],
    [17, hex('03 08 022b 0000 0064 0000')],
  ] as const) {
    const outcome = tcp().framing.receive(encodeTcp({ transaction: 0x1501, unit, pdu }));
    assert.equal(outcome.kind, 'broken', pdu.toString('hex'));
  }
});

test('answers that nobody asked for are bounded, and told from silence', () => {
  const { framing } = tcp();
  assert.equal(framing.overdue(1000).code, 'MODBUS_TIMEOUT');
  const stray = encodeTcp({ transaction: 0x9999, unit: 17, pdu: ANSWER });
  assert.equal(framing.receive(stray).kind, 'waiting');
  assert.equal(framing.overdue(1000).code, 'MODBUS_TRANSACTION');
  assert.equal(framing.receive(Buffer.concat(Array(32).fill(stray))).kind, 'broken');
});

function rtu(): { framing: RtuFraming; answer: Buffer } {
  const framing = new RtuFraming();
  framing.begin(ASK);
  return { framing, answer: encodeRtu({ unit: 17, pdu: ANSWER }) };
}

test('an RTU answer split at every byte is one answer', () => {
  const { answer } = rtu();
  for (let at = 1; at < answer.length; at++) {
    const { framing } = rtu();
    assert.equal(framing.receive(answer.subarray(0, at)).kind, 'waiting');
    assert.deepEqual(framing.receive(answer.subarray(at)), { kind: 'reply', pdu: ANSWER });
  }
});

test('a flipped bit anywhere in an RTU answer is never a value', () => {
  const { answer } = rtu();
  for (let bit = 0; bit < answer.length * 8; bit++) {
    const spoilt = Buffer.from(answer);
    spoilt.writeUInt8(spoilt.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3);
    const { framing } = rtu();
    assert.equal(framing.receive(spoilt).kind, 'spoilt', `bit ${bit}`);
    assert.match(framing.overdue(1000).code, /TIMEOUT|REPLY/);
  }
});

test('a truncated RTU answer is never a value', () => {
  const { answer } = rtu();
  for (let length = 0; length < answer.length; length++) {
    const { framing } = rtu();
    assert.equal(framing.receive(answer.subarray(0, length)).kind, 'waiting');
    assert.equal(framing.overdue(1000).code, 'MODBUS_TIMEOUT');
  }
});

test('noise and answers of other units before an RTU answer are passed over', () => {
  const { framing, answer } = rtu();
  const other = encodeRtu({ unit: 3, pdu: ANSWER });
  const outcome = framing.receive(Buffer.concat([hex('00 ff 11 03'), other, hex('11'), answer]));
  assert.deepEqual(outcome, { kind: 'reply', pdu: ANSWER });
});

test('an RTU answer of our unit to something else is named, not returned', () => {
  const { framing } = rtu();
  const outcome = framing.receive(encodeRtu({ unit: 17, pdu: hex('03 08 0001 0002 0003 0004') }));
  assert.ok(outcome.kind === 'spoilt' && outcome.error.code === 'MODBUS_REPLY');
});

test('a babbling line is given up after a kilobyte', () => {
  const { framing } = rtu();
  const outcome = framing.receive(Buffer.alloc(1025, 0x55));
  assert.ok(outcome.kind === 'broken' && outcome.error.code === 'MODBUS_NOISE');
});
