/** The paths beside our own kinds that Kubernetes clients look for. What is said there is in `kubernetes/`. */
import { isName } from './names.ts';

export type KubernetesPlace =
  /** The kinds described; `group`: one part of version 3, without it the list of its parts. */
  | { readonly is: 'openapi'; readonly version: 2 | 3; readonly group?: 'core' | 'limpet' }
  /** The whole API described. */
  | { readonly is: 'api' }
  | { readonly is: 'namespaces' }
  | { readonly is: 'namespace'; readonly name: string }
  | { readonly is: 'events' }
  /** May I do this? What may I do? */
  | { readonly is: 'access' | 'rules' };

export interface KubernetesRoute {
  readonly verb: 'kubernetes';
  readonly place: KubernetesPlace;
  readonly method: string;
}

export const FIXED: Readonly<Record<string, KubernetesPlace>> = {
  '/openapi/v2': { is: 'openapi', version: 2 },
  '/openapi/v3': { is: 'openapi', version: 3 },
  '/openapi/v3/limpet': { is: 'api' },
  '/openapi/v3/api/v1': { is: 'openapi', version: 3, group: 'core' },
  '/openapi/v3/apis/limpet.dev/v1': { is: 'openapi', version: 3, group: 'limpet' },
  '/api/v1/namespaces': { is: 'namespaces' },
  '/api/v1/events': { is: 'events' },
  '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews': { is: 'access' },
  '/apis/authorization.k8s.io/v1/selfsubjectrulesreviews': { is: 'rules' },
};

export function kubernetesPlace(path: string): KubernetesPlace | undefined {
  if (Object.hasOwn(FIXED, path)) return FIXED[path];
  const [, name, ...more] = /^\/api\/v1\/namespaces\/([^/]+)(\/events)?$/.exec(path) ?? [];
  if (!isName(name)) return undefined;
  return more[0] === undefined ? { is: 'namespace', name } : { is: 'events' };
}

export function kubernetesMethods({ is }: KubernetesPlace): readonly string[] {
  switch (is) {
    case 'openapi':
    case 'api':
    case 'events':
      return ['GET', 'HEAD'];
    // Understood, to say why not.
    case 'namespaces':
      return ['GET', 'HEAD', 'POST'];
    case 'namespace':
      return ['GET', 'HEAD', 'PUT', 'PATCH', 'DELETE'];
    case 'access':
    case 'rules':
      return ['POST'];
  }
}
