/** The Helm chart, rendered: valid by the schemas of Kubernetes without an unknown field, selectors and references lead somewhere, and nothing has a privilege. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SETTING_NAMES } from '@ephor/server'
import { validate as deployment } from 'kubernetes-models/_schemas/IoK8sApiAppsV1Deployment'
import { validate as statefulSet } from 'kubernetes-models/_schemas/IoK8sApiAppsV1StatefulSet'
import { validate as job } from 'kubernetes-models/_schemas/IoK8sApiBatchV1Job'
import { validate as configMap } from 'kubernetes-models/_schemas/IoK8sApiCoreV1ConfigMap'
import { validate as service } from 'kubernetes-models/_schemas/IoK8sApiCoreV1Service'
import { validate as serviceAccount } from 'kubernetes-models/_schemas/IoK8sApiCoreV1ServiceAccount'
import { validate as ingress } from 'kubernetes-models/_schemas/IoK8sApiNetworkingV1Ingress'
import { validate as networkPolicy } from 'kubernetes-models/_schemas/IoK8sApiNetworkingV1NetworkPolicy'
import { validate as disruptionBudget } from 'kubernetes-models/_schemas/IoK8sApiPolicyV1PodDisruptionBudget'
import { afterAll, describe, expect, test } from 'vitest'
import { z } from 'zod'
import { ROOT } from './image-files.ts'
import { chart, complaints, defaults, missing, render } from './render.ts'
import type { Resource, Values } from './render.ts'
import { watched } from './watched.ts'

const SCHEMAS: Record<string, (value: unknown) => boolean> = {
  'apps/v1 Deployment': deployment,
  'apps/v1 StatefulSet': statefulSet,
  'batch/v1 Job': job,
  'v1 ConfigMap': configMap,
  'v1 Service': service,
  'v1 ServiceAccount': serviceAccount,
  'networking.k8s.io/v1 Ingress': ingress,
  'networking.k8s.io/v1 NetworkPolicy': networkPolicy,
  'policy/v1 PodDisruptionBudget': disruptionBudget,
}
const LEAST: Values = {
  publicUrl: 'https://ephor.example',
  store: { existingSecret: 'ephor-store' },
  keys: { existingSecret: 'ephor-keys' },
}
const peer = { namespaceSelector: { matchLabels: { name: 'databases' } } }
const VARIANTS: Record<string, Values> = {
  'the least that must be said': LEAST,
  'everything said otherwise': {
    ...LEAST,
    replicas: 3,
    tenant: 'acme',
    image: {
      repository: 'images.example/ephor',
      digest: `sha256:${'a'.repeat(64)}`,
      pullPolicy: 'Always',
      pullSecrets: [{ name: 'pull' }],
    },
    policies: { existingConfigMap: 'ephor-policies' },
    settings: { approvals: { ttl: '30m' }, logLevel: 'warn' },
    persistence: { size: '5Gi', storageClass: 'fast' },
    ingress: { enabled: true, className: 'nginx', annotations: { 'nginx.ingress.kubernetes.io/proxy-buffering': 'off' }, tlsSecret: 'tls' },
    networkPolicy: { from: [peer], store: [peer] },
    serviceAccount: { annotations: { team: 'security' } },
    podAnnotations: { team: 'security' },
    nodeSelector: { disk: 'ssd' },
    tolerations: [{ key: 'control', operator: 'Exists', effect: 'NoSchedule' }],
    affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [{ topologyKey: 'kubernetes.io/hostname' }] } },
  },
  'without what can be left out': {
    ...LEAST,
    proxy: { enabled: false },
    networkPolicy: { enabled: false },
    podDisruptionBudget: { enabled: false },
    migration: { enabled: false },
    serviceAccount: { create: false },
  },
}

const Labels = z.record(z.string(), z.string())
const Selector = z.object({ matchLabels: Labels })
const Container = z.looseObject({
  name: z.string(),
  image: z.string(),
  env: z.array(z.looseObject({ name: z.string(), value: z.string().optional(), valueFrom: z.unknown().optional() })).default([]),
  ports: z.array(z.object({ name: z.string(), containerPort: z.number(), protocol: z.string() })).default([]),
  volumeMounts: z.array(z.looseObject({ name: z.string(), mountPath: z.string() })).default([]),
})
const Pod = z.looseObject({
  containers: z.array(Container),
  initContainers: z.array(Container).default([]),
  volumes: z
    .array(
      z.looseObject({
        name: z.string(),
        secret: z.object({ secretName: z.string() }).loose().optional(),
        configMap: z.object({ name: z.string() }).optional(),
      }),
    )
    .default([]),
})
const Workload = z.looseObject({
  selector: Selector.optional(),
  template: z.object({ metadata: z.looseObject({ labels: Labels }), spec: Pod }),
  volumeClaimTemplates: z.array(z.looseObject({ metadata: z.looseObject({ name: z.string() }) })).default([]),
})
const ServiceSpec = z.looseObject({ selector: Labels, ports: z.array(z.looseObject({ name: z.string(), targetPort: z.string() })) })

const workloads = (resources: Resource[]) =>
  resources
    .filter(({ kind }) => ['Deployment', 'StatefulSet', 'Job'].includes(kind))
    .map((resource) => ({ resource, ...Workload.parse(resource['spec']) }))
const named = (resources: Resource[], kind: string) =>
  resources.filter((resource) => resource.kind === kind).map(({ metadata }) => metadata.name)
const chosen = (labels: Record<string, string>, by: Record<string, string>) =>
  Object.entries(by).every(([key, value]) => labels[key] === value)

const why = missing()
const folder = mkdtempSync(join(tmpdir(), 'ephor-chart-'))
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test('values that lack what has no default, or that nobody reads, are refused', () => {
  expect(complaints({})).not.toEqual([])
  expect(complaints(LEAST)).toEqual([])
  for (const values of Object.values(VARIANTS)) expect(complaints(values)).toEqual([])
  expect(complaints({ ...LEAST, replica: 3 })).toEqual([' must NOT have additional properties'])
  expect(complaints({ ...LEAST, image: { tag: 'latest' } })).not.toEqual([])
  expect(complaints({ ...LEAST, publicUrl: 'ephor.example' })).not.toEqual([])
  expect(chart.appVersion).toBe((JSON.parse(readFileSync(join(ROOT, 'apps/server/package.json'), 'utf8')) as { version: string }).version)
})

test('every value is read by a template', () => {
  const folder = join(ROOT, 'deploy/chart/templates')
  const text = readdirSync(folder)
    .map((name) => readFileSync(join(folder, name), 'utf8'))
    .join('\n')
  const unread = Object.entries(defaults).flatMap(([key, value]) => {
    const below = value !== null && typeof value === 'object' && !Array.isArray(value) ? Object.keys(value) : []
    const whole = below.length === 0 || new RegExp(String.raw`\.Values\.${key}\b(?!\.)`).test(text)
    return (whole ? [key] : below.map((name) => `${key}.${name}`)).filter((path) => !text.includes(`.Values.${path}`))
  })
  expect(unread).toEqual([])
})

describe.each(Object.entries(VARIANTS))('%s', (_, values) => {
  const { resources, notes } = why === undefined ? render(values) : { resources: [], notes: '' }

  test('is valid, and has no field that Kubernetes does not know', ({ skip }) => {
    if (why !== undefined) skip(why)
    expect(resources.length).toBeGreaterThan(3)
    for (const resource of resources) {
      const schema = SCHEMAS[`${resource.apiVersion} ${resource.kind}`]
      expect(schema && watched(resource, schema), `${resource.kind} ${resource.metadata.name}`).toEqual({ valid: true, unknown: [] })
    }
    expect(new Set(resources.map(({ kind, metadata }) => `${kind} ${metadata.name}`)).size).toBe(resources.length)
    expect(notes).toContain('https://ephor.example')
  })

  test('selects the pods that it has, by ports that they have', ({ skip }) => {
    if (why !== undefined) skip(why)
    const pods = workloads(resources)
    for (const { selector, template } of pods.filter(({ resource }) => resource.kind !== 'Job'))
      expect(chosen(template.metadata.labels, selector?.matchLabels ?? { none: '' })).toBe(true)
    for (const resource of resources.filter(({ kind }) => kind === 'Service')) {
      const { selector, ports } = ServiceSpec.parse(resource['spec'])
      const [pod, ...others] = pods.filter(({ template }) => chosen(template.metadata.labels, selector))
      expect([pod?.resource.kind, others]).toEqual([expect.stringMatching(/Deployment|StatefulSet/), []])
      for (const { targetPort } of ports)
        expect(pod?.template.spec.containers.flatMap((container) => container.ports.map(({ name }) => name))).toContain(targetPort)
    }
    const selectors = JSON.stringify(resources.filter(({ kind }) => kind === 'NetworkPolicy' || kind === 'PodDisruptionBudget')).matchAll(
      /"matchLabels":(\{[^}]*app\.kubernetes\.io[^}]*\})/g,
    )
    for (const [, labels = ''] of selectors)
      expect(
        pods.some(({ template }) => chosen(template.metadata.labels, JSON.parse(labels) as Record<string, string>)),
        labels,
      ).toBe(true)
    const backends = JSON.stringify(resources.filter(({ kind }) => kind === 'Ingress')).matchAll(
      /"service":\{"name":"([^"]+)","port":\{"name":"http"\}/g,
    )
    for (const [, name] of backends) expect(named(resources, 'Service')).toContain(name)
  })

  test('refers to volumes, accounts, Secrets and ConfigMaps that are there or that the README names', ({ skip }) => {
    if (why !== undefined) skip(why)
    const readme = readFileSync(join(ROOT, 'deploy/chart/README.md'), 'utf8')
    const outside = new Map([
      ['ephor-store', 'store.existingSecret'],
      ['ephor-keys', 'keys.existingSecret'],
      ['ephor-policies', 'policies.existingConfigMap'],
    ])
    for (const { template, volumeClaimTemplates } of workloads(resources)) {
      const { containers, initContainers, volumes } = template.spec
      const have = [...volumes, ...volumeClaimTemplates.map(({ metadata }) => metadata)].map(({ name }) => name)
      const mounted = [...initContainers, ...containers].flatMap(({ volumeMounts }) => volumeMounts.map(({ name }) => name))
      expect([...new Set(mounted)].toSorted()).toEqual(have.toSorted())
      const secrets = volumes.flatMap(({ secret }) => secret?.secretName ?? [])
      for (const [, name = ''] of JSON.stringify(containers).matchAll(/"secretKeyRef":\{"name":"([^"]+)"/g)) secrets.push(name)
      for (const name of secrets) expect(readme).toContain(outside.get(name))
      const foreign = volumes
        .flatMap(({ configMap }) => configMap?.name ?? [])
        .filter((name) => !named(resources, 'ConfigMap').includes(name))
      for (const name of foreign) expect(readme).toContain(outside.get(name))
      expect(['default', ...named(resources, 'ServiceAccount')]).toContain(template.spec['serviceAccountName'])
    }
  })

  test('keeps to the restricted profile, takes no token of Kubernetes, and is given no variable that Ephor would refuse', ({ skip }) => {
    if (why !== undefined) skip(why)
    const known = [...SETTING_NAMES.map(({ environment }) => environment), 'EPHOR_CONFIG']
    for (const { template, resource } of workloads(resources)) {
      const { spec } = template
      expect(spec, resource.metadata.name).toMatchObject({ automountServiceAccountToken: false, enableServiceLinks: false })
      expect(spec['securityContext']).toMatchObject({ runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } })
      for (const word of ['hostNetwork', 'hostPID', 'hostIPC']) expect(spec[word]).toBeUndefined()
      expect(spec.volumes.filter((volume) => 'hostPath' in volume)).toEqual([])
      for (const container of [...spec.initContainers, ...spec.containers]) {
        expect(container.image).toMatch(/:\d|@sha256:/)
        expect(container['securityContext']).toEqual({
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        })
        expect(container).toMatchObject({ resources: { limits: { memory: expect.any(String) } } })
        for (const { name, value, valueFrom } of container.env) {
          expect(known).toContain(name)
          expect((value === undefined) !== (valueFrom === undefined), name).toBe(true)
        }
      }
    }
  })
})

test('each replica that there is stands in the proxy, and HAProxy takes what is written for it', ({ skip }) => {
  if (why !== undefined) skip(why)
  const { resources } = render({ ...LEAST, replicas: 3 }, 'ephor')
  const [found] = resources.filter(({ kind, metadata }) => kind === 'ConfigMap' && metadata.name === 'ephor-proxy')
  const text = z.object({ 'haproxy.cfg': z.string() }).parse(found?.['data'])['haproxy.cfg']
  expect([...text.matchAll(/^\s*server (\S+) (\S+)$/gm)].map(([, name, address]) => [name, address])).toEqual(
    [0, 1, 2].map((i) => [`ephor-${i}`, `ephor-${i}.ephor-replicas.control.svc.cluster.local:7373`]),
  )
  expect(named(resources, 'StatefulSet')).toEqual(['ephor'])
  const plain = (configuration: string) =>
    configuration
      .split('\n')
      .map((line) => line.trim())
      .filter((line) => /^(stick|http-check|option|timeout|retr|balance|default-server)/.test(line))
  expect(plain(text).toSorted()).toEqual(
    plain(readFileSync(join(ROOT, 'deploy/haproxy/haproxy.cfg'), 'utf8'))
      .map((line) => (line === 'option forwardfor' ? `${line} if-none` : line))
      .toSorted(),
  )
  if (!existsSync('/usr/sbin/haproxy')) skip('needs haproxy (Debian: apt-get install haproxy)')
  writeFileSync(join(folder, 'haproxy.cfg'), text)
  expect(() => execFileSync('/usr/sbin/haproxy', ['-c', '-f', join(folder, 'haproxy.cfg')], { stdio: 'pipe' })).not.toThrow()
})

test('a pod does not begin with keys of its own making: one that the Secret lacks stops it', ({ skip }) => {
  if (why !== undefined) skip(why)
  const script = (tenant: string) => {
    const [pod] = workloads(render({ ...LEAST, tenant }).resources).filter(({ resource }) => resource.kind === 'StatefulSet')
    const [shell = '', flags = '', text = ''] = z.array(z.string()).parse(pod?.template.spec.initContainers[0]?.['command'])
    const at = (path: string) => join(folder, tenant, path)
    const local = text.replaceAll('/secret', at('secret')).replaceAll('/data', at('data')).replaceAll('/run/ephor', at('run'))
    mkdirSync(at('secret'), { recursive: true })
    for (const name of ['payload', 'token', 'operator', 'policy']) writeFileSync(at(`secret/${name}.key`), 'key', { mode: 0o440 })
    return { at, run: () => execFileSync(shell, [flags, local], { encoding: 'utf8', stdio: 'pipe' }) }
  }
  for (const [tenant, ledger] of [
    ['default', 'ledger'],
    ['acme', 'ledger-acme'],
  ] as const) {
    const { at, run } = script(tenant)
    expect(run).toThrow(`has no ${ledger}.key`)
    writeFileSync(at(`secret/${ledger}.key`), 'key', { mode: 0o440 })
    run()
    // A container that is started again does the same again.
    run()
    expect(readdirSync(at('data/home/keys')).toSorted()).toEqual(
      ['payload', 'token', 'operator', 'policy', ledger].map((name) => `${name}.key`).toSorted(),
    )
    expect(statSync(at('data/home/keys')).mode & 0o777).toBe(0o700)
    expect(statSync(at(`data/home/keys/${ledger}.key`)).mode & 0o777).toBe(0o600)
  }
})

test('what must be said is asked for by name', ({ skip }) => {
  if (why !== undefined) skip(why)
  expect(() => render({ ...LEAST, store: {} })).toThrow('the Secret with the URL of the database')
  expect(() => render({ ...LEAST, keys: {} })).toThrow('the Secret with the keys of the installation')
})
