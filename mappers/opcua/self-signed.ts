/** A self-signed application instance certificate as OPC UA wants it (Part 6, 6.2.2). */
import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from 'node:crypto';
import {
  bits,
  element,
  instead,
  integer,
  octets,
  oid,
  sequence,
  set,
  tagged,
  time,
  utf8,
  yes,
} from './der.ts';

export interface CertificateWish {
  readonly applicationUri: string;
  readonly commonName: string;
  /** Host names and IP addresses. */
  readonly hosts: readonly string[];
  readonly fromMs: number;
  readonly toMs: number;
}

const SHA256_RSA = sequence(oid('1.2.840.113549.1.1.11'), element(0x05));
const KEY_BITS = 2048;

/** A new key, as PEM, and its certificate, as DER. */
export function selfSigned(wish: CertificateWish): { readonly key: string; readonly der: Buffer } {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: KEY_BITS });
  const der = certify(wish, privateKey, publicKey);
  return { key: String(privateKey.export({ type: 'pkcs8', format: 'pem' })), der };
}

function certify(wish: CertificateWish, privateKey: KeyObject, publicKey: KeyObject): Buffer {
  const spki = publicKey.export({ type: 'spki', format: 'der' });
  const name = sequence(
    set(sequence(oid('2.5.4.10'), utf8('Limpet'))),
    set(sequence(oid('2.5.4.3'), utf8(wish.commonName))),
  );
  // Positive and never zero.
  const serial = Buffer.concat([Buffer.from([0x4c]), randomBytes(15)]);
  const tbs = sequence(
    tagged(0, integer(Buffer.from([2]))),
    integer(serial),
    SHA256_RSA,
    name,
    sequence(time(wish.fromMs), time(wish.toMs)),
    name,
    spki,
    tagged(3, sequence(...extensions(wish, spki))),
  );
  return sequence(tbs, SHA256_RSA, bits(sign('sha256', tbs, privateKey)));
}

function extensions({ applicationUri, hosts }: CertificateWish, spki: Buffer): Buffer[] {
  const keyId = createHash('sha1').update(spki).digest();
  const names = hosts.map((host) =>
    /^\d{1,3}(?:\.\d{1,3}){3}$/.test(host)
      ? instead(7, Buffer.from(host.split('.').map(Number)))
      : instead(2, Buffer.from(host)),
  );
  return [
    // Not an authority: some servers refuse a self-signed one without path length, others a real CA.
    sequence(oid('2.5.29.19'), yes(), octets(sequence())),
    sequence(oid('2.5.29.14'), octets(octets(keyId))),
    // digitalSignature, nonRepudiation, keyEncipherment, dataEncipherment, keyCertSign (Part 6, table 43)
    sequence(oid('2.5.29.15'), yes(), octets(bits(Buffer.from([0b1111_0100]), 2))),
    // serverAuth, clientAuth
    sequence(
      oid('2.5.29.37'),
      octets(sequence(oid('1.3.6.1.5.5.7.3.1'), oid('1.3.6.1.5.5.7.3.2'))),
    ),
    sequence(oid('2.5.29.17'), octets(sequence(instead(6, Buffer.from(applicationUri)), ...names))),
  ];
}
