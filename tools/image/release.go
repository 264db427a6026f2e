package main

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"strconv"
	"strings"
	"time"
)

// release is what is built: a version, of a commit, at its time. All times in the
// image are that one, so that a build can be done again.
type release struct {
	version  string // without the v of a tag
	revision string
	time     time.Time
}

// complete asks git for what was not said. epoch is SOURCE_DATE_EPOCH, seconds
// since 1970.
func (r *release) complete(ctx context.Context, epoch string) (err error) {
	if r.version == "" {
		if r.version, err = git(ctx, "describe", "--tags", "--always", "--dirty"); err != nil {
			return fmt.Errorf("%w; name the version with -version", err)
		}
	}
	r.version = strings.TrimPrefix(r.version, "v")
	if r.revision == "" {
		if r.revision, err = git(ctx, "rev-parse", "HEAD"); err != nil {
			return fmt.Errorf("%w; name the commit with -revision", err)
		}
	}
	if epoch == "" {
		if epoch, err = git(ctx, "log", "-1", "--format=%ct", r.revision); err != nil {
			return fmt.Errorf("%w; set SOURCE_DATE_EPOCH to the time of the commit", err)
		}
	}
	seconds, err := strconv.ParseInt(epoch, 10, 64)
	if err != nil || seconds < 0 {
		return fmt.Errorf("SOURCE_DATE_EPOCH %q: want seconds since 1970", epoch)
	}
	r.time = time.Unix(seconds, 0).UTC()
	return nil
}

func git(ctx context.Context, args ...string) (string, error) {
	out, err := exec.CommandContext(ctx, "git", args...).Output()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		return "", fmt.Errorf("git %s: %s", strings.Join(args, " "), strings.TrimSpace(string(exit.Stderr)))
	case err != nil:
		return "", err
	}
	return strings.TrimSpace(string(out)), nil
}
