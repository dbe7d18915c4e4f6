// Package ledger turns what a meter's register shows into energy that adds up.
//
// A register is a promise with a bad memory: it only counts forward, until it
// reads 0 for three seconds after a power cut, jumps to 9999.0 once, is reset,
// rolls over, or the module behind it is another one. Subtracting two readings
// gives a bill over 215 kWh for a kettle. The ledger decides, reading by reading,
// which of them belong to a counter, and what was used between those that do.
//
// The package is pure: no clock, no I/O, no goroutine. It does not know where
// days are kept, what a kilowatt hour costs, or who may correct it.
//
// # What it promises
//
// A channel's energy is a function of the set of what was said about it: its
// readings, its node's words about resets, and its journal of corrections. The
// order in which they arrive, and how often, makes no difference. Energy is in
// whole watt-hours per quarter hour of UTC, and everything longer is a sum of
// those: hours add up to days and days to months, in every zone, to the
// watt-hour. An undo restores every answer as it was, byte for byte. No reading
// is ever changed, and none that was not believed is forgotten silently.
//
// # How a reading is judged
//
// There is a counter in force, and at most one candidate to follow it.
//
//   - A reading belongs to the counter in force if it is no lower (by a step of
//     10 Wh: that is rounding), and no higher than the measured power accounts
//     for: a tenth more than its integral, 72 Wh (26 kW for 10 s) for stalled
//     networks, corrected clocks and peaks between samples, and a step. It is
//     counted at once, and a candidate that there was is revoked: a glitch.
//   - Every other reading needs a witness. If it goes on from the candidate's
//     first reading, by no more than can have been used since, it is one.
//     Otherwise it becomes the candidate itself, in place of the one before.
//   - A candidate is confirmed when it has held for a minute and has counted at
//     least half of what the power says, less a step; and, if it began lower
//     than the counter in force, when it has counted anything. After an hour the
//     power is wrong, not the register.
//   - The node's word about a reset, within five minutes of a reading that is
//     nearer to what was used since than to the counter in force, confirms it at
//     once. After a person's word every reading is a candidate, which has but to
//     hold for a minute.
//
// Until then the total stands still. When the candidate is confirmed, all that
// it has counted since its first reading is counted, and what lies between the
// counter in force and that first reading is judged:
//
//   - higher, by no more than can have been used (what the power accounts for,
//     and 26 kW for the time without samples): one counter, a gap between.
//   - higher than that: a Jump. The difference is held until a person decides.
//   - lower, and the way over 9,999.99 kWh is no longer than can have been used
//     and than 1,000 kWh: a Rollover, and counted.
//   - lower otherwise: a Reset, which began at 0. What it shows is counted if the
//     power accounts for it, or the node announced it. If it can have been used
//     but nothing says so, it is held. If it cannot have been, then the register
//     is another one, Replaced, and counts from its first reading.
//
// Small registers are ambiguous: 20 Wh after a reset soon become 20 Wh again.
// Where a reading fits both the counter in force and a lower candidate, it
// belongs to the one whose register is nearer to its power.
//
// # Where energy lies in time
//
// Between two readings the register is interpolated at the quarter hours' edges,
// floored to whole watt-hours, and differenced. It follows the power, of which a
// sample stands until the next one, at most for 30 s, and not beyond midnight
// UTC. Time without samples gets what the samples leave of the register's
// difference, evenly; if they leave nothing, or there is no such time, all
// follows the samples. A span longer than 15 minutes is interpolated, a shorter
// one measured.
//
// # Days
//
// A UTC day's readings, and the State before it, make a Day: all that is ever
// needed of those readings again. A live day grows in a Folder. After late
// readings, Update makes the day anew and those after it, until one ends in the
// state that it ended in before; mostly that is the same day. Settle makes Sums
// of days, with what a later day has found out about them (a span over midnight,
// a bridged gap) and what the journal decides; a Composer makes buckets of Sums
// in a zone's hours, dates, weeks and months.
//
// # What it cannot know
//
// What was used between the last reading before a reset and the reset. It is
// missing, the quality says reset-boundary, and the finding's Use says how much
// it was by the power. A reading too high by less than 82 Wh cannot be told from
// a load; if the next one is lower again, the ledger sees a counter replaced,
// and the difference stays until a person sets the period. A counter that is
// reset before it has proved itself, or so early that it shows as much again when
// it is next read, or within its last watt-hours before the rollover, needs
// somebody's word. And energy that nothing vouches for is held, where others
// would bill it.
package ledger
