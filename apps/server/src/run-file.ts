/** What a running server writes into its data folder, so that the command line finds it. */
import { readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'

const RunFile = z.object({ url: z.url({ protocol: /^https?$/ }), pid: z.number().int() })

const fileIn = (home: string) => join(home, 'running.json')

export function writeRunFile(home: string, url: string): void {
  writeFileSync(fileIn(home), `${JSON.stringify({ url, pid: process.pid })}\n`, { mode: 0o600 })
}

export function removeRunFile(home: string): void {
  rmSync(fileIn(home), { force: true })
}

/** Undefined when none runs here, or what is written is not ours. A crash can leave the file behind: then nothing answers there. */
export function readRunFile(home: string): z.output<typeof RunFile> | undefined {
  try {
    return RunFile.safeParse(JSON.parse(readFileSync(fileIn(home), 'utf8'))).data
  } catch {
    return undefined
  }
}
