/** What a new world changed in what policies can speak of: for people whose policies stopped fitting. */
import type { RecordShape, ValueType } from './input-type.ts'
import type { ActionInfo, WorldSchema } from './make-schema.ts'

const MAX_CHANGES = 50

const nameOf = (type: ValueType) => (type.kind === 'set' ? `set of ${type.element}` : type.kind)

/** `path` to its type, with a question mark where it may be missing. */
function flatten({ fields }: RecordShape, prefix = ''): Map<string, string> {
  const flat = new Map<string, string>()
  for (const [name, { type, required, nullable }] of fields) {
    const path = `${prefix}${name}`
    flat.set(path, `${nameOf(type)}${required && !nullable ? '' : '?'}`)
    if (type.kind === 'record') for (const [inner, said] of flatten(type, `${path}.`)) flat.set(inner, said)
  }
  return flat
}

function diffAction(before: ActionInfo, after: ActionInfo): string[] {
  const changes: string[] = []
  const [old, now] = [flatten(before.context), flatten(after.context)]
  const groups = (info: ActionInfo) => info.groups.join(', ')
  if (groups(before) !== groups(after)) changes.push(`is now in ${groups(after)}, no longer in ${groups(before)}`)
  for (const [path, type] of old) {
    const next = now.get(path)
    if (next === undefined) changes.push(`${path} is gone`)
    else if (next !== type) changes.push(`${path} is now ${next}, no longer ${type}`)
  }
  for (const [path, type] of now) if (!old.has(path)) changes.push(`${path} is new: ${type}`)
  return changes.map((change) => `${after.id}: ${change}`)
}

/** One sentence a change, at most fifty. */
export function diffSchemas(before: WorldSchema, after: WorldSchema): string[] {
  const gone = [...before.actions.keys()].filter((id) => !after.actions.has(id)).map((id) => `${id} is gone`)
  const changed = [...after.actions.values()].flatMap((info) => {
    const old = before.actions.get(info.id)
    return old ? diffAction(old, info) : [`${info.id} is new`]
  })
  return [...gone, ...changed].slice(0, MAX_CHANGES)
}
