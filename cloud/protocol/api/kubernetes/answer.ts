/**
 * What Kubernetes clients expect of any cluster beside its kinds: the API described, namespaces, events, and
 * what one may do.
 */
import type { IncomingMessage } from 'node:http';
import type { Json } from '@limpet/dmi';
import type { Answer } from '../answer.ts';
import type { Backend, Document } from '../backend.ts';
import { KINDS } from '../kinds.ts';
import type { KubernetesRoute } from '../kubernetes-place.ts';
import { ApiError, methodNotAllowed } from '../status.ts';

export interface Asked {
  readonly backend: Backend;
  readonly answer: Answer;
  readonly request: IncomingMessage;
  /** Limpet's own. */
  readonly version: string;
}

export async function answerKubernetes(
  { place, method }: KubernetesRoute,
  { backend, answer, request, version }: Asked,
): Promise<void> {
  switch (place.is) {
    case 'openapi': {
      const { openapi } = await import('./openapi.ts');
      return answer.json(200, openapi(place, version));
    }
    case 'api': {
      const { apiDocument } = await import('../openapi/document.ts');
      return answer.json(200, apiDocument(version));
    }
    case 'events':
      refuseWatch(request, 'events');
      return answer.json(200, list('EventList', []));
    case 'namespaces': {
      if (method === 'POST') throw methodNotAllowed(IMPLICIT);
      refuseWatch(request, 'namespaces');
      const names = await namespacesOf(backend);
      return answer.json(
        200,
        list(
          'NamespaceList',
          names.map((name) => namespace(name)),
        ),
      );
    }
    case 'namespace': {
      if (method !== 'GET' && method !== 'HEAD') throw methodNotAllowed(IMPLICIT);
      const names = await namespacesOf(backend);
      if (!names.includes(place.name)) throw noNamespace(place.name);
      return answer.json(200, namespace(place.name));
    }
    case 'access':
    case 'rules':
      return answer.json(
        201,
        await (await import('./review.ts')).review(place.is, backend, request),
      );
  }
}

const IMPLICIT =
  'a namespace comes with the first resource in it and goes with the last: there is nothing to create, change or delete';

/** Those in use, found one by one without reading what is in them; and `default`, which is always there. */
async function namespacesOf(backend: Backend): Promise<readonly string[]> {
  const found = new Set(['default']);
  const selection = { labels: [], fields: [] };
  for (const { kind, namespaced } of Object.values(KINDS)) {
    if (!namespaced) continue;
    let after = '';
    for (;;) {
      const { items } = await backend.list({ kind, selection }, { limit: 1, after });
      const name = items[0]?.metadata.namespace;
      if (name === undefined) break;
      found.add(name);
      // Keys are NAMESPACE/NAME, and 0 comes right after the slash.
      after = `${name}0`;
    }
  }
  return [...found].toSorted((a, b) => (a < b ? -1 : 1));
}

function namespace(name: string): Document {
  const labels = { 'kubernetes.io/metadata.name': name };
  return {
    kind: 'Namespace',
    apiVersion: 'v1',
    metadata: { name, labels },
    spec: {},
    status: { phase: 'Active' },
  };
}

function noNamespace(name: string): ApiError {
  const message = `namespaces "${name}" not found: nothing is in it, and it comes with the first resource`;
  return new ApiError('NotFound', message, { name, kind: 'namespaces' });
}

function list(kind: string, items: readonly Json[]): Json {
  return { kind, apiVersion: 'v1', metadata: {}, items };
}

function refuseWatch({ url = '' }: IncomingMessage, what: string): void {
  if (!/[?&]watch=(1|true)(&|$)/.test(url)) return;
  throw methodNotAllowed(`${what} cannot be watched here; watch devices, devicemodels or nodes`);
}
