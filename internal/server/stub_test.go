package server_test

import (
	"context"
	"time"

	"github.com/prewarm/prewarm/internal/server"
	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/runner"
	"github.com/prewarm/prewarm/warmer"
)

var (
	_ server.Images = stub{}
	_ server.Runs   = stub{}
)

// stub is a domain in which everything ends with err. Its logs are what logs
// says.
type stub struct {
	err  error
	logs func(ctx context.Context, after int64, follow bool, fn func(runner.Entry) error) error
}

func (s stub) Check(context.Context, string) ([]warmer.Checked, error) { return nil, s.err }
func (s stub) Rewarm(string, []string) (registry.Pin, error)           { return registry.Pin{}, s.err }
func (s stub) Images() []warmer.ImageStatus                            { return nil }
func (s stub) Image(string) (warmer.ImageStatus, error)                { return warmer.ImageStatus{}, s.err }

func (s stub) Events(context.Context, int64, bool, func(warmer.Event) error) error {
	return s.err
}
func (s stub) Hosts() []warmer.HostStatus { return nil }
func (s stub) Pauses() []warmer.Pause     { return nil }

func (s stub) Approve(context.Context, string, string, string) (warmer.Rollout, error) {
	return warmer.Rollout{}, s.err
}

func (s stub) Rollback(context.Context, string, string, string) (warmer.Rollout, error) {
	return warmer.Rollout{}, s.err
}

func (s stub) History(context.Context, string, int) ([]warmer.Rollout, []warmer.Act, error) {
	return nil, nil, s.err
}

func (s stub) Hold(context.Context, string, string) error                   { return s.err }
func (s stub) Unhold(context.Context, string, string) error                 { return s.err }
func (s stub) Pause(context.Context, warmer.Activity, string, string) error { return s.err }

func (s stub) Resume(context.Context, warmer.Activity, string, string) error { return s.err }

func (s stub) Cancel(context.Context, string) (runner.Run, error) { return runner.Run{}, s.err }

func (s stub) Get(context.Context, string) (runner.Run, error)  { return runner.Run{}, s.err }
func (s stub) List(context.Context, int) ([]runner.Run, error)  { return nil, s.err }
func (s stub) Wait(context.Context, string) (runner.Run, error) { return runner.Run{}, s.err }
func (s stub) InUse() map[string]runner.Slots                   { return nil }
func (s stub) Submit(context.Context, runner.Spec, time.Duration) (runner.Run, error) {
	return runner.Run{}, s.err
}

func (s stub) Logs(ctx context.Context, _ string, after int64, follow bool, fn func(runner.Entry) error) error {
	return s.logs(ctx, after, follow, fn)
}
