/** From text to checked documents: manifests (many to a file) and configuration (one to a file). */
import * as v from 'valibot';
import { checkResource, idOf, MAX_DOCUMENT_BYTES } from './check-resource.ts';
import { type Fault, fault, faultsOf } from './fault.ts';
import type { Resource } from './resource.ts';
import { documentFault, plainMessage } from './schema.ts';
import { locateAll, parseYaml, type YamlDocument } from './yaml.ts';

/** A resource and where it stands, so that faults found later (by its mapper, by the cloud) can be placed too. */
export interface Located {
  readonly resource: Resource;
  readonly file: string;
  readonly line: number;
  readonly locate: YamlDocument['locate'];
}

/** A file with more is no slip. */
const MAX_FAULTS = 100;

/**
 * All resources of a YAML (or JSON) text, and all faults, as far as it is worth it. A wrong document does not stop the
 * others. `lexemes`: what one document may have, where memory is short (see `parseYaml`).
 */
export function parseManifests(
  text: string,
  file: string,
  lexemes?: number,
): { readonly resources: readonly Located[]; readonly faults: readonly Fault[] } {
  const resources: Located[] = [];
  const faults: Fault[] = [];
  const seen = new Map<string, number>();
  for (const document of parseYaml(text, file, lexemes)) {
    if (faults.length > MAX_FAULTS) {
      const message = `has more than ${MAX_FAULTS} faults: the rest of it is not read before they are mended`;
      faults.push({ ...document.locate(''), path: '', code: 'TOO_MANY_FAULTS', message });
      break;
    }
    faults.push(...document.faults);
    if (document.faults.length > 0) continue;
    const checked = checkResource(document.value);
    if (!checked.ok) {
      faults.push(...locateAll(checked.faults, document));
      continue;
    }
    const { resource } = checked;
    const key = `${resource.kind} ${idOf(resource)}`;
    const { line } = document.locate('');
    const earlier = seen.get(key);
    if (earlier !== undefined) {
      const message = `must be declared once: ${key} already stands in line ${earlier}`;
      faults.push(
        ...locateAll([fault(['metadata', 'name'], 'RESOURCE_DUPLICATE', message)], document),
      );
      continue;
    }
    seen.set(key, line);
    resources.push({ resource, file, line, locate: document.locate });
  }
  return { resources, faults };
}

/** One YAML document against a valibot schema (best made of `exact`), its faults located. */
export function checkDocument<T>(
  schema: v.GenericSchema<unknown, T>,
  text: string,
  file: string,
):
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly faults: readonly Fault[] } {
  const [document, more] = parseYaml(text, file);
  if (document === undefined || more !== undefined) {
    const found = more === undefined ? 'is empty' : 'holds several';
    const message = `must hold one YAML document; it ${found}`;
    const place = more?.locate('') ?? { file, line: 1, column: 1 };
    return { ok: false, faults: [{ ...fault([], 'DOCUMENT_INVALID', message), ...place }] };
  }
  if (document.faults.length > 0) return { ok: false, faults: document.faults };
  const odd = documentFault(document.value, MAX_DOCUMENT_BYTES);
  if (odd !== undefined) {
    return { ok: false, faults: locateAll([fault([], 'DOCUMENT_INVALID', odd)], document) };
  }
  const result = v.safeParse(schema, document.value, { message: plainMessage });
  if (result.success) return { ok: true, value: result.output };
  return { ok: false, faults: locateAll(faultsOf(result.issues), document) };
}
