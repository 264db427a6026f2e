package docker

import (
	"strings"

	"github.com/prewarm/prewarm/internal/problem"
)

// This file holds every string of the engine that we look at. Each is here
// because the engine tells it in no other way: errors inside a pull's stream
// carry no class, and many of those outside come as a plain 500. Each names the
// engines in which it was seen: 20.10 and 28 with the classic store, 28 and 29
// with the containerd store.

// The two ends of a connection of which one speaks TLS, as Go's crypto/tls and
// net/http say it.
const (
	saysTLS       = "client sent an http request to an https server"
	saysPlainHTTP = "first record does not look like a tls handshake"
)

// pullStep is what a message of a pull says about a layer.
type pullStep int

const (
	stepKnown      pullStep = iota + 1 // there is such a layer
	stepDownload                       // bytes so far
	stepDownloaded                     // all its bytes are here
	stepDone                           // on the host, unpacked
)

// pullSteps are the statuses of a layer. What is not here ("Pulling from …",
// "Retrying in 5 seconds") is no layer or no news about its size.
var pullSteps = map[string]pullStep{
	"Pulling fs layer":   stepKnown,      // all
	"Waiting":            stepKnown,      // classic: more layers than download slots
	"Downloading":        stepDownload,   // all
	"Verifying Checksum": stepDownloaded, // classic
	"Download complete":  stepDownloaded, // all
	"Extracting":         stepKnown,      // classic: bytes; containerd: seconds
	"Pull complete":      stepDone,       // all; containerd repeats it
	"Already exists":     stepDone,       // all
}

// pullWorks are the statuses of a layer that the engine works at. One with another
// status is done, or waits for its turn.
var pullWorks = map[string]bool{
	"Downloading":        true, // all
	"Verifying Checksum": true, // classic
	"Extracting":         true, // all
}

// saying is a text of the engine and what it means. The text matches when all
// its parts are found, in any case.
type saying struct {
	parts []string
	code  problem.Code
	means string
	mend  string
}

const (
	mendAuth     = "correct the registry's credentials in the configuration; the repository may also be misspelt: registries hide what one may not see"
	mendPlatform = "build the image for the host's platform, or take the host out of the image's hosts"
	mendGone     = "push the image again, or move the tag: the registry no longer has this digest"
	mendSpace    = "free space on the host (docker system df), or give its engine a larger disk"
	mendRegistry = "it is tried again; check the registry, and the way from the host to it"
	mendPruned   = "it is tried again; look for a cron job with docker system prune on the host"
)

