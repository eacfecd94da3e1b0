/** Analysis over HTTP, for people: of texts before they are saved, of versions that are kept, of what is active. */
import { Fault, policyAnalysisOperations } from '@ephor/contract'
import type { AnalysisFinding as AnalysisFindingView, PolicySource, PolicyWitness } from '@ephor/contract'
import { mount } from '@ephor/engine/kernel'
import type { Authenticate } from '@ephor/engine/kernel'
import type { FastifyInstance } from 'fastify'
import type { Policy } from '../open-policy.ts'
import type { PolicyFiles, PolicyWorld } from '../types.ts'
import type { Analysis, AnalysisFinding, Diff, Witness } from './types.ts'

async function filesOf(policy: Policy, source: PolicySource): Promise<PolicyFiles> {
  if (source === 'active') return policy.active().files
  if ('files' in source) return source.files
  const files = await policy.versions.files(source.version)
  if (!files) throw new Fault('NOT_FOUND', `no policies are kept as ${source.version}`)
  return files
}

const witnessView = (witness: Witness) => witness as unknown as PolicyWitness

const findingView = ({ witness, ...finding }: AnalysisFinding): AnalysisFindingView => ({
  ...finding,
  ...(witness === undefined ? {} : { witness: witnessView(witness) }),
})

const undecidedView = (undecided: Analysis['undecided']) => undecided.map((one) => ({ ...one, actions: [...one.actions] }))

/** @param people who there is, with their groups: asks that nobody can answer are found by them */
export function mountPolicyAnalysis(
  app: FastifyInstance,
  policy: Policy,
  people: () => NonNullable<PolicyWorld['people']>,
  authenticate: Authenticate,
): void {
  mount(
    app,
    policyAnalysisOperations,
    {
      async analyzePolicy({ body }) {
        const { findings, undecided, work } = await policy.analyze(await filesOf(policy, body.source), people())
        return { findings: findings.map(findingView), undecided: undecidedView(undecided), work }
      },
      async diffPolicy({ body }) {
        const found = await policy.diff(await filesOf(policy, body.from), await filesOf(policy, body.to))
        const differences = found.differences.map(({ actions, because, witness, ...rest }: Diff['differences'][number]) => ({
          ...rest,
          actions: [...actions],
          because: [...because],
          witness: witnessView(witness),
        }))
        const { broken, charter, work } = found
        return {
          differences,
          same: found.same.map(({ actions, basis }) => ({ actions: [...actions], basis })),
          undecided: undecidedView(found.undecided),
          charter,
          work,
          ...(broken === undefined ? {} : { broken: { ...broken, findings: [...broken.findings] } }),
        }
      },
    },
    authenticate,
  )
}
