/** Resource names as people write them: `backup` and `jobs/backup` are the same. */
import { type Collection, resourceName } from '../shared/wire.ts'

/** `jobs/backup` of either form. What is wrong with the id is for the coordinator to say. */
export function toName(collection: Collection, text: string): string {
  return text.startsWith(`${collection}/`) ? text : resourceName(collection, text)
}

/** `backup` of `jobs/backup`. */
export function toId(name: string): string {
  return name.slice(name.indexOf('/') + 1)
}
