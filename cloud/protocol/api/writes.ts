/** Carries out what changes resources: from a request and its body to an edit, and from that to the answer. */
import type { IncomingMessage } from 'node:http';
import type { Clock } from '@limpet/dmi';
import type { Resource } from '@limpet/dmi/manifest';
import type { Answer } from './answer.ts';
import type { Backend, Document, Edit, Target, WriteOptions } from './backend.ts';
import { expectType, mediaType, parseDocument, parseList, parseYaml, readBody } from './body.ts';
import { checkPatch, placeAt, placeNew, removeOptions } from './document.ts';
import { creation, merging, ordersOf, replacement } from './edits.ts';
import { GROUP, KINDS } from './kinds.ts';
import type { WriteRoute, Writing } from './route.ts';
import type { Shape } from './shape.ts';
import { ApiError, badRequest, methodNotAllowed } from './status.ts';

/** Who asks, and how the answer goes out. */
export interface Asking {
  readonly backend: Backend;
  readonly clock: Pick<Clock, 'now'>;
  readonly request: IncomingMessage;
  readonly answer: Answer;
  readonly shape: Shape;
}

const PATCH_TYPES = {
  merge: 'application/merge-patch+json',
  json: 'application/json-patch+json',
  apply: 'application/apply-patch+yaml',
} as const;

const PAGE_ITEMS = 100;

export async function carryOut(asked: WriteRoute, asking: Asking): Promise<void> {
  switch (asked.verb) {
    case 'create': {
      const { target, doc } = placeNew(asked.scope, await jsonOf(asking.request));
      const written = await write(target, creation(target, doc), asked.writing, asking);
      return asking.answer.json(201, asking.shape.single(written));
    }
    case 'replace': {
      const { target, writing } = asked;
      const doc = placeAt(target, await jsonOf(asking.request));
      const written = await write(target, replacement(target, doc), writing, asking);
      return asking.answer.json(200, asking.shape.single(written));
    }
    case 'patch':
      return patch(asked.target, asked.writing, asking);
    case 'remove': {
      const { target, writing } = asked;
      const options = await deletion(writing, asking.request);
      const { uid } = (await asking.backend.remove(target, options)).metadata;
      const details = { name: target.name, group: GROUP, kind: KINDS[target.kind].plural, uid };
      return asking.answer.json(200, success(details));
    }
    case 'removeAll':
      return removeAll(asked, asking);
  }
}

async function patch(target: Target, writing: Writing, asking: Asking): Promise<void> {
  const { request, answer, shape, backend } = asking;
  const type = mediaType(request);
  let isNew = false;
  let edit: Edit;
  let orders: readonly string[] = [];
  if (type === PATCH_TYPES.json) {
    const { jsonPatching, patchedOrders } = await import('./kubernetes/json-patch.ts');
    const list = parseList(await readBody(request));
    edit = jsonPatching(target, list);
    orders = patchedOrders(list);
  } else if (type === PATCH_TYPES.apply) {
    const apply = await applied(target, writing, asking);
    edit = (now) => {
      isNew = now === undefined;
      return apply(now);
    };
  } else {
    expectType(request, PATCH_TYPES.merge);
    const doc = parseDocument(await readBody(request));
    checkPatch(target, doc);
    edit = merging(target, doc);
    orders = ordersOf(doc);
  }
  const applies = type === PATCH_TYPES.apply;
  const wish = { ...writing, orders };
  const written = applies
    ? await store(backend, target, edit, wish)
    : await write(target, edit, wish, asking);
  answer.json(isNew ? 201 : 200, shape.single(written));
}

/** @throws ApiError BadRequest, Invalid, MethodNotAllowed */
async function applied(target: Target, { manager, force }: Writing, asking: Asking): Promise<Edit> {
  const { backend, clock, request } = asking;
  if (backend.writes !== 'all') {
    throw methodNotAllowed(
      'what is applied has an owner, and owners are kept in the cloud: apply it there',
    );
  }
  if (manager === undefined) {
    throw badRequest('query parameter fieldManager: expected the name of who applies');
  }
  const { applying } = await import('./kubernetes/apply.ts');
  const doc = placeAt(target, await parseYaml(await readBody(request)));
  if (doc['metadata'] !== undefined && 'managedFields' in (doc['metadata'] as object)) {
    throw badRequest('metadata.managedFields: leave it out of what is applied');
  }
  return applying(target, doc, { manager, force, time: secondOf(clock) });
}

