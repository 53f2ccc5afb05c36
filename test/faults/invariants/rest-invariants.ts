/** 13, 15, 20: what is true when everything had time to end. */
import { checkEach, type Invariant } from './invariant.ts'

const RESIDENT_BYTES_MAX = 300 * 1024 * 1024
const DESCRIPTORS_MAX = 300

export const nothingIsStuck: Invariant = {
  numbers: [13],
  says: 'when there was time, every execution has ended',
  needsQuiet: true,
  check: ({ executions }) =>
    checkEach(executions, ({ id, isSettled, job, reasonCode, state }) =>
      isSettled ? [] : [`${id} of ${job} is still ${state} (${reasonCode})`],
    ),
}

export const everyLifeEnded: Invariant = {
  numbers: [13, 15],
  says: 'when there was time, no process of an attempt lives',
  needsQuiet: true,
  check: ({ lives }) =>
    checkEach(lives, ({ attempt, endedMs, execution, pid }) =>
      endedMs === undefined ? [`${execution} attempt ${attempt}: process ${pid} still lives`] : [],
    ),
}

export const nothingIsLeft: Invariant = {
  numbers: [15],
  says: 'no process, folder or FIFO of an attempt is left behind',
  needsQuiet: true,
  check: ({ leftoverPlaces, leftovers }) => ({ checked: leftoverPlaces, violations: leftovers }),
}

export const sizesAreBounded: Invariant = {
  numbers: [20],
  says: 'memory and descriptors of coordinators and agents stay bounded',
  check: ({ sizes }) =>
    checkEach(sizes, ({ descriptors, name, residentBytes }) => [
      ...(residentBytes > RESIDENT_BYTES_MAX ? [`${name} holds ${residentBytes} bytes`] : []),
      ...(descriptors > DESCRIPTORS_MAX ? [`${name} has ${descriptors} descriptors open`] : []),
    ]),
}
