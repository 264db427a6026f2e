package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// initProcess takes the children of processes that die.
const initProcess = 1

// lookAtParent is how often the parent is looked at. The kernel can tell of its
// death (PR_SET_PDEATHSIG), but means the thread that started us by it.
const lookAtParent = time.Second

// watchParent gives a channel that is closed when the program that started this
// one is gone: going on would renew the keepalive of a run that nobody waits
// for. It is nil, which never tells anything, where that is not known, or where
// nohup says that it is not to matter.
func watchParent(ctx context.Context) <-chan struct{} {
	parent := os.Getppid()
	if parent == initProcess || signal.Ignored(syscall.SIGHUP) {
		return nil
	}
	gone := make(chan struct{})
	go func() {
		tick := time.NewTicker(lookAtParent)
		defer tick.Stop()
		for os.Getppid() == parent {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
		}
		close(gone)
	}()
	return gone
}
