/** `@limpet/dmi/http`: for mappers whose devices speak JSON over HTTP. */
export { httpConnection } from './connection.ts';
export { Http, type HttpOptions, httpTarget, type Sending } from './http.ts';
export { answerHttp, type HttpAsked, httpSimulator, type HttpTold } from './simulator.ts';
export {
  decodeJson,
  encodeJson,
  httpFits,
  type HttpSet,
  type HttpVisitor,
  httpVisitor,
} from './visitor.ts';
export { at as jsonAt } from './pointer.ts';
