/** A process that makes a backup of a data folder or restores one, to be killed by a test. */
import { backupOffline } from './backup-offline.ts'
import { log, settingsOf } from './backup.fixture.ts'
import { restoreBackup } from './restore-backup.ts'

const [what = '', folder = '', target = ''] = process.argv.slice(2)
if (what === 'backup') await backupOffline(settingsOf(folder), target, { withKeys: false })
else await restoreBackup(settingsOf(folder), target, {}, log)
