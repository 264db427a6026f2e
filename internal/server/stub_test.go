package server_test

import (
	"context"
	"io"
	"time"

	"github.com/prewarm/prewarm/internal/access"
	"github.com/prewarm/prewarm/internal/server"
	"github.com/prewarm/prewarm/registry"
	"github.com/prewarm/prewarm/runner"
	"github.com/prewarm/prewarm/warmer"
	"github.com/prewarm/prewarm/warmer/hints"
)

var (
	_ server.Images = stubImages{}
	_ server.Runs   = stub{}
)

// over is a server of nothing but a stub.
func over(s stub) server.Options {
	return server.Options{
		Images: stubImages{s.err}, Runs: s, Access: stubKeys{s.err}, Notices: &teller{err: s.err}, Backups: stubBackups{s.err},
		Webhooks: &hooks{err: s.err, hooks: []hints.HookStatus{{Name: "jobs"}}},
	}
}

// stubBackups are backups that can't be begun for err.
type stubBackups struct{ err error }

func (b stubBackups) Begin(context.Context) (func(context.Context, io.Writer) error, error) {
	return nil, b.err
}

// stubKeys let everybody in, and what is done to tokens ends with err.
type stubKeys struct{ err error }

func (k stubKeys) Open() bool                                       { return true }
func (k stubKeys) ByToken(string, time.Time) (access.Caller, error) { return access.Caller{}, k.err }

func (k stubKeys) ByCertificate(string) (access.Caller, error)          { return access.Caller{}, k.err }
func (k stubKeys) Tokens() []access.Token                               { return nil }
func (k stubKeys) Revoke(context.Context, string) (access.Token, error) { return access.Token{}, k.err }

func (k stubKeys) Create(context.Context, access.Caller, string, access.Grant, time.Time) (string, access.Token, error) {
	return "", access.Token{}, k.err
}

// serverOf is one of runs that a test steers, without any images.
func serverOf(r *runs) server.Options { return server.Options{Images: stubImages{}, Runs: r} }

// stubImages are images with which everything ends with err.
type stubImages struct{ err error }

func (s stubImages) Check(context.Context, string) ([]warmer.Checked, error) { return nil, s.err }
func (s stubImages) Rewarm(string, []string) (registry.Pin, error)           { return registry.Pin{}, s.err }
func (s stubImages) Images() []warmer.ImageStatus                            { return nil }
func (s stubImages) Image(string) (warmer.ImageStatus, error)                { return warmer.ImageStatus{}, s.err }

func (s stubImages) Events(context.Context, int64, bool, func(warmer.Event) error) error {
	return s.err
}

func (s stubImages) Approve(context.Context, string, string, string) (warmer.Rollout, error) {
	return warmer.Rollout{}, s.err
}

func (s stubImages) Rollback(context.Context, string, string, string) (warmer.Rollout, error) {
	return warmer.Rollout{}, s.err
}

func (s stubImages) History(context.Context, string, int) ([]warmer.Rollout, []warmer.Act, error) {
	return nil, nil, s.err
}

func (s stubImages) Hold(context.Context, string, string) error                    { return s.err }
func (s stubImages) Unhold(context.Context, string, string) error                  { return s.err }
func (s stubImages) Pause(context.Context, warmer.Activity, string, string) error  { return s.err }
func (s stubImages) Resume(context.Context, warmer.Activity, string, string) error { return s.err }
func (s stubImages) Pauses() []warmer.Pause                                        { return nil }

func (s stubImages) Prune(context.Context, warmer.PruneAsk) ([]warmer.Pass, error) { return nil, s.err }

func (s stubImages) Passes(context.Context, string, int) ([]warmer.Pass, error) { return nil, s.err }

func (s stubImages) Stock(context.Context, string) (warmer.Stock, error) {
	return warmer.Stock{}, s.err
}

func (s stubImages) Explain(context.Context, string, string) (warmer.Explanation, error) {
	return warmer.Explanation{}, s.err
}

func (s stubImages) Hosts() []warmer.HostStatus { return nil }

// stub are runs with which everything ends with err. Their logs are what logs
// says.
type stub struct {
	err  error
	logs func(ctx context.Context, after int64, follow bool, w func([]byte) error) error
}

func (s stub) Hosts() map[string]runner.HostUse { return nil }

func (s stub) Submit(context.Context, runner.Ask) (runner.Answer, error) {
	return runner.Answer{}, s.err
}

func (s stub) Check(context.Context, runner.Ask) (runner.Checked, error) {
	return runner.Checked{}, s.err
}

func (s stub) Get(context.Context, string) (runner.Run, error) { return runner.Run{}, s.err }

func (s stub) Look(context.Context, string) (runner.Run, error) { return runner.Run{}, s.err }

func (s stub) Namespace(context.Context, string) (string, error) { return "", s.err }

func (s stub) Wait(context.Context, string) (runner.Run, error) { return runner.Run{}, s.err }

func (s stub) Withdraw(context.Context, string, string) (runner.Run, error) {
	return runner.Run{}, s.err
}

func (s stub) Cancel(context.Context, string) (runner.Run, error) { return runner.Run{}, s.err }

func (s stub) Reject(context.Context, string) (runner.Run, error) { return runner.Run{}, s.err }

func (s stub) Release(context.Context, string) (runner.Run, error)       { return runner.Run{}, s.err }
func (s stub) List(context.Context, runner.Filter) ([]runner.Run, error) { return nil, s.err }
func (s stub) Scopes(string) []runner.Scope                              { return nil }
func (s stub) Scope(string, string) (runner.Scope, error)                { return runner.Scope{}, s.err }

func (s stub) EndScope(context.Context, string, string) (runner.Scope, error) {
	return runner.Scope{}, s.err
}

func (s stub) Repin(context.Context, string, string, string, []string) (old, now registry.Pin, _ runner.Scope, err error) {
	return registry.Pin{}, registry.Pin{}, runner.Scope{}, s.err
}

func (s stub) CopyLog(ctx context.Context, _ string, after int64, follow bool, w func([]byte) error) error {
	return s.logs(ctx, after, follow, w)
}
