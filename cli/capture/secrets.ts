/** What of a device's settings must not get into a file that is given to others. */
import type { Json } from '@limpet/dmi';

const SECRET = /pass|pwd|psk|secret|token|credential|private|auth|pin$|key/i;
/** Files are named, not shown: their names stay. */
const FILE = /file$/i;

/** The settings without what their names say is secret, at any depth. */
export function withoutSecrets(settings: { readonly [key: string]: Json }): {
  readonly [key: string]: Json;
} {
  const kept = Object.entries(settings).map(([name, value]) => {
    const hidden = SECRET.test(name) && !FILE.test(name);
    return [name, hidden ? '(left out)' : inner(value)] as const;
  });
  return Object.fromEntries(kept);
}

function inner(value: Json): Json {
  if (typeof value === 'string') return withoutPassword(value);
  if (Array.isArray(value)) return value.map((each: Json) => inner(each));
  if (typeof value !== 'object' || value === null) return value;
  return withoutSecrets(value as { readonly [key: string]: Json });
}

/** An address may carry some: `mqtt://user:password@host`, `https://host/?apiKey=…`. */
function withoutPassword(text: string): string {
  return text
    .replace(/(\/\/[^/@\s:]*:)[^/\s]*@/g, '$1(left out)@')
    .replace(/([?&]([^=&#\s]*)=)[^&#\s]*/g, (whole: string, start: string, name: string) =>
      SECRET.test(name) ? `${start}(left out)` : whole,
    );
}