type Wish = Writing & Pick<WriteOptions, 'orders'>;

/** What is changed becomes the writer's. */
async function write(
  target: Target,
  edit: Edit,
  wish: Wish,
  { backend, clock, request }: Asking,
): Promise<Resource> {
  if (backend.writes !== 'all') return store(backend, target, edit, wish);
  const { owned } = await import('./kubernetes/ownership.ts');
  const writer = { manager: wish.manager ?? agentOf(request), time: secondOf(clock) };
  return store(backend, target, owned(edit, writer), wish);
}

/** What a dry run answers differs from what is there only in what was asked: not in version or status. */
async function store(
  backend: Backend,
  target: Target,
  edit: Edit,
  { dryRun, expiresMs, orders = [] }: Wish,
): Promise<Resource> {
  let before: Resource | undefined;
  const noting: Edit = (now) => edit((before = now));
  const options = { dryRun, orders, ...(expiresMs !== undefined && { expiresMs }) };
  const written = await backend.write(target, noting, options);
  if (!dryRun || before === undefined) return written;
  const { resourceVersion } = before.metadata;
  const metadata = {
    ...written.metadata,
    ...(resourceVersion !== undefined && { resourceVersion }),
  };
  const status = 'status' in before ? before.status : undefined;
  return { ...written, metadata, ...(status && { status }) } as Resource;
}

/** One after the other, each only as it was seen; the first that is refused ends it and says how far it came. */
async function removeAll(
  { query, writing }: Extract<WriteRoute, { verb: 'removeAll' }>,
  { backend, request, answer }: Asking,
): Promise<void> {
  const options = await deletion(writing, request);
  let count = 0;
  let after: string | undefined;
  do {
    const page = await backend.list(query, {
      limit: PAGE_ITEMS,
      ...(after !== undefined && { after }),
    });
    for (const { metadata } of page.items) {
      const { name, namespace, uid } = metadata;
      const target = { kind: query.kind, name, ...(namespace !== undefined && { namespace }) };
      await removeOne(backend, target, { ...options, ...(uid !== undefined && { uid }) }, count);
      count += 1;
    }
    after = page.next;
  } while (after !== undefined);
  answer.json(200, {
    ...success({ group: GROUP, kind: KINDS[query.kind].plural }),
    message: `${count} deleted`,
  });
}

async function removeOne(
  backend: Backend,
  target: Target,
  options: Parameters<Backend['remove']>[1],
  count: number,
): Promise<void> {
  try {
    await backend.remove(target, options);
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    // Somebody else was faster.
    if (error.reason === 'NotFound') return;
    const message = `${count} deleted, then: ${error.message}`;
    throw new ApiError(error.reason, message, error.details, { cause: error });
  }
}

async function deletion(
  { dryRun }: Writing,
  request: IncomingMessage,
): Promise<Parameters<Backend['remove']>[1]> {
  const body = await readBody(request);
  if (body.length > 0) expectType(request, 'application/json');
  const options = body.length > 0 ? removeOptions(parseDocument(body)) : {};
  return { ...options, ...(dryRun && { dryRun }) };
}

async function jsonOf(request: IncomingMessage): Promise<Document> {
  expectType(request, 'application/json');
  return parseDocument(await readBody(request));
}

/** As Kubernetes names who does not name itself: what stands before the slash of its User-Agent. */
function agentOf({ headers }: IncomingMessage): string {
  const [name = ''] = (headers['user-agent'] ?? '').split('/', 1);
  return name.replaceAll(/[^\x20-\x7e]/g, '').slice(0, 128) || 'unknown';
}

function secondOf(clock: Pick<Clock, 'now'>): string {
  return new Date(clock.now()).toISOString().replace(/\.\d+Z$/, 'Z');
}

function success(details: object): object {
  return { kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Success', details, code: 200 };
}
