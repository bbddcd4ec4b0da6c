/**
 * Which server certificates count, as files in `pki/`: `trusted/` holds certificates of servers, or of authorities that
 * issue them; `rejected/` what was met and is not trusted, for `limpet opcua trust`. A file's name is its thumbprint.
 */
import { X509Certificate } from 'node:crypto';
import { chown, mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import process from 'node:process';

export type TrustList = 'trusted' | 'rejected';

/** What a person sees of a certificate. */
export interface KnownCertificate {
  readonly list: TrustList;
  /** SHA-1, upper-case hex, as OPC UA names certificates. */
  readonly thumbprint: string;
  readonly subject: string;
  /** The application that it names. */
  readonly uri: string;
  readonly expires: string;
}

export interface Verdict {
  readonly trusted: boolean;
  /** Trusted by itself, or through the authority that issued it. */
  readonly by?: 'itself' | 'issuer';
}

/** Strangers can make as many certificates as they like. */
const MAX_REJECTED = 50;
const MAX_BYTES = 16_384;

export class TrustStore {
  readonly #folder: string;

  /** `folder`: that of the mapper. */
  constructor(folder: string) {
    this.#folder = path.join(folder, 'pki');
  }

  /** Whether it counts; one that does not is kept for {@link TrustStore.move}. */
  async judge(der: Buffer): Promise<Verdict> {
    const x509 = new X509Certificate(der);
    const thumbprint = thumbprintOf(x509);
    const trusted = await this.#read('trusted');
    if (trusted.some((each) => each.raw.equals(x509.raw))) return { trusted: true, by: 'itself' };
    if (trusted.some((each) => issued(each, x509))) return { trusted: true, by: 'issuer' };
    await this.#keep('rejected', thumbprint, x509.raw);
    return { trusted: false };
  }

  /** When a certificate was trusted last, or no longer, in ms since 1970. Never throws. */
  async changedMs(): Promise<number> {
    const found = await stat(path.join(this.#folder, 'trusted')).catch(() => undefined);
    return found?.mtimeMs ?? 0;
  }

  async list(): Promise<readonly KnownCertificate[]> {
    const all = await Promise.all(
      (['trusted', 'rejected'] as const).map(async (list) =>
        (await this.#read(list)).map((x509) => describe(x509, list)),
      ),
    );
    return all.flat();
  }

  /** Puts a known certificate on the other list; undefined when none is known by that thumbprint, or its beginning. */
  async move(thumbprint: string, to: TrustList): Promise<KnownCertificate | undefined> {
    const wanted = thumbprint.replaceAll(/[^0-9A-Fa-f]/g, '').toUpperCase();
    const found = (await this.list()).filter((each) => each.thumbprint.startsWith(wanted));
    const [one, another] = found;
    if (one === undefined || wanted.length < 8) return undefined;
    if (another !== undefined && another.thumbprint !== one.thumbprint) return undefined;
    if (found.some(({ list }) => list === to)) return { ...one, list: to };
    const from = await this.#find(one.list, one.thumbprint);
    await rename(from, path.join(await this.#made(to), `${one.thumbprint}.der`));
    return { ...one, list: to };
  }

  /** Trusts a certificate from a file, DER or PEM. @throws Error when it is none */
  async add(content: Buffer): Promise<KnownCertificate> {
    const x509 = new X509Certificate(content);
    const thumbprint = thumbprintOf(x509);
    if (x509.raw.length > MAX_BYTES) {
      throw new RangeError(`it has ${x509.raw.length} bytes; at most ${MAX_BYTES} are kept`);
    }
    await this.#keep('trusted', thumbprint, x509.raw);
    await rm(path.join(this.#folder, 'rejected', `${thumbprint}.der`), { force: true });
    return describe(x509, 'trusted');
  }

  async #keep(list: TrustList, thumbprint: string, der: Buffer): Promise<void> {
    if (der.length > MAX_BYTES) return;
    const folder = await this.#made(list);
    const file = path.join(folder, `${thumbprint}.der`);
    await writeFile(file, der, { mode: 0o600 });
    await this.#give(file);
    if (list === 'rejected') await this.#prune(folder);
  }

  async #made(list: TrustList): Promise<string> {
    const folder = path.join(this.#folder, list);
    const made = await mkdir(folder, { recursive: true, mode: 0o700 });
    if (made !== undefined) for (const each of [this.#folder, folder]) await this.#give(each);
    return folder;
  }

  /** What the superuser puts here at a command line, the edge must be able to read. */
  async #give(file: string): Promise<void> {
    if (process.getuid?.() !== 0) return;
    const { uid, gid } = await stat(path.dirname(this.#folder));
    await chown(file, uid, gid);
  }

  async #prune(folder: string): Promise<void> {
    const files = await readdir(folder);
    if (files.length <= MAX_REJECTED) return;
    const aged = await Promise.all(
      files.map(async (file) => ({ file, at: (await stat(path.join(folder, file))).mtimeMs })),
    );
    const old = aged.toSorted((a, b) => a.at - b.at).slice(0, files.length - MAX_REJECTED);
    for (const { file } of old) await rm(path.join(folder, file), { force: true });
  }

  async #find(list: TrustList, thumbprint: string): Promise<string> {
    const folder = path.join(this.#folder, list);
    for (const file of await readdir(folder)) {
      const x509 = await certificateIn(path.join(folder, file));
      if (x509 !== undefined && thumbprintOf(x509) === thumbprint) return path.join(folder, file);
    }
    throw new Error(`${thumbprint} is no longer in ${folder}`);
  }

  async #read(list: TrustList): Promise<X509Certificate[]> {
    const folder = path.join(this.#folder, list);
    const files = await readdir(folder).catch((error: { code?: unknown }) => {
      if (error.code === 'ENOENT') return [];
      throw error;
    });
    const read = await Promise.all(files.map((file) => certificateIn(path.join(folder, file))));
    return read.filter((each) => each !== undefined);
  }
}

/** Somebody may put other things into the folder by hand: they do not count. */
async function certificateIn(file: string): Promise<X509Certificate | undefined> {
  try {
    return new X509Certificate(await readFile(file));
  } catch {
    return undefined;
  }
}

function issued(issuer: X509Certificate, x509: X509Certificate): boolean {
  return issuer.ca && x509.checkIssued(issuer) && x509.verify(issuer.publicKey);
}

/** SHA-1, upper-case hex. */
export function thumbprintOf(x509: X509Certificate): string {
  return x509.fingerprint.replaceAll(':', '');
}

/** The ApplicationUri that a certificate names. */
export function uriOf(x509: X509Certificate): string {
  const [, uri = ''] = /URI:([^,\s]+)/.exec(x509.subjectAltName ?? '') ?? [];
  return uri;
}

export const subjectOf = (x509: X509Certificate): string =>
  (x509.subject ?? '').split('\n').toReversed().join(', ');

function describe(x509: X509Certificate, list: TrustList): KnownCertificate {
  return {
    list,
    thumbprint: thumbprintOf(x509),
    subject: subjectOf(x509),
    uri: uriOf(x509),
    expires: new Date(x509.validTo).toISOString().slice(0, 10),
  };
}
