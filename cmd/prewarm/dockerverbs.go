package main

// dockerVerbs are verbs of docker that people type here too, and what does here
// what they want.
var dockerVerbs = map[string]string{
	"attach":  "prewarm logs -f RUN follows a run",
	"create":  "prewarm run makes and starts a run in one",
	"exec":    "prewarm inspect RUN names its host and container; docker exec works there",
	"image":   "prewarm images lists what is on the hosts, prewarm status what is warm there",
	"info":    "prewarm status shows hosts and images",
	"kill":    "prewarm cancel RUN ends a run",
	"login":   "logins are configured, under registries; prewarm doctor tries them",
	"pull":    "hosts pull what is configured by themselves; prewarm warm IMAGE does it now",
	"push":    "CI pushes; prewarm check IMAGE looks now for what is new",
	"restart": "a run is one execution: prewarm run submits it again",
	"rm":      "containers are removed by themselves; prewarm cancel RUN ends a run",
	"rmi":     "prewarm prune removes images that nothing wants",
	"start":   "prewarm run makes and starts a run in one",
	"stop":    "prewarm cancel RUN ends a run",
	"system":  "prewarm df shows the disks, prewarm prune makes room",
	"top":     "prewarm ps lists runs",
}
