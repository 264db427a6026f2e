// Package dockertest holds what stands in for an engine in tests, and what
// proves that it may: Fake is an engine in memory, Contract a suite that Fake
// and Debian's engine both pass.
//
// Fake does no I/O, and all its time is timers, so it lives in a
// testing/synctest bubble as well as outside. It keeps the rules of a real
// engine that tests lean on: an image is there or not, a container starts once,
// a log can be read again from a time on, a container ends with its engine unless
// that has live-restore. Faults are asked for by name: SetDown, SetStopping,
// Halt and Resume, Restart, Wipe, Fail, Rotate, SetClockOffset, FailPull,
// HoldPulls, Forget, Untag, Dangle, FailRemoval, HoldRemovals, FillDisk,
// LeakRemovals.
package dockertest
