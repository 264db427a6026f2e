package runner_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prewarm/prewarm/runner"
)

// A server that is killed before, or after, each of the effects of a run's whole
// life, from its submit to the removal of its container.
func TestAKillAtEachEffect(t *testing.T) {
	t.Parallel()
	secret := keyed("k1", "act", "3", "10s", "0", "secret", "result")
	secret.Idempotency = "w1"
	secret.Spec.SecretEnv = []runner.SecretEnv{{Name: "TOKEN"}}
	secret.Secrets = map[string]string{"TOKEN": planted}
	secret.Spec.Result = resultFile
	secret.Spec.ScopeVolume, secret.Terms.Scope = "/work", "s1"
	lives := map[string][]op{
		"to its end":    {{what: "submit", ask: secret, pause: 5 * time.Second}, {what: "again", pause: time.Minute}, {what: "again", pause: time.Minute}},
		"to its cancel": {{what: "submit", ask: secret, pause: 5 * time.Second}, {what: "again"}, {what: "cancel", pause: time.Minute}, {what: "cancel"}},
		"to its deadline": {
			{what: "submit", ask: with(secret, func(t *runner.Terms) { t.Limit = 15 * time.Second }), pause: time.Minute}, {what: "again", pause: time.Minute},
		},
	}
	for name, ops := range lives {
		for n := range 24 {
			for _, after := range []bool{false, true} {
				try(t, fmt.Sprintf("%s, effect %d, after it: %t", name, n, after), append([]op{{what: "crash", n: planned + n, yes: after}}, ops...))
			}
		}
	}
}

// What went wrong once, as the property found it.
func TestSequencesThatWentWrong(t *testing.T) {
	t.Parallel()
	deaf := keyed("k1", "act", "7", "10s", "0", "deaf")
	waits := func(ask runner.Ask) runner.Ask { return with(ask, func(t *runner.Terms) { t.WaitWarm = time.Hour }) }
	sequences := map[string][]op{
		"a success, and a later run of its key that is on its way out": {
			{what: "submit", ask: success(deaf), pause: 10 * time.Minute},
			{what: "submit", ask: deaf, pause: 20 * time.Second},
			{what: "cancel", n: 1, pause: time.Second},
			{what: "submit", ask: success(deaf), pause: time.Hour},
		},
		"hosts that do not answer, and nobody has noticed": {
			{what: "cut", host: "a"},
			{what: "cut", host: "b"},
			{what: "submit", ask: waits(command("act", "1", "1s", "0")), pause: 10 * time.Minute},
		},
		"a store that fails while the digest of a scope is written down": {
			{what: "nothing current"},
			{what: "submit", ask: waits(scoped("s1", "act", "1", "1s", "0")), pause: time.Second},
			{what: "store fails"},
			{what: "promote", pause: 100 * time.Millisecond},
			{what: "submit", ask: command("act", "1", "1s", "0")},
		},
		"a clock that was set back before a kill": {
			{what: "submit", ask: command("act", "30", "5m", "0"), pause: time.Second},
			{what: "restart"},
			{what: "clock", host: "a", n: 9, pause: 20 * time.Second},
			{what: "crash", n: planned + 4, yes: true, pause: 90 * time.Minute},
		},
	}
	for name, ops := range sequences {
		try(t, name, ops)
	}
}

// try lets things happen in a bubble of their own.
func try(t *testing.T, name string, ops []op) {
	t.Helper()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		if failure := survive(dir, ops); failure != "" {
			t.Errorf("%s: %s", name, failure)
		}
	})
}
