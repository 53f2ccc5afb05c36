/** The density of a window as bars, one line for each bucket. */
import type {
  UpcomingDensity,
  UpcomingDensity_Bucket,
} from '../../../proto/gen/rota/v1/job_service.ts'
import { durationToMs, formatDurationMs } from '../../../shared/duration.ts'
import { isoSeconds } from '../../../shared/rfc-3339.ts'
import type { Screen } from '../../output/screen.ts'
import { wrap } from '../../output/text.ts'

/** Off a terminal. */
const WIDTH = 80
const BAR_MIN = 10
const TITLE = 'BEGINS (UTC)'
/** Parts of a column, in eighths (Unicode block elements). */
const PARTS = ['', '▏', '▎', '▍', '▌', '▋', '▊', '▉'] as const

export function renderDensity(density: UpcomingDensity | undefined, screen: Screen): string {
  if (density === undefined) return ''
  const width = Math.max(60, screen.width ?? WIDTH)
  const runs = density.buckets.map(({ runCount }) => Number(runCount))
  const counts = runs.map(String)
  const slots = density.buckets.map(({ expectedSlots }) => showSlots(expectedSlots))
  const [runWidth, slotWidth] = [widest('RUNS', counts), widest('SLOTS', slots)]
  const times = density.buckets.map(showTime)
  const timeWidth = widest(TITLE, times)
  const barWidth = Math.max(BAR_MIN, width - timeWidth - runWidth - slotWidth - 6)
  const most = Math.max(1, ...runs)
  const lines = density.buckets.map((_, index) => {
    const bar = drawBar(((runs[index] ?? 0) / most) * barWidth)
    const count = (counts[index] ?? '').padStart(runWidth)
    const expected = (slots[index] ?? '').padStart(slotWidth)
    const figures = `${(times[index] ?? '').padStart(timeWidth)}  ${count}  ${expected}`
    return bar === '' ? figures : `${figures}  ${screen.paint('cyan', bar)}`
  })
  const title = `${TITLE.padEnd(timeWidth)}  ${'RUNS'.padStart(runWidth)}  ${'SLOTS'.padStart(slotWidth)}`
  return [title, ...lines, '', ...summary(density).flatMap((line) => wrap(line, width)), ''].join(
    '\n',
  )
}

function widest(title: string, texts: readonly string[]): number {
  return Math.max(title.length, ...texts.map(({ length }) => length))
}

/** The day is told where it begins. */
function showTime({ startTime }: UpcomingDensity_Bucket, index: number): string {
  if (startTime === undefined) return ''
  const text = isoSeconds(startTime)
  const time = text.slice(17, 19) === '00' ? text.slice(11, 16) : text.slice(11, 19)
  const isNewDay = index === 0 || text.slice(11, 19) === '00:00:00'
  return isNewDay ? `${text.slice(0, 10)} ${time}` : time
}

function showSlots(slots: number): string {
  return slots === 0 ? '-' : slots < 0.1 ? '<0.1' : slots.toFixed(1)
}

/** At least a trace of what is there. */
function drawBar(columns: number): string {
  if (columns === 0) return ''
  const eighths = Math.max(1, Math.round(columns * 8))
  return '█'.repeat(Math.floor(eighths / 8)) + (PARTS[eighths % 8] ?? '')
}

function summary(density: UpcomingDensity): string[] {
  const runs = density.buckets.reduce((sum, { runCount }) => sum + runCount, 0n)
  const peak = Math.max(0, ...density.buckets.map(({ expectedSlots }) => expectedSlots))
  const bucket = formatDurationMs(durationToMs(density.bucket) ?? 0)
  const { availableSlotCount, jobCount, unknownDurationJobCount, truncatedScheduleCount } = density
  return [
    `${runs} runs of ${jobCount} jobs, ${bucket} a bar; ${showSlots(peak)} slots in use at most, of ${availableSlotCount} that are connected.`,
    ...(unknownDurationJobCount > 0
      ? [
          `Of ${unknownDurationJobCount} jobs nothing is known yet of how long they take: they are not in SLOTS.`,
        ]
      : []),
    ...(truncatedScheduleCount > 0
      ? [
          `Counted up to ${isoSeconds(density.countedUntil ?? new Date(0))}: ${truncatedScheduleCount} schedules have more after it. Use --filter or a shorter --within.`,
        ]
      : []),
  ]
}
