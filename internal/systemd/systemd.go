// Package systemd tells the service manager how the server is, over the socket
// that it names in NOTIFY_SOCKET: that it is ready, that it reads its
// configuration again, that it stops, and, as long as that is so, that it lives.
//
// A manager that waits for a word restarts who does not say it. So the word of
// life is sent only after a look at the server itself, never by a timer alone;
// and that look asks nothing outside of the server, because no restart mends a
// host that is slow.
package systemd

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/coreos/go-systemd/v22/daemon"
)

// Manager is the service manager that started the program.
type Manager struct {
	watchdog time.Duration // within which it wants a sign of life; 0: it wants none
	send     func(state string) error
	logger   *slog.Logger
}

// Find finds the manager by the environment; nil where there is none.
func Find(logger *slog.Logger) (*Manager, error) {
	if os.Getenv("NOTIFY_SOCKET") == "" {
		return nil, nil
	}
	// Not asked of this process, such as a child of the one that was: 0.
	watchdog, err := daemon.SdWatchdogEnabled(false)
	if err != nil {
		return nil, fmt.Errorf("read the service manager's WATCHDOG_USEC and WATCHDOG_PID: %w", err)
	}
	return &Manager{watchdog: watchdog, send: notify, logger: logger}, nil
}

func notify(state string) error {
	_, err := daemon.SdNotify(false, state)
	return err
}

// Ready tells that the server works, or works on after a reload, and what
// systemctl status shows of it.
func (m *Manager) Ready(status string) {
	m.tell(daemon.SdNotifyReady + "\n" + statusLine(status))
}

// Reloading tells that the configuration is read again. Ready ends that.
func (m *Manager) Reloading() {
	m.tell(daemon.SdNotifyReloading + "\n" + strings.TrimSpace(daemon.SdNotifyMonotonicUsec()))
}

// Stopping tells that the server ends by intention.
func (m *Manager) Stopping() {
	m.tell(daemon.SdNotifyStopping + "\n" + statusLine("stopping"))
}

// Watch tells that the server lives, four times in the time within which the
// manager wants to hear of it, until ctx ends. It tells so only after alive found
// no fault. alive may take half of that time: a machine, or a disk, that is out of
// breath for a while is no wedged server, and a restart would not mend it. The
// looks are closer than that, so that little of the time has passed when the
// breath goes.
func (m *Manager) Watch(ctx context.Context, alive func(context.Context) error) {
	if m.watchdog == 0 {
		return
	}
	every, limit := m.watchdog/4, m.watchdog/2
	tick := time.NewTicker(every)
	defer tick.Stop()
	well := true
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		err := within(ctx, limit, alive)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			m.tell(daemon.SdNotifyWatchdog)
		case well:
			m.logger.Error("the server does not answer itself; the service manager restarts it unless that passes", "within", m.watchdog, "error", err)
		}
		well = err == nil
	}
}

// within gives up on a look that hangs where its context does not reach, as at a
// lock that is never given back.
func within(ctx context.Context, limit time.Duration, look func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	seen := make(chan error, 1)
	go func() { seen <- look(ctx) }()
	select {
	case err := <-seen:
		return err
	case <-ctx.Done():
		return fmt.Errorf("no answer within %s: %w", limit, ctx.Err())
	}
}

// tell sends what a word changes. Nothing that the server does depends on it, so
// a manager that can't be reached is only logged.
func (m *Manager) tell(state string) {
	if err := m.send(state); err != nil {
		word, _, _ := strings.Cut(state, "\n")
		m.logger.Warn("the service manager can't be told", "what", word, "error", err)
	}
}

// maxStatus is far more than systemctl status shows of it, in bytes.
const maxStatus = 400

// statusLine is text on one line: another would be read as a word of its own.
func statusLine(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > maxStatus {
		text = strings.ToValidUTF8(text[:maxStatus], "") + "…"
	}
	return "STATUS=" + text
}
