/** What the figures were taken on. */
import { execFileSync } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { cpus, release, totalmem } from 'node:os';
import process from 'node:process';
import { promisify } from 'node:util';
import { constants, zstdCompress } from 'node:zlib';
import { bundleFiles } from './image.ts';
import type { DiskUse, Machine } from './result.ts';

const BLOCK = 2 ** 20;
const pack = promisify(zstdCompress);

export function machine(node: string, parts: { disk: string; cgroup: string }): Machine {
  const all = cpus();
  return {
    kind: `${process.platform}-${process.arch}`,
    about: `${all[0]?.model ?? 'unknown CPU'}, ${all.length} cores, ${Math.round(totalmem() / 1e9)} GB, Linux ${release()}`,
    node: process.version,
    measuredNode: execFileSync(node, ['--version'], { encoding: 'utf8' }).trim(),
    ...parts,
    at: new Date().toISOString(),
  };
}

/** Node as it was given, and the bundle, compressed as a squashfs would: in blocks of 1 MiB. Level 19 takes most of a minute. */
export async function diskUse(node: string, level: number): Promise<DiskUse> {
  const files = [node, ...(await bundleFiles())];
  let [uncompressed, compressed] = [0, 0];
  for (const file of files) {
    const bytes = await readFile(file);
    uncompressed += bytes.length;
    compressed += await packed(bytes, level);
  }
  const what = `node and dist/edge as they are, ${files.length} files, zstd -${level}`;
  return { uncompressed, compressed, what };
}

async function packed(bytes: Buffer, level: number): Promise<number> {
  const params = { [constants.ZSTD_c_compressionLevel]: level };
  const starts = Array.from({ length: Math.ceil(bytes.length / BLOCK) }, (_, i) => i * BLOCK);
  const blocks = starts.map((from) => pack(bytes.subarray(from, from + BLOCK), { params }));
  return (await Promise.all(blocks)).reduce((sum, block) => sum + block.length, 0);
}
