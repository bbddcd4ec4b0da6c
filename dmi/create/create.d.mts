/** What to write where. */
export interface NewMapper {
  /** Of the protocol. */
  readonly name: string;
  readonly kind?: 'line' | 'http' | 'bytes';
  /** New or empty; default `limpet-mapper-NAME`. */
  readonly folder?: string;
  /** What its package.json asks for as `@limpet/dmi`; default the version of this package. */
  readonly dmi?: string;
}

/** What the person can mend. */
export class CreateError extends Error {
  readonly code: 'NEW_REFUSED';
}

/** Writes it, over nothing. @throws CreateError */
export function create(mapper: NewMapper): {
  readonly folder: string;
  readonly files: readonly string[];
};
