/** Findings as SARIF 2.1.0 (OASIS), for code scanners and continuous integration. */
import type { AnalysisFinding } from '@ephor/contract'

export type SarifFinding = Omit<AnalysisFinding, 'basis' | 'severity'> & {
  severity: AnalysisFinding['severity']
  basis?: AnalysisFinding['basis']
}

/** A relative URI (RFC 3986): SARIF wants no paths of one machine. */
function uriOf(folder: string, file: string): string {
  const path = [folder.replaceAll('\\', '/').replace(/\/+$/, ''), file].filter((part) => part !== '' && part !== '.').join('/')
  return path
    .split('/')
    .map((part) => encodeURIComponent(part))
    .join('/')
}

function resultOf(
  { code, severity, file, line, column, message, suggestion, policy, basis, witness }: SarifFinding,
  folder: string,
  index: number,
) {
  const text = suggestion === undefined ? message : `${message}. ${suggestion}`
  // A finding about the whole folder has no file: SARIF allows a result without a location.
  const region = { startLine: line, startColumn: column }
  const locations = file === '' ? [] : [{ physicalLocation: { artifactLocation: { uri: uriOf(folder, file) }, region } }]
  const properties = Object.fromEntries(Object.entries({ policy, basis, witness }).filter(([, value]) => value !== undefined))
  return { ruleId: code, ruleIndex: index, level: severity, message: { text }, locations, properties }
}

/** @param folder where the files are, relative to what is scanned */
export function sarifOf(findings: readonly SarifFinding[], folder: string): object {
  const codes = [...new Set(findings.map(({ code }) => code))].toSorted()
  const driver = {
    name: 'ephor',
    rules: codes.map((id) => ({ id, shortDescription: { text: id.toLowerCase().replaceAll('_', ' ') } })),
  }
  return {
    $schema: 'https://json.schemastore.org/sarif-2.1.0.json',
    version: '2.1.0',
    runs: [
      {
        tool: { driver },
        // Columns are counted in UTF-16 units, as editors do.
        columnKind: 'utf16CodeUnits',
        results: findings.map((finding) => resultOf(finding, folder, codes.indexOf(finding.code))),
      },
    ],
  }
}
