/** Renders the Helm chart with Go's template engine, as helm does, and reads what comes out. */
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { Ajv } from 'ajv'
import { parse, parseAllDocuments } from 'yaml'
import { z } from 'zod'
import { ROOT } from './image-files.ts'

const CHART = join(ROOT, 'deploy/chart')
/** Where Debian's Go libraries are (golang-github-masterminds-sprig-dev brings the YAML library with it). */
const LIBRARIES = '/usr/share/gocode'

const Named = z.looseObject({ kind: z.string(), apiVersion: z.string(), metadata: z.looseObject({ name: z.string() }) })
export type Resource = z.output<typeof Named>
export type Values = { [key: string]: unknown }

const Chart = z.looseObject({ name: z.string(), version: z.string(), appVersion: z.string() })
export const chart = Chart.parse(parse(readFileSync(join(CHART, 'Chart.yaml'), 'utf8')))
export const defaults = parse(readFileSync(join(CHART, 'values.yaml'), 'utf8')) as Values

/** Undefined when charts can be rendered here. */
export function missing(): string | undefined {
  try {
    execFileSync('go', ['version'], { stdio: 'pipe' })
  } catch {
    return 'needs Go (Debian: apt-get install golang-go)'
  }
  const libraries = ['github.com/Masterminds/sprig', 'gopkg.in/yaml.v3'].every((path) => existsSync(join(LIBRARIES, 'src', path)))
  return libraries ? undefined : 'needs sprig for Go (Debian: apt-get install golang-github-masterminds-sprig-dev)'
}

function merge(base: Values, over: Values): Values {
  const isMap = (value: unknown): value is Values => value !== null && typeof value === 'object' && !Array.isArray(value)
  const merged = { ...base }
  for (const [key, value] of Object.entries(over)) {
    const below = merged[key]
    merged[key] = isMap(below) && isMap(value) ? merge(below, value) : value
  }
  return merged
}

const validate = new Ajv({ allErrors: true, strict: true, strictRequired: false }).compile(
  JSON.parse(readFileSync(join(CHART, 'values.schema.json'), 'utf8')) as object,
)

/** What values.schema.json says against the values, as helm would before it renders. */
export function complaints(values: Values): string[] {
  validate(merge(defaults, values))
  return (validate.errors ?? []).map(({ instancePath, message }) => `${instancePath} ${message}`)
}

/** @throws what Go or the template says */
export function render(values: Values, release = 'prod'): { resources: Resource[]; notes: string } {
  const input = {
    templates: join(CHART, 'templates'),
    chart: { Name: chart.name, Version: chart.version, AppVersion: chart.appVersion },
    release: { Name: release, Namespace: 'control', Service: 'Helm' },
    values: merge(defaults, values),
  }
  const output = execFileSync('go', ['run', join(import.meta.dirname, 'render-chart.go')], {
    input: JSON.stringify(input),
    encoding: 'utf8',
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'] ?? '', HOME: process.env['HOME'] ?? '/tmp', GO111MODULE: 'off', GOPATH: LIBRARIES, GOFLAGS: '' },
  })
  const files = z.record(z.string(), z.string()).parse(JSON.parse(output))
  const resources = Object.entries(files)
    .filter(([file]) => file.endsWith('.yaml'))
    .flatMap(([, text]) => parseAllDocuments(text).map((document) => document.toJS() as unknown))
    .filter((document) => document !== null)
    .map((document) => Named.parse(document))
  return { resources, notes: files['NOTES.txt'] ?? '' }
}
