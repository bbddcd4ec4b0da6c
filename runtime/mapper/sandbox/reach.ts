/**
 * Which hosts a mapper may connect to (pure). A rule is a network (`10.0.0.0/8`), an address or a name (`plc.local`),
 * each with or without a port (`plc.local:502`, `[fd00::1]:502`), or `*:502`: that port of any host.
 */
import { BlockList, isIP } from 'node:net';
import { type Access } from './permissions.ts';

interface Rule {
  /** `*`, a name in lower case, or an address. */
  readonly host: string;
  /** Of a network. */
  readonly prefix: number | undefined;
  readonly port: number | undefined;
}

const NAME = /^(?=.{1,253}$)[a-z0-9_]([a-z0-9_-]{0,62})(\.[a-z0-9_]([a-z0-9_-]{0,62}))*\.?$/;

/** `undefined` when the text is no rule. */
export function parseRule(text: string): Rule | undefined {
  const match =
    /^\[([^\]]+)\](?:\/(\d{1,3}))?(?::(\d{1,5}))?$/.exec(text) ??
    // More than one colon and no bracket: an IPv6 address without a port.
    /^([0-9a-fA-F:.]*:[0-9a-fA-F:.]*:[0-9a-fA-F:.]*)(?:\/(\d{1,3}))?$/.exec(text) ??
    /^([^:/[\]\s]+)(?:\/(\d{1,2}))?(?::(\d{1,5}))?$/.exec(text);
  const host = match?.[1]?.toLowerCase();
  if (match === null || host === undefined) return undefined;
  const prefix = match[2] === undefined ? undefined : Number(match[2]);
  const port = match[3] === undefined ? undefined : Number(match[3]);
  const rule = { host, prefix, port };
  return isRule(rule) ? rule : undefined;
}

function isRule({ host, prefix, port }: Rule): boolean {
  if (port !== undefined && (port < 1 || port > 65_535)) return false;
  // `*` alone would be `true`: said in one way only.
  if (host === '*') return prefix === undefined && port !== undefined;
  const family = isIP(host);
  if (prefix !== undefined) return family !== 0 && prefix <= (family === 4 ? 32 : 128);
  // Digits and dots that are no address are a slip, not a name.
  return family !== 0 || (NAME.test(host) && !/^[\d.]+$/.test(host));
}

/** `lookup`: only its addresses can tell, by {@link Reach.address}. */
export type Verdict = 'yes' | 'no' | 'lookup';

export class Reach {
  readonly #all: boolean;
  readonly #rules: readonly Rule[];

  constructor(access: Access) {
    this.#all = access === true;
    const texts = typeof access === 'boolean' ? [] : access;
    this.#rules = texts.map(parseRule).filter((rule) => rule !== undefined);
  }

  /** Whether this host, a name or an address, may be connected to at this port. */
  host(host: string, port: number): Verdict {
    if (this.#all) return 'yes';
    const name = plainName(host);
    const rules = this.#at(port);
    if (rules.some((rule) => rule.host === '*' || plainName(rule.host) === name)) return 'yes';
    if (isIP(name) !== 0) return this.address(name, port) ? 'yes' : 'no';
    return rules.some((rule) => isIP(rule.host) !== 0) ? 'lookup' : 'no';
  }

  /** Whether this address, which a name may have led to, lies in a network that is allowed at this port. */
  address(address: string, port: number): boolean {
    if (this.#all) return true;
    const family = isIP(address) === 6 ? 'ipv6' : 'ipv4';
    const list = new BlockList();
    for (const { host, prefix } of this.#at(port)) {
      const kind = isIP(host);
      if (host === '*') return true;
      if (kind === 0) continue;
      list.addSubnet(host, prefix ?? (kind === 4 ? 32 : 128), kind === 4 ? 'ipv4' : 'ipv6');
    }
    return isIP(address) !== 0 && list.check(address, family);
  }

  #at(port: number): readonly Rule[] {
    return this.#rules.filter((rule) => rule.port === undefined || rule.port === port);
  }
}

function plainName(host: string): string {
  return host.toLowerCase().replace(/\.$/, '');
}