// pullSayings are read in order, the particular before the general.
var pullSayings = []saying{
	// All; from the filesystem.
	{[]string{"no space left on device"}, problem.NoSpace, "the host's disk is full", mendSpace},
	{[]string{"disk quota exceeded"}, problem.NoSpace, "the host's disk quota is used up", mendSpace},

	// Classic: the index lacks the platform, inside the stream. Containerd: 404.
	{[]string{"no matching manifest"}, problem.PlatformMissing, "the image has nothing for the host's platform", mendPlatform},
	{[]string{"no match for platform"}, problem.PlatformMissing, "the image has nothing for the host's platform", mendPlatform},

	// Registries, through all engines; 429 is passed on as a 500.
	{[]string{"toomanyrequests"}, problem.RegistryLimited, "the registry says: too many requests", mendRegistry},
	{[]string{"too many requests"}, problem.RegistryLimited, "the registry says: too many requests", mendRegistry},

	// Ours is not the registry's: a file of the engine.
	{[]string{"permission denied"}, problem.EngineAPI, "the engine may not use its own files", "read the engine's log (journalctl -u docker)"},

	// 401 only on 28 classic, 500 elsewhere.
	{[]string{"unauthorized"}, problem.RegistryAuth, "the registry refuses the credentials", mendAuth},
	{[]string{"no basic auth credentials"}, problem.RegistryAuth, "the registry wants credentials", mendAuth},
	{[]string{"authentication required"}, problem.RegistryAuth, "the registry wants credentials", mendAuth},
	{[]string{"pull access denied"}, problem.RegistryAuth, "the registry refuses access", mendAuth},
	{[]string{"denied:"}, problem.RegistryAuth, "the registry refuses access", mendAuth},
	{[]string{"403 forbidden"}, problem.RegistryAuth, "the registry refuses access", mendAuth},

	// All; as 404 before the stream, as text within it.
	{[]string{"manifest unknown"}, problem.TagNotFound, "the digest is gone upstream", mendGone},
	{[]string{"name unknown"}, problem.TagNotFound, "the repository is gone upstream", mendGone},

	// Classic and containerd: someone pruned under the pull.
	{[]string{"lease", "does not exist"}, problem.EngineAPI, "a prune on the host broke the pull", mendPruned},
	{[]string{"failed commit on ref"}, problem.EngineAPI, "a prune on the host broke the pull", mendPruned},
	{[]string{"rename", "ingest"}, problem.EngineAPI, "a prune on the host broke the pull", mendPruned},

	// The engine is being stopped: its own context ends, not ours.
	{[]string{"client connection is closing"}, problem.HostUnreachable, "the engine is being stopped", "it is tried again when the engine is back"},
	{[]string{"context canceled"}, problem.HostUnreachable, "the engine is being stopped", "it is tried again when the engine is back"},

	// 20.10: layers packed with zstd.
	{[]string{"invalid tar header"}, problem.EngineAPI, "the engine can't unpack a layer", "layers packed with zstd need Engine 23 or newer: upgrade the host, or build with gzip"},

	// The way from the engine to the registry, as Go's net and net/http say it.
	{
		[]string{"server gave http response to https client"},
		problem.RegistryUnavailable,
		"the engine speaks TLS to a registry that does not", `add the registry to "insecure-registries" in the host's daemon.json`,
	},
	{[]string{"x509:"}, problem.RegistryUnavailable, "the engine does not trust the registry's certificate", "put the registry's CA under /etc/docker/certs.d on the host"},
	{[]string{"no such host"}, problem.RegistryUnavailable, "the host can't resolve the registry's name", mendRegistry},
	{[]string{"connection refused"}, problem.RegistryUnavailable, "the registry refuses connections from the host", mendRegistry},
	{[]string{"connection reset"}, problem.RegistryUnavailable, "the registry broke the connection", mendRegistry},
	{[]string{"no route to host"}, problem.RegistryUnavailable, "the host has no route to the registry", mendRegistry},
	{[]string{"network is unreachable"}, problem.RegistryUnavailable, "the host has no route to the registry", mendRegistry},
	{[]string{"timeout"}, problem.RegistryUnavailable, "the registry did not answer the host in time", mendRegistry},
	{[]string{"deadline exceeded"}, problem.RegistryUnavailable, "the registry did not answer the host in time", mendRegistry},
	{[]string{"request canceled"}, problem.RegistryUnavailable, "the registry did not answer the host in time", mendRegistry},
	{[]string{"unexpected http status"}, problem.RegistryUnavailable, "the registry is broken", mendRegistry},
	{[]string{"unexpected status"}, problem.RegistryUnavailable, "the registry is broken", mendRegistry},
	{[]string{"unexpected eof"}, problem.RegistryUnavailable, "the registry broke the connection", mendRegistry},
	{[]string{": eof"}, problem.RegistryUnavailable, "the registry broke the connection", mendRegistry},
}

// createSayings tell an image that went away between its check and its use:
// 404 in most engines, 500 for the same text in some (28 and 29, containerd).
var createSayings = []saying{
	{[]string{"no such image"}, problem.ImageLost, "", ""},
	{[]string{"content digest", "not found"}, problem.ImageLost, "", ""},
	{[]string{"parent snapshot"}, problem.ImageLost, "", ""},
	{[]string{"no space left on device"}, problem.NoSpace, "the host's disk is full", mendSpace},
}

// startSayings tell why a container could not be started, where we know a mend.
var startSayings = []saying{
	{[]string{"executable file not found"}, problem.StartFailed, "the command is not in the image", mendCommand},
	{[]string{"task", "already exists"}, problem.StartFailed, "the engine was killed while it started the container", "submit it again: nothing was executed"},
	{[]string{"gathering device information"}, problem.StartFailed, "the host has no such device", "name a device that is there, or run on a host that has it"},
	{[]string{"exec:", "no such file or directory"}, problem.StartFailed, "the command is not in the image", mendCommand},
	{[]string{"exec:", "permission denied"}, problem.StartFailed, "the command can't be executed", "set its x bit in the image, or run it through its interpreter"},
	{[]string{"exec format error"}, problem.StartFailed, "the command can't be executed", "a script needs a #! line; a program must be built for the host's platform"},
	{[]string{"unable to find user"}, problem.StartFailed, "the image has no such user", "give the user by its numbers (1000:1000), or create it in the image"},
	{[]string{"unable to find group"}, problem.StartFailed, "the image has no such group", "give the group by its number, or create it in the image"},
	{[]string{"network", "not found"}, problem.StartFailed, "the host has no such network", "create the network on the host (docker network create), or run on another"},
	{[]string{"no space left on device"}, problem.NoSpace, "the host's disk is full", mendSpace},
}

const mendCommand = "correct the command; what needs a shell is given as sh -c '…', in an image that has one"

// heard gives the first saying found in what an engine said.
func heard(sayings []saying, text string) (saying, bool) {
	text = strings.ToLower(text)
	for _, s := range sayings {
		if s.in(text) {
			return s, true
		}
	}
	return saying{}, false
}

func (s saying) in(text string) bool {
	for _, part := range s.parts {
		if !strings.Contains(text, part) {
			return false
		}
	}
	return true
}
