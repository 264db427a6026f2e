// Command prewarm keeps container images warm on a fleet of Docker hosts and
// runs tasks only on warm, digest-pinned images.
//
// This package holds the verbs: flags, tables, exit codes. What the verbs do is
// done by the server, which they reach through package api; serve alone builds
// one, with package app.
package main

import (
	"context"
	"os"
)

func main() {
	os.Exit(execute(context.Background(), os.Args[1:]))
}
