/**
 * A serial line without hardware: a pseudo-terminal whose far end is a stream. Held by `script` of util-linux, which
 * is essential on Debian, so that nothing has to be installed and no native code is needed.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { Duplex } from 'node:stream';

export interface PseudoTerminal {
  /** What the other side opens: `/dev/pts/3`. */
  readonly path: string;
  /** The bytes that the other side writes, and those that it reads. */
  readonly stream: Duplex;
  close(): void;
}

/**
 * The shell on the terminal makes it raw, says where it is, and keeps it open until the pipe on descriptor 3 ends,
 * which it does whenever and however this process dies.
 */
const HOLD = 'stty raw -echo; tty; read -r gone <&3';
const OPEN_MS = 3000;

/** Opens one, or resolves with undefined where the machine gives none. */
export async function openPseudoTerminal(): Promise<PseudoTerminal | undefined> {
  if (process.platform !== 'linux') return undefined;
  const child = spawn('script', ['--quiet', '--flush', '--command', HOLD, '/dev/null'], {
    stdio: ['pipe', 'pipe', 'ignore', 'pipe'],
    env: { ...process.env, SHELL: '/bin/sh' },
  });
  const { stdin, stdout } = child;
  const path = stdout === null ? undefined : await firstLine(child, stdout);
  if (path === undefined || !path.startsWith('/dev/') || !existsSync(path)) {
    // Asked by a milder signal, `script` takes two seconds.
    child.kill('SIGKILL');
    letGo(child);
    return undefined;
  }
  const stream = Duplex.from({ readable: stdout, writable: stdin });
  const close = (): void => {
    letGo(child);
    stream.destroy();
  };
  return { path, stream, close };
}

/** The shell hears that the pipe ended, and goes at once; whatever it does, this process does not wait for it. */
function letGo(child: ChildProcess): void {
  for (const pipe of child.stdio) pipe?.destroy();
  child.unref();
}

function firstLine(
  child: ChildProcess,
  stdout: NodeJS.ReadableStream,
): Promise<string | undefined> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => end(undefined), OPEN_MS);
    const end = (line: string | undefined): void => {
      clearTimeout(timer);
      stdout.off('data', read);
      stdout.pause();
      resolve(line);
    };
    let text = '';
    const read = (chunk: Buffer): void => {
      text += chunk.toString('latin1');
      const line = /^(.*?)\r?\n/.exec(text)?.[1];
      if (line !== undefined) end(line);
    };
    stdout.on('data', read);
    child.once('error', () => end(undefined));
    child.once('exit', () => end(undefined));
  });
}
