// Package schedule reads cron lines and windows of time, and runs jobs by them.
//
// Parse is the only way to make a Spec, so a Spec that exists has been checked:
// it fires, and at most once a second. It understands
//
//	17 3 * * *                           minute, hour, day of month, month, day of week
//	@hourly @daily @weekly @monthly @yearly
//	@every 90s                           whole seconds, counted from the start
//	CRON_TZ=Europe/Berlin 30 2 * * *     the same in a time zone of its own
//
// # Clock changes
//
// A cron line without CRON_TZ is read in the time zone of the time that Next is
// given: for Loop, the process's own. In a zone that changes its clocks every
// time of day that a line names comes once on each of its days:
//
//   - in spring, what falls into the hour that does not exist comes at its end,
//     once however much it is: 30 2 * * * in Berlin fires at 03:00 on the day of
//     the change;
//   - in autumn, what falls into the hour that comes twice comes the first time.
//
// A line whose hours are * or a step of all (*/2) means a distance rather than a
// time of day: in the hour that comes twice it fires twice, so that no hour is
// without it. @every counts elapsed time and knows no clocks.
//
// Windows, too, go by what the wall's clock shows: see Window.
//
// The package is the only one that imports robfig/cron, whose parser panics on
// some lines, accepts lines that never fire and rounds short intervals up.
package schedule
