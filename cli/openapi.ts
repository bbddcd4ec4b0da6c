/** `limpet cloud openapi`: the API as an OpenAPI document. */
import { apiDocument } from '../cloud/protocol/api/openapi/document.ts';
import workspace from '../package.json' with { type: 'json' };
import { processOutput } from './output.ts';

export async function runOpenapi(): Promise<number> {
  processOutput(false).print(JSON.stringify(apiDocument(workspace.version), undefined, 2));
  return 0;
}
