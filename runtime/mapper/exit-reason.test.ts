import assert from 'node:assert/strict';
import { test } from 'node:test';
import { exitReason } from './exit-reason.ts';

test('an exit is told with what ended it and the line that names the error', () => {
  const trace = [
    'at foo (x.js:1)',
    'TypeError: x is not a function',
    '    at y',
    'Node.js v24.21.0',
  ];
  const table: [Parameters<typeof exitReason>[0], string, RegExp][] = [
    [
      { code: 1, signal: null, lines: trace },
      'MAPPER_EXITED',
      /exit code 1; it printed: TypeError: x/,
    ],
    [{ code: 0, signal: null, lines: [] }, 'MAPPER_EXITED', /exit code 0$/],
    [{ code: 3, signal: null, lines: ['bye', ''] }, 'MAPPER_EXITED', /it printed: bye$/],
    [{ code: null, signal: 'SIGSEGV', lines: [] }, 'MAPPER_CRASHED', /by SIGSEGV/],
    [{ code: 139, signal: null, lines: [] }, 'MAPPER_CRASHED', /by signal 11/],
    [
      {
        code: null,
        signal: 'SIGABRT',
        lines: [
          'FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory',
        ],
      },
      'MAPPER_MEMORY',
      /larger "memory"/,
    ],
    [{ code: null, signal: 'SIGXFSZ', lines: [] }, 'MAPPER_DISK', /"disk"/],
    [
      {
        code: null,
        signal: 'SIGKILL',
        lines: [],
        reason: { code: 'MAPPER_PROTOCOL', message: 'm' },
      },
      'MAPPER_PROTOCOL',
      /^m$/,
    ],
  ];
  for (const [exit, code, message] of table) {
    const reason = exitReason(exit);
    assert.equal(reason.code, code);
    assert.match(reason.message, message);
  }
});
