/** Names of resources and namespaces. */

const NAME = /^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$/;

/** A DNS subdomain as Kubernetes takes for names. Holds no slash, so keys split in one way only. */
export function isName(name: unknown): name is string {
  return typeof name === 'string' && NAME.test(name);
}
