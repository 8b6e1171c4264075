import type { ChangeOptions } from '../change.ts'
import { change } from '../change.ts'
import type { Register } from '../invocation.ts'
import { withGuards, withWait } from '../options.ts'
import { resolveUnits } from '../unit-arguments.ts'
import { parseReplicas } from '../unit-changes.ts'

export const register: Register = (program, act) => {
  const command = program
    .command('scale')
    .argument('<template>', 'web@ or web@.container')
    .argument('<replicas>', 'how many instances')
    .description('Set how many instances of a template run.')
  act<ChangeOptions>(withGuards(withWait(command)), async (keel, [word = '', number = ''], options) => {
    const replicas = parseReplicas(number)
    const { units } = await (await keel.daemon()).snapshot()
    const templates = units.filter((unit) => unit.name.includes('@.'))
    const known = { units: templates, instances: [] }
    const name = word.includes('@') ? word : `${word}@`
    const [unit = name] = resolveUnits([name], known)
    return change(keel, { kind: 'scale', unit, replicas }, options)
  })
}
