/** Answers what people ask of policies: why a call was, or would be, decided so; who may do something, and what somebody may do. */
import { Fault } from '@ephor/contract'
import type { JsonObject } from '@ephor/engine/kernel'
import type { Ledger } from '@ephor/engine/ledger'
import type { ActionInfo } from '../make-schema.ts'
import { openBundle } from '../open-bundle.ts'
import type { OpenBundle } from '../open-bundle.ts'
import type { Policy } from '../open-policy.ts'
import type { Outlook } from '../outlook-of.ts'
import { readAnswer, readQuestion } from '../recorded-question.ts'
import type { PolicyFacts, PolicyFiles, PolicyWorld } from '../types.ts'
import { digestOfVerdict } from '../verdict-of.ts'
import { explainCall } from './explain-call.ts'
import type { CallExplained } from './explain-call.ts'

export type QuestionsOptions = {
  policy: Pick<Policy, 'active' | 'bundle' | 'world'>
  ledger: Pick<Ledger, 'find' | 'payload'>
  /** As it is now. */
  world: () => PolicyWorld
  /** The file paths of a call that the registry looks at; undefined where it looks at none. */
  pathsOf: (server: string, action: string, input: JsonObject) => PolicyFacts['paths']
  now: () => number
}

/** Who asks for what: the agent by its name or id. */
export type AskedCall = { who: string; what: string; server?: string | undefined; input: JsonObject; facts: Partial<PolicyFacts> }
export type RecordedCall = CallExplained & {
  /** What was decided and recorded then; an approval, an obligation or a budget may have decided after the policies. */
  recorded: { effect: string; fault?: string }
  /** Policy says today, from the record, what it said then. Absent in records that don't say what it was. */
  same?: boolean
}
export type Standing = Outlook & { id: string; name: string; server: string; action: string }

export interface Questions {
  /** @throws Fault NOT_FOUND where policy was not asked, or the record can't be read any more */
  recorded(decision: string): Promise<RecordedCall>
  /** @param files of another bundle than the active one */
  asked(call: AskedCall, files?: PolicyFiles): Promise<CallExplained>
  /** @param action a tool, one of the protocol's own, or a group such as `money`: then each of its actions */
  whoCan(action: string, server?: string): Promise<Standing[]>
  whatCan(who: string): Promise<Standing[]>
}

const KEPT = 4

/** A member of a body that the broker sealed. */
const textOf = (body: JsonObject, name: string) => {
  const value = body[name]
  return typeof value === 'string' ? value : ''
}

export function openQuestions({ policy, ledger, world, pathsOf, now }: QuestionsOptions): Questions {
  /** Reading texts takes a while, and people ask several things of one version. */
  const bundles = new Map<PolicyFiles, Promise<OpenBundle>>()

  async function bundleOf(files: PolicyFiles, about: PolicyWorld): Promise<OpenBundle> {
    const opening = bundles.get(files) ?? openBundle(files, about)
    bundles.delete(files)
    bundles.set(files, opening)
    opening.catch(() => bundles.delete(files))
    for (const [old] of bundles) if (bundles.size > KEPT) bundles.delete(old)
    return (await opening).under(about)
  }

  async function active(): Promise<OpenBundle> {
    const { version, files } = policy.active()
    if (version === undefined) throw new Fault('POLICY_MISSING', 'no policies are active')
    return bundleOf(files, world())
  }

  function agentCalled(who: string): PolicyWorld['agents'][number] {
    const found = world().agents.filter(({ id, name }) => id === who || name === who)
    if (found[0] && found.length === 1) return found[0]
    throw new Fault('NOT_FOUND', found.length === 0 ? `no agent is called ${who}` : `several agents are called ${who}: use the id`)
  }

  /** The servers on which an action can be asked for. */
  const serversOf = ({ server }: ActionInfo) => (server === undefined ? world().servers.map(({ name }) => name) : [server])

  function actionCalled(bundle: OpenBundle, what: string): ActionInfo {
    const info = bundle.schema.actions.get(what)
    if (!info) throw new Fault('NOT_FOUND', `there is no action ${what}: name a tool as server/tool, or one such as resources/read`)
    return info
  }

  return {
    async recorded(decision) {
      const entry = await ledger.find(decision)
      if (entry?.body.type !== 'decision') throw new Fault('NOT_FOUND', `no decision ${decision}`)
      const { seq, body } = entry
      const [input, facts] = await Promise.all([ledger.payload(seq, 'input'), ledger.payload(seq, 'facts')])
      const request = readQuestion(body, input, facts)
      if (!request) throw new Fault('NOT_FOUND', `policy was not asked for ${decision}, or what it was told can't be read any more`)
      const [files, about] = await Promise.all([policy.bundle(textOf(body, 'policy')), policy.world(textOf(body, 'world'))])
      if (!files || !about) throw new Fault('NOT_FOUND', `the policies or the world of ${decision} are not kept here`)
      const explained = explainCall(await bundleOf(files, about), request)
      const answer = readAnswer(facts)
      return {
        ...explained,
        recorded: { effect: textOf(body, 'effect'), ...(typeof body.fault === 'string' ? { fault: body.fault } : {}) },
        ...(answer === undefined ? {} : { same: answer === digestOfVerdict(explained.decision) }),
      }
    },
    async asked({ who, what, server: named, input, facts }, files) {
      const bundle = files ? await bundleOf(files, world()) : await active()
      const server = named ?? actionCalled(bundle, what).server
      if (server === undefined) throw new Fault('REQUEST_INVALID', `say on which tool server ${what} is asked for`, { where: '/server' })
      const principal = who.startsWith('server:')
        ? ({ type: 'ToolServer', id: who.slice('server:'.length) } as const)
        : ({ type: 'Agent', id: agentCalled(who).id } as const)
      const paths = pathsOf(server, what, input)
      const known: PolicyFacts = { door: 'mcp', approvals: [], now: now(), ...(paths ? { paths } : {}), ...facts }
      return explainCall(bundle, { principal, action: what, server, input, facts: known })
    },
    async whoCan(what, named) {
      const bundle = await active()
      const infos = [...bundle.schema.actions.values()].filter(({ withGroups }) => withGroups.has(what))
      if (infos.length === 0) actionCalled(bundle, what)
      return infos.flatMap((info) => {
        const asking = info.principal === 'Agent' ? world().agents : world().servers.map(({ name }) => ({ id: name, name }))
        const servers = serversOf(info).filter((server) => named === undefined || server === named)
        return asking.flatMap(({ id, name }) =>
          servers.map((server) => ({
            id,
            name,
            server,
            action: info.id,
            ...bundle.outlook({ type: info.principal, id }, info.id, server),
          })),
        )
      })
    },
    async whatCan(who) {
      const bundle = await active()
      const { id, name } = agentCalled(who)
      return [...bundle.schema.actions.values()]
        .filter(({ principal }) => principal === 'Agent')
        .flatMap((info) =>
          serversOf(info).map((server) => ({
            id,
            name,
            server,
            action: info.id,
            ...bundle.outlook({ type: 'Agent', id }, info.id, server),
          })),
        )
    },
  }
}
