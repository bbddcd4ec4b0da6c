/** A certificate authority for a scenario, made with the `openssl` command. */
import { execFileSync } from 'node:child_process';
import path from 'node:path';

const NEW_KEY = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];

export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

export class Authority implements Certificate {
  readonly cert: string;
  readonly key: string;
  readonly #folder: string;

  constructor(folder: string, name: string) {
    this.#folder = folder;
    this.cert = path.join(folder, `${name}.pem`);
    this.key = path.join(folder, `${name}.key`);
    const subject = ['-subj', `/CN=${name}`, '-days', '2'];
    openssl(['req', '-x509', ...NEW_KEY, ...subject, '-keyout', this.key, '-out', this.cert]);
  }

  /** A certificate for `host` (as in `IP:127.0.0.1`), good for so many days from now; -1: until yesterday. */
  issue(name: string, host: string, days: number): Certificate {
    const [cert, key, request] = ['pem', 'key', 'csr'].map((end) =>
      path.join(this.#folder, `${name}.${end}`),
    ) as [string, string, string];
    const subject = ['-subj', '/CN=cloud', '-addext', `subjectAltName=${host}`];
    openssl(['req', ...NEW_KEY, ...subject, '-keyout', key, '-out', request]);
    const signed = ['-CA', this.cert, '-CAkey', this.key, '-CAcreateserial'];
    const terms = ['-copy_extensions', 'copy', '-days', String(days)];
    openssl(['x509', '-req', '-in', request, ...signed, ...terms, '-out', cert]);
    return { cert, key };
  }
}

function openssl(args: readonly string[]): void {
  try {
    execFileSync('openssl', args, { stdio: ['ignore', 'ignore', 'pipe'] });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw new Error('this scenario needs the Debian package openssl', { cause: error });
  }
}
