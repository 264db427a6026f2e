// Package runner executes tasks: one run, one container, on a host where the
// run's digest is warm already. A run never pulls; its digest is fixed when it
// is submitted, verified on the host before its container starts, and returned.
//
// A run is written down before its submit is answered, and its container before
// it is started. So whatever ends this process, the next one finds what there
// is: a run that was queued is queued again, one that has a container is followed
// to its end. An outcome is recorded only when the engine proved over a new
// connection that it is not stopping; what can't be known is interrupted or
// lost, never guessed.
//
// A run's life, and where it is to be found: submit.go and draft.go (with keys.go,
// scope.go and policy.go), queue.go and place.go, execute.go, attend.go with
// logs.go, proof.go and stop.go, outcome.go. Who asks and reads: readers.go. What
// is left to do afterwards: debts.go, housekeeping.go. After a start: recover.go.
package runner
