/** Bearer tokens: compared by hash, in a time that says nothing about them. */
import { createHash, timingSafeEqual } from 'node:crypto';

/** Answers whether a token is one of these. Keeps hashes, not tokens. */
export function tokenCheck(tokens: readonly string[]): (token: string) => boolean {
  const hashes = tokens.map((token) => sha256(token));
  return (token) => {
    const hash = sha256(token);
    // No early end: how long it takes must not depend on which one matched.
    return hashes.reduce((found, known) => timingSafeEqual(known, hash) || found, false);
  };
}

/** The token of an `Authorization` header; `undefined` when it carries none. */
export function bearerToken(header: string | undefined): string | undefined {
  return /^bearer +([\x21-\x7e]+) *$/i.exec(header ?? '')?.[1];
}

function sha256(text: string): Buffer {
  return createHash('sha256').update(text).digest();
}
