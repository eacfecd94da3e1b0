/** `ephor policy` */
import type { Command } from 'commander'
import type { Io } from '../output.ts'

export function addPolicy(_program: Command, _io: Io): void {}
