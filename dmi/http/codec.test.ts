import assert from 'node:assert/strict';
import test from 'node:test';
import { encodeRequest, parseAnswer } from './codec.ts';

const MAX = 1000;
const ANSWERS: Readonly<Record<string, string>> = {
  'with a length': 'HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n{"a":1}',
  'in chunks':
    'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{"a\r\n4;x=y\r\n":1}\r\n0\r\n\r\n',
  'in chunks with a trailer':
    'HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n7\r\n{"a":1}\r\n0\r\nX: y\r\n\r\n',
  'after an interim one':
    'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length:7\r\n\r\n{"a":1}',
  'of a careless server': 'HTTP/1.0 200\nContent-length:  7 \nConnection: keep-alive\n\n{"a":1}',
};

for (const [what, text] of Object.entries(ANSWERS)) {
  test(`an answer ${what} is whole at its last byte, and not before`, () => {
    const bytes = Buffer.from(text);
    for (let at = 0; at < bytes.length; at++) {
      assert.deepEqual(
        parseAnswer(bytes.subarray(0, at), false, MAX),
        { kind: 'more' },
        `at ${at}`,
      );
    }
    const parsed = parseAnswer(bytes, false, MAX);
    assert.ok(parsed.kind === 'answer');
    assert.equal(String(parsed.answer.body), '{"a":1}');
    assert.equal(parsed.answer.status, 200);
    assert.ok(parsed.answer.keeps && parsed.answer.sized);
  });
}

test('without a length the answer ends with the stream, and is known not to be sized', () => {
  const bytes = Buffer.from('HTTP/1.1 200 OK\r\n\r\n21.5');
  assert.equal(parseAnswer(bytes, false, MAX).kind, 'more');
  const parsed = parseAnswer(bytes, true, MAX);
  assert.ok(parsed.kind === 'answer');
  assert.ok(!parsed.answer.keeps && !parsed.answer.sized);
});

test('who keeps the connection is what the versions say', () => {
  const keeps = (head: string): boolean => {
    const parsed = parseAnswer(Buffer.from(`${head}\r\ncontent-length: 0\r\n\r\n`), false, MAX);
    return parsed.kind === 'answer' && parsed.answer.keeps;
  };
  assert.equal(keeps('HTTP/1.1 200 OK'), true);
  assert.equal(keeps('HTTP/1.1 200 OK\r\nConnection: Close'), false);
  assert.equal(keeps('HTTP/1.0 200 OK'), false);
});

test('nonsense is Garbled as soon as it is seen', () => {
  const cases: readonly [string, string][] = [
    ['SSH-2.0', 'HTTP_SYNTAX'],
    ['\r\n\r\n', 'HTTP_SYNTAX'],
    ['HTTP/2 200\r\n\r\n', 'HTTP_SYNTAX'],
    ['HTTP/1.1 100 C\r\n\r\n'.repeat(5000), 'HTTP_SYNTAX'],
    ['HTTP/1.1 abc\r\n\r\n', 'HTTP_SYNTAX'],
    ['HTTP/1.1 200 OK\r\nno header\r\n\r\n', 'HTTP_SYNTAX'],
    ['HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n', 'HTTP_SYNTAX'],
    ['HTTP/1.1 200 OK\r\ncontent-length: 1001\r\n\r\n', 'HTTP_LARGE'],
    ['HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nab', 'HTTP_EXTRA'],
    ['HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\n', 'HTTP_SYNTAX'],
    ['HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nxyz\r\n', 'HTTP_SYNTAX'],
    ['HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nabc', 'HTTP_SYNTAX'],
    ['HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n3e9\r\n', 'HTTP_LARGE'],
    [`HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${'1'.repeat(300)}`, 'HTTP_SYNTAX'],
    [`HTTP/1.1 200 OK\r\nX: ${'x'.repeat(17_000)}`, 'HTTP_LARGE'],
    [`HTTP/1.1 200 OK\r\n\r\n${'x'.repeat(1001)}`, 'HTTP_LARGE'],
  ];
  for (const [text, code] of cases) {
    assert.throws(
      () => parseAnswer(Buffer.from(text), false, MAX),
      { code, name: 'Garbled' },
      text.slice(0, 60),
    );
  }
});

test('a request says its host and the length of its body in bytes', () => {
  const request = {
    method: 'PUT',
    path: '/a',
    host: 'meter:8080',
    headers: { authorization: 'x' },
  };
  assert.equal(
    String(encodeRequest({ ...request, body: '"é"' })),
    'PUT /a HTTP/1.1\r\nhost: meter:8080\r\naccept: application/json\r\ncontent-type: application/json\r\n' +
      'content-length: 4\r\nauthorization: x\r\n\r\n"é"',
  );
});
