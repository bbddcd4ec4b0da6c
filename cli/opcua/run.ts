/** `limpet opcua`. */
import { existsSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { type KnownCertificate, type TrustList, TrustStore } from '@limpet/mapper-opcua/trust';
import { CliError } from '../cli-error.ts';
import { configOf, folderOf } from '../discover/options.ts';
import { type Output, processOutput } from '../output.ts';
import { cell, layOut } from '../render/table.ts';
import type { OpcuaOptions } from '../verbs/opcua.ts';

export interface OpcuaWish {
  readonly verb: 'list' | 'trust' | 'reject';
  readonly which: string | undefined;
}

export async function runOpcua(
  { verb, which }: OpcuaWish,
  { config: named, edge, json }: OpcuaOptions,
): Promise<number> {
  const config = edge === undefined ? named : fileOf(edge);
  const output = processOutput(json === true);
  const folder = folderOf(configOf(config, edge === undefined ? '--config' : '--edge'), 'opcua');
  if (folder === undefined) throw new CliError(78, 'CONFIG_INVALID', `${config} names no folder.`);
  const store = new TrustStore(folder);
  if (verb === 'list') {
    show(await store.list(), output);
    return 0;
  }
  const known = await put(store, which ?? '', verb === 'trust' ? 'trusted' : 'rejected');
  if (output.json) output.printJson(known);
  else
    output.print(`${known.list}: ${known.subject}, ${known.uri}, thumbprint ${known.thumbprint}`);
  return 0;
}

function fileOf(place: string): string {
  const folder = statSync(place, { throwIfNoEntry: false })?.isDirectory() === true;
  return folder ? path.join(place, 'limpet.yaml') : place;
}

async function put(store: TrustStore, which: string, to: TrustList): Promise<KnownCertificate> {
  if (to === 'trusted' && existsSync(which)) {
    try {
      return await store.add(readFileSync(which));
    } catch (cause) {
      const { syscall, message: why } = cause as NodeJS.ErrnoException;
      // The disk's fault, or that of rights, is none of the certificate.
      if (syscall !== undefined) {
        throw new CliError(1, 'FOLDER', `${which} was not trusted: ${why}.`, { cause });
      }
      const message =
        cause instanceof RangeError
          ? `${which} cannot be trusted: ${why}.`
          : `${which} holds no certificate in DER or PEM.`;
      throw new CliError(1, 'CERTIFICATE_INVALID', message, { cause });
    }
  }
  const known = await store.move(which, to);
  if (known !== undefined) return known;
  if (/[./]/.test(which)) {
    const message = `there is no file ${which}: name a certificate in DER or PEM, or a thumbprint.`;
    throw new CliError(1, 'FILE_UNREADABLE', message);
  }
  const met = (await store.list()).map(({ thumbprint }) => thumbprint.slice(0, 12));
  const list = met.length === 0 ? 'none is known yet' : `known are ${met.join(', ')}`;
  throw new CliError(
    1,
    'CERTIFICATE_UNKNOWN',
    `no certificate, or more than one, begins with "${which}" (give 8 digits at least): ${list}.`,
  );
}

function show(known: readonly KnownCertificate[], output: Output): void {
  if (output.json) return output.printJson({ items: known });
  if (known.length === 0)
    return output.note('No certificates: the edge has met no secured OPC UA server yet.');
  const head = ['LIST', 'THUMBPRINT', 'EXPIRES', 'APPLICATION', 'SUBJECT'];
  const rows = known.map(({ list, thumbprint, expires, uri, subject }) =>
    [list, thumbprint, expires, uri, subject].map((text) => cell(text)),
  );
  for (const line of layOut({ head, rows }, { colour: output.colour })) output.print(line);
}
