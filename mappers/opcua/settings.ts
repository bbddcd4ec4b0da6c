/** How an OPC UA server is reached: what a manifest's `settings` may say, checked once and made explicit. */
import { duration, together, told, unknownField } from '@limpet/dmi/schema';
import * as v from 'valibot';

/** Policies that count as secure today (OPC UA Part 7), best first. */
export const POLICIES = [
  'Aes256_Sha256_RsaPss',
  'Aes128_Sha256_RsaOaep',
  'Basic256Sha256',
] as const;
/** Their SHA-1 can be forged; refused unless `deprecated: true` asks for them. */
export const DEPRECATED_POLICIES = ['Basic256', 'Basic128Rsa15'] as const;
export type PolicyName = (typeof POLICIES)[number] | (typeof DEPRECATED_POLICIES)[number];

/** Text that the manifest holds, or a file of the mapper's own folder that does. */
export type Secret = { readonly text: string } | { readonly file: string };

/** Who the user is. */
type User =
  | { readonly kind: 'anonymous' }
  | { readonly kind: 'password'; readonly name: string; readonly password: Secret }
  | { readonly kind: 'certificate'; readonly certificate: Secret; readonly key: Secret };

/** Settings after validation. */
export interface Settings {
  /** As the manifest says it: `opc.tcp://HOST:PORT/path`. */
  readonly endpoint: string;
  /** What `context.dial` is asked for. */
  readonly dial: string;
  /** `best`: the best secured one that the server offers, never none. */
  readonly security: 'best' | 'none' | 'sign' | 'signAndEncrypt';
  readonly policy?: PolicyName;
  readonly deprecated: boolean;
  readonly user: User;
  /** A password may cross the wire unencrypted. */
  readonly plainPassword: boolean;
  readonly timeoutMs: number;
  /** How long the server keeps the session of a client that it does not hear. */
  readonly sessionMs: number;
  /** Absent: as often as the fastest property wants. */
  readonly publishingMs?: number;
  /** With nothing to tell, the server says that it is alive this often. */
  readonly keepAliveMs: number;
}

const ENDPOINT = 'expected opc.tcp://HOST[:4840][/path]';
const ALL = [...POLICIES, ...DEPRECATED_POLICIES];
const KNOWN =
  'endpoint, security, policy, deprecated, user, password, passwordFile, certificate, key, plainPassword, timeout, session, publishing, keepAlive';

const text = (what: string, most = 256) =>
  v.pipe(
    v.string(`expected ${what}`),
    v.nonEmpty(`expected ${what}`),
    v.maxLength(most, `expected ${what} of at most ${most} characters`),
  );
const FILE = 'a file name in the folder of this mapper, without folders';
const file = v.pipe(text(FILE), v.regex(/^[\w.-]+$/, `expected ${FILE}`), v.excludes('..', FILE));
const pem = (what: string) => {
  const message = `expected ${what} as PEM text, or ${FILE}`;
  return v.pipe(
    text(message, 20_000),
    v.check((value) => value.startsWith('-----BEGIN') || /^\w[\w.-]*$/.test(value), message),
  );
};

