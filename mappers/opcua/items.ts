/** Visitors as this session's server knows them: nodes resolved, enumerations looked up; kept while the session lives. */
import { Misconfigured } from '@limpet/dmi';
import { AttributeIds } from 'node-opcua-data-model';
import type { NodeId } from 'node-opcua-nodeid';
import { NumericRange } from 'node-opcua-numeric-range';
import type { ReadValueIdOptions } from 'node-opcua-types';
import { formatNodeId } from './node-id.ts';
import type { Wanted } from './reading.ts';
import type { Services } from './services.ts';
import type { Types } from './types.ts';
import { ATTRIBUTES, type NodeVisitor, type Visitor } from './visitor.ts';

export interface Item {
  readonly nodeId: NodeId;
  readonly read: ReadValueIdOptions;
  readonly wanted: Wanted;
}

export class Items {
  readonly #services: Services;
  readonly #types: Types;
  /** By visitor: forgotten with it. */
  readonly #items = new WeakMap<NodeVisitor, Item>();

  constructor(services: Services, types: Types) {
    this.#services = services;
    this.#types = types;
  }

  /** @throws Refused OPCUA_NAMESPACE, Misconfigured OPCUA_METHOD; what a service throws */
  async item(visitor: Visitor, signal: AbortSignal): Promise<Item> {
    const known = this.known(visitor);
    if (known.wanted.as !== 'name' || known.wanted.enumeration !== undefined) return known;
    const [type] = await this.#services.attributes(
      [{ nodeId: known.nodeId, attributeId: AttributeIds.DataType }],
      signal,
    );
    const dataType: unknown = type?.value?.value;
    if (dataType === null || dataType === undefined) return known;
    const kind = await this.#types.kindOf(dataType as NodeId, signal);
    if (kind.kind !== 'enumeration') {
      throw new Misconfigured(
        'OPCUA_NAMES',
        `${known.wanted.name} is no enumeration; remove as: name`,
      );
    }
    const item = { ...known, wanted: { ...known.wanted, enumeration: kind } };
    this.#items.set(visitor as NodeVisitor, item);
    return item;
  }

  /** Without asking the server. @throws Refused OPCUA_NAMESPACE, Misconfigured OPCUA_METHOD */
  known(visitor: Visitor): Item {
    if (visitor.kind === 'method')
      throw new Misconfigured('OPCUA_METHOD', 'object and method name a method, not a value');
    const known = this.#items.get(visitor);
    if (known !== undefined) return known;
    const nodeId = this.#services.resolve(visitor.node);
    const { range, as, attribute } = visitor;
    const item: Item = {
      nodeId,
      read: {
        nodeId,
        attributeId: ATTRIBUTES[attribute],
        ...(range !== undefined && { indexRange: new NumericRange(range) }),
      },
      wanted: {
        name: formatNodeId(visitor.node),
        dimensions: range === undefined || range.includes(':') ? 0 : range.split(',').length,
        ...(as !== undefined && { as }),
      },
    };
    this.#items.set(visitor, item);
    return item;
  }
}
