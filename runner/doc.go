// Package runner executes tasks: one run, one container, on a host where the
// run's digest is warm already. A run never pulls; its digest is fixed when it
// is submitted, verified on the host before its container starts, and returned.
//
// A run is written down before its submit is answered. Its log is spooled line
// by line as the container prints, and served from the spool, so that a reader
// that comes late or again gets what it missed. An outcome is recorded only
// when the engine proved over a new connection that it is not stopping.
package runner