const fields = v.strictObject(
  {
    endpoint: told(
      v.pipe(
        v.string(ENDPOINT),
        v.maxLength(1024, ENDPOINT),
        v.check((value) => dialOf(value) !== undefined, ENDPOINT),
      ),
      'where the server is',
      'opc.tcp://10.0.0.5:4840',
    ),
    security: v.optional(
      told(
        v.picklist(
          ['none', 'sign', 'signAndEncrypt'],
          'expected none, sign or signAndEncrypt, or nothing for the best that the server offers',
        ),
        'default: the best that the server offers, never none',
      ),
    ),
    policy: v.optional(
      told(
        v.picklist(ALL, `expected one of ${ALL.join(', ')}`),
        'default: the best that both know',
      ),
    ),
    deprecated: v.optional(
      told(v.boolean('expected true or false'), 'policies with SHA-1 may be used'),
      false,
    ),
    user: v.optional(told(text('the name of a user'), 'who we are; default: anonymous')),
    password: v.optional(
      told(
        v.pipe(v.string('expected a password'), v.maxLength(1024)),
        'better in a file: settings travel to the cloud',
      ),
    ),
    passwordFile: v.optional(
      told(file, "a file in the mapper's folder that holds the password", 'plc.password'),
    ),
    certificate: v.optional(told(pem('the certificate of the user'), 'PEM or file: of the user')),
    key: v.optional(told(pem('the private key of the user'), 'PEM or file: its private key')),
    plainPassword: v.optional(
      told(v.boolean('expected true or false'), 'a password may cross the wire unencrypted'),
      false,
    ),
    timeout: v.optional(told(duration('100ms', '60s'), 'how long an answer may take'), '5s'),
    session: v.optional(
      told(duration('5s', '1h'), 'how long the server keeps our session while it does not hear us'),
      '60s',
    ),
    publishing: v.optional(
      told(
        duration('1ms', '1h'),
        'how often the server tells; default: as the fastest property wants',
      ),
    ),
    keepAlive: v.optional(
      told(duration('100ms', '10m'), 'how often it says that it is alive'),
      '5s',
    ),
  },
  unknownField(KNOWN, 'settings need an endpoint, such as opc.tcp://10.0.0.5:4840'),
);
type Fields = v.InferOutput<typeof fields>;

/** The schema of an OPC UA device's settings. */
export const settings = v.pipe(fields, together(faults), v.transform(explicit));

type Checks = readonly (readonly [wrong: boolean, message: string])[];

function faults(fields: Fields): string[] {
  const { security, policy, deprecated, user, password, passwordFile, certificate, key } = fields;
  const old = DEPRECATED_POLICIES.some((name) => name === policy);
  const secret = password !== undefined || passwordFile !== undefined;
  const checks: Checks = [
    [security === 'none' && policy !== undefined, 'policy: security none has no policy; remove it'],
    [
      old && !deprecated,
      `policy: ${policy} is no longer secure (SHA-1); use a newer one, or add deprecated: true if the server has no other`,
    ],
    [
      password !== undefined && passwordFile !== undefined,
      'passwordFile: give password or passwordFile, not both',
    ],
    [secret && user === undefined, 'user: a password needs a user'],
    [user !== undefined && !secret, 'passwordFile: a user needs password or passwordFile'],
    [(certificate === undefined) !== (key === undefined), 'key: certificate and key go together'],
    [certificate !== undefined && user !== undefined, 'user: give user or certificate, not both'],
  ];
  return checks.flatMap(([wrong, message]) => (wrong ? [message] : []));
}

function explicit(fields: Fields): Settings {
  const { endpoint, security = 'best', policy, deprecated, plainPassword, publishing } = fields;
  return {
    endpoint,
    dial: dialOf(endpoint) ?? '',
    security,
    ...(policy !== undefined && { policy }),
    deprecated,
    user: userOf(fields),
    plainPassword,
    timeoutMs: fields.timeout,
    sessionMs: fields.session,
    ...(publishing !== undefined && { publishingMs: publishing }),
    keepAliveMs: fields.keepAlive,
  };
}

function userOf({ user, password, passwordFile, certificate, key }: Fields): User {
  if (certificate !== undefined && key !== undefined)
    return { kind: 'certificate', certificate: textOrFile(certificate), key: textOrFile(key) };
  if (user === undefined) return { kind: 'anonymous' };
  const secret = passwordFile === undefined ? { text: password ?? '' } : { file: passwordFile };
  return { kind: 'password', name: user, password: secret };
}

const textOrFile = (value: string): Secret =>
  value.startsWith('-----BEGIN') ? { text: value } : { file: value };

/** `tcp://HOST:PORT`; undefined where the address is none. */
function dialOf(endpoint: string): string | undefined {
  const [, host, port = '4840'] =
    /^opc\.tcp:\/\/(\[[0-9a-fA-F:.]+\]|[^\s/:?#@[\]]+)(?::(\d{1,5}))?(?:[/?][^\s]*)?$/.exec(
      endpoint,
    ) ?? [];
  if (host === undefined || Number(port) < 1 || Number(port) > 65_535) return undefined;
  return `tcp://${host}:${port}`;
}
