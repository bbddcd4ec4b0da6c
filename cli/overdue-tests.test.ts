import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { text } from 'node:stream/consumers';
import { test } from 'node:test';
import { endOverdue } from './overdue-tests.ts';
import { temporaryFolder } from './testing/run-limpet.ts';

const linux = process.platform === 'linux';

for (const [what, body] of [
  ['spins', 'for (;;);'],
  ['left a timer running', 'test("well", () => void setInterval(() => undefined, 1000));'],
] as const) {
  test(
    `a test file that ${what} is ended, named, and fails the run`,
    { skip: !linux },
    async (t) => {
      const file = path.join(temporaryFolder(t), 'endless.test.mjs');
      writeFileSync(file, `import { test } from 'node:test';\n${body}`);
      const { NODE_TEST_CONTEXT: _, ...env } = process.env;
      const runner = spawn(process.execPath, ['--test', '--test-reporter=tap', file], {
        stdio: ['ignore', 'pipe', 'inherit'],
        env,
      });
      let said = '';
      const log = { write: (line: string) => (said += line) };
      t.after(endOverdue(runner.pid, { boundMs: 1000, lookMs: 50, log }));
      const [out, [code]] = await Promise.all([text(runner.stdout), once(runner, 'exit')]);
      assert.equal(code, 1);
      assert.match(said, /endless\.test\.mjs still runs after 1 s .*: killed\n$/);
      assert.match(out, /signal: 'SIGKILL'/);
    },
  );
}
