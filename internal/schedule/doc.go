// Package schedule reads cron lines and runs jobs by them.
//
// Parse is the only way to make a Spec, so a Spec that exists has been checked:
// it fires, and at most once a second. It understands
//
//	17 3 * * *                           minute, hour, day of month, month, day of week
//	@hourly @daily @weekly @monthly @yearly
//	@every 90s                           whole seconds, counted from the start
//	CRON_TZ=Europe/Berlin 30 2 * * *     the same in a time zone of its own
//
// # Daylight saving
//
// A cron line without CRON_TZ is read in the time zone of the time that Next is
// given: for Loop, the process's own. In a zone that changes its clocks,
//
//   - in spring, a firing in the hour that does not exist is left out: 30 2 * * *
//     in Berlin does not fire on the day of the change;
//   - in autumn, a firing in the hour that comes twice happens twice.
//
// Looking at a registry once less or once more does no harm. A job for which it
// would is to be planned outside these hours, or in CRON_TZ=UTC. @every counts
// elapsed time and knows no clocks.
//
// The package is the only one that imports robfig/cron, whose parser panics on
// some lines, accepts lines that never fire and rounds short intervals up.
package schedule
