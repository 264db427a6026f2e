//go:build !linux

package docker

import "github.com/prewarm/prewarm/warmer"

// statDisk knows nothing: elsewhere an engine runs in a machine of its own.
func statDisk(string) warmer.Disk { return warmer.Disk{} }
