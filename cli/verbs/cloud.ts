/** `limpet cloud`: runs the cloud service. */
import type { Command } from 'commander';
import { usage } from '../cli-error.ts';
import { type Act, type AskOptions, withTarget } from './verb.ts';

export interface CloudOptions {
  readonly data?: string;
  readonly store?: string;
  readonly storePasswordFile?: string;
  readonly listen: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly tokenFile?: string;
  readonly accessLog?: string;
  readonly history?: string;
  readonly historyBytes?: string;
  readonly json?: true;
}

export function declareCloud(program: Command, act: Act): void {
  const cloud = program.command('cloud');
  declareKubeconfig(cloud, act);
  declareOpenapi(cloud, act);
  cloud
    .description('run the cloud service: hub for edges, and the API')
    .option('--data <folder>', 'where it keeps its database, a SQLite file')
    .option('--store <url>', 'keeps it in PostgreSQL instead: postgres://USER@HOST/DATABASE')
    .option('--store-password-file <file>', 'file with the password for --store')
    .option('--listen <address>', 'HOST:PORT; port 0 picks a free one', '127.0.0.1:8440')
    .option('--tls-cert <file>', 'certificate, in PEM: needed beyond loopback')
    .option('--tls-key <file>', 'its private key, in PEM')
    .option('--token-file <file>', 'file with the token that edges and users must show')
    .option('--access-log <file>', 'a line of JSON for each request: a file, or - for stderr')
    .option('--history <age>', 'how long the past is kept, like 30d; or off')
    .option('--history-bytes <size>', 'at most about so much of it, like 2Gi')
    .option('--json', 'the first line of output, which tells the address, as JSON')
    .addHelpText(
      'after',
      `
Examples:
  limpet cloud --data ./cloud-data
  limpet cloud --data /var/lib/limpet --listen 0.0.0.0:8440 \\
    --tls-cert cert.pem --tls-key key.pem --token-file token
  limpet cloud --data ./cloud-data --access-log access.log
  limpet cloud --store postgres:///limpet
  limpet cloud --store postgres://limpet@db.example.com/limpet --store-password-file password

--store takes what psql takes (PGPASSWORD and ~/.pgpass too): ?host=/SOCKET/FOLDER, ?sslmode=disable|require|verify-ca|
verify-full (verify-full beyond loopback), ?sslrootcert=FILE, ?sslcert=FILE&sslkey=FILE; and ?schema=NAME, by default limpet.
/healthz and /readyz answer 200 or 503 without a token; /metrics is for Prometheus. An access log is renamed at 64 MiB,
three old ones are kept; it has no tokens, bodies or queries.
One service at a time writes a schema; it takes 5 connections.`,
    )
    .action((options: CloudOptions) =>
      act(async () => {
        if (options.data === undefined && options.store === undefined) {
          throw usage("required option '--data <folder>' not specified (or '--store <url>')");
        }
        return (await import('../run-cloud.ts')).runCloud(options);
      }),
    );
}

function declareKubeconfig(cloud: Command, act: Act): void {
  const command = cloud
    .command('kubeconfig')
    .description('print a kubeconfig file with which kubectl asks the cloud')
    .addHelpText(
      'after',
      `
The file names the files of the token and of the authority; neither is in it.

Examples:
  limpet cloud kubeconfig > limpet.kubeconfig
  limpet cloud kubeconfig --cloud https://cloud.example:8440 --token-file token --ca ca.pem > limpet.kubeconfig
  kubectl --kubeconfig limpet.kubeconfig get devices`,
    );
  withTarget(command).action((_: unknown, self: Command) =>
    act(async () => {
      const options = self.optsWithGlobals<AskOptions>();
      return (await import('../kubeconfig.ts')).runKubeconfig(options);
    }),
  );
}

function declareOpenapi(cloud: Command, act: Act): void {
  cloud
    .command('openapi')
    .description('print the API as an OpenAPI document')
    .addHelpText(
      'after',
      `
OpenAPI 3.1, as JSON; a cloud serves the same at /openapi/v3/limpet. Generators make clients of it.

Example:
  limpet cloud openapi > limpet.openapi.json`,
    )
    .action(() => act(async () => (await import('../openapi.ts')).runOpenapi()));
}
