package imports

// A room is a package of ours with what it may import of ours.
type room struct {
	// floor counts from the top of the drawing: an import goes down, never up
	// or sideways.
	floor int
	may   []string
	why   string
}

const domainRule = "the domain declares interfaces for what it needs of the outside; it imports no adapter, no configuration and no sibling"

const adapterRule = "an adapter knows one outside thing and the domain that it serves, and no other adapter"

const fakeRule = "a fake stands beside the adapter that it stands in for, and offers the same words of the domain"

// rooms are all packages of the program. Those below test/, and the tests of
// all, may import what they like; what holds for them is that no room imports
// them.
var rooms = map[string]room{
	"cmd/prewarm": {
		floor: 0, may: []string{"config", "internal/api", "internal/app", "internal/backup", "internal/problem", "internal/systemd"},
		why: "a verb reads flags and asks the server through internal/api; only serve builds one, by internal/app",
	},
	"internal/app": {
		floor: 1, may: []string{
			"config", "internal/access", "internal/backup", "internal/docker", "internal/enroll", "internal/forward", "internal/metrics", "internal/notice", "internal/notify",
			"internal/problem", "internal/schedule", "internal/seal", "internal/selection",
			"internal/server", "internal/store", "internal/verify", "registry", "registry/webhook", "runner", "runner/spool", "warmer", "warmer/hints", "warmer/prune",
		},
		why: "the composition root knows all rooms, and no room knows it but the command line",
	},
	"config": {
		floor: 2, may: []string{"internal/notice", "internal/problem", "internal/schedule", "internal/selection", "registry", "registry/webhook"},
		why: "config parses values of the leaves and knows nothing of what is done with them",
	},
	"internal/docker": {
		floor: 2, may: []string{"internal/problem", "registry", "runner", "warmer", "warmer/prune"}, why: adapterRule,
	},
	"internal/docker/dockertest": {
		floor: 2, may: []string{"internal/problem", "registry", "runner", "warmer", "warmer/prune"}, why: fakeRule,
	},
	"internal/forward": {
		floor: 2, may: []string{"internal/problem", "runner", "runner/spool"}, why: adapterRule,
	},
	"internal/seal": {
		floor: 2, may: []string{"internal/problem"}, why: adapterRule,
	},
	"internal/server": {
		floor: 2, may: []string{"internal/access", "internal/api", "internal/problem", "registry", "registry/webhook", "runner", "warmer", "warmer/hints", "warmer/prune"}, why: adapterRule,
	},
	"internal/store": {
		floor: 2, may: []string{"internal/access", "internal/backup", "internal/notice", "internal/problem", "registry", "runner", "warmer", "warmer/hints", "warmer/prune"}, why: adapterRule,
	},
	"runner": {
		floor: 3, may: []string{"internal/failpoint", "internal/notice", "internal/problem", "registry", "runner/spool"}, why: domainRule,
	},
	"runner/spool": {
		floor: 4, may: []string{"internal/problem"},
		why: "runner/spool keeps lines on disk, and knows nothing of runs but their names",
	},
	"internal/failpoint": {
		floor: 6,
		why:   "internal/failpoint kills the process in tests, and knows nothing of why",
	},
	"internal/verify": {
		floor: 2, why: "internal/verify runs a program and says how it ended; it knows nothing of what is verified",
	},
	"warmer": {
		floor: 3, may: []string{"internal/failpoint", "internal/notice", "internal/problem", "internal/schedule", "internal/selection", "registry", "warmer/prune"}, why: domainRule,
	},
	"warmer/prune": {
		floor: 4, may: []string{"registry"},
		why: "warmer/prune decides: an inventory and a policy in, verdicts out; it knows no host and asks nobody",
	},
	"registry": {
		floor: 5, may: []string{"internal/problem"},
		why: "registry is a leaf: everybody uses its Ref and Pin, so it can use nobody",
	},
	"internal/schedule": {
		floor: 4,
		why:   "internal/schedule is a leaf: it reads cron lines and knows nothing of what they are for",
	},
	"internal/selection": {
		floor: 4,
		why:   "internal/selection is a leaf: tags in, tags out, and it knows nothing of registries",
	},
	"internal/api": {
		floor: 5, may: []string{"internal/problem"},
		why: "internal/api is the wire, which both ends share; it knows neither the domain behind it nor the command line before it",
	},
	"internal/access": {
		floor: 5, may: []string{"internal/problem"},
		why: "internal/access decides who may do what; it knows neither HTTP nor what is done",
	},
	"internal/backup": {
		floor: 5, may: []string{"internal/failpoint", "internal/problem"},
		why: "internal/backup is a file format and how it becomes a folder; it knows neither the database nor the logs in it",
	},
	"internal/notice": {
		floor: 6,
		why:   "internal/notice is what people are told of, and knows nobody who tells",
	},
	"registry/webhook": {
		floor: 4, may: []string{"internal/problem", "registry"},
		why: "registry/webhook reads what senders send: bytes in, events out",
	},
	"warmer/hints": {
		floor: 3, may: []string{"internal/failpoint", "internal/problem", "registry", "registry/webhook"}, why: domainRule,
	},
	"internal/notify": {
		floor: 2, may: []string{"internal/failpoint", "internal/notice", "internal/problem"}, why: adapterRule,
	},
	"internal/metrics": {
		floor: 2, may: []string{"internal/problem", "registry", "runner", "warmer", "warmer/prune"}, why: adapterRule,
	},
	"internal/systemd": {
		floor: 2, why: "internal/systemd tells the service manager; it knows nothing of what there is to tell",
	},
	"internal/enroll": {
		floor: 2, may: []string{"internal/problem"}, why: adapterRule,
	},
	"internal/problem": {
		floor: 6,
		why:   "internal/problem is below everything and imports nothing of ours",
	},
	"tools/image": {
		floor: 0,
		why:   "a tool of the house is no part of the program; it builds it by the go command",
	},
	"tools/kubeschemas": {
		floor: 0,
		why:   "a tool of the house is no part of the program and uses none of it",
	},
	"tools/vulncheck": {
		floor: 0,
		why:   "a tool of the house is no part of the program and uses none of it",
	},
}
