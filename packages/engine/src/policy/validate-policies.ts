/** Holds policies against a schema, strictly, by Cedar's validator: types, attributes and actions. */
import type { SchemaJson, ValidationError } from '@cedar-policy/cedar-wasm/nodejs'
import { fromCedar, NOWHERE } from './findings.ts'
import type { ReadPolicies } from './read-policies.ts'
import type { Cedar } from './start-cedar.ts'
import type { Finding } from './types.ts'

const TIMEOUT_MS = 30_000

export async function validatePolicies(cedar: Cedar, policies: ReadPolicies['policies'], schema: SchemaJson<string>): Promise<Finding[]> {
  const texts = Object.fromEntries([...policies].map(([id, { text }]) => [id, text]))
  const { errors, warnings } = await cedar.ask('validate', { schema, policies: texts }, TIMEOUT_MS)
  const wrong = new Set(errors.map(({ policyId }) => policyId))
  const locate = ({ policyId, error }: ValidationError, severity: Finding['severity']): Finding => {
    const place = policies.get(policyId)?.place ?? NOWHERE
    return { ...fromCedar(place, error, severity, severity === 'error' ? 'TYPE_MISMATCH' : 'POLICY_DOUBTFUL'), policy: policyId }
  }
  return [
    ...errors.map((one) => locate(one, 'error')),
    // That a policy with an error can't apply either is no news.
    ...warnings.filter(({ policyId }) => !wrong.has(policyId)).map((one) => locate(one, 'warning')),
  ]
}
