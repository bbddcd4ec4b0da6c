/** Read Device Identification, basic. MODBUS application protocol V1.1b3, §6.21. */

/** Encapsulated interface transport, and its type for identification. */
const FUNCTION = 0x2b;
const MEI = 0x0e;
/** Stream access to what every device that identifies itself has: vendor, product, revision. */
const BASIC = 1;
const MORE = 0xff;
/** Bytes before the first object. */
const HEAD = 7;

/** Object ids, and their texts. */
export type Objects = ReadonlyMap<number, string>;

/** Asks from this object on. */
export function identityRequest(from: number): Buffer {
  return Buffer.from([FUNCTION, MEI, BASIC, from]);
}

/** What a reply says, and from which object on there is more; `undefined` for an exception. */
export function readIdentity(
  pdu: Buffer,
): { readonly objects: Objects; readonly next: number | undefined } | undefined {
  if (pdu[0] !== FUNCTION || identityLength(pdu) !== pdu.length) return undefined;
  const objects = new Map<number, string>();
  let at = HEAD;
  for (let left = pdu.readUInt8(6); left > 0; left--) {
    const [id, length] = [pdu.readUInt8(at), pdu.readUInt8(at + 1)];
    // ASCII, where devices keep to it.
    objects.set(
      id,
      pdu
        .toString('latin1', at + 2, at + 2 + length)
        .replaceAll(/[^ -~]/g, ' ')
        .trim(),
    );
    at += 2 + length;
  }
  return { objects, next: pdu.readUInt8(4) === MORE ? pdu.readUInt8(5) : undefined };
}

/** The length of the reply that begins with these bytes; `undefined` while too few are there. */
export function identityLength(pdu: Buffer): number | undefined {
  const count = pdu[6];
  if (count === undefined || pdu[1] !== MEI) return undefined;
  let at = HEAD;
  for (let left = count; left > 0; left--) {
    const length = pdu[at + 1];
    if (length === undefined) return undefined;
    at += 2 + length;
  }
  return at;
}
