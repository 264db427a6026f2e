// Command vulncheck runs govulncheck and judges what it finds: govulncheck
// itself can't be told that a finding was looked at.
//
//	go run ./tools/vulncheck -tool PATH [-db URL] [PACKAGES]
//
// It ends with 1 when code of ours calls something vulnerable that allowed.go
// does not excuse, when an excuse there has ended, and when govulncheck fails.
// A vulnerability database that can't be reached from here is no such failure:
// it is said in one line, and the code is 0, because a machine without a way to
// the database can't do better.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"regexp"
	"strings"
	"time"
)

func main() {
	if err := execute(); err != nil {
		fmt.Fprintln(os.Stderr, "vulncheck:", err)
		os.Exit(1)
	}
}

func execute() error {
	tool := flag.String("tool", "govulncheck", "path of govulncheck")
	db := flag.String("db", "https://vuln.go.dev", "vulnerability database: an https or file URL")
	flag.Parse()
	packages := flag.Args()
	if len(packages) == 0 {
		packages = []string{"./..."}
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	return check(ctx, os.Stdout, *tool, *db, packages, time.Now())
}

// check scans packages and prints the verdict, as of now, to w.
func check(ctx context.Context, w io.Writer, tool, db string, packages []string, now time.Time) error {
	found, err := scan(ctx, tool, db, packages)
	if errors.Is(err, errUnreachable) {
		_, err = fmt.Fprintf(w, "vulncheck: NOT CHECKED FOR KNOWN VULNERABILITIES: %v\n", err)
		return err
	}
	if err != nil {
		return err
	}
	v := judge(found, allowed, now)
	if _, err := io.WriteString(w, v.String()); err != nil {
		return fmt.Errorf("print the verdict: %w", err)
	}
	return v.err()
}

// errUnreachable tells that the database gave no answer.
var errUnreachable = errors.New("the vulnerability database can't be reached from here")

// noAnswer matches how govulncheck says that the database could not be asked: a
// request that failed before an answer came, or one that a proxy on the way
// answered instead. Anything else that it can't fetch is a failure.
var noAnswer = regexp.MustCompile(`(?m)^govulncheck: fetching vulnerabilities: (Get "https?://.*|HTTP GET https?://\S+ returned unexpected status: (403|407|502|503|504) .*)$`)

// scan runs govulncheck, whose exit code says nothing of findings in its JSON
// format: other than 0 is a failure.
func scan(ctx context.Context, tool, db string, packages []string) ([]finding, error) {
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, tool, append([]string{"-format", "json", "-db", db}, packages...)...)
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		if said := noAnswer.FindStringSubmatch(stderr.String()); said != nil {
			return nil, fmt.Errorf("%w: %s", errUnreachable, said[1])
		}
		return nil, fmt.Errorf("run %s: %w\n%s", tool, err, strings.TrimSpace(stderr.String()))
	}
	return parse(&stdout)
}
