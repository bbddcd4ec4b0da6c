/** What the verbs ask of an API, wherever it is; tests bring their own. */
import type { ApiClient } from '../cloud/protocol/api/client.ts';

export type Api = Pick<
  ApiClient,
  | 'list'
  | 'get'
  | 'create'
  | 'patch'
  | 'delete'
  | 'watch'
  | 'samples'
  | 'call'
  | 'capture'
  | 'why'
  | 'load'
  | 'outcomes'
  | 'query'
  | 'standing'
>;

export type { Select } from '../cloud/protocol/api/client.ts';
export type { Document, Target } from '../cloud/protocol/api/backend.ts';
