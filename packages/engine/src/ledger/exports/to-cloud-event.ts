/** An entry as a CloudEvent (CloudEvents 1.0, JSON format): one mapping for exports and for everything that is sent out. */
import type { JsonObject } from '@ephor/engine/kernel'
import type { Entry } from '../types.ts'

export type CloudEvent = {
  specversion: '1.0'
  /** `<origin>#<seq>`: the same however often the entry is sent. */
  id: string
  /** The log's name. */
  source: string
  /** `ephor.` and the type of the entry. */
  type: string
  /** RFC 3339, when the entry was written. */
  time: string
  /** CloudEvents extension "sequence": the place, padded so that the order of the text is the order of the ledger. */
  sequence: string
  datacontenttype: 'application/json'
  /** `leafHash`, with an inclusion proof, ties the event to a signed checkpoint. */
  data: { seq: number; leafHash: string; body: JsonObject }
}

const text = (value: unknown) => (typeof value === 'string' ? value : '')

export function toCloudEvent(origin: string, { seq, leafHash, body }: Entry): CloudEvent {
  return {
    specversion: '1.0',
    id: `${origin}#${seq}`,
    source: origin,
    type: `ephor.${text(body['type'])}`,
    time: text(body['at']),
    sequence: String(seq).padStart(16, '0'),
    datacontenttype: 'application/json',
    data: { seq, leafHash, body },
  }
}
