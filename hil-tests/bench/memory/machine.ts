/** What the figures were taken on. */
import { execFileSync } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { cpus, release, totalmem } from 'node:os';
import process from 'node:process';
import { constants, createZstdCompress } from 'node:zlib';
import { bundleFiles } from './image.ts';
import type { DiskUse, Machine } from './result.ts';

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

/** Node as it was given, and the bundle, each file compressed with zstd: 19 is what an image is made with, and takes a minute. */
export async function diskUse(node: string, level: number): Promise<DiskUse> {
  const files = [node, ...(await bundleFiles())];
  const sizes = await Promise.all(files.map(async (file) => (await stat(file)).size));
  const packed: number[] = [];
  for (const file of files) packed.push(await compressed(file, level));
  const total = (all: readonly number[]) => all.reduce((a, b) => a + b, 0);
  return {
    uncompressed: total(sizes),
    compressed: total(packed),
    what: `node and dist/edge as they are, ${files.length} files, zstd -${level}`,
  };
}

async function compressed(file: string, level: number): Promise<number> {
  const params = { [constants.ZSTD_c_compressionLevel]: level, [constants.ZSTD_c_windowLog]: 27 };
  let bytes = 0;
  const pack = createReadStream(file).pipe(createZstdCompress({ params }));
  for await (const chunk of pack) bytes += (chunk as Buffer).length;
  return bytes;
}
