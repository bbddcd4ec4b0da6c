/** `limpet cloud kubeconfig`: what kubectl has to know to ask a cloud. */
import path from 'node:path';
import process from 'node:process';
import { usage } from './cli-error.ts';
import { processOutput } from './output.ts';
import { placeOf, readFileOf, readToken } from './target.ts';
import type { AskOptions } from './verbs/verb.ts';

/** Files are named, not copied: neither token nor authority stands in what is printed. */
export async function runKubeconfig(options: AskOptions): Promise<number> {
  const place = placeOf(options, process.env);
  if (place.kind === 'edge') {
    throw usage('kubectl asks a cloud: an edge answers only on its own socket. Leave out --edge.');
  }
  const { url, tokenFile, ca } = place;
  // Told now what would fail later.
  if (tokenFile !== undefined) readToken(tokenFile);
  if (ca !== undefined) readFileOf('--ca', ca);
  const cluster = {
    server: url,
    ...(ca !== undefined && { 'certificate-authority': path.resolve(ca) }),
    // Some clients refuse plain HTTP without it.
    ...(url.startsWith('http:') && { 'insecure-skip-tls-verify': true }),
  };
  const user = tokenFile === undefined ? {} : { tokenFile: path.resolve(tokenFile) };
  const { stringify } = await import('yaml');
  const text = stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'limpet', cluster }],
    users: [{ name: 'limpet', user }],
    contexts: [{ name: 'limpet', context: { cluster: 'limpet', user: 'limpet' } }],
    'current-context': 'limpet',
  });
  processOutput(options.json === true).print(text.trimEnd());
  return 0;
}
