/**
 * A disk like a board's: an ext4 of its own with 16 KiB of readahead, which decides how much of a binary a memory limit has to
 * hold. Each configuration gets private copies of Node, its libraries and the bundle, so that no page of them is paid for by others.
 */
import { execFile } from 'node:child_process';
import { chmod, copyFile, cp, mkdir, open, readdir } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const bundle = path.resolve(path.dirname(fileURLToPath(import.meta.url)), '../../../dist/edge');

export class Image {
  readonly folder: string;
  /** Why there is no disk of its own, if so: then the folder lies on the machine's disk. */
  readonly plain: string | undefined;
  readonly #file: string;
  readonly #device: string | undefined;

  private constructor(parts: { folder: string; file: string; device?: string; plain?: string }) {
    this.folder = parts.folder;
    this.plain = parts.plain;
    this.#file = parts.file;
    this.#device = parts.device;
  }

  /** Makes `folder`/disk. Needs root and loop devices; without them it is a plain folder. */
  static async create(folder: string, bytes: number): Promise<Image> {
    const parts = { folder: path.join(folder, 'disk'), file: path.join(folder, 'disk.ext4') };
    await mkdir(parts.folder);
    let device: string | undefined;
    try {
      const file = await open(parts.file, 'w');
      await file.truncate(bytes);
      await file.close();
      await run('mkfs.ext4', ['-q', '-m', '0', parts.file]);
      // Direct: no second copy of each page in the cache of the disk below.
      const shown = await run('losetup', ['--direct-io=on', '--find', '--show', parts.file]);
      device = shown.stdout.trim();
      await run('blockdev', ['--setra', '32', device]); // in sectors of 512 bytes: 16 KiB
      await run('mount', [device, parts.folder]);
      return new Image({ ...parts, device });
    } catch (error) {
      if (device !== undefined) await run('losetup', ['--detach', device]);
      return new Image({ ...parts, plain: error instanceof Error ? error.message : String(error) });
    }
  }

  /** Forgets every page of it, as after the power came back. Nothing may run from it now. */
  async cool(): Promise<void> {
    if (this.#device === undefined) return;
    await run('umount', [this.folder]);
    await run('mount', [this.#device, this.folder]);
  }

  async close(): Promise<void> {
    if (this.#device === undefined) return;
    await run('umount', [this.folder]);
    await run('losetup', ['--detach', this.#device]);
  }

  /** What is said of it in the report. */
  get about(): string {
    if (this.plain === undefined) return 'ext4 on a loop device of its own, 16 KiB readahead';
    const why = this.plain.split('\n')[0];
    return `the machine's own disk with the machine's readahead (${path.basename(this.#file)}: ${why})`;
  }
}

export interface Copies {
  /** Environment that makes a launcher use them. */
  readonly environment: NodeJS.ProcessEnv;
  readonly node: string;
  readonly launcher: string;
  /** A folder for data, on the same disk. */
  readonly folder: string;
}

/** Private copies for one configuration. */
export async function copyEdge(image: Image, name: string, node: string): Promise<Copies> {
  const folder = path.join(image.folder, name);
  const lib = path.join(folder, 'lib');
  await mkdir(lib, { recursive: true });
  const own = path.join(folder, 'node');
  await copyFile(node, own);
  await chmod(own, 0o755);
  await cp(bundle, path.join(folder, 'edge'), { recursive: true });
  for (const library of await libraries(node))
    await copyFile(library, path.join(lib, path.basename(library)));
  return {
    environment: { NODE: own, LD_LIBRARY_PATH: lib },
    node: own,
    launcher: path.join(folder, 'edge/limpet-edge'),
    folder,
  };
}

async function libraries(binary: string): Promise<readonly string[]> {
  const { stdout } = await run('ldd', [binary]);
  return [...stdout.matchAll(/=> (\/\S+)/g)].map(([, file = '']) => file);
}

/** Everything in the bundle, for what it weighs. */
export async function bundleFiles(): Promise<readonly string[]> {
  return (await readdir(bundle)).map((file) => path.join(bundle, file));
}
