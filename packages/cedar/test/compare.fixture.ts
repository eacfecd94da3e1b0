/** Both engines on one world: what each says of each request, and where they differ. */
import { CedarError, compilePolicies, createEntities, evaluate, indexSchema, readContext, readEntities } from '../src/index.ts'
import type { PolicyJson, SchemaJson } from '../src/index.ts'
import { officialVerdict, policyJsons, prepare } from './official.fixture.ts'
import type { Verdict } from './official.fixture.ts'
import type { Request, World } from './worlds.fixture.ts'

export type Comparison = { request: Request; official: Verdict; ours: Verdict }

/** What is made once of a world, as the engines are used. @throws CedarError */
function open({ schema, entities, links, ...rest }: World): (request: Request) => Verdict {
  const index = schema === undefined ? undefined : indexSchema(schema as unknown as SchemaJson)
  const set = compilePolicies(policyJsons({ ...rest, links }) as unknown as [string, PolicyJson][], links)
  const store = createEntities(readEntities(entities, index))
  return ({ principal, action, resource, context }) => {
    const { decision, reasons, errors } = evaluate(set, store, {
      principal,
      action,
      resource,
      context: readContext(context, index, action),
    })
    return { decision, reasons: reasons.toSorted(), errors: errors.map(({ policy }) => policy).toSorted() }
  }
}

function guarded<T>(work: () => T): T | { refused: string } {
  try {
    return work()
  } catch (error) {
    if (error instanceof CedarError) return { refused: `${error.code}: ${error.message}` }
    throw error
  }
}

/** Each request of a world in both engines. */
export function compare(world: World): Comparison[] {
  const refused = prepare(world)
  const ours = guarded(() => open(world))
  return world.requests.map((request) => ({
    request,
    official: refused === undefined ? officialVerdict(world, request) : { refused },
    ours: typeof ours === 'function' ? guarded(() => ours(request)) : ours,
  }))
}

/**
 * What the official engine refuses is for it to refuse: it reads everything before us. What it accepts has to be accepted and decided
 * the same, with the same reasons and the same policies in error.
 */
export function disagreements(world: World): Comparison[] {
  return compare(world).filter(({ official, ours }) => !('refused' in official) && JSON.stringify(official) !== JSON.stringify(ours))
}
