/** `#protocol/query`: the query language, without any input or output. LANGUAGE.md is its specification. */
export { type Catalog, catalogOf, type CatalogProperty, type Declared } from './catalog.ts';
export { check, type CheckContext } from './check.ts';
export { faultOf, type QueryCode, QueryError, type QueryFault, type Span } from './error.ts';
export { evaluateSelect, type PageOf, type PageRows } from './evaluate.ts';
export type { Fleet } from './fleet.ts';
export { QUERY_LIMITS } from './limits.ts';
export { parse } from './parse.ts';
export type { Checked, CheckedSelect, CheckedUpdate, Column, Source } from './typed.ts';
export { readableJson } from './sql/dialect.ts';
export { type SqlCatalog } from './sql/catalog.ts';
export { compileSelect, type CompiledQuery, type CompileOptions } from './sql/compile.ts';
export { type Candidate, candidatesFor } from './sql/starts.ts';
export { canonical, mirrored } from './value.ts';
export type { Keys } from './order.ts';
export { identityOf, leavesOf, valuesOf } from './parts.ts';
export type { Tree } from './tree.ts';
export type { Value } from './typed.ts';
export { pageOf, prepare, type Prepared, type QueryPage, type QueryRequest } from './request.ts';
