/** Results of cases as JUnit XML, in the form that build servers read: a suite for each file, a testcase for each case. */

export type JunitCase = { file: string; line: number; name: string; ok: boolean; expected: string; got: string; ms: number }

/** What XML 1.0 can't hold at all becomes U+FFFD; what would be markup is written as entities, line ends as references. */
function xml(text: string): string {
  return (
    text
      .toWellFormed()
      // oxlint-disable-next-line no-control-regex -- XML has no way to write these
      .replaceAll(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ufffe\uffff]/g, '\ufffd')
      .replaceAll(/[&<>"'\t\n\r]/g, (c) => `&#${c.charCodeAt(0)};`)
  )
}

const seconds = (ms: number) => (ms / 1000).toFixed(6)
const sum = (cases: readonly JunitCase[]) => cases.reduce((total, { ms }) => total + ms, 0)
const failures = (cases: readonly JunitCase[]) => cases.filter(({ ok }) => !ok).length

function caseText({ file, line, name, ok, expected, got, ms }: JunitCase): string {
  const opening = `    <testcase name="${xml(name)}" classname="${xml(file)}" file="${xml(file)}" line="${line}" time="${seconds(ms)}"`
  if (ok) return `${opening}/>`
  const message = xml(`expected ${expected}, got ${got}`)
  return `${opening}>\n      <failure type="policy" message="${message}">${xml(`${file}:${line}`)}: ${message}</failure>\n    </testcase>`
}

function counts(cases: readonly JunitCase[]): string {
  return `tests="${cases.length}" failures="${failures(cases)}" errors="0" skipped="0" time="${seconds(sum(cases))}"`
}

export function junitOf(results: readonly JunitCase[]): string {
  const suites = Map.groupBy(results, ({ file }) => file)
  const texts = [...suites].map(
    ([file, cases]) => `  <testsuite name="${xml(file)}" ${counts(cases)}>\n${cases.map(caseText).join('\n')}\n  </testsuite>\n`,
  )
  return `<?xml version="1.0" encoding="UTF-8"?>\n<testsuites name="ephor policy test" ${counts(results)}>\n${texts.join('')}</testsuites>\n`
}
