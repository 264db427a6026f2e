package config

import (
	"slices"
	"testing"
	"time"
)

// A log goes with its run: by itself it is kept for as long.
func TestLogsAreKeptAsLongAsRuns(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"runner: {keep: 24h}":                    24 * time.Hour,
		"runner: {keep: 9000h}":                  9000 * time.Hour,
		"runner: {keep: 24h, logs: {keep: 12h}}": 12 * time.Hour,
		"runner: {logs: {cap: 2m}}":              720 * time.Hour,
	} {
		if got := mustLoad(t, write(t, text)).Runner.Logs.Keep; got != want {
			t.Errorf("%s keeps logs for %v, want %v", text, got, want)
		}
	}
}

func TestRunnerOfTheEnvironment(t *testing.T) {
	t.Parallel()
	got := mustLoad(t, write(t, "runner: {grace: 1m, policy: {cap_add: [ALL], privileged: true}}"),
		"PREWARM_RUNNER_GRACE=20s", "PREWARM_RUNNER_QUEUE=7", "PREWARM_RUNNER_LOGS_CAP=2m", "PREWARM_RUNNER_FORWARD=[{to: stdout}]",
		"PREWARM_RUNNER_POLICY_CAP_ADD=[]", "PREWARM_RUNNER_POLICY_PRIVILEGED=false", "PREWARM_RUNNER_POLICY_BIND_MOUNTS=[/srv]").Runner
	if got.Grace != 20*time.Second || got.Queue != 7 || got.Logs.Cap != 2*mib || len(got.Forward) != 1 ||
		len(got.Policy.CapAdd) != 0 || got.Policy.Privileged || !slices.Equal(got.Policy.BindMounts, []string{"/srv"}) {
		t.Errorf("runner = %+v", got)
	}
}

// Logs are bounded by themselves, and never below what one of them may have.
func TestTheLogsOfAllRunsAreBounded(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{
		"runner: {keep: 24h}":                 10 * gib,
		"runner: {logs: {cap: 20g}}":          20 * gib,
		"runner: {logs: {cap: 2m}}":           10 * gib,
		"runner: {logs: {total: 3g}}":         3 * gib,
		"runner: {logs: {total: 0}}":          0,
		"runner: {logs: {cap: 9g, total: 0}}": 0,
	} {
		c := mustLoad(t, write(t, text))
		shown, err := c.Redacted()
		if err != nil {
			t.Fatal(err)
		}
		if again := mustLoad(t, write(t, string(shown))); c.Runner.Logs.Total != want || again.Runner.Logs.Total != want {
			t.Errorf("%s: bound %d, shown and loaded again %d, want %d", text, c.Runner.Logs.Total, again.Runner.Logs.Total, want)
		}
	}
}
