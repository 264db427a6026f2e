package app

import (
	"context"
	"time"

	"github.com/prewarm/prewarm/internal/notice"
)

// Listen lets a test hear what people are told beside any other change, once the
// store has it.
func Listen(a *App, hear func(notice.Event)) {
	tell := a.tell
	a.tell = func(ctx context.Context, all ...notice.Event) error {
		if err := tell(ctx, all...); err != nil {
			return err
		}
		for _, e := range all {
			hear(e)
		}
		return nil
	}
}

// LimitBackups bounds each backup in time.
func LimitBackups(a *App, most time.Duration) { a.backups.most = most }
