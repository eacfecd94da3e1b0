/** Decides for an application: its own types and directory, what the enforcement point adds to them, and its policies, at once. */
import { CedarError, createEntities, evaluate, RecordSource, typedRecord } from '@ephor/cedar'
import type { Entities, EntityUid, RecordType, SchemaIndex, Value } from '@ephor/cedar'
import type { FaultCode } from '@ephor/contract'
import type { JsonObject } from '@ephor/engine/kernel'
import { answeredBy, conclude } from '../rules.ts'
import type { Decision, GivenApproval } from '../types.ts'
import type { ReadApplication } from './read-application.ts'

/** Somebody or something in a question, as the AuthZEN Authorization API 1.0 (section 5) writes it. */
export type AccessEntity = { type: string; id: string; properties?: JsonObject | undefined }

export type AccessQuestion = {
  subject: AccessEntity
  action: { name: string; properties?: JsonObject | undefined }
  resource: AccessEntity
  context?: JsonObject | undefined
}

export interface Application {
  readonly name: string
  readonly version: string
  readonly settings: ReadApplication['settings']
  /** Never throws: whatever fails is a denial. */
  decide(question: AccessQuestion, approvals: readonly GivenApproval[]): Decision
  /** Ids that the directory knows of this type, sorted; none of a type that is not declared. */
  known(type: string): string[]
  /** Names of the actions that a subject of this type can take on a resource of that type. */
  actionsFor(subjectType: string, resourceType: string): string[]
}

/** Far above what policies need, far below what would be felt by others. */
const STEPS = 500_000

/** What the directory says of an entity holds; an enforcement point only adds what it does not say. */
class Together extends RecordSource {
  readonly #known: RecordSource
  readonly #added: RecordSource

  constructor(known: RecordSource, added: RecordSource) {
    super()
    this.#known = known
    this.#added = added
  }

  get(name: string): Value | undefined {
    return this.#known.get(name) ?? this.#added.get(name)
  }

  *keys(): IterableIterator<string> {
    yield* this.#known.keys()
    for (const name of this.#added.keys()) if (!this.#known.has(name)) yield name
  }
}

/** Reads every value once, so that what is not of its declared type is found before any policy looks. @throws CedarError */
function readWhole(record: RecordSource): RecordSource {
  for (const name of record.keys()) {
    const value = record.get(name)
    if (value instanceof RecordSource) readWhole(value)
  }
  return record
}

/** The declared name: as it is written, as the settings map it, or the only one that differs in case alone. */
function nameOf(asked: string, mapped: Readonly<Record<string, string>>, declared: ReadonlySet<string>): string | undefined {
  const name = Object.hasOwn(mapped, asked) ? (mapped[asked] ?? asked) : asked
  if (declared.has(name)) return name
  const near = [...declared].filter((one) => one.toLowerCase() === name.toLowerCase())
  return near.length === 1 ? near[0] : undefined
}

/** Puts entities into the directory for the length of one decision, which nothing can interrupt. */
function withEntities<T>(entities: Entities, added: readonly { uid: EntityUid; properties: RecordSource }[], work: () => T): T {
  const undo: (() => void)[] = []
  try {
    for (const { uid, properties } of added) {
      const known = entities.get(entities.ref(uid).key)
      const before = known && { uid, parents: known.parents.map(({ ref }) => ref), attrs: known.attrs, tags: known.tags }
      entities.upsert({ uid, parents: [], ...before, attrs: before ? new Together(before.attrs, properties) : properties })
      undo.push(() => (before ? entities.upsert(before) : void entities.remove(uid)))
    }
    return work()
  } finally {
    for (const step of undo.toReversed()) step()
  }
}

const EMPTY: RecordType = { kind: 'record', attributes: new Map() }
const shapeOf = (schema: SchemaIndex, type: string) => schema.entityTypes.get(type)?.shape ?? EMPTY

/** The part of an action id that policies write, by the id as it is declared. */
function actionsOf(schema: SchemaIndex): Map<string, EntityUid> {
  return new Map([...schema.actions.values()].map(({ ref }) => [ref.id, ref]))
}

export function makeApplication(name: string, read: ReadApplication): Application {
  const { version, settings, schema, policies, set } = read
  const entities = createEntities(read.directory)
  const types = new Set(schema.entityTypes.keys())
  const actions = actionsOf(schema)
  const actionNames = new Set(actions.keys())
  const pins = { version, world: undefined }
  const deny = (fault: FaultCode, detail: string): Decision => ({ ...pins, effect: 'deny', fault, detail, reasons: [] })
  const typeOf = (asked: string) => nameOf(asked, settings.types, types)

  function decideOn(question: AccessQuestion, approvals: readonly GivenApproval[]): Decision {
    const { subject, action, resource } = question
    const [principalType, resourceType] = [typeOf(subject.type), typeOf(resource.type)]
    const asked = actions.get(nameOf(action.name, settings.actions, actionNames) ?? '')
    const declared = asked && schema.actions.get(entities.ref(asked).key)
    if (principalType === undefined || resourceType === undefined || !asked || !declared)
      return deny('POLICY_NO_PERMIT', 'The application declares no such type or action.')
    if (!declared.principals.has(principalType) || !declared.resources.has(resourceType))
      return deny('POLICY_NO_PERMIT', 'The action is not for these types.')
    const principal = { type: principalType, id: subject.id }
    const on = { type: resourceType, id: resource.id }
    const answered = answeredBy(approvals, policies)
    const facts = { ...question.context, action: action.properties ?? {}, approvals: [...answered].toSorted() }
    const added = [
      { uid: principal, properties: readWhole(typedRecord(shapeOf(schema, principalType), subject.properties ?? {})) },
      { uid: on, properties: readWhole(typedRecord(shapeOf(schema, resourceType), resource.properties ?? {})) },
    ]
    const context = readWhole(typedRecord(declared.context, facts))
    const found = withEntities(entities, added, () =>
      evaluate(set, entities, { principal, action: asked, resource: on, context }, { steps: STEPS }),
    )
    return conclude({ satisfied: [...found.permits, ...found.forbids], errors: found.errors }, policies, answered, pins)
  }

  return {
    name,
    version,
    settings,
    decide(question, approvals) {
      try {
        return decideOn(question, approvals)
      } catch (error) {
        if (!(error instanceof CedarError)) return deny('POLICY_ERROR', 'The policy engine failed on this question.')
        if (error.code === 'STEPS_EXCEEDED') return deny('POLICY_TIMEOUT', 'The policies cost more steps than a decision may.')
        return deny('INPUT_INVALID', 'A property or context member is not of the type that the application declares.')
      }
    },
    known(asked) {
      const type = typeOf(asked)
      return [...entities.uids()].flatMap((uid) => (uid.type === type ? [uid.id] : [])).toSorted()
    },
    actionsFor(subjectType, resourceType) {
      const [principal, resource] = [typeOf(subjectType) ?? '', typeOf(resourceType) ?? '']
      const declared = [...schema.actions.values()].filter(
        ({ principals, resources }) => principals.has(principal) && resources.has(resource),
      )
      const names = declared.map(({ ref }) => Object.entries(settings.actions).find(([, id]) => id === ref.id)?.[0] ?? ref.id)
      return names.toSorted()
    },
  }
}
