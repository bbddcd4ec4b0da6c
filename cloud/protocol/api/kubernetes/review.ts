/** `kubectl auth can-i`: may I do this, what may I do? Whoever is let in at all may do all that there is to do. */
import type { IncomingMessage } from 'node:http';
import type { Json } from '@limpet/dmi';
import type { Backend, Document } from '../backend.ts';
import { expectType, mediaType, parseDocument, readBody } from '../body.ts';
import { GROUP, KINDS } from '../kinds.ts';
import { badRequest } from '../status.ts';
import { isObject } from './fields.ts';
import { messagesIn, textIn } from './protobuf.ts';

const ORDERS = ['get', 'list', 'watch', 'patch', 'update'];
const VERBS = [...ORDERS, 'create', 'delete', 'deletecollection'];

export async function review(
  is: 'access' | 'rules',
  { writes }: Backend,
  request: IncomingMessage,
): Promise<Json> {
  const verbs = writes === 'all' ? VERBS : ORDERS;
  const spec = await specOf(is, request);
  return {
    kind: is === 'access' ? 'SelfSubjectAccessReview' : 'SelfSubjectRulesReview',
    apiVersion: 'authorization.k8s.io/v1',
    metadata: {},
    spec,
    status: is === 'access' ? accessOf(spec, verbs) : rulesOf(verbs),
  };
}

async function specOf(is: 'access' | 'rules', request: IncomingMessage): Promise<Document> {
  const body = await readBody(request);
  if (mediaType(request) === 'application/vnd.kubernetes.protobuf') return decoded(is, body);
  expectType(request, 'application/json');
  const { spec } = parseDocument(body);
  return isObject(spec) ? spec : {};
}

/** What kubectl sends: a review in an envelope. The numbers are those of k8s.io/api/authorization/v1/generated.proto. */
function decoded(is: 'access' | 'rules', body: Buffer): Document {
  if (body.subarray(0, 4).toString('latin1') !== 'k8s\0') {
    throw badRequest('the body: expected the envelope of a Kubernetes object');
  }
  const [sent] = messagesIn(body.subarray(4), 2);
  const [spec] = sent === undefined ? [] : messagesIn(sent, 2);
  if (spec === undefined) throw badRequest('the body: expected a review with a spec');
  if (is === 'rules') return { namespace: textIn(spec, 1) };
  const [asked] = messagesIn(spec, 1);
  if (asked === undefined) return {};
  const numbers = { namespace: 1, verb: 2, group: 3, version: 4, resource: 5, name: 7 };
  const members = Object.entries(numbers).map(([name, number]) => [name, textIn(asked, number)]);
  return { resourceAttributes: Object.fromEntries(members) as Document };
}

function accessOf(spec: Document, verbs: readonly string[]): Json {
  const asked = spec['resourceAttributes'];
  if (!isObject(asked)) return { allowed: true };
  const [group, resource, verb] = [asked['group'] ?? '', asked['resource'], asked['verb']];
  const has = (list: readonly string[], word: Json | undefined) =>
    word === '*' || list.some((each) => each === word);
  if (group === '' && has(['namespaces', 'events'], resource)) {
    return has(['get', 'list'], verb) ? ALLOWED : refused('these can only be looked at');
  }
  const plurals = Object.values(KINDS).map(({ plural }) => plural);
  if (!has([GROUP], group) || !has(plurals, resource)) {
    return refused(`there are only ${plurals.join(', ')} of ${GROUP} here`);
  }
  return has(verbs, verb) ? ALLOWED : refused(`what can be done is ${verbs.join(', ')}`);
}

const ALLOWED = { allowed: true };

function refused(reason: string): Json {
  return { allowed: false, reason };
}

function rulesOf(verbs: readonly string[]): Json {
  const resources = Object.values(KINDS).map(({ plural }) => plural);
  return {
    resourceRules: [
      { verbs, apiGroups: [GROUP], resources },
      { verbs: ['get', 'list'], apiGroups: [''], resources: ['namespaces', 'events'] },
    ],
    nonResourceRules: [{ verbs: ['get'], nonResourceURLs: ['*'] }],
    incomplete: false,
  };
}
