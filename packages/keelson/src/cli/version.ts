// The version of this `keel`, from its own package.
import { readFileSync } from 'node:fs'

/** `0.1.0`. */
export function keelVersion(): string {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  return (JSON.parse(text) as { version: string }).version
}
