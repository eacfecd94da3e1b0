/** The room over HTTP, for people: what is active, what policies can speak of, and a check of texts before they are saved. */
import { policyOperations } from '@ephor/contract'
import { isoTime, mount } from '@ephor/engine/kernel'
import type { Authenticate } from '@ephor/engine/kernel'
import type { FastifyInstance } from 'fastify'
import type { Policy } from './open-policy.ts'

export function mountPolicy(app: FastifyInstance, policy: Policy, authenticate: Authenticate): void {
  mount(
    app,
    policyOperations,
    {
      async showPolicy() {
        const { version, activatedAt, files, policies, findings, refused, unfit, pending, governor, staged } = policy.active()
        return {
          ...(version === undefined ? {} : { version }),
          ...(activatedAt === undefined ? {} : { activatedAt: isoTime(activatedAt) }),
          files: Object.entries(files).map(([name, text]) => ({ name, text })),
          policies: policies.map(({ owner, severity, controls, ...one }) => ({
            ...one,
            controls: [...controls],
            ...(owner === undefined ? {} : { owner }),
            ...(severity === undefined ? {} : { severity }),
          })),
          findings: [...findings],
          ...(pending === undefined ? {} : { pending }),
          ...(governor === undefined ? {} : { governor }),
          ...(staged === undefined ? {} : { staged }),
          ...(unfit === undefined ? {} : { unfit: { policies: [...unfit.policies], changed: [...unfit.changed] } }),
          ...(refused === undefined
            ? {}
            : { refused: { version: refused.version, at: isoTime(refused.at), findings: [...refused.findings] } }),
        }
      },
      async showPolicySchema() {
        const { digest, text, leftOut } = await policy.schema()
        return { digest, text, leftOut: [...leftOut] }
      },
      async checkPolicy({ body }) {
        const findings = await policy.check(body.files)
        return { ok: !findings.some(({ severity }) => severity === 'error'), findings }
      },
    },
    authenticate,
  )
}
