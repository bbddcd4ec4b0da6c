/** Whether something is a mapper, as far as can be seen without calling it (pure). */

/** Every fault, as sentences; none when it is one. */
export function mapperFaults(candidate: unknown, protocol: string): string[] {
  if (typeof candidate !== 'object' || candidate === null) {
    return ['its default export must be the object that defineMapper returns'];
  }
  const mapper = candidate as Record<string, unknown>;
  const faults: string[] = [];
  if (mapper['protocol'] !== protocol) {
    faults.push(`"protocol" must be "${protocol}", as its package says`);
  }
  for (const name of ['settings', 'visitor']) {
    if (!isSchema(mapper[name])) faults.push(`"${name}" must be a Standard Schema (version 1)`);
  }
  if (typeof mapper['connect'] !== 'function') faults.push('"connect" must be a function');
  for (const name of ['fits', 'serves', 'port', 'back', 'discover']) {
    if (mapper[name] !== undefined && typeof mapper[name] !== 'function') {
      faults.push(`"${name}" must be a function, or left out`);
    }
  }
  return faults;
}

/** Schemas are objects or, with some libraries, functions. */
function isSchema(value: unknown): boolean {
  if ((typeof value !== 'object' && typeof value !== 'function') || value === null) return false;
  const standard = (value as Record<string, unknown>)['~standard'];
  if (typeof standard !== 'object' || standard === null) return false;
  const { version, validate } = standard as Record<string, unknown>;
  return version === 1 && typeof validate === 'function';
}
