/** Types of values, with every name resolved: what a schema or a caller declares. */

export type CedarType =
  | { kind: 'bool' | 'long' | 'string' }
  | { kind: 'set'; element: CedarType }
  | RecordType
  | { kind: 'entity'; name: string }
  | { kind: 'extension'; name: 'decimal' | 'ipaddr' | 'datetime' | 'duration' }

export type RecordType = { kind: 'record'; attributes: ReadonlyMap<string, AttributeType> }
export type AttributeType = { type: CedarType; required: boolean }

/** The type as it is said to people. */
export function typeText(type: CedarType): string {
  switch (type.kind) {
    case 'set':
      return `set of ${typeText(type.element)}`
    case 'entity':
      return `entity of type ${type.name}`
    case 'extension':
      return type.name
    default:
      return type.kind
  }
}
